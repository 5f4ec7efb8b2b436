//! What a session can be told by a number: the settings, their ranges and their defaults.

use std::fmt;
use std::num::NonZeroU16;
use std::time::Duration;

use syncline_core::limits::{MAX_PACKET_SIZE, MAX_READ_SIZE, MIN_PACKET_SIZE};
use syncline_core::session::{AckMode, Config, OnReferral, OnRefusal, QueueFull, SessionLost, VersionPolicy};

use crate::result::Code;

/// A setting for `syncline_session_config_set`. Flags are 0 or 1, times are milliseconds up to UINT32_MAX unless said
/// otherwise. Numbers are never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Setting {
    /// 5 or 4 (MQTT 3.1.1) alone; 0: 5, and 4 if the server refuses 5. Default 0.
    Version = 0,
    /// Flag: start every connection with a new Session. Default 0: it is resumed while both sides have it.
    CleanStart = 1,
    /// Longest silence before a ping, in seconds up to 65535; 0 turns it off. Default 60.
    KeepAliveSeconds = 2,
    /// Longest wait for the answer to a ping. Default 10000, and never more than half the Keep Alive.
    PingTimeout = 3,
    /// Longest wait for the transport to open. Default 10000.
    ConnectTimeout = 4,
    /// Longest wait for the CONNACK. Default 10000.
    ConnackTimeout = 5,
    /// Longest wait for the last bytes to be written before the transport is closed. Default 2000.
    CloseTimeout = 6,
    /// Flag: ask the server for Response Information. Default 0.
    RequestResponseInformation = 7,
    /// Flag: let the server add Reason Strings and User Properties to any answer. Default 1.
    RequestProblemInformation = 8,
    /// How long the Session outlives its connection, in seconds; UINT32_MAX: for ever. Default 3600.
    SessionExpirySeconds = 9,
    /// QoS 1 and 2 messages that the server may have unacknowledged, 1 to 65535; more are handed out all the same where it sends them, up
    /// to SYNCLINE_LIMIT_MAX_OVERSHOOT_BYTES. Default 1024.
    ReceiveMaximum = 10,
    /// Largest packet accepted from the server, SYNCLINE_LIMIT_MIN_PACKET_SIZE to SYNCLINE_LIMIT_MAX_PACKET_SIZE bytes.
    /// Default 4194304.
    MaxPacketSize = 11,
    /// QoS 1 and 2 messages in flight to the server, 1 to 65535. Default 65535.
    MaxInFlight = 12,
    /// Messages that wait to be sent. Default 100000.
    QueueMessages = 13,
    /// Bytes of topics, payloads and properties that wait to be sent. Default 67108864.
    QueueBytes = 14,
    /// What a full queue does with a new message. Default 0: it is refused; 1: the oldest of QoS 0 make room; 2: the
    /// oldest of any QoS do.
    QueueFull = 15,
    /// Topic Aliases that the server may use, up to 65535. Default 0.
    TopicAliasMaximum = 16,
    /// Topic Aliases used towards the server, within its own maximum, up to 65535. Default 0.
    TopicAliases = 17,
    /// Room offered to one read, 1 to SYNCLINE_LIMIT_MAX_READ_SIZE bytes; fewer than 2048 are taken as 2048. Default 16384.
    ReadSize = 18,
    /// Flag: received messages are acknowledged by `syncline_session_acknowledge`. Default 0: when handed out.
    ManualAcks = 19,
    /// What becomes of unfinished messages when the server has lost the Session. Default 0: they are sent as new ones; 1:
    /// they complete as lost.
    SessionLost = 20,
    /// Ceiling of the first wait between connections; each wait is drawn from zero to its ceiling. Default 1000.
    ReconnectFirst = 21,
    /// Ceiling of all waits, which each failure doubles up to here. Default 60000.
    ReconnectLongest = 22,
    /// Floor of every wait. Default 128.
    ReconnectShortest = 23,
    /// A connection that lasted this long starts the waits afresh. Default 30000.
    ReconnectStableAfter = 24,
    /// What to do when the server refuses the client. Default 0: stay offline; 1: try again; 2: stay offline where it is
    /// user name and password, else try again.
    OnRefusal = 25,
    /// What to do when the server names another one. Default 0: stay offline; 1: ask for a transport to that one.
    OnReferral = 26,
}

impl Setting {
    pub(super) const ALL: [Self; 27] = [
        Self::Version,
        Self::CleanStart,
        Self::KeepAliveSeconds,
        Self::PingTimeout,
        Self::ConnectTimeout,
        Self::ConnackTimeout,
        Self::CloseTimeout,
        Self::RequestResponseInformation,
        Self::RequestProblemInformation,
        Self::SessionExpirySeconds,
        Self::ReceiveMaximum,
        Self::MaxPacketSize,
        Self::MaxInFlight,
        Self::QueueMessages,
        Self::QueueBytes,
        Self::QueueFull,
        Self::TopicAliasMaximum,
        Self::TopicAliases,
        Self::ReadSize,
        Self::ManualAcks,
        Self::SessionLost,
        Self::ReconnectFirst,
        Self::ReconnectLongest,
        Self::ReconnectShortest,
        Self::ReconnectStableAfter,
        Self::OnRefusal,
        Self::OnReferral,
    ];

    /// Sets it, where `value` is in its range.
    pub(super) fn set(self, config: &mut Config, value: u64) -> Result<(), Code> {
        match self {
            Self::Version => {
                config.version = match value {
                    0 => VersionPolicy::Auto,
                    4 => VersionPolicy::V3_1_1,
                    5 => VersionPolicy::V5,
                    _ => return Err(Code::VersionUnknown),
                };
            }
            Self::CleanStart => config.clean_start = flag(value)?,
            Self::KeepAliveSeconds => config.keep_alive = Duration::from_secs(number::<u16>(value)?.into()),
            Self::PingTimeout => config.ping_timeout = millis(value)?,
            Self::ConnectTimeout => config.connect_timeout = millis(value)?,
            Self::ConnackTimeout => config.connack_timeout = millis(value)?,
            Self::CloseTimeout => config.close_timeout = millis(value)?,
            Self::RequestResponseInformation => config.request_response_information = flag(value)?,
            Self::RequestProblemInformation => config.request_problem_information = flag(value)?,
            Self::SessionExpirySeconds => config.session_expiry = number(value)?,
            Self::ReceiveMaximum => config.receive_maximum = non_zero(value)?,
            Self::MaxPacketSize => {
                let size = number(value)?;
                if !(MIN_PACKET_SIZE..=MAX_PACKET_SIZE).contains(&size) {
                    return Err(Code::OutOfRange);
                }
                config.max_packet_size = size;
            }
            Self::MaxInFlight => config.max_in_flight = non_zero(value)?,
            Self::QueueMessages => config.queue_messages = number(value)?,
            Self::QueueBytes => config.queue_bytes = number(value)?,
            Self::QueueFull => {
                config.queue_full = one_of(
                    value,
                    &[
                        QueueFull::Reject,
                        QueueFull::DropOldestQos0,
                        QueueFull::DropOldest,
                    ],
                )?;
            }
            Self::TopicAliasMaximum => config.topic_alias_maximum = number(value)?,
            Self::TopicAliases => config.topic_aliases = number(value)?,
            Self::ReadSize => {
                let size = number(value)?;
                if !(1..=MAX_READ_SIZE).contains(&size) {
                    return Err(Code::OutOfRange);
                }
                config.read_size = size;
            }
            Self::ManualAcks => config.acks = one_of(value, &[AckMode::Automatic, AckMode::Manual])?,
            Self::SessionLost => {
                config.on_session_lost = one_of(value, &[SessionLost::Republish, SessionLost::Report])?;
            }
            Self::ReconnectFirst => config.reconnect.first = millis(value)?,
            Self::ReconnectLongest => config.reconnect.longest = millis(value)?,
            Self::ReconnectShortest => config.reconnect.shortest = millis(value)?,
            Self::ReconnectStableAfter => config.reconnect.stable_after = millis(value)?,
            Self::OnRefusal => {
                config.reconnect.on_refusal = one_of(
                    value,
                    &[OnRefusal::Stop, OnRefusal::Retry, OnRefusal::AwaitCredentials],
                )?;
            }
            Self::OnReferral => {
                config.reconnect.on_referral = one_of(value, &[OnReferral::Stop, OnReferral::Follow])?;
            }
        }
        Ok(())
    }
}

/// The name that C knows it by.
impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SYNCLINE_SETTING")?;
        for letter in format!("{self:?}").chars() {
            if letter.is_uppercase() {
                f.write_str("_")?;
            }
            write!(f, "{}", letter.to_ascii_uppercase())?;
        }
        Ok(())
    }
}

fn number<T: TryFrom<u64>>(value: u64) -> Result<T, Code> {
    T::try_from(value).map_err(|_| Code::OutOfRange)
}

fn non_zero(value: u64) -> Result<NonZeroU16, Code> {
    number(value).and_then(|value| NonZeroU16::new(value).ok_or(Code::OutOfRange))
}

fn millis(value: u64) -> Result<Duration, Code> {
    number::<u32>(value).map(|millis| Duration::from_millis(millis.into()))
}

fn flag(value: u64) -> Result<bool, Code> {
    one_of(value, &[false, true])
}

fn one_of<T: Copy>(value: u64, choices: &[T]) -> Result<T, Code> {
    let index = number::<usize>(value)?;
    choices.get(index).copied().ok_or(Code::OutOfRange)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_is_listed_under_its_number() {
        for (number, setting) in (0_u32..).zip(Setting::ALL) {
            assert_eq!(setting as u32, number);
        }
    }

    #[test]
    fn every_setting_takes_a_value_and_refuses_one_beyond_its_range() {
        for setting in Setting::ALL {
            let mut config = Config::new("");
            let valid = match setting {
                Setting::Version => 5,
                Setting::MaxPacketSize => MIN_PACKET_SIZE.into(),
                _ => 1,
            };
            assert_eq!(setting.set(&mut config, valid), Ok(()), "{setting:?}");
            if usize::BITS == 64 && matches!(setting, Setting::QueueMessages | Setting::QueueBytes) {
                continue;
            }
            let refused = setting.set(&mut config, u64::MAX);
            assert!(
                matches!(refused, Err(Code::OutOfRange | Code::VersionUnknown)),
                "{setting:?}"
            );
        }
    }
}
