//! Log on stderr: text lines, the level from the configuration, `RUST_LOG` before it.

use syncline::config::LogLevel;
use syncline::service::Paint;
use tracing_subscriber::EnvFilter;

use super::output;

/// Starts the log of this process; a second call changes nothing.
pub(super) fn start(level: LogLevel) {
    let directive = match level {
        LogLevel::Debug => "debug",
        // The embedded broker tells of every client at this level, and of settings that the hub has replaced.
        LogLevel::Info => "info,mqtt5=warn",
        LogLevel::Warn => "warn",
        LogLevel::Error => "error",
    };
    let wanted = std::env::var("RUST_LOG").ok().filter(|filter| !filter.is_empty());
    let parsed = wanted.as_deref().map(EnvFilter::try_new);
    if let Some(Err(error)) = &parsed {
        output::warning(&format!("RUST_LOG is not a filter and has no effect: {error}"));
    }
    let filter = match parsed {
        Some(Ok(filter)) => filter,
        _ => EnvFilter::new(directive),
    };
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(output::paint() == Paint::Colour);
    _ = subscriber.try_init();
}
