//! A line that says what is being waited for, when that takes longer than a second and a person is looking.

use std::io::IsTerminal as _;
use std::pin::pin;
use std::time::{Duration, Instant};

use super::output;

const SECOND: Duration = Duration::from_secs(1);

/// Waits for `work`.
pub(super) async fn shown<T>(what: &str, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    let dumb = std::env::var_os("TERM").is_none_or(|terminal| terminal == "dumb");
    if dumb || !std::io::stderr().is_terminal() {
        return work.await;
    }
    let begin = Instant::now();
    // Also where the wait is given up.
    let _line = Line;
    loop {
        match tokio::time::timeout(SECOND, work.as_mut()).await {
            Ok(done) => return done,
            Err(_) => output::progress(&format!("{what}, {} s so far", begin.elapsed().as_secs())),
        }
    }
}

/// The line, which is gone with this value.
struct Line;

impl Drop for Line {
    fn drop(&mut self) {
        output::end_progress();
    }
}
