//! Configuration: the frozen dataclasses of `syncline.core`, read attribute by attribute.

use std::num::NonZeroU16;
use std::time::Duration;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use syncline_core::codec::{QoS, RetainHandling, SubscribeOptions};
use syncline_core::session::{
    AckMode, Authentication, Config, Filter, OnReferral, OnRefusal, QueueFull, Reconnect, SessionLost,
    VersionPolicy, Will,
};

use crate::argument::{self, Text};
use crate::buffer::Payload;
use crate::error::{ConfigError, PacketError};
use crate::properties::Properties;
use crate::topic;

/// Longest duration in seconds: a century, so that none overflows.
const MAX_SECONDS: f64 = 100.0 * 365.0 * 86400.0;

/// Reads a `syncline.core.Config`.
pub(crate) fn config(given: &Bound<'_, PyAny>) -> PyResult<Config> {
    let read = Reader(given);
    if !given.hasattr("client_id")? {
        let kind = given.get_type();
        return Err(ConfigError::new_err(format!(
            "config is of type {}, expected syncline.core.Config",
            kind.name()?
        )));
    }
    let mut config = Config::new(read.get::<String>("client_id")?);
    config.version = read.choice(
        "version",
        &[
            ("auto", VersionPolicy::Auto),
            ("5", VersionPolicy::V5),
            ("3.1.1", VersionPolicy::V3_1_1),
        ],
    )?;
    config.clean_start = read.get("clean_start")?;
    config.keep_alive = read.seconds("keep_alive")?;
    config.ping_timeout = read.seconds("ping_timeout")?;
    config.connect_timeout = read.seconds("connect_timeout")?;
    config.connack_timeout = read.seconds("connack_timeout")?;
    config.close_timeout = read.seconds("close_timeout")?;
    config.username = read.get("username")?;
    config.password = read
        .get::<Option<Payload>>("password")?
        .map(|password| password.0);
    config.authentication = read.part("authentication", |part| {
        Ok(Authentication {
            method: part.get("method")?,
            data: part.get::<Option<Payload>>("data")?.map(|data| data.0),
        })
    })?;
    config.will = read.part("will", |part| {
        Ok(Will {
            topic: topic::name(&part.get::<String>("topic")?)?,
            payload: part.get::<Payload>("payload")?.0,
            qos: quality(part.get("qos")?)?,
            retain: part.get("retain")?,
            properties: part.properties()?,
        })
    })?;
    config.properties = read.properties()?;
    config.request_response_information = read.get("request_response_information")?;
    config.request_problem_information = read.get("request_problem_information")?;
    config.session_expiry = read.get::<Option<u32>>("session_expiry")?.unwrap_or(u32::MAX);
    config.receive_maximum = read.non_zero("receive_maximum")?;
    config.max_packet_size = read.get("max_packet_size")?;
    config.max_in_flight = read.non_zero("max_in_flight")?;
    config.max_qos_2_in_flight = read.non_zero("max_qos_2_in_flight")?;
    config.queue_messages = read.get("queue_messages")?;
    config.queue_bytes = read.get("queue_bytes")?;
    config.queue_full = read.choice(
        "queue_full",
        &[
            ("reject", QueueFull::Reject),
            ("drop-oldest-qos0", QueueFull::DropOldestQos0),
            ("drop-oldest", QueueFull::DropOldest),
        ],
    )?;
    config.topic_alias_maximum = read.get("topic_alias_maximum")?;
    config.topic_aliases = read.get("topic_aliases")?;
    config.read_size = read.get("read_size")?;
    config.acks = read.choice(
        "acks",
        &[("automatic", AckMode::Automatic), ("manual", AckMode::Manual)],
    )?;
    config.on_session_lost = read.choice(
        "on_session_lost",
        &[
            ("republish", SessionLost::Republish),
            ("report", SessionLost::Report),
        ],
    )?;
    if let Some(reconnect) = read.part("reconnect", reconnect)? {
        config.reconnect = reconnect;
    }
    Ok(config)
}

fn reconnect(read: &Reader<'_, '_>) -> PyResult<Reconnect> {
    Ok(Reconnect {
        first: read.seconds("first")?,
        longest: read.seconds("longest")?,
        shortest: read.seconds("shortest")?,
        stable_after: read.seconds("stable_after")?,
        on_refusal: read.choice(
            "on_refusal",
            &[
                ("stop", OnRefusal::Stop),
                ("retry", OnRefusal::Retry),
                ("await-credentials", OnRefusal::AwaitCredentials),
            ],
        )?,
        on_referral: read.choice(
            "on_referral",
            &[("stop", OnReferral::Stop), ("follow", OnReferral::Follow)],
        )?,
        ..Reconnect::default()
    })
}

/// The attributes of one dataclass.
struct Reader<'a, 'py>(&'a Bound<'py, PyAny>);

impl<'py> Reader<'_, 'py> {
    fn get<T>(&self, name: &str) -> PyResult<T>
    where
        T: for<'a> FromPyObject<'a, 'py, Error: Into<PyErr>>,
    {
        let attribute = self.0.getattr(name)?;
        attribute.extract::<T>().map_err(|error| {
            let cause: PyErr = error.into();
            let raised = ConfigError::new_err(format!("{name}: {}", cause.value(self.0.py())));
            raised.set_cause(self.0.py(), Some(cause));
            raised
        })
    }

    fn seconds(&self, name: &str) -> PyResult<Duration> {
        seconds(self.get(name)?)
            .ok_or_else(|| ConfigError::new_err(format!("{name} is no duration: give seconds, 0 or more")))
    }

    fn non_zero(&self, name: &str) -> PyResult<NonZeroU16> {
        NonZeroU16::new(self.get(name)?)
            .ok_or_else(|| ConfigError::new_err(format!("{name} is 0, expected 1 to 65535")))
    }

    fn choice<T: Copy>(&self, name: &str, choices: &[(&str, T)]) -> PyResult<T> {
        let given: String = self.get(name)?;
        match choices.iter().find(|(word, _)| *word == given) {
            Some((_, choice)) => Ok(*choice),
            None => {
                let words: Vec<_> = choices.iter().map(|(word, _)| format!("{word:?}")).collect();
                let words = words.join(", ");
                Err(ConfigError::new_err(format!(
                    "{name} is {given:?}, expected one of {words}"
                )))
            }
        }
    }

    /// Reads a dataclass within this one, or `None`; whatever is wrong with it is wrong with the configuration.
    fn part<T>(&self, name: &str, read: impl FnOnce(&Reader<'_, 'py>) -> PyResult<T>) -> PyResult<Option<T>> {
        let part = self.0.getattr(name)?;
        if part.is_none() {
            return Ok(None);
        }
        let found = read(&Reader(&part)).map_err(|error| {
            let py = self.0.py();
            let raised = ConfigError::new_err(format!("{name}: {}", error.value(py)));
            raised.set_cause(py, Some(error));
            raised
        });
        found.map(Some)
    }

    fn properties(&self) -> PyResult<syncline_core::codec::PropertyBuf> {
        let properties: Option<Properties> = self.get("properties")?;
        Ok(Properties::optional(properties.as_ref()))
    }
}

/// Seconds as a duration, within a century.
pub(crate) fn seconds(seconds: f64) -> Option<Duration> {
    if seconds > MAX_SECONDS {
        return None;
    }
    Duration::try_from_secs_f64(seconds).ok()
}

/// As [`seconds`], for an argument of a call.
pub(crate) fn duration(name: &str, given: f64) -> PyResult<Duration> {
    seconds(given)
        .ok_or_else(|| PacketError::new_err(format!("{name} is no duration: give seconds, 0 or more")))
}

pub(crate) fn quality(qos: u8) -> PyResult<QoS> {
    match qos {
        0 => Ok(QoS::AtMostOnce),
        1 => Ok(QoS::AtLeastOnce),
        2 => Ok(QoS::ExactlyOnce),
        _ => Err(PacketError::new_err(format!(
            "quality of service is {qos}, expected 0, 1 or 2"
        ))),
    }
}

/// Reads a Topic Filter of a SUBSCRIBE, a `syncline.core.Filter`.
pub(crate) fn filter(given: &Bound<'_, PyAny>) -> PyResult<Filter> {
    if !given.hasattr("retain_handling")? {
        let kind = given.get_type();
        return Err(PyTypeError::new_err(format!(
            "filter is of type {}, expected syncline.core.Filter",
            kind.name()?
        )));
    }
    let retain_handling = match argument::retain_handling(&given.getattr("retain_handling")?)? {
        0 => RetainHandling::Send,
        1 => RetainHandling::SendIfNew,
        2 => RetainHandling::DoNotSend,
        other => {
            return Err(PacketError::new_err(format!(
                "retain handling is {other}, expected 0, 1 or 2"
            )));
        }
    };
    Ok(Filter {
        filter: topic::filter(&given.getattr("topic")?.extract::<Text>()?)?,
        options: SubscribeOptions {
            qos: quality(argument::qos(&given.getattr("qos")?)?)?,
            no_local: given.getattr("no_local")?.extract()?,
            retain_as_published: given.getattr("retain_as_published")?.extract()?,
            retain_handling,
        },
    })
}
