//! Every test there is, in the order in which a failure tells most: Rust, C, Python, then real servers.

use anyhow::Result;

use crate::install;
use crate::plan::Plan;
use crate::process::Tool;
use crate::{ffi, python};

/// The one test binary that needs servers: see `tests/tests/end_to_end/`.
const END_TO_END: &str = "end_to_end";

const LEFT_OUT: &str = "left out by --quick: run `cargo xtask test` for the tests that need a server";

pub(crate) fn plan(quick: bool) -> Plan {
    let mut plan = Plan::new();
    plan.step("Rust tests", without_servers);
    plan.step("documentation tests", || {
        Tool::cargo("test")
            .args(["--locked", "--workspace", "--doc"])
            .run()
    });
    plan.step("C programs", ffi::test);
    plan.step("Python wheel and tests", python::test);
    if quick {
        plan.skip("end to end", LEFT_OUT);
    } else {
        plan.step("end to end", end_to_end);
    }
    plan
}

fn without_servers() -> Result<()> {
    if has_nextest() {
        let others = format!("not binary(={END_TO_END})");
        return Tool::cargo("nextest")
            .args(["run", "--locked", "--workspace", "-E", &others])
            .run();
    }
    Tool::cargo("test")
        .args([
            "--locked",
            "--workspace",
            "--exclude",
            "syncline-tests",
            "--lib",
            "--bins",
            "--tests",
        ])
        .run()?;
    let mut rest = Tool::cargo("test").args(["--locked", "--package", "syncline-tests", "--lib"]);
    for name in test_binaries()? {
        if name != END_TO_END {
            rest = rest.args(["--test", &name]);
        }
    }
    rest.run()
}

fn end_to_end() -> Result<()> {
    install::ensure(&[
        install::MOSQUITTO,
        install::MOSQUITTO_PUB,
        install::MOSQUITTO_SUB,
        install::CURL,
    ])?;
    Tool::cargo("build")
        .args(["--locked", "--package", "syncline", "--bin", "syncline"])
        .run()?;
    let agent = crate::target_dir().join("debug/syncline");
    if has_nextest() {
        let only = format!("binary(={END_TO_END})");
        return Tool::cargo("nextest")
            .args(["run", "--locked", "--package", "syncline-tests", "-E", &only])
            .env("SYNCLINE_BIN", agent)
            .run();
    }
    // One at a time: each holds thousands of sockets or measures how long an answer took.
    Tool::cargo("test")
        .args([
            "--locked",
            "--package",
            "syncline-tests",
            "--test",
            END_TO_END,
            "--",
            "--test-threads=1",
        ])
        .env("SYNCLINE_BIN", agent)
        .run()
}

/// cargo-nextest bounds each test's time and runs each in a process of its own; plain `cargo test` is the fallback.
fn has_nextest() -> bool {
    Tool::cargo("nextest").arg("--version").succeeds()
}

fn test_binaries() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(crate::root().join("tests/tests"))? {
        let path = entry?.path();
        let is_target = path.is_dir() || path.extension().is_some_and(|extension| extension == "rs");
        if let Some(name) = path.file_stem().filter(|_| is_target) {
            names.push(name.to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}
