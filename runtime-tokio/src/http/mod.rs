//! The HTTP data plane: requests of clients in, held until their transaction has ended, published, or
//! answered with the last value; answers out.

mod access;
mod body;
mod cors;
mod exchange;
mod followed;
mod framing;
mod half_closed;
mod head;
mod idempotency;
mod openapi;
mod patience;
mod prefer;
mod provide;
mod receive;
mod reply;
mod route;
mod server;
mod threads;
mod trace;
mod transaction;
mod violation;
mod wire;

pub(crate) use crate::node_rules::{Batches, NodeRules};
pub use access::{Access, AccessError, Admission, Entry};
pub(crate) use access::{Patience, Refused};
pub use followed::{Followed, follow, follow_at_once};
pub use openapi::document as openapi;
pub use provide::Provider;
pub use receive::Receiver;
pub(crate) use reply::CANCELLED;
pub(crate) use route::normal;
pub use route::{Action, Route, RouteConflict, Router, Routes};
pub use server::{Limits, Protection, serve};
pub use transaction::Transaction;
