//! Instruction counts, exact and repeatable: the program runs itself under callgrind, which counts inside one function.

use std::io;
use std::process::Command;

use crate::case::Case;

/// Operations of a case that are counted, or those of one run where that has more.
const OPERATIONS: u64 = 640;

/// The argument that makes this program the counted child.
const CHILD: &str = "--count-instructions-of";

/// The function inside which callgrind counts.
#[inline(never)]
pub fn counted(work: &mut dyn FnMut()) {
    work();
}

/// If this process is a counted child, does its work and returns true: the caller is done.
pub fn is_counted_child(cases: &mut [Case]) -> bool {
    let mut arguments = std::env::args().skip_while(|argument| argument != CHILD).skip(1);
    let Some(index) = arguments.next().and_then(|index| index.parse::<usize>().ok()) else {
        return false;
    };
    if let Some(case) = cases.get_mut(index) {
        case.expose(OPERATIONS);
    }
    true
}

/// Instructions of one operation of `case`, which is the one at `index`.
///
/// # Errors
/// When valgrind is missing or prints no count.
pub fn count(index: usize, case: &Case) -> io::Result<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg("--toggle-collect=syncline_benches::instructions::counted")
        .arg(std::env::current_exe()?)
        .args([CHILD, &index.to_string()])
        .output()
        .map_err(|error| {
            io::Error::new(
                error.kind(),
                format!("valgrind cannot be run ({error}): install it"),
            )
        })?;
    let messages = String::from_utf8_lossy(&output.stderr);
    let collected = messages
        .lines()
        .find_map(|line| line.split_once("Collected :"))
        .and_then(|(_, count)| count.trim().parse::<u64>().ok())
        .filter(|count| *count > 0 && output.status.success());
    match collected {
        Some(total) => Ok(total / (case.runs_for(OPERATIONS) * case.operations)),
        None => Err(io::Error::other(format!(
            "callgrind printed no count, but: {messages}"
        ))),
    }
}
