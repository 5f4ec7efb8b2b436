//! Endpoints of an OPC UA server: one session for a connection, which all of its endpoints share.
//!
//! ```text
//! <topic>/req, <topic>/set ─▶ Asked ─ Target ─▶ Live ─▶ Read, Write ─▶ server
//! <topic>/res              ◀─ rules ◀─ Asked ◀────────────────────────────┤
//! <topic>                  ◀─ rules ◀─ Follower ◀─ Subscriptions ◀────────┘
//!                               Upkeep ─ connect ─▶ Live, and the next one when it is lost
//! ```
//! The protocol is the library's. What it leaves to its user is here: who is believed, how a lost session is made anew, types, and
//! the bounds of time and of what waits.

mod asked;
mod connect;
mod follower;
mod link;
mod live;
mod node_type;
mod offer;
mod subscriptions;
mod trust;
mod wire;

use std::sync::Arc;

use asked::Asked;
use follower::Follower;
pub(super) use link::{Link, Upkeep};
pub(crate) use link::{Other, PreparedLink};

use super::Means;
use super::serving::Serving;
use super::tally::Tally;
use crate::driver::Source;
use crate::service::plan::{EndpointOperation, EndpointPlan, OpcuaItem, RetryStrategy};

/// An endpoint that is subscribed, and waits to be started.
pub(crate) enum Subscribed {
    /// Messages tell it what to do.
    Asked(Box<Serving<Asked>>),
    /// The server tells it values.
    Follower(Box<Follower>),
}

/// An endpoint of the `other` server, for what `item` says of its node.
pub(super) fn subscribe(
    means: &Means,
    (other, strategy): (&Other, RetryStrategy),
    plan: &EndpointPlan,
    item: &OpcuaItem,
    tally: &Arc<Tally>,
    before: Option<Source>,
) -> Option<(Subscribed, Source)> {
    Some(match &plan.operation {
        EndpointOperation::Subscribe { .. } => {
            let (follower, source) = Follower::new(means, other, strategy, plan, item, tally);
            (Subscribed::Follower(Box::new(follower)), source)
        }
        EndpointOperation::Read { .. } | EndpointOperation::Write { .. } => {
            let asked = Asked::new(other, plan, item);
            let (serving, source) = Serving::new(means, plan, tally, before, asked)?;
            (Subscribed::Asked(Box::new(serving)), source)
        }
    })
}

impl Subscribed {
    /// Whether what was there before has to end first.
    pub(super) fn is_ordered(&self) -> bool {
        match self {
            Self::Asked(serving) => serving.work().is_ordered(),
            Self::Follower(_) => true,
        }
    }

    /// Works until there will be no more messages.
    pub(super) async fn run(self) {
        match self {
            Self::Asked(serving) => serving.run().await,
            Self::Follower(follower) => follower.run().await,
        }
    }
}
