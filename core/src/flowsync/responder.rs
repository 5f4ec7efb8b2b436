//! The answering side: each transaction is handed out once, and its answer repeated for a repeated request.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::String;

use bytes::Bytes;
use serde_json::value::RawValue;

use super::envelope::{Malformed, Request, encode_error, encode_value};
use super::{JsonText, TransactionId};
use crate::time::{Duration, Instant, UnixMillis};

/// Bounds of a [`Responder`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResponderConfig {
    /// Transactions remembered at once, answered or not. Default 10,000.
    pub max_transactions: usize,
    /// Bytes of answers kept for repetition. Default 1 MiB; beyond it the oldest answers are forgotten.
    pub max_answer_bytes: usize,
    /// How long a transaction is remembered after its request. Default 60 s; at least the longest timeout of the
    /// requesters, or a request that comes again after a reconnect is handed out a second time.
    pub retention: Duration,
}

impl Default for ResponderConfig {
    fn default() -> Self {
        Self {
            max_transactions: 10_000,
            max_answer_bytes: 1 << 20,
            retention: Duration::from_secs(60),
        }
    }
}

/// What to do with a treq.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// Work on it, then call [`Responder::respond`].
    Fresh {
        /// The transaction to answer.
        transaction: TransactionId,
        /// When the requester made it, by its own clock.
        timestamp: Option<UnixMillis>,
        /// JSON text of the value.
        value: JsonText,
        /// When the requester stops waiting, where the message told it (MQTT 5.0 Message Expiry Interval).
        deadline: Option<Instant>,
    },
    /// It has been answered before: publish this tres again.
    Repeated(Bytes),
    /// It is being worked on; its answer will serve both.
    InProgress,
    /// It names no transaction.
    Malformed(Malformed),
    /// All `max_transactions` are in progress: the requester will time out unless another responder takes it.
    Overloaded,
}

/// The answer to a transaction.
#[derive(Debug, Clone)]
pub enum Answer<'a> {
    /// Success, with one JSON text.
    Value(&'a RawValue),
    /// Failure.
    Error {
        /// Code in the terms of the client's protocol: for HTTP 400 to 599.
        code: i64,
        /// Text for the client.
        message: &'a str,
    },
}

/// Why an answer has nowhere to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RespondError {
    /// The transaction was never received, or was forgotten after its retention.
    #[error("transaction is not known or no longer remembered")]
    Unknown,
    /// It already has an answer, which stands.
    #[error("transaction is already answered")]
    AlreadyAnswered,
}

/// The answering side of FlowSync, deduplicating by id.
///
/// Inputs: [`handle_request`](Self::handle_request), [`handle_timeout`](Self::handle_timeout). Command:
/// [`respond`](Self::respond). Output: [`poll_timeout`](Self::poll_timeout).
#[derive(Debug)]
pub struct Responder {
    config: ResponderConfig,
    transactions: BTreeMap<TransactionId, Transaction>,
    by_age: BTreeSet<(Instant, TransactionId)>,
    answered: VecDeque<TransactionId>,
    answer_bytes: usize,
}

#[derive(Debug)]
struct Transaction {
    remembered_until: Instant,
    answer: Option<Bytes>,
}

impl Responder {
    /// A responder that remembers nothing yet.
    #[must_use]
    pub fn new(config: ResponderConfig) -> Self {
        Self {
            config,
            transactions: BTreeMap::new(),
            by_age: BTreeSet::new(),
            answered: VecDeque::new(),
            answer_bytes: 0,
        }
    }

    /// Transactions remembered, answered or not.
    #[must_use]
    pub fn len(&self) -> usize {
        self.transactions.len()
    }

    /// Whether no transaction is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.transactions.is_empty()
    }

    /// Takes in a treq; `expiry` is the message's Message Expiry Interval where it has one.
    pub fn handle_request(&mut self, now: Instant, payload: &Bytes, expiry: Option<Duration>) -> Incoming {
        self.handle_timeout(now);
        let request = match Request::parse(payload) {
            Ok(request) => request,
            Err(malformed) => return Incoming::Malformed(malformed),
        };
        match self.transactions.get(&request.id) {
            Some(Transaction {
                answer: Some(tres), ..
            }) => return Incoming::Repeated(tres.clone()),
            Some(Transaction { answer: None, .. }) => return Incoming::InProgress,
            None => {}
        }
        if self.transactions.len() >= self.config.max_transactions && !self.forget_oldest_answer() {
            return Incoming::Overloaded;
        }
        let remembered_until = now.after(self.config.retention);
        self.transactions.insert(
            request.id,
            Transaction {
                remembered_until,
                answer: None,
            },
        );
        self.by_age.insert((remembered_until, request.id));
        Incoming::Fresh {
            transaction: request.id,
            timestamp: request.timestamp,
            value: match request.value {
                "null" => JsonText::from_static(b"null"),
                value => payload.slice_ref(value.as_bytes()),
            },
            deadline: expiry.map(|left| now.after(left)),
        }
    }

    /// Records the answer of a transaction and returns the tres to publish, on the request's topic with `/tres` for
    /// `/treq`.
    ///
    /// # Errors
    /// [`RespondError`] where the transaction does not wait for an answer; nothing changes.
    pub fn respond(
        &mut self,
        wall: UnixMillis,
        transaction: TransactionId,
        answer: &Answer<'_>,
    ) -> Result<Bytes, RespondError> {
        let entry = self
            .transactions
            .get_mut(&transaction)
            .ok_or(RespondError::Unknown)?;
        if entry.answer.is_some() {
            return Err(RespondError::AlreadyAnswered);
        }
        let tres = match answer {
            Answer::Value(value) => encode_value(transaction, wall, value),
            Answer::Error { code, message } => encode_error(transaction, wall, &(*code).into(), message),
        };
        entry.answer = Some(tres.clone());
        self.answer_bytes += tres.len();
        self.answered.push_back(transaction);
        while self.answer_bytes > self.config.max_answer_bytes && self.forget_oldest_answer() {}
        Ok(tres)
    }

    /// Forgets what is past its retention.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(&(until, transaction)) = self.by_age.first() {
            if until > now {
                break;
            }
            self.forget(transaction);
        }
        while self
            .answered
            .front()
            .is_some_and(|oldest| !self.transactions.contains_key(oldest))
        {
            self.answered.pop_front();
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) next has something to forget.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.by_age.first().map(|(until, _)| *until)
    }

    fn forget(&mut self, transaction: TransactionId) -> bool {
        let Some(entry) = self.transactions.remove(&transaction) else {
            return false;
        };
        self.by_age.remove(&(entry.remembered_until, transaction));
        self.answer_bytes -= entry.answer.map_or(0, |tres| tres.len());
        true
    }

    fn forget_oldest_answer(&mut self) -> bool {
        while let Some(transaction) = self.answered.pop_front() {
            if self.forget(transaction) {
                return true;
            }
        }
        false
    }
}

/// Turns the topic of a treq into that of its tres; `None` where it is not the topic of a treq.
#[must_use]
pub fn tres_topic(treq: &str) -> Option<String> {
    let base = treq.strip_suffix("/treq")?;
    let mut topic = String::with_capacity(treq.len());
    topic.push_str(base);
    topic.push_str("/tres");
    Some(topic)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flowsync::{Reply, ReplyBody};
    use alloc::format;

    const WALL: UnixMillis = UnixMillis(5);

    fn treq(id: u8) -> (TransactionId, Bytes) {
        let id = TransactionId::from_bytes([id; 16]);
        (
            id,
            Bytes::from(format!(
                "{{\"id\":\"{id}\",\"timestamp\":3,\"value\":{{\"q\":1}}}}"
            )),
        )
    }

    fn responder(max_transactions: usize, max_answer_bytes: usize) -> Responder {
        Responder::new(ResponderConfig {
            max_transactions,
            max_answer_bytes,
            ..ResponderConfig::default()
        })
    }

    fn answer(responder: &mut Responder, id: TransactionId) -> Result<Bytes, RespondError> {
        let value = RawValue::from_string("true".into()).unwrap();
        responder.respond(WALL, id, &Answer::Value(&value))
    }

    #[test]
    fn a_fresh_request_shows_value_timestamp_and_deadline() {
        let (id, payload) = treq(1);
        let expiry = Some(Duration::from_secs(2));
        let incoming = responder(9, 999).handle_request(Instant::ZERO, &payload, expiry);
        let expected = Incoming::Fresh {
            transaction: id,
            timestamp: Some(UnixMillis(3)),
            value: JsonText::from_static(b"{\"q\":1}"),
            deadline: Some(Instant::from_micros(2_000_000)),
        };
        assert_eq!(incoming, expected);
    }

    #[test]
    fn a_request_is_handed_out_once_and_its_answer_repeated() {
        let mut responder = responder(9, 999);
        let (id, payload) = treq(1);
        assert!(matches!(
            responder.handle_request(Instant::ZERO, &payload, None),
            Incoming::Fresh { .. }
        ));
        assert_eq!(
            responder.handle_request(Instant::ZERO, &payload, None),
            Incoming::InProgress
        );
        let tres = answer(&mut responder, id).unwrap();
        assert_eq!(
            Reply::parse(&tres).unwrap(),
            Reply {
                id,
                body: ReplyBody::Value("true")
            }
        );
        assert_eq!(
            responder.handle_request(Instant::ZERO, &payload, None),
            Incoming::Repeated(tres)
        );
        assert_eq!(answer(&mut responder, id), Err(RespondError::AlreadyAnswered));
    }

    #[test]
    fn an_answer_to_an_unknown_transaction_is_refused() {
        assert_eq!(
            answer(&mut responder(9, 999), treq(1).0),
            Err(RespondError::Unknown)
        );
    }

    #[test]
    fn a_transaction_is_forgotten_after_its_retention() {
        let mut responder = responder(9, 999);
        let (id, payload) = treq(1);
        responder.handle_request(Instant::ZERO, &payload, None);
        let until = responder.poll_timeout().unwrap();
        assert_eq!(until, Instant::ZERO.after(ResponderConfig::default().retention));
        responder.handle_timeout(until);
        assert!(responder.is_empty());
        assert_eq!(responder.poll_timeout(), None);
        assert_eq!(answer(&mut responder, id), Err(RespondError::Unknown));
    }

    #[test]
    fn work_in_progress_is_never_forgotten_for_new_requests() {
        let mut responder = responder(2, 999);
        for id in [1, 2] {
            responder.handle_request(Instant::ZERO, &treq(id).1, None);
        }
        assert_eq!(
            responder.handle_request(Instant::ZERO, &treq(3).1, None),
            Incoming::Overloaded
        );
        answer(&mut responder, treq(1).0).unwrap();
        assert!(matches!(
            responder.handle_request(Instant::ZERO, &treq(3).1, None),
            Incoming::Fresh { .. }
        ));
        assert_eq!(answer(&mut responder, treq(1).0), Err(RespondError::Unknown));
        assert!(answer(&mut responder, treq(2).0).is_ok());
    }

    #[test]
    fn kept_answers_stay_within_their_bytes() {
        let mut responder = responder(1000, 200);
        for id in 0..100 {
            responder.handle_request(Instant::ZERO, &treq(id).1, None);
            answer(&mut responder, treq(id).0).unwrap();
            assert!(responder.answer_bytes <= 200);
        }
        assert!(responder.len() < 4);
        assert_eq!(responder.by_age.len(), responder.len());
    }

    #[test]
    fn the_reply_topic_follows_from_the_request_topic() {
        assert_eq!(
            tres_topic("services/s/n/treq").as_deref(),
            Some("services/s/n/tres")
        );
        assert_eq!(tres_topic("services/s/n/tres"), None);
    }
}
