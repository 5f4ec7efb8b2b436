//! The C interface of the core: opaque handles, numeric results, and no panic or NULL that crosses the border.
//!
//! The rules for callers stand at the top of the generated header. Inside, every export is one call of
//! `border::cross`, which stops panics, and reads its pointers through `pointer`, the one place that checks them.

mod border;
mod node_config;
mod packet;
mod pointer;
mod requester;
mod result;
mod version;

pub use node_config::*;
pub use packet::*;
pub use pointer::Slice;
pub use requester::*;
pub use result::*;
pub use version::*;
