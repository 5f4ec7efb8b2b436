//! Coverage-guided fuzzing on the stable compiler: libFuzzer's instrumentation is an ordinary code generation flag.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::install;
use crate::plan::Plan;
use crate::process::Tool;

/// Targets of crates that hold `unsafe`, which are run under the address sanitizer.
const SANITIZED: [&str; 1] = ["c_calls"];

/// The flags that cargo-fuzz passes, less the sanitizer, which most targets have no use for: their crates hold no `unsafe`.
const INSTRUMENTATION: &str = "--cfg fuzzing -Cdebug-assertions -Ccodegen-units=1 -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares \
    -Cllvm-args=-simplifycfg-branch-fold-threshold=0";

/// Where the targets are built, without and with the sanitizer.
const PLAIN: &str = "fuzz/target";
const WITH_SANITIZER: &str = "fuzz/target/sanitized";

/// The fuzz targets' manifest; they are a workspace of their own.
pub(crate) fn manifest() -> PathBuf {
    crate::root().join("fuzz/Cargo.toml")
}

/// Builds the targets in `fuzz/fuzz_targets/` that `only` names, or all where it names none, and runs each for `seconds`.
///
/// # Errors
/// For a name that no target has. Names the targets that found something; libFuzzer has then printed the input and where it was kept.
pub(crate) fn run(seconds: u32, only: &[String]) -> Result<()> {
    let mut targets = targets()?;
    if let Some(unknown) = only.iter().find(|name| !targets.contains(name)) {
        bail!(
            "no fuzz target is called `{unknown}`; there are {}",
            targets.join(", ")
        );
    }
    targets.retain(|name| only.is_empty() || only.contains(name));
    install::ensure(&[install::GXX])?;
    let triple = host_triple()?;
    let (sanitized, plain): (Vec<_>, Vec<_>) = targets
        .iter()
        .map(String::as_str)
        .partition(|name| SANITIZED.contains(name));
    build(&plain, &triple, PLAIN, INSTRUMENTATION, None)?;
    // The stable compiler has the sanitizer as well, behind this variable.
    let flags = format!("{INSTRUMENTATION} -Zsanitizer=address");
    build(
        &sanitized,
        &triple,
        WITH_SANITIZER,
        &flags,
        Some("RUSTC_BOOTSTRAP"),
    )?;
    let mut plan = Plan::new();
    for target in targets {
        let built = if SANITIZED.contains(&target.as_str()) {
            WITH_SANITIZER
        } else {
            PLAIN
        };
        let program = crate::root()
            .join(built)
            .join(&triple)
            .join("release")
            .join(&target);
        let name: &'static str = target.leak();
        plan.step(name, move || {
            let corpus = folder("corpus", name)?;
            let artifacts = folder("artifacts", name)?;
            Tool::new(&program)
                .arg(corpus)
                .args(Some(crate::root().join("fuzz/seeds").join(name)).filter(|seeds| seeds.is_dir()))
                .arg(format!("-artifact_prefix={}/", artifacts.display()))
                .args([
                    format!("-max_total_time={seconds}"),
                    "-timeout=10".into(),
                    "-print_final_stats=1".into(),
                ])
                .within(Duration::from_secs(u64::from(seconds) + 300))
                .run()
        });
    }
    plan.run()
}

/// Builds targets, if any, into a folder, perhaps with a variable that unlocks what `flags` ask for.
fn build(
    targets: &[&str],
    triple: &str,
    folder: &str,
    flags: &str,
    unlock: Option<&'static str>,
) -> Result<()> {
    if targets.is_empty() {
        return Ok(());
    }
    // With `--target`, the flags reach the targets and not the build scripts, which could not be linked with them.
    let cargo = Tool::cargo("build")
        .args(["--release", "--target", triple, "--manifest-path"])
        .arg(manifest())
        .arg("--target-dir")
        .arg(crate::root().join(folder))
        .args(targets.iter().flat_map(|name| ["--bin", name]))
        .env("RUSTFLAGS", flags);
    match unlock {
        Some(variable) => cargo.env(variable, "1").run(),
        None => cargo.run(),
    }
}

fn targets() -> Result<Vec<String>> {
    let folder = crate::root().join("fuzz/fuzz_targets");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if let Some(name) = path
            .file_stem()
            .filter(|_| path.extension().is_some_and(|ext| ext == "rs"))
        {
            names.push(name.to_string_lossy().into_owned());
        }
    }
    names.sort();
    if names.is_empty() {
        bail!("no fuzz target in {}", folder.display());
    }
    Ok(names)
}

fn folder(kind: &str, target: &str) -> Result<PathBuf> {
    let path = crate::root().join("fuzz").join(kind).join(target);
    std::fs::create_dir_all(&path)?;
    Ok(path)
}

fn host_triple() -> Result<String> {
    let text = Tool::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
        .arg("-vV")
        .output()?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("`rustc -vV` names no host")
}
