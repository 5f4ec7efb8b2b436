//! The OPC UA data plane: Writes and Calls of clients in, held until their transaction has ended, or published; values out.
//!
//! ```text
//! client ── Write, Call ──▶ library ── Nodes ─┬─ Transaction ──▶ driver ──▶ <topic>/treq
//!        ◀── StatusCode, outputs ─────────────┘◀──────────────── driver ◀── <topic>/tres
//! client ◀── Read, notification ── address space ◀── Provider ◀── mailbox ◀── driver ◀── <topic>
//! ```
//! The protocol is the library's. What it leaves to its user is here: types and ranks, bounds on what is held, panics, and
//! no lock of the address space across an await.

mod address_space;
mod authentication;
mod certificates;
mod channel;
mod content;
mod failure;
mod gate;
mod heads;
mod held;
mod hello;
mod identity;
pub(crate) mod limits;
mod method;
mod misfit;
mod nodes;
mod opening;
mod protection;
mod provider;
mod publisher;
mod refusals;
mod rejected;
mod scalar;
mod server;
mod sessions;
mod text;
mod transaction;
mod unfit;
mod value;
mod watchers;

pub(crate) use authentication::Places;
pub use certificates::{Certificate, Certificates, Standing, TrustError};
pub(crate) use content::{Activity, Content, Kept, NewNode, ids};
pub(crate) use gate::Gate;
pub(crate) use identity::Identity;
pub(crate) use method::Method;
pub(crate) use misfit::{Complaints, Misfits};
pub(crate) use nodes::{Behaviour, Writing};
pub(crate) use opcua::types::{NodeId, Variant};
pub(crate) use provider::Provider;
pub(crate) use publisher::Publisher;
pub use server::{OpcuaError, url};
pub(crate) use server::{Running, Server, ServerSettings, last_namespace, library_mode, library_policy};
pub use text::status_name;
pub(crate) use text::{bad_status_by_name, bad_status_names, parse_node_id};
pub(crate) use transaction::Transaction;
pub(crate) use value::{Shape, built_in, data_type, own_json};
