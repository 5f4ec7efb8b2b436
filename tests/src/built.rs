//! Programs of this workspace as cargo builds them.

use std::path::PathBuf;
use std::process::Command;

use crate::workspace;

/// What cargo builds a program from.
#[derive(Debug, Clone, Copy)]
pub enum Source {
    /// A binary of that name.
    Binary(&'static str),
    /// An example of that name.
    Example(&'static str),
}

/// The built program of a package.
///
/// `cargo xtask test` has just built it and says where in the environment variable `variable`. Without that, cargo is
/// asked to, so that no test ever runs a stale one.
///
/// # Panics
/// When it cannot be built.
#[must_use]
pub fn built(variable: &str, package: &str, source: Source) -> PathBuf {
    if let Some(path) = std::env::var_os(variable) {
        return path.into();
    }
    let (flag, name, folder) = match source {
        Source::Binary(name) => ("--bin", name, "debug"),
        Source::Example(name) => ("--example", name, "debug/examples"),
    };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--package", package, flag, name])
        .current_dir(workspace())
        .status()
        .unwrap_or_else(|error| panic!("cannot start cargo: {error}; run the tests with `cargo xtask test`"));
    assert!(
        status.success(),
        "{name} cannot be built: run `cargo build --package {package} {flag} {name}` to see why"
    );
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    workspace().join(target).join(folder).join(name)
}
