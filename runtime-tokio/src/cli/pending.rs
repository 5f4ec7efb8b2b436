//! Stands in for `syncline::run` and `syncline::demo::run` until both are in the library.

use std::io;

use syncline::config::RunConfig;
use syncline::service::Plan;

pub(super) async fn run(_: RunConfig, _: Plan, _: impl Future<Output = ()>) -> io::Result<()> {
    Err(io::Error::other("this build has no runtime"))
}

#[cfg(feature = "demo")]
pub(super) fn demo(_: bool) -> io::Result<()> {
    Err(io::Error::other("this build has no runtime"))
}
