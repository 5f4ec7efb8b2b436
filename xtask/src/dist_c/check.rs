//! The C library as others use it: installed in a folder, found by pkg-config and by CMake, linked shared and static.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::{Build, Destination, Version, archive};
use crate::install;
use crate::process::Tool;

const LIMIT: Duration = Duration::from_secs(120);

const STRICT: [&str; 4] = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"];

/// Installs the library in a new folder, and builds and runs programs outside of this tree with it.
pub(crate) fn run() -> Result<()> {
    install::ensure(&[install::GCC, install::GXX, install::CMAKE, install::PKG_CONFIG])?;
    let work = crate::target_dir().join("xtask/installed");
    if work.exists() {
        std::fs::remove_dir_all(&work)?;
    }
    std::fs::create_dir_all(&work)?;
    let work = work.canonicalize()?;
    let staging = work.join("staging");
    super::run(
        Build::Tested,
        &Destination {
            prefix: "/usr".into(),
            root: Some(staging.clone()),
        },
    )?;
    ensure!(
        std::fs::read_to_string(staging.join("usr/lib/pkgconfig/syncline.pc"))?.starts_with("prefix=/usr\n"),
        "what is staged is not for the prefix that was asked for"
    );
    let prefix = work.join("prefix");
    super::run(
        Build::Tested,
        &Destination {
            prefix: prefix.clone(),
            root: None,
        },
    )?;
    let installed = Installed { work, prefix };
    installed.check_symbols()?;
    installed.check_pkg_config()?;
    installed.check_cmake()?;
    installed.check_neighbours()
}

struct Installed {
    /// Outside of everything that is installed, and of the sources.
    work: PathBuf,
    prefix: PathBuf,
}

impl Installed {
    fn library(&self) -> PathBuf {
        self.prefix.join("lib")
    }

    fn check_symbols(&self) -> Result<()> {
        let version = Version::current()?;
        let shared = self.library().join(version.soname());
        let exports = archive::exports(&shared)?;
        let header = std::fs::read_to_string(self.prefix.join("include/syncline.h"))?;
        for name in &exports {
            ensure!(
                name == "syncline_test_panic" || header.contains(&format!("{name}(")),
                "{name} is exported and not in the header"
            );
        }
        Ok(())
    }

    /// C99 and C++, shared; then static, in a prefix that has moved and holds no shared library.
    fn check_pkg_config(&self) -> Result<()> {
        let source = crate::root().join("ffi-c/tests/installed/plain.c");
        let soname = Version::current()?.soname();
        for (compiler, standard, language) in [
            ("gcc", "c99", "c"),
            ("g++", "c++11", "c++"),
            ("g++", "c++20", "c++"),
        ] {
            let program = self.work.join(format!("plain-{standard}"));
            Tool::new(compiler)
                .arg(format!("-std={standard}"))
                .args(STRICT)
                .args(["-x", language])
                .arg(&source)
                .args(["-x", "none"])
                .args(flags(&self.library(), &["--cflags", "--libs"])?)
                .arg("-o")
                .arg(&program)
                .run()?;
            let dynamic = Tool::new("readelf")
                .args(["--dynamic", "--wide"])
                .arg(&program)
                .output()?;
            ensure!(
                dynamic.contains(&format!("Shared library: [{soname}]")),
                "{} does not ask for {soname}",
                program.display()
            );
            self.run(&program)?;
        }

        let moved = self.work.join("moved");
        std::fs::create_dir_all(moved.join("lib/pkgconfig"))?;
        std::fs::create_dir_all(moved.join("include"))?;
        for file in [
            "lib/libsyncline.a",
            "lib/pkgconfig/syncline.pc",
            "include/syncline.h",
        ] {
            std::fs::copy(self.prefix.join(file), moved.join(file))?;
        }
        let program = self.work.join("plain-static");
        Tool::new("gcc")
            .arg("-std=c99")
            .args(STRICT)
            .arg(&source)
            .args(flags(
                &moved.join("lib"),
                &["--define-prefix", "--static", "--cflags", "--libs"],
            )?)
            .arg("-o")
            .arg(&program)
            .run()?;
        Tool::new(&program).within(LIMIT).run()
    }

    /// The installed examples, by the file that is installed with them.
    fn check_cmake(&self) -> Result<()> {
        let examples = self.prefix.join("share/doc/syncline/examples");
        for linked in ["OFF", "ON"] {
            let build = self.work.join(format!("cmake-static-{linked}"));
            Tool::new("cmake")
                .arg("-S")
                .arg(&examples)
                .arg("-B")
                .arg(&build)
                .arg(format!("-DCMAKE_PREFIX_PATH={}", self.prefix.display()))
                .arg(format!("-DSYNCLINE_STATIC={linked}"))
                .run()?;
            Tool::new("cmake").arg("--build").arg(&build).run()?;
            // Without arguments an example says how it is called, which shows that it finds its library.
            let usage = Tool::new("sh")
                .args(["-c", "\"$0\" 2>&1; test $? = 2"])
                .arg(build.join("client"))
                .within(LIMIT)
                .output()?;
            ensure!(usage.starts_with("usage: "), "the example says: {usage}");
        }
        Ok(())
    }

    /// The static library beside C++ and beside another one that was written in Rust, in either order.
    fn check_neighbours(&self) -> Result<()> {
        let sources = crate::root().join("ffi-c/tests/installed");
        let neighbour = self.work.join("libneighbour.a");
        Tool::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
            .args(["--crate-type=staticlib", "--edition=2024", "-O"])
            .arg(sources.join("neighbour.rs"))
            .arg("-o")
            .arg(&neighbour)
            .run()?;
        let ours = self.library().join("libsyncline.a");
        for (order, libraries) in [[&ours, &neighbour], [&neighbour, &ours]].iter().enumerate() {
            let program = self.work.join(format!("neighbours-{order}"));
            Tool::new("g++")
                .arg("-std=c++11")
                .args(STRICT)
                .arg("-I")
                .arg(self.prefix.join("include"))
                .arg(sources.join("neighbours.cpp"))
                .args(libraries)
                .args(super::system_libraries()?.split(' '))
                .arg("-o")
                .arg(&program)
                .run()?;
            Tool::new(&program).within(LIMIT).run()?;
        }
        Ok(())
    }

    fn run(&self, program: &Path) -> Result<()> {
        Tool::new(program)
            .env("LD_LIBRARY_PATH", self.library())
            .within(LIMIT)
            .run()
    }
}

/// What pkg-config says about the library in this folder, and nothing about the system's.
fn flags(library: &Path, asked: &[&str]) -> Result<Vec<String>> {
    let flags = Tool::new("pkg-config")
        .args(asked)
        .arg("syncline")
        .env("PKG_CONFIG_LIBDIR", library.join("pkgconfig"))
        .output()
        .context("pkg-config does not find the library")?;
    Ok(flags.split_whitespace().map(str::to_owned).collect())
}
