//! The Python package as its users get it: a wheel, installed into a fresh environment, then its tests.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::install;
use crate::process::Tool;

const LIMIT: Duration = Duration::from_secs(600);

/// What builds and tests the package.
const TEST_TOOLS: &str = "requirements-dev.txt";
const TOOLS_ARE_THERE: &str = "import pytest, mypy, pyright";
/// What the tests of the OPC UA server have for a client, as a list beside them.
const OPCUA_CLIENT: &str = "../tests/opcua/requirements.txt";
/// What it is compared with.
const OTHER_CLIENTS: &str = "requirements-cost.txt";

/// Builds the wheel, installs it, checks its types, and runs its tests; a quick run leaves out those that start servers.
pub(crate) fn test(quick: bool) -> Result<()> {
    install::ensure(&[install::GCC])?;
    let folder = crate::target_dir().join("xtask/python");
    let python = environment(&folder, &[TEST_TOOLS], TOOLS_ARE_THERE)?;
    install_wheel(&folder, &python, "dev")?;
    types(&folder, &python)?;
    let cache = format!("cache_dir={}", folder.join("pytest_cache").display());
    let mut pytest = Tool::new(&python)
        .args(["-X", "dev", "-W", "error", "-m", "pytest", "-o", &cache])
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .dir(sources());
    if quick {
        pytest = pytest.args(["-m", "not server"]);
    } else {
        install::ensure(&[install::MOSQUITTO, install::OPENSSL])?;
        crate::test::build_agent()?;
        pytest = pytest.env("SYNCLINE_BIN", crate::test::agent());
    }
    pytest.arg("tests").within(LIMIT).run()
}

/// Installs the package as it is shipped beside other clients, and gives the command that compares what they cost; it wants
/// the broker's `--port` besides.
///
/// # Errors
/// Something cannot be installed or built.
pub(crate) fn cost_command() -> Result<[PathBuf; 2]> {
    install::ensure(&[install::GCC])?;
    let folder = crate::target_dir().join("xtask/python-cost");
    let python = environment(&folder, &[TEST_TOOLS, OTHER_CLIENTS], TOOLS_ARE_THERE)?;
    install_wheel(&folder, &python, "dist")?;
    Ok([python, sources().join("benches/cost.py")])
}

/// The interpreter that the tests of the OPC UA server run their client with.
///
/// # Errors
/// It cannot be installed.
pub(crate) fn opcua_client() -> Result<PathBuf> {
    let folder = crate::target_dir().join("xtask/opcua");
    environment(&folder, &[OPCUA_CLIENT], "import asyncua")
}

/// The folder of the package's sources.
fn sources() -> PathBuf {
    crate::root().join("python")
}

fn install_wheel(folder: &Path, python: &Path, profile: &str) -> Result<()> {
    let wheel = wheel(folder, python, profile)?;
    Tool::new(python)
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--force-reinstall",
        ])
        .arg(&wheel)
        .within(LIMIT)
        .run()
}

/// Compares the stub with the compiled module, and has the tests, examples and benchmarks checked against both.
fn types(folder: &Path, python: &Path) -> Result<()> {
    // In a folder without sources, so that what is checked is the installed package.
    Tool::new(python)
        .args(["-m", "mypy.stubtest", "syncline"])
        .dir(folder)
        .within(LIMIT)
        .run()
        .context("python/python/syncline/_native.pyi and the compiled module differ")?;
    Tool::new(python)
        .args(["-m", "pyright", "--pythonpath"])
        .arg(python)
        .env("PYRIGHT_PYTHON_IGNORE_WARNINGS", "1")
        .dir(sources())
        .within(LIMIT)
        .run()
}

/// The interpreter of a virtual environment that holds exactly these lists of `python/`.
///
/// The environment is made anew unless its stamp, written last, says that it was made from the same lists by the same
/// interpreter, and `probe` runs in it.
fn environment(folder: &Path, lists: &[&str], probe: &str) -> Result<PathBuf> {
    let base = interpreter()?;
    let mut text = String::new();
    for list in lists {
        let path = sources().join(list);
        text += &std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    }
    let version = Tool::new(base)
        .args(["-c", "import sys; print(sys.version, sys.executable)"])
        .output()?;
    let stamp = format!("{version}{text}");

    let venv = folder.join("venv");
    let python = venv.join("bin/python");
    let stamp_file = venv.join("stamp");
    let is_current = std::fs::read_to_string(&stamp_file).is_ok_and(|found| found == stamp);
    if is_current && Tool::new(&python).args(["-c", probe]).succeeds() {
        return Ok(python);
    }
    std::fs::create_dir_all(folder)?;
    let create = || {
        Tool::new(base)
            .args(["-m", "venv", "--clear"])
            .arg(&venv)
            .within(LIMIT)
    };
    if !create().succeeds() {
        // Debian keeps the module in a package of its own.
        install::install(&["python3-venv"])?;
        create().run()?;
    }
    let mut pip = Tool::new(&python)
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
        .within(LIMIT);
    for list in lists {
        pip = pip.arg("--requirement").arg(sources().join(list));
    }
    pip.run()?;
    std::fs::write(&stamp_file, stamp)?;
    Ok(python)
}

/// The first interpreter on the path that is new enough for the wheel's stable ABI.
fn interpreter() -> Result<&'static str> {
    let new_enough = "import sys; sys.exit(sys.version_info < (3, 11))";
    let names = ["python3", "python3.11", "python3.12", "python3.13", "python3.14"];
    match names
        .into_iter()
        .find(|name| Tool::new(name).args(["-c", new_enough]).succeeds())
    {
        Some(name) => Ok(name),
        None => bail!(
            "no Python of version 3.11 or newer: install one (Debian 12: `apt-get install python3-venv`)"
        ),
    }
}

fn wheel(folder: &Path, python: &Path, profile: &str) -> Result<PathBuf> {
    let out = folder.join("wheels");
    if out.is_dir() {
        std::fs::remove_dir_all(&out)?;
    }
    Tool::new(python.with_file_name("maturin"))
        .args([
            "build",
            "--quiet",
            "--locked",
            "--profile",
            profile,
            "--manifest-path",
            "python/Cargo.toml",
            "--out",
        ])
        .arg(&out)
        .arg("--interpreter")
        .arg(python)
        .run()?;
    let mut wheels = std::fs::read_dir(&out)?.collect::<std::io::Result<Vec<_>>>()?;
    match (wheels.pop(), wheels.is_empty()) {
        (Some(wheel), true) => Ok(wheel.path()),
        _ => bail!("maturin left something else than one wheel in {}", out.display()),
    }
}
