//! Every test there is, in the order in which a failure tells most: Rust, C, Python, then real servers.

use std::path::PathBuf;

use anyhow::Result;

use crate::install;
use crate::plan::Plan;
use crate::process::Tool;
use crate::{dist_c, ffi, node, python};

/// The one test binary that needs servers: see `tests/tests/end_to_end/`.
const END_TO_END: &str = "end_to_end";

/// All that is built for users or tests it. This tool is apart: its dependencies would switch on features of crates
/// that they share, and each selection of packages that differs in features builds them all once more.
pub(crate) const PRODUCT: [&str; 4] = ["--locked", "--workspace", "--exclude", "xtask"];

const LEFT_OUT: &str = "left out by --quick: run `cargo xtask test` for the tests that need a server";

pub(crate) fn plan(quick: bool) -> Plan {
    let mut plan = Plan::new();
    plan.step("Rust tests", without_servers);
    plan.step("documentation tests", || {
        Tool::cargo("test").args(PRODUCT).arg("--doc").run()
    });
    plan.step("C programs", ffi::test);
    plan.step("C library as it is installed", dist_c::check::run);
    plan.step("Python wheel and tests", move || python::test(quick));
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
        Tool::cargo("nextest")
            .arg("run")
            .args(PRODUCT)
            .args(["-E", &others])
            .run()?;
        return Tool::cargo("nextest")
            .args(["run", "--locked", "--package", "xtask"])
            .run();
    }
    let mut product = Tool::cargo("test").args(PRODUCT).args(["--lib", "--bins"]);
    for name in integration_tests()? {
        if name != END_TO_END {
            product = product.args(["--test", &name]);
        }
    }
    product.run()?;
    Tool::cargo("test").args(["--locked", "--package", "xtask"]).run()
}

fn end_to_end() -> Result<()> {
    install::ensure(&[
        install::MOSQUITTO,
        install::MOSQUITTO_PUB,
        install::MOSQUITTO_SUB,
        install::CURL,
        install::PROMTOOL,
        install::TSHARK,
        install::DUMPCAP,
        install::CHROMIUM,
        install::CHROMEDRIVER,
        install::IP,
        install::GCC,
        install::VALGRIND,
    ])?;
    install::ensure_header("openssl/ssl.h", "libssl-dev")?;
    build_agent()?;
    Tool::cargo("build")
        .args(["--locked", "--package", "syncline-core", "--example", "mio"])
        .run()?;
    Tool::cargo("build")
        .args(["--locked", "--package", "syncline", "--example", "responder"])
        .run()?;
    let (opcua_python, opcua_node) = (python::opcua_client()?, node::opcua_client()?);
    let agent = agent();
    let examples = crate::target_dir().join("debug/examples");
    let (example, responder) = (examples.join("mio"), examples.join("responder"));
    if has_nextest() {
        let only = format!("binary(={END_TO_END})");
        let tests = Tool::cargo("nextest")
            .arg("run")
            .args(PRODUCT)
            .args(["-E", &only]);
        return tests
            .env("SYNCLINE_BIN", agent)
            .env("SYNCLINE_MIO_EXAMPLE", example)
            .env("SYNCLINE_RESPONDER_EXAMPLE", responder)
            .env("SYNCLINE_OPCUA_PYTHON", opcua_python)
            .env("SYNCLINE_OPCUA_NODE", opcua_node)
            .run();
    }
    // One at a time: each holds thousands of sockets or measures how long an answer took.
    Tool::cargo("test")
        .args(PRODUCT)
        .args(["--test", END_TO_END, "--", "--test-threads=1"])
        .env("SYNCLINE_BIN", agent)
        .env("SYNCLINE_MIO_EXAMPLE", example)
        .env("SYNCLINE_RESPONDER_EXAMPLE", responder)
        .env("SYNCLINE_OPCUA_PYTHON", opcua_python)
        .env("SYNCLINE_OPCUA_NODE", opcua_node)
        .run()
}

/// Builds the agent by itself, as it is shipped: with the features that it asks for and none that another package brings in.
pub(crate) fn build_agent() -> Result<()> {
    Tool::cargo("build")
        .args(["--locked", "--package", "syncline", "--bin", "syncline"])
        .run()
}

/// Where that has put it.
pub(crate) fn agent() -> PathBuf {
    crate::target_dir().join("debug/syncline")
}

/// cargo-nextest bounds each test's time and runs each in a process of its own; plain `cargo test` is the fallback.
fn has_nextest() -> bool {
    Tool::cargo("nextest").arg("--version").succeeds()
}

/// The integration tests of all packages, by the names that cargo gives them.
fn integration_tests() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for package in std::fs::read_dir(crate::root())? {
        let package = package?.path();
        let folder = package.join("tests");
        if !package.join("Cargo.toml").is_file() || !folder.is_dir() || package.ends_with("fuzz") {
            continue;
        }
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            let is_target = path.join("main.rs").is_file() || path.extension().is_some_and(|it| it == "rs");
            if let Some(name) = path.file_stem().filter(|_| is_target) {
                names.push(name.to_string_lossy().into_owned());
            }
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integration_tests_are_found_in_the_folders_where_cargo_finds_them() {
        let names = integration_tests().unwrap();
        assert!(names.iter().any(|name| name == END_TO_END), "{names:?}");
        assert!(names.iter().any(|name| name == "tidy"), "{names:?}");
        assert!(
            !names.iter().any(|name| name == "check" || name == "test_packets"),
            "{names:?}"
        );
    }
}
