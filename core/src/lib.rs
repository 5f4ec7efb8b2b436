//! Sans-IO MQTT client session and FlowSync correlation: bytes and time in, bytes and events out.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod agent;
pub mod codec;
pub mod error;
pub mod flowsync;
pub mod limits;
pub mod rng;
pub mod session;
pub mod time;
pub mod topic;
