//! Checks of the text itself: formatting, clippy, documentation, the lock file.

use crate::plan::Plan;
use crate::process::Tool;
use crate::test::PRODUCT;

pub(crate) fn plan() -> Plan {
    let mut plan = Plan::new();
    plan.step("formatting", || {
        Tool::cargo("fmt").args(["--all", "--check"]).run()?;
        if crate::fuzz::manifest().is_file() {
            Tool::cargo("fmt")
                .arg("--manifest-path")
                .arg(crate::fuzz::manifest())
                .arg("--check")
                .run()?;
        }
        Ok(())
    });
    plan.step("clippy", || {
        let strict = ["--all-targets", "--", "-D", "warnings"];
        Tool::cargo("clippy").args(PRODUCT).args(strict).run()?;
        Tool::cargo("clippy")
            .args(["--locked", "--package", "xtask"])
            .args(strict)
            .run()
    });
    plan.step("documentation", || {
        Tool::cargo("doc")
            .args(PRODUCT)
            .arg("--no-deps")
            .env("RUSTDOCFLAGS", "-D warnings")
            .run()
    });
    plan
}
