//! The messages of FlowSync under attack: whatever is said on treq and tres, both sides keep their counts.

use std::collections::HashSet;

use bytes::Bytes;
use serde_json::value::RawValue;
use syncline_core::flowsync::{
    Answer, Delivery, Incoming, NodeConfig, Outcome, Reply, ReplyBody, Request, Requester, Responder,
    ResponderConfig, TransactionId, encode_error, encode_value,
};
use syncline_core::time::{Instant, UnixMillis};

/// Transactions that are open while the messages come.
const OPEN: usize = 3;

/// Takes `data` for messages with a line feed between them, in which the bytes 1 to [`OPEN`] stand for the ids of transactions that
/// are open; and asserts what reading and correlating them promises.
pub fn check(data: &[u8]) {
    let mut requester = Requester::new([7; 32]);
    let config = NodeConfig::new("base").expect("a topic");
    let node = requester.add_node(config).expect("room for a node");
    let now = Instant::from_micros(0);
    let value = RawValue::from_string("{}".to_owned()).expect("JSON");
    let ids: Vec<TransactionId> = (0..OPEN)
        .map(|token| {
            let treq = requester.begin(now, UnixMillis(1), node, &value, token as u64, None);
            treq.expect("room for a transaction").transaction
        })
        .collect();
    let mut responder = Responder::new(ResponderConfig::default());
    let mut ended = HashSet::new();
    let mut received = 0;
    for message in data.split(|byte| *byte == b'\n') {
        let message = Bytes::from(filled_in(message, &ids));
        check_request(&message);
        check_reply(&message);
        check_responder(&mut responder, now, &message);
        received += 1;
        match requester.handle_message("base/tres", &message, false) {
            Delivery::Completed(id) => {
                assert!(ids.contains(&id), "a transaction ends that was never begun");
                assert!(ended.insert(id), "a transaction ends twice");
                let completion = requester.poll().expect("it is told how it has ended");
                assert_eq!(completion.transaction, id);
                assert!(agrees(&completion.outcome, &message), "its outcome is another's");
            }
            Delivery::Ignored(_) => assert!(requester.poll().is_none(), "what is ignored ends nothing"),
            Delivery::NotMine => panic!("the topic is the node's"),
        }
    }
    let counters = *requester.counters();
    assert_eq!(requester.open(), OPEN - ended.len());
    assert_eq!(counters.replied + counters.failed, ended.len() as u64);
    assert_eq!(
        counters.replied
            + counters.failed
            + counters.late
            + counters.duplicate
            + counters.unknown
            + counters.malformed,
        received
    );
}

fn filled_in(message: &[u8], ids: &[TransactionId]) -> Vec<u8> {
    let mut filled = Vec::with_capacity(message.len());
    for byte in message {
        match ids.get(usize::from(*byte).wrapping_sub(1)) {
            Some(id) => filled.extend_from_slice(id.to_string().as_bytes()),
            None => filled.push(*byte),
        }
    }
    filled
}

/// Whether the outcome is what the message says.
fn agrees(outcome: &Outcome, message: &[u8]) -> bool {
    match (outcome, Reply::parse(message).map(|reply| reply.body)) {
        (Outcome::Replied { value }, Ok(ReplyBody::Value(text))) => &value[..] == text.as_bytes(),
        (
            Outcome::Failed { code, message },
            Ok(ReplyBody::Error {
                code: read,
                message: text,
            }),
        ) => *code == read && *message == text,
        _ => false,
    }
}

/// A treq that can be read can be written again, and is the same then.
fn check_request(message: &[u8]) {
    let Ok(request) = Request::parse(message) else {
        return;
    };
    let value: &RawValue = serde_json::from_str(request.value).expect("a value is JSON");
    let timestamp = request.timestamp.unwrap_or(UnixMillis(0));
    let written = encode_value(request.id, timestamp, value);
    let again = Request::parse(&written).expect("what is written can be read");
    assert_eq!((again.id, again.timestamp), (request.id, Some(timestamp)));
    assert_eq!(again.value, request.value);
}

/// So can a tres.
fn check_reply(message: &[u8]) {
    let Ok(reply) = Reply::parse(message) else {
        return;
    };
    let written = match &reply.body {
        ReplyBody::Value(text) => {
            let value: &RawValue = serde_json::from_str(text).expect("a value is JSON");
            encode_value(reply.id, UnixMillis(1), value)
        }
        ReplyBody::Error { code, message } => encode_error(reply.id, UnixMillis(1), code, message),
    };
    assert_eq!(Reply::parse(&written), Ok(reply), "written and read again");
}

/// The responder works on each transaction once, and repeats its answer.
fn check_responder(responder: &mut Responder, now: Instant, message: &Bytes) {
    let known = responder.len();
    let Incoming::Fresh {
        transaction, value, ..
    } = responder.handle_request(now, message, None)
    else {
        assert_eq!(responder.len(), known, "only a new transaction is remembered");
        return;
    };
    assert!(matches!(
        responder.handle_request(now, message, None),
        Incoming::InProgress
    ));
    let value: &RawValue = serde_json::from_slice(&value).expect("a value is JSON");
    let tres = responder.respond(UnixMillis(1), transaction, &Answer::Value(value));
    let tres = tres.expect("a transaction that waits for its answer");
    assert_eq!(
        responder.handle_request(now, message, None),
        Incoming::Repeated(tres)
    );
}
