//! The benchmarks: wall clock by criterion, instruction counts under valgrind.

use anyhow::Result;

use crate::install;
use crate::process::Tool;

/// Runs everything that the benches package has, after installing what counts the instructions.
pub(crate) fn run() -> Result<()> {
    install::ensure(&[install::VALGRIND])?;
    if let Some(version) = locked_version("gungraun")? {
        let installed = Tool::new("gungraun-runner")
            .arg("--version")
            .output()
            .unwrap_or_default();
        if !installed.trim().ends_with(&version) {
            // The runner refuses to work with a library of another version.
            Tool::cargo("install")
                .args([
                    "--locked",
                    "--quiet",
                    "gungraun-runner",
                    "--version",
                    &format!("={version}"),
                ])
                .run()?;
        }
    }
    Tool::cargo("bench")
        .args(["--locked", "--package", "syncline-benches"])
        .run()
}

/// The version of `package` in `Cargo.lock`, if the workspace uses it.
fn locked_version(package: &str) -> Result<Option<String>> {
    let lock = std::fs::read_to_string(crate::root().join("Cargo.lock"))?;
    Ok(version_in(&lock, package))
}

fn version_in(lock: &str, package: &str) -> Option<String> {
    let entry = lock.split_once(&format!("name = \"{package}\"\nversion = \""))?.1;
    entry.split_once('"').map(|(version, _)| version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_locked_version_is_read_for_the_package_of_exactly_that_name() {
        let lock = "[[package]]\nname = \"ab\"\nversion = \"1.0.0\"\n\n[[package]]\nname = \"a\"\nversion = \"2.3.4\"\n";
        assert_eq!(version_in(lock, "a").as_deref(), Some("2.3.4"));
        assert_eq!(version_in(lock, "b"), None);
    }
}
