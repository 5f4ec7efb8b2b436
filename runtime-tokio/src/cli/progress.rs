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
    let mut is_shown = false;
    loop {
        match tokio::time::timeout(SECOND, work.as_mut()).await {
            Ok(done) => {
                if is_shown {
                    output::diagnostics("\r\x1b[K");
                }
                return done;
            }
            Err(_) => {
                is_shown = true;
                output::diagnostics(&format!("\r{what}, {} s so far", begin.elapsed().as_secs()));
            }
        }
    }
}
