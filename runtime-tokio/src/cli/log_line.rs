//! One event of the log as a line for programs: logfmt, JSON, and JSON as pino writes it.

use std::fmt::{self, Write as _};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::{Event, Level};

/// What every line of pino says of the process.
pub(super) struct Process {
    id: u32,
    host: String,
}

impl Process {
    pub(super) fn this() -> Self {
        Self {
            id: std::process::id(),
            host: syncline::host_name().unwrap_or_default(),
        }
    }
}

/// An event, taken apart.
pub(super) struct Record {
    time: SystemTime,
    level: Level,
    target: &'static str,
    message: String,
    fields: Vec<(&'static str, Value)>,
}

impl Record {
    pub(super) fn of(event: &Event<'_>, time: SystemTime) -> Self {
        let metadata = event.metadata();
        let mut record = Self {
            time,
            level: *metadata.level(),
            target: metadata.target(),
            message: String::new(),
            fields: Vec::new(),
        };
        event.record(&mut record);
        record
    }

    /// `time=… level=info target=… msg="…" key=value`.
    pub(super) fn logfmt(&self) -> String {
        let mut line = format!(
            "time={} level={} target={} msg={}",
            self.timestamp(),
            self.level_name(),
            self.target,
            logfmt_value(&self.message)
        );
        for (name, value) in &self.fields {
            let text = match value {
                Value::String(text) => logfmt_value(text),
                value => value.to_string(),
            };
            _ = write!(line, " {name}={text}");
        }
        line
    }

    /// RFC 3339 time and the level's name.
    pub(super) fn json(&self) -> String {
        let mut object = Object::new();
        object.put("time", &self.timestamp().to_string().into());
        object.put("level", &self.level_name().into());
        object.put("target", &self.target.into());
        object.put("msg", &self.message.as_str().into());
        self.put_fields(&mut object);
        object.end()
    }

    /// The level as pino's number, the time in milliseconds, and the format's version `v` 1.
    pub(super) fn pino(&self, process: &Process) -> String {
        let since_epoch = self.time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let number = match self.level {
            Level::TRACE => 10,
            Level::DEBUG => 20,
            Level::INFO => 30,
            Level::WARN => 40,
            Level::ERROR => 50,
        };
        let mut object = Object::new();
        object.names.push("v".to_owned());
        object.put("level", &number.into());
        object.put(
            "time",
            &u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX).into(),
        );
        object.put("msg", &self.message.as_str().into());
        object.put("pid", &process.id.into());
        object.put("hostname", &process.host.as_str().into());
        self.put_fields(&mut object);
        object.text.push_str(",\"v\":1");
        object.end()
    }

    fn put_fields(&self, object: &mut Object) {
        for (name, value) in &self.fields {
            object.put(name, value);
        }
    }

    fn timestamp(&self) -> humantime::Rfc3339Timestamp {
        humantime::format_rfc3339_millis(self.time)
    }

    fn level_name(&self) -> &'static str {
        match self.level {
            Level::TRACE => "trace",
            Level::DEBUG => "debug",
            Level::INFO => "info",
            Level::WARN => "warn",
            Level::ERROR => "error",
        }
    }

    fn put(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(message)) => self.message = message,
            (name, value) => self.fields.push((name, value)),
        }
    }
}

impl Visit for Record {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }
}

/// A value in quotes where it would not end at the next space.
fn logfmt_value(text: &str) -> String {
    let bare = |c: char| !c.is_whitespace() && !c.is_control() && !matches!(c, '"' | '=' | '\\');
    match !text.is_empty() && text.chars().all(bare) {
        true => text.to_owned(),
        false => Value::from(text).to_string(),
    }
}

/// A JSON object whose members keep the order in which they came, each name once.
struct Object {
    text: String,
    names: Vec<String>,
}

impl Object {
    fn new() -> Self {
        Self {
            text: "{".to_owned(),
            names: Vec::new(),
        }
    }

    /// Adds a member; a name that is taken gets an underscore.
    fn put(&mut self, name: &str, value: &Value) {
        let mut name = name.to_owned();
        while self.names.contains(&name) {
            name.push('_');
        }
        let comma = if self.text.len() == 1 { "" } else { "," };
        _ = write!(self.text, "{comma}{}:{value}", Value::from(name.as_str()));
        self.names.push(name);
    }

    fn end(self) -> String {
        self.text + "}"
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn record(message: &str, fields: Vec<(&'static str, Value)>) -> Record {
        Record {
            time: UNIX_EPOCH + Duration::from_millis(1_795_312_800_123),
            level: Level::INFO,
            target: "syncline::run",
            message: message.to_owned(),
            fields,
        }
    }

    #[test]
    fn pino_lines_have_the_fields_and_numbers_that_connectware_s_log_has() {
        let process = Process {
            id: 7,
            host: "edge-1".to_owned(),
        };
        assert_eq!(
            record("say \"hi\"\n", vec![("v", 2.into()), ("broker", "b:1883".into())]).pino(&process),
            r#"{"level":30,"time":1795312800123,"msg":"say \"hi\"\n","pid":7,"hostname":"edge-1","v_":2,"broker":"b:1883","v":1}"#
        );
    }

    #[test]
    fn json_lines_keep_numbers_as_numbers() {
        assert_eq!(
            record(
                "serving",
                vec![("qos", 1.into()), ("ok", true.into()), ("time", 1.into())]
            )
            .json(),
            r#"{"time":"2026-11-22T02:00:00.123Z","level":"info","target":"syncline::run","msg":"serving","qos":1,"ok":true,"time_":1}"#
        );
    }

    #[test]
    fn logfmt_quotes_what_would_not_end_at_a_space() {
        let fields = vec![
            ("a", "b".into()),
            ("c", "".into()),
            ("d", "x=1".into()),
            ("e", "line\nbreak \u{1b}[31m".into()),
            ("f", 1.5.into()),
        ];
        assert_eq!(
            record("two words", fields).logfmt(),
            "time=2026-11-22T02:00:00.123Z level=info target=syncline::run msg=\"two words\" a=b c=\"\" d=\"x=1\" \
             e=\"line\\nbreak \\u001b[31m\" f=1.5"
        );
    }

    #[test]
    fn every_event_becomes_one_line() {
        let line = record("a\r\nb", vec![("c", "d\ne".into())]);
        let process = Process {
            id: 1,
            host: String::new(),
        };
        for line in [line.logfmt(), line.json(), line.pino(&process)] {
            assert!(!line.contains(['\n', '\r']), "{line}");
        }
    }
}
