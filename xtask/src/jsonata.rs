//! JSONata's own suite, as far as the rules' evaluator passes it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::process::Tool;

/// A crate that carries the suite; the package of the reference implementation does not. It is only read, never built.
const CARRIER: &str = "jsonata-rs";
const CARRIER_VERSION: &str = "0.3.4";

/// Fetches the suite and runs it; prints the share that passes and fails where it is another than the one committed.
pub(crate) fn run() -> Result<()> {
    let suite = fetch()?;
    Tool::cargo("test")
        .args([
            "--locked",
            "--package",
            "syncline-tests",
            "--test",
            "jsonata_suite",
        ])
        .args(["--", "--ignored", "--nocapture"])
        .env("SYNCLINE_JSONATA_SUITE", suite)
        .run()
}

/// The folder of the suite in cargo's own store, where a package that depends on its carrier has had it put.
fn fetch() -> Result<PathBuf> {
    let dir = crate::target_dir().join("xtask/jsonata-suite");
    std::fs::create_dir_all(dir.join("src"))?;
    let manifest = format!(
        "[package]\nname = \"jsonata-suite\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
         [dependencies]\n{CARRIER} = \"={CARRIER_VERSION}\"\n\n[workspace]\n"
    );
    std::fs::write(dir.join("Cargo.toml"), manifest)?;
    std::fs::write(
        dir.join("src/lib.rs"),
        "//! Nothing: only its dependency's files are wanted.\n",
    )?;
    let metadata = Tool::cargo("metadata")
        .args(["--format-version=1", "--quiet", "--manifest-path"])
        .arg(dir.join("Cargo.toml"))
        .output()?;
    let folder = format!("{CARRIER}-{CARRIER_VERSION}/Cargo.toml\"");
    let end = metadata
        .find(&folder)
        .with_context(|| format!("cargo does not know where {CARRIER} {CARRIER_VERSION} is"))?;
    let start = metadata[..end].rfind('"').map_or(0, |quote| quote + 1);
    let package = Path::new(&metadata[start..end]).join(format!("{CARRIER}-{CARRIER_VERSION}"));
    Ok(package.join("tests/testsuite"))
}
