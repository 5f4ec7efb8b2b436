//! The C interface of the core: opaque handles, numeric results, and no panic or NULL that crosses the border.
//!
//! The rules for callers stand at the top of the generated header. Inside, every export is one call of
//! `border::cross`, which stops panics, and reads its pointers through `pointer`, the one place that checks them.

mod agent;
mod border;
mod error_text;
#[cfg(test)]
mod layout;
mod node_config;
mod packet;
mod pointer;
mod properties;
mod registration;
mod requester;
mod responder;
mod result;
mod session;
mod shared_bytes;
#[cfg(feature = "test-hook")]
mod test_hook;
mod topic;
mod transaction;
mod version;

pub use agent::*;
pub use error_text::ErrorText;
pub use node_config::*;
pub use packet::*;
pub use pointer::Slice;
pub use properties::*;
pub use registration::*;
pub use requester::*;
pub use responder::*;
pub use result::*;
pub use session::*;
pub use shared_bytes::*;
#[cfg(feature = "test-hook")]
pub use test_hook::*;
pub use topic::*;
pub use transaction::*;
pub use version::*;
