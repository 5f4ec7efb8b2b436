//! Types of configuration values and the rules that make them.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use syncline_core::registration;
use syncline_core::registration::version::Likeness;

use super::environment::{Origin, Setting};
use crate::run::OpcuaListen;

/// Most threads for HTTP connections.
const MAX_THREADS: usize = 64;
/// Longest duration that can be asked for.
const MAX_DURATION: Duration = Duration::from_secs(24 * 60 * 60);

/// Reads a value that may be absent.
pub(super) fn optional<T>(
    setting: Option<&Setting>,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<T>, String> {
    setting
        .map(|setting| parse(&setting.value).map_err(|expected| setting.refuse(&expected)))
        .transpose()
}

/// Reads a value whose variable has a default.
pub(super) fn or_default<T>(
    setting: Option<&Setting>,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<T, String> {
    optional(setting, parse)?.ok_or_else(|| "a variable of the table lacks its default".to_owned())
}

/// The one mode of an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgentMode {
    /// Run at the edge, away from the central.
    Distributed,
}

impl AgentMode {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match text {
            "distributed" => Ok(Self::Distributed),
            _ => Err("`distributed`".to_owned()),
        }
    }
}

/// Where an agent registers.
pub(super) fn registration_mode(text: &str) -> Result<registration::Mode, String> {
    match text {
        "auto" => Ok(registration::Mode::Auto),
        "rest" => Ok(registration::Mode::Rest),
        "mqtt" => Ok(registration::Mode::Mqtt),
        "off" => Ok(registration::Mode::Off),
        _ => Err("`auto`, `rest`, `mqtt` or `off`".to_owned()),
    }
}

/// How alike the versions of agent and central have to be; `None` for no check.
pub(super) fn version_check(text: &str) -> Result<Option<Likeness>, String> {
    match text {
        "exact" => Ok(Some(Likeness::Exact)),
        "compatible" => Ok(Some(Likeness::Compatible)),
        "off" => Ok(None),
        _ => Err("`exact`, `compatible` or `off`".to_owned()),
    }
}

/// Name of an agent: 3 to 63 letters, digits, `_`, `.` and `-`, and not one that the central keeps for itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AgentName(String);

impl AgentName {
    /// Checks a name.
    ///
    /// # Errors
    /// What was expected instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric());
        if !(3..=63).contains(&text.len()) || !begins || !text.chars().all(allowed) {
            return Err("3 to 63 letters, digits, `_`, `.` and `-`, the first a letter or digit".to_owned());
        }
        if text == "protocol-mapper" {
            return Err("another name: the central keeps this one for itself".to_owned());
        }
        Ok(Self(text.to_owned()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AgentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A host: a name or an IP address, without scheme and port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Host(String);

impl Host {
    /// Checks a host.
    ///
    /// # Errors
    /// What was expected instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text
            .strip_prefix('[')
            .and_then(|text| text.strip_suffix(']'))
            .unwrap_or(text);
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        };
        let name = text.len() <= 253 && text.strip_suffix('.').unwrap_or(text).split('.').all(label);
        if name || text.parse::<IpAddr>().is_ok() {
            return Ok(Self(text.to_owned()));
        }
        Err(
            "a host name or an IP address; scheme and port have variables of their own, `CYBUS_MQTT_SCHEME` \
             and `CYBUS_MQTT_PORT`"
                .to_owned(),
        )
    }

    /// The host, an IPv6 address without brackets.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Transport to the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MqttScheme {
    /// TCP.
    Mqtt,
    /// TLS over TCP.
    Mqtts,
}

impl MqttScheme {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match text {
            "mqtt" => Ok(Self::Mqtt),
            "mqtts" => Ok(Self::Mqtts),
            _ => Err("`mqtt` or `mqtts`".to_owned()),
        }
    }
}

/// File with the authorities that servers are verified against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaFile {
    /// Where it is, or would be.
    pub path: PathBuf,
    /// Whether the operator has named it, and so expects it to be there.
    pub named: bool,
}

impl CaFile {
    pub(super) fn read(setting: Option<&Setting>) -> Result<Self, String> {
        let named = setting.is_some_and(|setting| *setting.origin() != Origin::Default);
        let path = or_default(setting, path)?;
        Ok(Self { path, named })
    }
}

/// Protocol version to speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MqttVersion {
    /// 5.0, and 3.1.1 when the broker refuses it or keeps closing the connection.
    Auto,
    /// 5.0 only.
    V5,
    /// 3.1.1 only.
    V3_1_1,
}

impl MqttVersion {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "5" | "5.0" => Ok(Self::V5),
            "3.1.1" => Ok(Self::V3_1_1),
            _ => Err("`5`, `3.1.1` or `auto`".to_owned()),
        }
    }
}

/// Least grave message that is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// Everything.
    Debug,
    /// What happens.
    Info,
    /// What may need attention.
    Warn,
    /// What failed.
    Error,
}

impl LogLevel {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "debug" => Ok(Self::Debug),
            "info" => Ok(Self::Info),
            "warn" => Ok(Self::Warn),
            "error" => Ok(Self::Error),
            _ => Err("`debug`, `info`, `warn` or `error`".to_owned()),
        }
    }
}

/// Form of the log's lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// `key=value` pairs.
    Logfmt,
    /// One JSON object a line.
    Json,
    /// JSON with the fields of pino, as Connectware's own log has them.
    Pino,
}

impl LogFormat {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(Self::Text),
            "logfmt" => Ok(Self::Logfmt),
            "json" => Ok(Self::Json),
            "pino" => Ok(Self::Pino),
            _ => Err("`text`, `logfmt`, `json` or `pino`".to_owned()),
        }
    }
}

pub(super) fn port(text: &str) -> Result<u16, String> {
    match text.parse() {
        Ok(port) if port != 0 => Ok(port),
        _ => Err("a port number from 1 to 65535".to_owned()),
    }
}

pub(super) fn boolean(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" => Ok(true),
        "false" | "no" | "0" => Ok(false),
        _ => Err("`true` or `false`".to_owned()),
    }
}

pub(super) fn listen_address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "an IP address and a port such as `127.0.0.1:8080` or `[::1]:8080`".to_owned())
}

pub(super) fn listen_address_or_off(text: &str) -> Result<Option<SocketAddr>, String> {
    match (text, boolean(text)) {
        ("off", _) | (_, Ok(false)) => Ok(None),
        _ => listen_address(text)
            .map(Some)
            .map_err(|expected| format!("`off`, or {expected}")),
    }
}

/// A number of threads.
pub(super) fn threads(text: &str) -> Result<NonZeroUsize, String> {
    text.parse()
        .ok()
        .filter(|threads: &NonZeroUsize| threads.get() <= MAX_THREADS)
        .ok_or_else(|| format!("a number of threads from 1 to {MAX_THREADS}"))
}

pub(super) fn opcua_listen(text: &str) -> Result<OpcuaListen, String> {
    let listen = match text.parse::<IpAddr>() {
        Ok(ip) => Ok(OpcuaListen { ip, port: None }),
        Err(_) => text.parse::<SocketAddr>().map(|address| OpcuaListen {
            ip: address.ip(),
            port: Some(address.port()),
        }),
    };
    listen.map_err(|_| {
        "an IP address such as `127.0.0.1`, or one with a port such as `0.0.0.0:4841`".to_owned()
    })
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .ok()
        .filter(|duration| *duration <= MAX_DURATION)
        .ok_or_else(|| "a duration of a day at most, such as `500ms`, `5s` or `1m`".to_owned())
}

#[expect(clippy::unnecessary_wraps, reason = "the signature of all rules")]
pub(super) fn text(text: &str) -> Result<String, String> {
    Ok(text.to_owned())
}

#[expect(clippy::unnecessary_wraps, reason = "the signature of all rules")]
pub(super) fn path(text: &str) -> Result<PathBuf, String> {
    Ok(PathBuf::from(text))
}

#[expect(clippy::unnecessary_wraps, reason = "the signature of all rules")]
pub(super) fn secret(text: &str) -> Result<SecretString, String> {
    Ok(SecretString::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agent_names_follow_the_rule_of_the_central() {
        for good in ["abc", "line-1.press_2", "0ab", &"a".repeat(63)] {
            assert!(AgentName::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "ab",
            "-abc",
            "__x",
            "a/b",
            "a+b",
            "a#b",
            "a*b",
            "äbc",
            "protocol-mapper",
            &"a".repeat(64),
        ] {
            assert!(AgentName::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_host_has_neither_scheme_nor_port() {
        for good in [
            "localhost",
            "broker.example.com.",
            "10.0.0.1",
            "::1",
            "[::1]",
            "my_host",
        ] {
            assert!(Host::parse(good).is_ok(), "{good}");
        }
        for bad in ["mqtt://broker", "broker:1883", "a b", "", ".", "a..b"] {
            assert!(Host::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(Host::parse("[::1]").unwrap().as_str(), "::1");
    }

    #[test]
    fn booleans_are_written_in_any_case() {
        for (text, expected) in [
            ("TRUE", true),
            ("Yes", true),
            ("1", true),
            ("no", false),
            ("False", false),
        ] {
            assert_eq!(boolean(text), Ok(expected), "{text}");
        }
        assert!(boolean("on").is_err());
    }

    #[test]
    fn durations_have_a_unit_and_an_end() {
        assert_eq!(duration("1m 500ms"), Ok(Duration::from_millis(60_500)));
        assert_eq!(duration("0s"), Ok(Duration::ZERO));
        for bad in ["", "5", "-1s", "s", "2days", "99999999999y"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_listener_can_be_off() {
        for off in ["off", "false", "no", "0"] {
            assert_eq!(listen_address_or_off(off), Ok(None), "{off}");
        }
        assert!(listen_address_or_off("127.0.0.1:9090").unwrap().is_some());
        assert!(
            listen_address_or_off("on")
                .unwrap_err()
                .starts_with("`off`, or an IP address")
        );
    }

    #[test]
    fn there_is_one_thread_at_least() {
        assert_eq!(threads("2"), Ok(NonZeroUsize::MIN.saturating_add(1)));
        for bad in ["", "0", "-1", "1.5", "65"] {
            assert!(threads(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn port_zero_is_no_port_of_a_broker() {
        assert_eq!(port("8883"), Ok(8883));
        for bad in ["0", "65536", "-1", "x", ""] {
            assert!(port(bad).is_err(), "{bad}");
        }
    }
}
