//! The HTTP data plane: requests of clients in, held until their transaction has ended, answers out.

mod body;
mod framing;
mod reply;
mod route;
mod server;
mod wire;

pub use route::{Route, RouteConflict, Router};
pub use server::{Limits, serve};
