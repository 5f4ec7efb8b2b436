//! What a node that provides follows: the messages of its topic, as its rules let them pass.

use std::collections::BTreeMap;

use crate::driver::{Delivery, Inbox};
use crate::rules::{Arrival, Context, Departure, Pipeline, at};

/// A subscription with its rules, if there are any.
pub(crate) struct Followed {
    inbox: Inbox,
    pipeline: Option<Pipeline>,
}

impl Followed {
    pub(crate) fn new(inbox: Inbox, pipeline: Option<Pipeline>) -> Self {
        Self { inbox, pipeline }
    }

    /// Whether there are rules.
    pub(crate) fn is_ruled(&self) -> bool {
        self.pipeline.is_some()
    }

    /// The next message or batch that has passed all rules; `None` when the subscription has ended.
    pub(crate) async fn next(&mut self) -> Option<Departure> {
        loop {
            let due = self.pipeline.as_ref().and_then(Pipeline::due);
            let delivery = tokio::select! {
                delivery = self.inbox.recv() => Some(delivery?),
                () = at(due) => None,
            };
            let departure = match delivery {
                Some(delivery) => self.handle(delivery).await,
                None => self.handle_due().await,
            };
            if departure.is_some() {
                if let Some(pipeline) = &self.pipeline {
                    pipeline.count_passed();
                }
                return departure;
            }
        }
    }

    async fn handle(&mut self, delivery: Delivery) -> Option<Departure> {
        let Delivery {
            topic,
            payload,
            receipt: _until_handled,
            ..
        } = delivery;
        let context = Context {
            topic,
            label: None,
            vars: BTreeMap::new(),
        };
        match &mut self.pipeline {
            Some(pipeline) => pipeline.handle_message(Arrival { payload, context }).await,
            None => Some(Departure { payload, context }),
        }
    }

    async fn handle_due(&mut self) -> Option<Departure> {
        self.pipeline.as_mut()?.handle_due().await
    }
}
