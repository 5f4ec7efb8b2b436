//! Requests on their way from the driver to the responder, which may be slower than they come.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use syncline_core::codec::QoS;
use syncline_core::flowsync::Asked;
use syncline_core::session::Message;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::counters::Counting;
use crate::driver::{Receipt, Sink};

/// Requests that wait; a further one is dropped and counted.
const REQUESTS: usize = 1_000;
/// Bytes of payload that wait.
const BYTES: usize = 16 << 20;

/// A message that may be a request.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) topic: String,
    pub(super) payload: Bytes,
    pub(super) qos: QoS,
    pub(super) asked: Asked,
    pub(super) deadline: Instant,
}

/// The responder's end.
#[derive(Debug)]
pub(super) struct Inbox {
    receiver: mpsc::Receiver<Arrival>,
    waiting: Arc<AtomicUsize>,
}

/// Where messages go, and where they come out. One that does not say how long it is worth answering has `patience`.
pub(super) fn inbox(counting: Arc<Counting>, patience: Duration) -> (Sink, Inbox) {
    let (sender, receiver) = mpsc::channel(REQUESTS);
    let waiting = Arc::new(AtomicUsize::new(0));
    let inbox = Inbox {
        receiver,
        waiting: Arc::clone(&waiting),
    };
    let sink = move |message: &Message, _: &Receipt| {
        let asked = Asked::read(message.topic(), &message.properties());
        let Some(asked) = asked.filter(|_| !message.retain()) else {
            counting.ignored.one();
            return;
        };
        let len = message.payload().len();
        // Counted before the responder can see it and count it off again.
        let before = waiting.fetch_add(len, Ordering::Relaxed);
        let arrival = || Arrival {
            topic: message.topic().to_owned(),
            // Copied: who keeps the message must not keep the receive buffer.
            payload: Bytes::copy_from_slice(message.payload()),
            qos: message.qos(),
            deadline: Instant::now() + asked.expiry.unwrap_or(patience),
            asked,
        };
        if before.saturating_add(len) <= BYTES && sender.try_send(arrival()).is_ok() {
            return;
        }
        waiting.fetch_sub(len, Ordering::Relaxed);
        let count = counting.overloaded.one();
        if count.is_power_of_two() {
            tracing::warn!(
                "requests come faster than they are answered, {count} dropped so far: raise the responder's concurrency, or share its \
                 requests with others in a group"
            );
        }
    };
    (Box::new(sink), inbox)
}

impl Inbox {
    /// The next message; `None` when there will be none.
    pub(super) async fn recv(&mut self) -> Option<Arrival> {
        let arrival = self.receiver.recv().await?;
        self.waiting.fetch_sub(arrival.payload.len(), Ordering::Relaxed);
        Some(arrival)
    }
}
