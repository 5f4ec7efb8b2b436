//! The admin listener: liveness, readiness, metrics and a status page, for people and for programs that watch.

mod metrics;
mod page;
mod routes;
mod server;

pub(crate) use server::serve;
