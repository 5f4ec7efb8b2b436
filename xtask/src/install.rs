//! Programs that the tests use and a fresh machine may lack: found, or installed from Debian's packages.

use std::time::Duration;

use anyhow::{Result, bail};

use crate::process::Tool;

/// A program and the Debian package that holds it.
pub(crate) struct Program {
    /// What a shell would find.
    pub(crate) name: &'static str,
    /// The package to install.
    pub(crate) package: &'static str,
}

pub(crate) const MOSQUITTO: Program = Program {
    name: "mosquitto",
    package: "mosquitto",
};
pub(crate) const MOSQUITTO_PUB: Program = Program {
    name: "mosquitto_pub",
    package: "mosquitto-clients",
};
pub(crate) const MOSQUITTO_SUB: Program = Program {
    name: "mosquitto_sub",
    package: "mosquitto-clients",
};
pub(crate) const PROMTOOL: Program = Program {
    name: "promtool",
    package: "prometheus",
};
pub(crate) const CURL: Program = Program {
    name: "curl",
    package: "curl",
};
pub(crate) const TSHARK: Program = Program {
    name: "tshark",
    package: "tshark",
};
/// A package of its own, on which that of tshark depends.
pub(crate) const DUMPCAP: Program = Program {
    name: "dumpcap",
    package: "wireshark-common",
};
pub(crate) const CHROMIUM: Program = Program {
    name: "chromium",
    package: "chromium",
};
pub(crate) const CHROMEDRIVER: Program = Program {
    name: "chromedriver",
    package: "chromium-driver",
};
/// For a container's network.
pub(crate) const IP: Program = Program {
    name: "ip",
    package: "iproute2",
};
pub(crate) const NODE: Program = Program {
    name: "node",
    package: "nodejs",
};
pub(crate) const NPM: Program = Program {
    name: "npm",
    package: "npm",
};
pub(crate) const GCC: Program = Program {
    name: "gcc",
    package: "gcc",
};
pub(crate) const GXX: Program = Program {
    name: "g++",
    package: "g++",
};
pub(crate) const BINUTILS: Program = Program {
    name: "objcopy",
    package: "binutils",
};
pub(crate) const CMAKE: Program = Program {
    name: "cmake",
    package: "cmake",
};
pub(crate) const PKG_CONFIG: Program = Program {
    name: "pkg-config",
    package: "pkg-config",
};
pub(crate) const OPENSSL: Program = Program {
    name: "openssl",
    package: "openssl",
};
pub(crate) const VALGRIND: Program = Program {
    name: "valgrind",
    package: "valgrind",
};

/// Makes sure that all of `programs` can be run, installing what is missing.
///
/// # Errors
/// Says which packages are missing when they cannot be installed here.
pub(crate) fn ensure(programs: &[Program]) -> Result<()> {
    let missing: Vec<_> = programs
        .iter()
        .filter(|program| !is_there(program.name))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut packages: Vec<_> = missing.iter().map(|program| program.package).collect();
    packages.dedup();
    install(&packages)?;
    match missing.iter().find(|program| !is_there(program.name)) {
        None => Ok(()),
        Some(Program { name, package }) => {
            bail!("{name} is still not found after installing {package}: install it by hand and run again")
        }
    }
}

/// Makes sure that C programs find a system header.
///
/// # Errors
/// As [`ensure`].
pub(crate) fn ensure_header(header: &str, package: &str) -> Result<()> {
    if std::path::Path::new("/usr/include").join(header).is_file() {
        return Ok(());
    }
    install(&[package])
}

/// Installs Debian packages; a no-op for those that are there.
///
/// # Errors
/// Names the command that mends it when this user cannot install packages.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    let wanted = packages.join(" ");
    let cure = format!("run `sudo apt-get install {wanted}` (or your system's equivalent) and try again");
    if !is_there("apt-get") {
        bail!("missing: {wanted}; there is no apt-get here to install it: {cure}");
    }
    if Tool::new("id").arg("-u").output()?.trim() != "0" {
        bail!("missing: {wanted}; only root may install it: {cure}");
    }
    let apt = |words: &[&str]| {
        Tool::new("apt-get")
            .args(["-q", "-y", "-o", "DPkg::Lock::Timeout=120"])
            .args(words)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .within(Duration::from_secs(600))
            .run()
    };
    let installed =
        apt(&["update"]).and_then(|()| apt(&[&["install", "--no-install-recommends"], packages].concat()));
    installed.map_err(|error| error.context(format!("missing: {wanted}; {cure}")))
}

/// Whether a shell finds `program`; Debian keeps servers in `sbin`, which is not on every user's path.
fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .any(|folder| folder.join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_on_the_path_and_only_there() {
        assert!(is_there("sh"));
        assert!(!is_there("no-such-program-anywhere"));
    }
}
