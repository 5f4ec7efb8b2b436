//! MQTT edge agent that holds an HTTP request until the answer has come back over MQTT.

pub mod config;
#[cfg(feature = "demo")]
pub mod demo;
pub mod driver;
mod host;
pub mod http;
mod nearest;
mod regular_file;
pub mod run;
pub mod service;
pub mod tls;
pub mod transport;

pub use host::host_name;
