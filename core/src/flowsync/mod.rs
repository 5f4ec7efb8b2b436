//! FlowSync: a request that stays open until the correlated reply has come over MQTT, or its time is up.
//!
//! A transaction node has a base topic. Its requests leave on `<base>/treq`, replies are read from `<base>/tres`, both
//! are JSON objects, and the `id` joins them:
//!
//! ```text
//! treq  {"id":"6f0c…","timestamp":1790000000000,"value":<any JSON>}
//! tres  {"id":"6f0c…","timestamp":1790000000042,"value":<any JSON>}
//! tres  {"id":"6f0c…","timestamp":1790000000042,"error":{"code":404,"message":"no such order"}}
//! ```
//!
//! Over MQTT 5.0 Response Topic and Correlation Data say the same once more, for those who answer by these.
//!
//! [`Requester`] is the side that asks and waits, [`Responder`] the side that answers. Neither knows the MQTT session:
//! they take messages and time in, and hand out messages to publish and completions. [`crate::agent::Agent`] joins a
//! requester with a session.
//!
//! # Life of a transaction
//!
//! | state | input | next | counted as |
//! |---|---|---|---|
//! | open | reply with `value` | replied | `replied` |
//! | open | reply with `error` | failed | `failed` |
//! | open | deadline | timed out | `timed_out` |
//! | open | the client went away | aborted | `aborted` |
//! | open | node removed, shutdown | cancelled | `cancelled` |
//! | open | the treq could not be delivered | undeliverable | `undeliverable` |
//! | replied, failed | reply | unchanged | `duplicate` |
//! | any other ended state | reply | unchanged | `late` |
//! | never seen, or forgotten | reply | – | `unknown` |
//!
//! Exactly one transition leaves `open` ([`State::next`] is the only place that makes one), so a transaction has
//! exactly one outcome. It is registered before its treq is handed out: a reply cannot beat its waiter.

mod envelope;
mod error_code;
mod node;
mod nodes;
mod outcome;
mod properties;
mod requester;
mod responder;
mod state;
mod trace;

use core::fmt;
use core::str::FromStr;

use bytes::Bytes;
use uuid::Uuid;

pub use envelope::{Malformed, Reply, ReplyBody, Request, encode_error, encode_value};
pub use error_code::{ErrorCode, ErrorName};
pub use node::{NodeConfig, NodeConfigError, NodeId};
pub use nodes::ChangeError;
pub use outcome::{Completion, Counters, Delivery, Ignored, Outcome, Refusal, Treq, Undeliverable};
pub use properties::{Asked, CONTENT_TYPE, correlated, treq_properties};
pub use requester::Requester;
pub use responder::{Answer, Incoming, RespondError, Responder, ResponderConfig, tres_topic};
pub use state::{Input, State};
pub use trace::{InvalidTraceParent, TRACEPARENT, TraceParent};

/// Identity of a transaction: the `id` of its treq and tres, a version 4 UUID.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransactionId(Uuid);

impl TransactionId {
    /// The id as 128 bits, most significant byte first.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The id that these 16 bytes are.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }
}

impl From<Uuid> for TransactionId {
    fn from(uuid: Uuid) -> Self {
        Self(uuid)
    }
}

impl fmt::Display for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl fmt::Debug for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TransactionId({self})")
    }
}

/// A text is not a UUID in its hyphenated form of 36 characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("transaction id is not a UUID of the form xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx")]
pub struct InvalidTransactionId;

impl FromStr for TransactionId {
    type Err = InvalidTransactionId;

    /// Reads the hyphenated form, hexadecimal digits in either case.
    fn from_str(text: &str) -> Result<Self, InvalidTransactionId> {
        if text.len() != uuid::fmt::Hyphenated::LENGTH {
            return Err(InvalidTransactionId);
        }
        Uuid::try_parse(text).map(Self).map_err(|_| InvalidTransactionId)
    }
}

/// JSON text, as it goes into and comes out of a `value`.
pub type JsonText = Bytes;
