//! Checks of the text itself: formatting, clippy, documentation, the lock file.

use crate::plan::Plan;
use crate::process::Tool;

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
        Tool::cargo("clippy")
            .args(["--locked", "--workspace", "--all-targets", "--", "-D", "warnings"])
            .run()
    });
    plan.step("documentation", || {
        Tool::cargo("doc")
            .args(["--locked", "--workspace", "--no-deps"])
            .env("RUSTDOCFLAGS", "-D warnings")
            .run()
    });
    plan
}
