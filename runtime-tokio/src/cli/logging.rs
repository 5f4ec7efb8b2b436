//! Log on stderr: its level and form from the configuration, `RUST_LOG` before the level.

use std::fmt;
use std::time::SystemTime;

use syncline::config::{LogFormat, LogLevel};
use syncline::service::Paint;
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::log_line::{Process, Record};
use super::output;

/// The library for OPC UA logs as an error whatever the other side does wrong: anybody who reaches the port could fill the log.
const OPCUA_LIBRARY: &str =
    "opcua_client=off,opcua_server=off,opcua_core=off,opcua_crypto=off,opcua_nodes=off,opcua_types=off";

/// Starts the log of this process; a second call changes nothing.
pub(super) fn start(level: LogLevel, format: LogFormat) {
    let directive = match level {
        LogLevel::Debug => "debug".to_owned(),
        // The embedded broker tells of every client at this level, and of settings that the hub has replaced.
        LogLevel::Info => format!("info,mqtt5=warn,{OPCUA_LIBRARY}"),
        LogLevel::Warn => format!("warn,{OPCUA_LIBRARY}"),
        LogLevel::Error => format!("error,{OPCUA_LIBRARY}"),
    };
    let wanted = std::env::var("RUST_LOG").ok().filter(|filter| !filter.is_empty());
    let parsed = wanted.as_deref().map(EnvFilter::try_new);
    if let Some(Err(error)) = &parsed {
        output::warning(&format!("RUST_LOG is not a filter and has no effect: {error}"));
    }
    let filter = match parsed {
        Some(Ok(filter)) => filter,
        _ => EnvFilter::new(&directive),
    };
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| output::Stderr)
        .with_ansi(format == LogFormat::Text && output::paint() == Paint::Colour);
    _ = match Line::of(format) {
        None => subscriber.try_init(),
        Some(line) => subscriber
            .event_format(Lines {
                line,
                process: Process::this(),
            })
            .try_init(),
    };
}

/// The forms that are ours; text is the library's own.
#[derive(Clone, Copy)]
enum Line {
    Logfmt,
    Json,
    Pino,
}

impl Line {
    fn of(format: LogFormat) -> Option<Self> {
        match format {
            LogFormat::Text => None,
            LogFormat::Logfmt => Some(Self::Logfmt),
            LogFormat::Json => Some(Self::Json),
            LogFormat::Pino => Some(Self::Pino),
        }
    }
}

struct Lines {
    line: Line,
    process: Process,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let record = Record::of(event, SystemTime::now());
        let line = match self.line {
            Line::Logfmt => record.logfmt(),
            Line::Json => record.json(),
            Line::Pino => record.pino(&self.process),
        };
        writeln!(writer, "{line}")
    }
}
