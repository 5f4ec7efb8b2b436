//! A walk as one line of text, and the text as a walk.

use std::fmt;
use std::str::FromStr;

use syncline_core::codec::QoS;
use syncline_core::session::{AckMode, SessionLost, VersionPolicy};

use super::{Step, Walk};
use crate::virtual_link::End;

/// What a script has that no walk has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptError(String);

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "no walk is written `{}`; an example: `5.0 automatic republish window=2 store=none seed=7: connect; publish 2 10; \
             pass 30; reset`",
            self.0
        )
    }
}

impl std::error::Error for ScriptError {}

const VERSIONS: [(&str, VersionPolicy); 3] = [
    ("3.1.1", VersionPolicy::V3_1_1),
    ("5.0", VersionPolicy::V5),
    ("auto", VersionPolicy::Auto),
];
const ACKS: [(&str, AckMode); 2] = [("automatic", AckMode::Automatic), ("manual", AckMode::Manual)];
const ON_SESSION_LOST: [(&str, SessionLost); 2] = [
    ("republish", SessionLost::Republish),
    ("report", SessionLost::Report),
];
const ENDS: [(&str, End); 2] = [("client", End::Client), ("server", End::Server)];
const LEVELS: [(&str, QoS); 3] = [
    ("0", QoS::AtMostOnce),
    ("1", QoS::AtLeastOnce),
    ("2", QoS::ExactlyOnce),
];

fn word<T: PartialEq>(table: &[(&'static str, T)], value: &T) -> &'static str {
    let found = table.iter().find(|(_, it)| it == value);
    found.map_or("?", |(word, _)| word)
}

impl fmt::Display for Walk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps: Vec<_> = self.steps.iter().map(Step::to_string).collect();
        write!(
            f,
            "{} {} {} window={} store={} seed={}: {}",
            word(&VERSIONS, &self.version),
            word(&ACKS, &self.acks),
            word(&ON_SESSION_LOST, &self.on_session_lost),
            self.window,
            self.store.map_or("none".to_owned(), |delay| delay.to_string()),
            self.seed,
            steps.join("; ")
        )
    }
}

impl fmt::Debug for Walk {
    /// The script: it is what a failing test prints.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect => f.write_str("connect"),
            Self::Publish(qos, size) => write!(f, "publish {} {size}", *qos as u8),
            Self::PublishExpiring(qos, millis) => write!(f, "publish-expiring {} {millis}", *qos as u8),
            Self::Deliver(qos, size) => write!(f, "deliver {} {size}", *qos as u8),
            Self::Subscribe => f.write_str("subscribe"),
            Self::Unsubscribe => f.write_str("unsubscribe"),
            Self::Acknowledge(choice) => write!(f, "acknowledge {choice}"),
            Self::Disconnect(patience) => write!(f, "disconnect {patience}"),
            Self::Suspend(patience) => write!(f, "suspend {patience}"),
            Self::Kill(luck) => write!(f, "kill {luck}"),
            Self::Pass(millis) => write!(f, "pass {millis}"),
            Self::Reset => f.write_str("reset"),
            Self::Close => f.write_str("close"),
            Self::Stall(end, millis) => write!(f, "stall {} {millis}", word(&ENDS, end)),
            Self::Cut(end, bytes) => write!(f, "cut {} {bytes}", word(&ENDS, end)),
            Self::Restart => f.write_str("restart"),
            Self::Forget => f.write_str("forget"),
            Self::Unreachable(millis) => write!(f, "unreachable {millis}"),
        }
    }
}

impl FromStr for Walk {
    type Err = ScriptError;

    fn from_str(script: &str) -> Result<Self, ScriptError> {
        let parse = || {
            let (head, steps) = script.split_once(':')?;
            let mut head = Words(head.split_whitespace());
            let walk = Self {
                version: head.one_of(&VERSIONS)?,
                acks: head.one_of(&ACKS)?,
                on_session_lost: head.one_of(&ON_SESSION_LOST)?,
                window: head.field("window=")?,
                store: head.store()?,
                seed: head.field("seed=")?,
                steps: Vec::new(),
            };
            head.end()?;
            Some((walk, steps))
        };
        let (walk, steps) = parse().ok_or_else(|| ScriptError(script.to_owned()))?;
        let steps = steps.split(';').map(str::parse).collect::<Result<_, _>>()?;
        Ok(Self { steps, ..walk })
    }
}

impl FromStr for Step {
    type Err = ScriptError;

    fn from_str(text: &str) -> Result<Self, ScriptError> {
        let parse = || {
            let mut words = Words(text.split_whitespace());
            let step = match words.0.next()? {
                "connect" => Self::Connect,
                "publish" => Self::Publish(words.one_of(&LEVELS)?, words.number()?),
                "publish-expiring" => Self::PublishExpiring(words.one_of(&LEVELS)?, words.number()?),
                "deliver" => Self::Deliver(words.one_of(&LEVELS)?, words.number()?),
                "subscribe" => Self::Subscribe,
                "unsubscribe" => Self::Unsubscribe,
                "acknowledge" => Self::Acknowledge(words.number()?),
                "disconnect" => Self::Disconnect(words.number()?),
                "suspend" => Self::Suspend(words.number()?),
                "kill" => Self::Kill(words.number()?),
                "pass" => Self::Pass(words.number()?),
                "reset" => Self::Reset,
                "close" => Self::Close,
                "stall" => Self::Stall(words.one_of(&ENDS)?, words.number()?),
                "cut" => Self::Cut(words.one_of(&ENDS)?, words.number()?),
                "restart" => Self::Restart,
                "forget" => Self::Forget,
                "unreachable" => Self::Unreachable(words.number()?),
                _ => return None,
            };
            words.end()?;
            Some(step)
        };
        parse().ok_or_else(|| ScriptError(text.trim().to_owned()))
    }
}

struct Words<'a>(std::str::SplitWhitespace<'a>);

impl Words<'_> {
    fn one_of<T: Copy>(&mut self, table: &[(&str, T)]) -> Option<T> {
        let word = self.0.next()?;
        table.iter().find(|(it, _)| *it == word).map(|(_, value)| *value)
    }

    fn number<T: FromStr>(&mut self) -> Option<T> {
        self.0.next()?.parse().ok()
    }

    fn field<T: FromStr>(&mut self, name: &str) -> Option<T> {
        self.0.next()?.strip_prefix(name)?.parse().ok()
    }

    /// The store's delay, or none.
    fn store(&mut self) -> Option<Option<u16>> {
        match self.0.next()?.strip_prefix("store=")? {
            "none" => Some(None),
            delay => delay.parse().ok().map(Some),
        }
    }

    fn end(mut self) -> Option<()> {
        self.0.next().is_none().then_some(())
    }
}
