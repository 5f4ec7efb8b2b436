//! What the requester owes, transaction by transaction.

use alloc::format;

use super::super::envelope::{Malformed, Request};
use super::*;

const T0: Instant = Instant::from_micros(1_000_000);
const WALL: UnixMillis = UnixMillis(1_790_000_000_000);

struct Bench {
    requester: Requester,
    node: NodeId,
}

impl Bench {
    fn new() -> Self {
        Self::with(NodeConfig::new("services/s/n").unwrap())
    }

    fn with(config: NodeConfig) -> Self {
        let mut requester = Requester::new([1; SEED_LEN]);
        let node = requester.add_node(config).unwrap();
        Self { requester, node }
    }

    fn begin(&mut self, token: u64) -> Result<Treq, Refusal> {
        let value = RawValue::from_string("{\"n\":1}".into()).unwrap();
        self.requester.begin(T0, WALL, self.node, &value, token, None)
    }

    fn reply(&mut self, id: TransactionId, rest: &str) -> Delivery {
        let payload = Bytes::from(format!("{{\"id\":\"{id}\",\"timestamp\":1{rest}}}"));
        self.requester
            .handle_message("services/s/n/tres", &payload, false)
    }

    fn outcome(&mut self) -> Option<(u64, Outcome)> {
        self.requester
            .poll()
            .map(|completion| (completion.token, completion.outcome))
    }

    /// The sum that must always hold.
    fn assert_counters_sum(&self) {
        let c = self.requester.counters();
        let ended = c.replied + c.failed + c.timed_out + c.aborted + c.cancelled + c.undeliverable;
        assert_eq!(c.begun, self.requester.open() as u64 + ended);
    }
}

#[test]
fn a_treq_carries_id_timestamp_and_value_on_the_nodes_topic() {
    let mut bench = Bench::new();
    let treq = bench.begin(7).unwrap();
    assert_eq!(treq.topic.as_str(), "services/s/n/treq");
    assert_eq!(treq.deadline, T0.after(Duration::from_secs(2)));
    let request = Request::parse(&treq.payload).unwrap();
    assert_eq!(request.id, treq.transaction);
    assert_eq!((request.timestamp, request.value), (Some(WALL), "{\"n\":1}"));
}

#[test]
fn a_reply_in_the_same_instant_finds_its_waiter() {
    let mut bench = Bench::new();
    let treq = bench.begin(7).unwrap();
    assert_eq!(
        bench.reply(treq.transaction, ",\"value\":[1]"),
        Delivery::Completed(treq.transaction)
    );
    let value = JsonText::from_static(b"[1]");
    assert_eq!(bench.outcome(), Some((7, Outcome::Replied { value })));
    assert_eq!(bench.outcome(), None);
    assert_eq!(bench.requester.open(), 0);
    assert_eq!(bench.requester.poll_timeout(), None);
}

#[test]
fn an_error_reply_fails_the_transaction_with_its_code() {
    let mut bench = Bench::new();
    let treq = bench.begin(1).unwrap();
    bench.reply(
        treq.transaction,
        ",\"error\":{\"code\":404,\"message\":\"gone\"},\"value\":1",
    );
    assert_eq!(
        bench.outcome(),
        Some((
            1,
            Outcome::Failed {
                code: 404.into(),
                message: "gone".into()
            }
        ))
    );
}

#[test]
fn a_transaction_times_out_at_its_deadline_and_not_before() {
    let config = NodeConfig::new("services/s/n")
        .unwrap()
        .timeout_error(408, "too slow");
    let mut bench = Bench::with(config);
    bench.begin(1).unwrap();
    let deadline = bench.requester.poll_timeout().unwrap();
    bench
        .requester
        .handle_timeout(Instant::from_micros(deadline.as_micros() - 1));
    assert_eq!(bench.outcome(), None);
    bench.requester.handle_timeout(deadline);
    assert_eq!(
        bench.outcome(),
        Some((
            1,
            Outcome::TimedOut {
                code: 408,
                message: "too slow".into()
            }
        ))
    );
    assert_eq!(bench.requester.poll_timeout(), None);
}

#[test]
fn a_request_may_shorten_its_timeout_but_not_lengthen_it() {
    let mut bench = Bench::new();
    let value = RawValue::from_string("1".into()).unwrap();
    for (asked, granted) in [(0, 1), (1, 1), (500, 500), (2000, 2000), (9000, 2000)] {
        let asked = Some(Duration::from_millis(asked));
        let treq = bench
            .requester
            .begin(T0, WALL, bench.node, &value, 0, asked)
            .unwrap();
        assert_eq!(treq.deadline, T0.after(Duration::from_millis(granted)));
    }
}

#[test]
fn only_the_first_valid_reply_counts() {
    let mut bench = Bench::new();
    let id = bench.begin(1).unwrap().transaction;
    assert!(matches!(bench.reply(id, ",\"value\":1"), Delivery::Completed(_)));
    assert_eq!(
        bench.reply(id, ",\"value\":2"),
        Delivery::Ignored(Ignored::Duplicate)
    );
    assert_eq!(
        bench.reply(id, ",\"error\":\"x\""),
        Delivery::Ignored(Ignored::Duplicate)
    );
    assert!(bench.outcome().is_some());
    assert_eq!(bench.outcome(), None);
    assert_eq!(bench.requester.counters().duplicate, 2);
}

#[test]
fn a_reply_after_the_deadline_is_late_and_one_never_asked_for_unknown() {
    let mut bench = Bench::new();
    let id = bench.begin(1).unwrap().transaction;
    bench.requester.handle_timeout(T0.after(Duration::from_secs(2)));
    assert_eq!(bench.reply(id, ""), Delivery::Ignored(Ignored::Late));
    let stranger = TransactionId::from_bytes([9; 16]);
    assert_eq!(bench.reply(stranger, ""), Delivery::Ignored(Ignored::Unknown));
    let counters = bench.requester.counters();
    assert_eq!((counters.late, counters.unknown, counters.timed_out), (1, 1, 1));
}

#[test]
fn a_malformed_or_retained_reply_leaves_the_transaction_waiting() {
    let mut bench = Bench::new();
    let id = bench.begin(1).unwrap().transaction;
    let topic = "services/s/n/tres";
    let not_json = bench
        .requester
        .handle_message(topic, &Bytes::from_static(b"{"), false);
    assert_eq!(
        not_json,
        Delivery::Ignored(Ignored::Malformed(Malformed::NotJson))
    );
    let payload = Bytes::from(format!("{{\"id\":\"{id}\"}}"));
    let retained = bench.requester.handle_message(topic, &payload, true);
    assert_eq!(retained, Delivery::Ignored(Ignored::Retained));
    assert_eq!(bench.requester.open(), 1);
    assert!(matches!(bench.reply(id, ""), Delivery::Completed(_)));
}

#[test]
fn a_reply_on_another_nodes_topic_completes_nothing() {
    let mut bench = Bench::new();
    bench
        .requester
        .add_node(NodeConfig::new("services/s/other").unwrap())
        .unwrap();
    let id = bench.begin(1).unwrap().transaction;
    let payload = Bytes::from(format!("{{\"id\":\"{id}\"}}"));
    let other = bench
        .requester
        .handle_message("services/s/other/tres", &payload, false);
    assert_eq!(other, Delivery::Ignored(Ignored::Unknown));
    assert_eq!(
        bench
            .requester
            .handle_message("services/s/n/treq", &payload, false),
        Delivery::NotMine
    );
    assert_eq!(bench.requester.open(), 1);
}

#[test]
fn an_aborted_transaction_frees_its_slot_at_once_and_completes_nothing() {
    let config = NodeConfig::new("services/s/n").unwrap().max_in_flight(1).unwrap();
    let mut bench = Bench::with(config);
    let id = bench.begin(1).unwrap().transaction;
    assert_eq!(bench.begin(2).unwrap_err(), Refusal::TooManyInFlight { limit: 1 });
    bench.requester.abort(id);
    bench.requester.abort(id);
    assert_eq!(bench.outcome(), None);
    assert!(bench.begin(3).is_ok());
    assert_eq!(bench.reply(id, ""), Delivery::Ignored(Ignored::Late));
    bench.assert_counters_sum();
}

#[test]
fn removing_a_node_cancels_its_transactions_alone_and_kills_its_handle() {
    let mut bench = Bench::new();
    let other = bench
        .requester
        .add_node(NodeConfig::new("services/s/other").unwrap())
        .unwrap();
    let value = RawValue::from_string("1".into()).unwrap();
    bench.begin(1).unwrap();
    bench.requester.begin(T0, WALL, other, &value, 2, None).unwrap();
    assert!(bench.requester.remove_node(bench.node).is_some());
    assert_eq!(bench.outcome(), Some((1, Outcome::Cancelled)));
    assert_eq!(bench.outcome(), None);
    assert_eq!(bench.begin(3).unwrap_err(), Refusal::NoSuchNode);
    let reused = bench
        .requester
        .add_node(NodeConfig::new("services/s/n").unwrap())
        .unwrap();
    assert_ne!(reused, bench.node);
    assert_eq!(bench.begin(4).unwrap_err(), Refusal::NoSuchNode);
    bench.requester.cancel_all();
    assert_eq!(bench.outcome(), Some((2, Outcome::Cancelled)));
    bench.assert_counters_sum();
}

#[test]
fn two_nodes_cannot_read_the_same_topic() {
    let mut bench = Bench::new();
    assert!(
        bench
            .requester
            .add_node(NodeConfig::new("services/s/n").unwrap())
            .is_none()
    );
}

#[test]
fn a_retracted_transaction_was_never_begun() {
    let mut bench = Bench::new();
    let id = bench.begin(1).unwrap().transaction;
    bench.requester.retract(id);
    assert_eq!(bench.reply(id, ""), Delivery::Ignored(Ignored::Unknown));
    assert_eq!((bench.requester.open(), bench.requester.counters().begun), (0, 0));
    assert_eq!(bench.requester.poll_timeout(), None);
}

#[test]
fn an_undeliverable_treq_ends_its_transaction_once() {
    let mut bench = Bench::new();
    let id = bench.begin(1).unwrap().transaction;
    bench.requester.undeliverable(id, Undeliverable::LinkLost);
    bench.requester.undeliverable(id, Undeliverable::LinkLost);
    assert_eq!(
        bench.outcome(),
        Some((1, Outcome::Undeliverable(Undeliverable::LinkLost)))
    );
    assert_eq!(bench.outcome(), None);
    bench.assert_counters_sum();
}

#[test]
fn memory_of_ended_transactions_is_bounded() {
    let mut bench = Bench::new();
    let first = bench.begin(0).unwrap().transaction;
    bench.reply(first, "");
    for token in 1..=ENDED_TRANSACTIONS_REMEMBERED as u64 {
        let id = bench.begin(token).unwrap().transaction;
        bench.reply(id, "");
    }
    assert_eq!(bench.requester.transactions.len(), ENDED_TRANSACTIONS_REMEMBERED);
    assert_eq!(bench.requester.ended.len(), ENDED_TRANSACTIONS_REMEMBERED);
    assert_eq!(bench.reply(first, ""), Delivery::Ignored(Ignored::Unknown));
}

#[test]
fn ten_thousand_transactions_answered_in_reverse_each_get_their_own_reply() {
    let mut bench = Bench::new();
    let mut ids: Vec<_> = (0..10_000)
        .map(|token| (token, bench.begin(token).unwrap().transaction))
        .collect();
    while let Some((token, id)) = ids.pop() {
        bench.reply(id, &format!(",\"value\":{token}"));
        let value = JsonText::from(format!("{token}"));
        assert_eq!(bench.outcome(), Some((token, Outcome::Replied { value })));
    }
    assert_eq!(bench.requester.open(), 0);
    assert!(bench.requester.deadlines.is_empty());
    bench.assert_counters_sum();
}

#[test]
fn a_reply_without_an_id_is_joined_by_its_correlation_and_ends_the_transaction_once() {
    let mut bench = Bench::new();
    let treq = bench.begin(7).unwrap();
    let (id, topic) = (treq.transaction, "services/s/n/tres");
    assert_eq!(treq.reply_to.as_str(), topic);
    let payload = Bytes::from_static(b"{\"value\":2}");
    let elsewhere = bench
        .requester
        .handle_correlated("services/s/other/tres", &payload, false, Some(id));
    assert_eq!(elsewhere, Delivery::NotMine);
    let delivery = bench
        .requester
        .handle_correlated(topic, &payload, false, Some(id));
    assert_eq!(delivery, Delivery::Completed(id));
    let value = JsonText::from_static(b"2");
    assert_eq!(bench.outcome(), Some((7, Outcome::Replied { value })));
    let again = bench
        .requester
        .handle_correlated(topic, &payload, false, Some(id));
    assert_eq!(again, Delivery::Ignored(Ignored::Duplicate));
    let nobody = TransactionId::from_bytes([9; 16]);
    let unknown = bench
        .requester
        .handle_correlated(topic, &payload, false, Some(nobody));
    assert_eq!(unknown, Delivery::Ignored(Ignored::Unknown));
    bench.assert_counters_sum();
}
