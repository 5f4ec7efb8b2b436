//! MQTT edge agent that holds an HTTP request until the answer has come back over MQTT.

pub mod driver;
pub mod http;
pub mod run;
pub mod service;
pub mod transport;
