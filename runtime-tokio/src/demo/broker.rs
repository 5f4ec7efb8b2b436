//! The broker of the demo: on a free loopback port, keeping nothing, telling of each message that passes.

use std::future::{Future, ready};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use mqtt5::broker::{BrokerEventHandler, ClientPublishEvent, PublishAction};
use tokio::sync::mpsc;

use crate::broker::{BrokerError, EmbeddedBroker, config};

/// A message that a client has published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Topic Name.
    pub topic: Arc<str>,
    /// Application Message.
    pub payload: Bytes,
}

impl EmbeddedBroker {
    /// Starts a broker on `address` that everybody may use; each message goes to `seen` before it goes to its subscribers.
    ///
    /// # Errors
    /// [`BrokerError`] when the address is taken.
    pub async fn start(address: SocketAddr, seen: mpsc::UnboundedSender<Seen>) -> Result<Self, BrokerError> {
        let config = config()
            .with_bind_address(address)
            .with_event_handler(Arc::new(Tap(seen)));
        Self::start_with(config, None).await
    }
}

struct Tap(mpsc::UnboundedSender<Seen>);

impl BrokerEventHandler for Tap {
    fn on_client_publish<'a>(
        &'a self,
        event: ClientPublishEvent,
    ) -> Pin<Box<dyn Future<Output = PublishAction> + Send + 'a>> {
        // Nobody listens any more once the demo is stopping.
        let _ = self.0.send(Seen {
            topic: event.topic,
            payload: event.payload,
        });
        Box::pin(ready(PublishAction::Continue))
    }
}
