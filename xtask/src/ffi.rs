//! The header in three languages, and C programs against the static library: plain, under the sanitizers and valgrind, and
//! against the optimised one under valgrind.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::install;
use crate::process::Tool;

/// One test program takes far less than this; a hang must not look like work.
const LIMIT: Duration = Duration::from_secs(120);

const STRICT: [&str; 6] = ["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-g"];

/// What Rust's standard library needs of the system when it is linked statically (`rustc --print native-static-libs`).
const SYSTEM_LIBRARIES: [&str; 5] = ["-lgcc_s", "-lrt", "-lpthread", "-lm", "-ldl"];

/// How the library is compiled.
#[derive(Clone, Copy)]
enum Profile {
    Debug,
    /// As its users have it: valgrind sees what the optimiser has made, such as a branch on memory that it need not read.
    Release,
}

impl Profile {
    fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Release => "release",
        }
    }
}

/// Builds the library, then every program in `ffi-c/tests/`, and runs each of them four ways.
pub(crate) fn test() -> Result<()> {
    install::ensure(&[install::GCC, install::GXX, install::VALGRIND])?;
    check_header()?;
    let library = stage(Profile::Debug)?;
    let optimised = stage(Profile::Release)?;
    let programs = programs()?;
    if programs.is_empty() {
        bail!("no C program in ffi-c/tests: nothing was tested");
    }
    for source in &programs {
        let plain = compile(source, &library, "plain", &[])?;
        Tool::new(&plain).within(LIMIT).run()?;
        valgrind(&plain)?;
        valgrind(&compile(source, &optimised, "optimised", &[])?)?;
        let flags = [
            "-fsanitize=address,undefined",
            "-fno-sanitize-recover=all",
            "-fno-omit-frame-pointer",
        ];
        Tool::new(compile(source, &library, "sanitized", &flags)?)
            .env("ASAN_OPTIONS", "detect_leaks=1:abort_on_error=0")
            .within(LIMIT)
            .run()?;
    }
    println!(
        "{} C programs passed, plain, under the sanitizers, and under valgrind with the library as it is and optimised",
        programs.len()
    );
    Ok(())
}

fn valgrind(program: &Path) -> Result<()> {
    Tool::new("valgrind")
        .args([
            "--quiet",
            "--error-exitcode=9",
            "--leak-check=full",
            "--show-leak-kinds=all",
        ])
        .arg(program)
        .within(LIMIT)
        .run()
}

/// The header by itself is C99, C11 and C++.
fn check_header() -> Result<()> {
    let header = crate::root().join("ffi-c/include/syncline.h");
    for (compiler, language, standard) in [
        ("gcc", "c", "c99"),
        ("gcc", "c", "c11"),
        ("g++", "c++", "c++11"),
        ("g++", "c++", "c++17"),
    ] {
        Tool::new(compiler)
            .arg(format!("-std={standard}"))
            .args([
                "-Wall",
                "-Wextra",
                "-Wpedantic",
                "-Werror",
                "-fsyntax-only",
                "-x",
                language,
            ])
            .arg("-include")
            .arg(&header)
            .arg("/dev/null")
            .run()?;
    }
    Ok(())
}

/// Builds the crate and lays its libraries out under the names that C users link: `libsyncline.{a,so}`.
///
/// Rust's own file name has to differ, since the agent's library is already called `syncline`.
fn stage(profile: Profile) -> Result<PathBuf> {
    let optimised: &[&str] = match profile {
        Profile::Debug => &[],
        Profile::Release => &["--release"],
    };
    Tool::cargo("build")
        .args(optimised)
        .args([
            "--locked",
            "--package",
            "syncline-ffi",
            "--features",
            "syncline-ffi/test-hook",
        ])
        .run()?;
    let folder = crate::target_dir().join("xtask/ffi").join(profile.name());
    std::fs::create_dir_all(&folder)?;
    for extension in ["a", "so"] {
        let built = crate::target_dir()
            .join(profile.name())
            .join("libsyncline_ffi")
            .with_extension(extension);
        std::fs::copy(&built, folder.join("libsyncline").with_extension(extension))
            .with_context(|| format!("cannot copy {}", built.display()))?;
    }
    Ok(folder)
}

fn programs() -> Result<Vec<PathBuf>> {
    let mut sources = Vec::new();
    for entry in std::fs::read_dir(crate::root().join("ffi-c/tests"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "c") {
            sources.push(path);
        }
    }
    sources.sort();
    Ok(sources)
}

fn compile(source: &Path, library: &Path, variant: &str, flags: &[&str]) -> Result<PathBuf> {
    let name = source
        .file_stem()
        .context("a C program has a name")?
        .to_string_lossy();
    let program = library.join(format!("{name}-{variant}"));
    Tool::new("gcc")
        .args(STRICT)
        .args(flags)
        .arg("-I")
        .arg(crate::root().join("ffi-c/include"))
        .arg(source)
        .arg(library.join("libsyncline.a"))
        .args(SYSTEM_LIBRARIES)
        .arg("-o")
        .arg(&program)
        .run()?;
    Ok(program)
}

#[cfg(test)]
mod tests;
