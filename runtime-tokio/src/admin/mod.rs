//! The admin listener: liveness, readiness, metrics and a status page, for people and for programs that watch; and the
//! socket in the data folder, for commands on this machine, which may do more.

mod call;
mod metrics;
mod page;
mod places;
mod routes;
mod server;
mod socket;

pub(crate) use server::{Door, ServedSocket, open_socket, serve};
pub use socket::{AskError, LOOK_TIME, ask};
