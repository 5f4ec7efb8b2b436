//! The answering side of FlowSync: an async function for each request, called once, with the time that is left.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use serde_json::json;
//! use syncline::driver::Driver;
//! use syncline::responder::{Error, Options, Responder};
//! use syncline::transport::Endpoint;
//! use syncline_core::session::Config;
//! use syncline_core::topic::TopicFilter;
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let broker = Endpoint { host: "localhost".to_owned(), port: 1883 };
//! let driver = Driver::new(broker, Config::new("stock"))?;
//! let link = driver.handle();
//! let options = Options::new(TopicFilter::new("services/shop/stock/treq")?);
//! let responder = Responder::start(&link, options, |request| async move {
//!     let item: String = request.parse()?;
//!     match item.as_str() {
//!         "bolt" => Ok(json!({ "item": item, "left": 7 })),
//!         _ => Err(Error::new(404, "no such item")),
//!     }
//! });
//! let running = tokio::spawn(driver.run());
//! // … and when it is time to go:
//! responder.stop(Duration::from_secs(5)).await;
//! link.stop();
//! running.await??;
//! # Ok(())
//! # }
//! ```
//!
//! # What it owes
//!
//! - **Once**: a request that comes again, as it may after a reconnect, is answered again with the same answer. The function runs
//!   once for each id, as long as the id is remembered: [`Options::remembered`]. Two responders of one [group](Options::group) do
//!   not know of each other's requests.
//! - **In time**: a request's [deadline](Request::deadline) is its Message Expiry Interval, which agents send over MQTT 5.0, else
//!   [`Options::patience`]. There the function is dropped and there is no answer, for nobody waits for it any more.
//! - **Bounded**: so many functions run at once, so many requests wait, and no more; what is beyond is dropped and counted.
//! - **Whatever the function does**: its panic is answered with code 500 and costs its own request only.
//! - **To whom it may concern**: an answer goes to the request's Response Topic with its Correlation Data where it has them, else to
//!   its topic with `/tres` for `/treq`, at its QoS. Without a connection answers wait for one until their deadline.
//!
//! The subscription is in force on every connection that the driver makes. Retained requests are ignored.

mod counters;
mod inbox;
mod request;
mod worker;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use syncline_core::codec::QoS;
use syncline_core::flowsync::ResponderConfig;
use syncline_core::topic::{TopicError, TopicFilter};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::driver::{AgentHandle, Subscription};
pub use counters::Counters;
use counters::Counting;
pub use request::{Error, Request};
use worker::Worker;

/// Which requests to answer, and how many at once.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// Topics of requests: those of treq. What matches and is none is ignored.
    pub filter: TopicFilter,
    /// Quality of service of the subscription. Default 1: a request whose node has QoS 0 comes at that all the same.
    pub qos: QoS,
    /// Functions that run at once. Default 64, at least 1.
    pub concurrency: usize,
    /// Time for a request that does not say how long it is worth answering. Default 10 s.
    pub patience: Duration,
    /// How many ids and answers are remembered, and how long: 10,000, 1 MiB and 60 s by default.
    pub remembered: ResponderConfig,
}

impl Options {
    /// The defaults for the requests that `filter` matches.
    #[must_use]
    pub fn new(filter: TopicFilter) -> Self {
        Self {
            filter,
            qos: QoS::AtLeastOnce,
            concurrency: 64,
            patience: Duration::from_secs(10),
            remembered: ResponderConfig::default(),
        }
    }

    /// Shares the requests with all responders of the group `name`: each goes to one of them.
    ///
    /// # Errors
    /// [`TopicError`] where the name makes no shared subscription of the filter.
    pub fn group(mut self, name: &str) -> Result<Self, TopicError> {
        self.filter = TopicFilter::new(format!("$share/{name}/{}", self.filter.as_str()))?;
        Ok(self)
    }
}

/// A responder at work. Dropping it ends it at once, with what it does.
pub struct Responder {
    subscription: Subscription,
    counting: Arc<Counting>,
    /// One task, which ends when this is dropped.
    task: JoinSet<()>,
}

impl fmt::Debug for Responder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Responder")
            .field("subscription", &self.subscription)
            .field("counters", &self.counters())
            .finish_non_exhaustive()
    }
}

impl Responder {
    /// Answers the requests that come over `link` by what `function` makes of each. Begin it before the link connects, and no request
    /// is missed that a kept Session brings.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    #[must_use = "it ends when this is dropped"]
    pub fn start<H, F, V>(link: &AgentHandle, options: Options, function: H) -> Self
    where
        H: Fn(Request) -> F + Send + Sync + 'static,
        F: Future<Output = Result<V, Error>> + Send + 'static,
        V: Serialize + 'static,
    {
        let counting = Arc::new(Counting::default());
        let (sink, inbox) = inbox::inbox(Arc::clone(&counting), options.patience);
        let subscription = link.subscribe(options.filter.clone(), options.qos, sink);
        let worker = Worker::new(link.clone(), inbox, &options, Arc::clone(&counting));
        let mut task = JoinSet::new();
        task.spawn(worker.run(Arc::new(function)));
        Self {
            subscription,
            counting,
            task,
        }
    }

    /// Whether the broker has confirmed the subscription on the present connection.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.subscription.is_ready()
    }

    /// Waits until [`is_ready`](Self::is_ready); for ever where the driver has ended.
    pub async fn ready(&self) {
        self.subscription.ready().await;
    }

    /// What has become of the requests so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counting.read()
    }

    /// Takes no more requests, answers those that have come, and waits for the broker's acknowledgements, for `grace` at most. What is
    /// not done by then is given up. The link goes on.
    pub async fn stop(self, grace: Duration) -> Counters {
        let Self {
            subscription,
            counting,
            mut task,
        } = self;
        // With its subscription the inbox ends, and with that, when all is done, the task.
        drop(subscription);
        let _ = timeout(grace, task.join_next()).await;
        task.shutdown().await;
        counting.read()
    }
}
