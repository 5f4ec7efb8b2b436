//! MQTT edge agent that holds an HTTP request until the answer has come back over MQTT.

pub mod admin;
#[cfg(any(feature = "demo", feature = "hub"))]
mod broker;
mod client_identifier;
pub mod config;
mod current;
pub mod data;
#[cfg(feature = "demo")]
pub mod demo;
pub mod driver;
mod endpoint;
mod envelope;
mod followed;
mod host;
pub mod http;
#[cfg(feature = "hub")]
pub mod hub;
pub mod live_check;
mod log_name;
pub mod mapping;
mod nearest;
mod node_rules;
pub mod opcua;
mod password;
pub mod presence;
pub mod register;
pub mod registry;
mod regular_file;
pub mod responder;
pub mod rules;
pub mod run;
pub mod service;
pub mod status;
mod task;
pub mod tls;
pub mod transport;
mod unconfirmed;
pub mod visit;

pub use host::host_name;
