//! Packages of npm, and with them the Node.js that runs them, whatever version this machine has.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::install;
use crate::process::Tool;

const LIMIT: Duration = Duration::from_secs(600);

/// The packages that are wanted.
const LIST: &str = "package.json";
/// The version of each, and of all that they need in turn.
const LOCK: &str = "package-lock.json";

/// The folder with what the client on Node.js needs that the tests of the OPC UA server use.
///
/// # Errors
/// It cannot be installed.
pub(crate) fn opcua_client() -> Result<PathBuf> {
    packages(
        &crate::root().join("tests/opcua"),
        &crate::target_dir().join("xtask/opcua-node"),
    )
}

/// Installs in `folder` what the list in `source` asks for, in the versions of the lock file where there is one beside it,
/// unless that was done before.
///
/// # Errors
/// It cannot be installed.
pub(crate) fn packages(source: &Path, folder: &Path) -> Result<PathBuf> {
    let is_locked = source.join(LOCK).is_file();
    let (files, command) = match is_locked {
        true => (&[LIST, LOCK][..], &["ci"][..]),
        false => (&[LIST][..], &["install", "--no-package-lock"][..]),
    };
    let mut stamp = String::from(std::env::consts::ARCH);
    for name in files {
        let path = source.join(name);
        stamp +=
            &std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    }
    let stamp_file = folder.join("stamp");
    let is_current = std::fs::read_to_string(&stamp_file).is_ok_and(|found| found == stamp);
    if is_current && Tool::new(interpreter(folder)).arg("--version").succeeds() {
        return Ok(folder.to_owned());
    }
    install::ensure(&[install::NODE, install::NPM])?;
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    for name in files {
        std::fs::copy(source.join(name), folder.join(name))?;
    }
    // Errors alone: to npm the packages ask for another Node.js than its own.
    Tool::new("npm")
        .args(command)
        .args(["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"])
        .dir(folder)
        .within(LIMIT)
        .run()?;
    link_interpreter(folder)?;
    // Written last, so that what an interrupted run leaves is not taken for whole.
    std::fs::write(&stamp_file, stamp)?;
    Ok(folder.to_owned())
}

/// Node.js itself, which is one of the packages.
fn interpreter(folder: &Path) -> PathBuf {
    folder.join("node")
}

/// Puts it where it is looked for on machines of all kinds; not every npm links it.
fn link_interpreter(folder: &Path) -> Result<()> {
    let machine = match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => other,
    };
    let program = format!("node_modules/node-linux-{machine}/bin/node");
    ensure!(
        folder.join(&program).is_file(),
        "the packages in {} have no Node.js for {machine}: add `node-linux-{machine}` to its package.json",
        folder.display()
    );
    let link = interpreter(folder);
    if link.is_symlink() {
        std::fs::remove_file(&link)?;
    }
    Ok(std::os::unix::fs::symlink(program, link)?)
}
