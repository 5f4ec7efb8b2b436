//! MQTT edge agent that holds an HTTP request until the answer has come back over MQTT.

pub mod config;
pub mod data;
#[cfg(feature = "demo")]
pub mod demo;
pub mod driver;
pub mod http;
mod nearest;
pub mod run;
pub mod service;
pub mod tls;
pub mod transport;
