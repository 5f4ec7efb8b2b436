//! The first command that a newcomer types.

use std::time::Duration;

use syncline_tests::agent;
use syncline_tests::process::Process;

#[test]
fn demo_shows_one_held_request_and_its_answer_and_ends() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut command = agent::syncline();
    command.args(["demo", "--once"]).current_dir(folder.path());
    let mut demo = Process::start(&command, &folder.path().join("demo.log"));
    let status = demo.wait(Duration::from_secs(30));
    let output = demo.output();
    assert!(status.success(), "{status}\n{output}");
    for shown in ["curl ", "http://127.0.0.1:", "/treq", "/tres", "200", " ms"] {
        assert!(output.contains(shown), "`{shown}` is not in:\n{output}");
    }
}

#[test]
fn two_demos_do_not_get_in_each_others_way() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let start = |name: &str| {
        let mut command = agent::syncline();
        command.args(["demo", "--once"]).current_dir(folder.path());
        Process::start(&command, &folder.path().join(name))
    };
    let (mut first, mut second) = (start("first.log"), start("second.log"));
    assert!(first.wait(Duration::from_secs(30)).success());
    assert!(second.wait(Duration::from_secs(30)).success());
}
