//! MQTT edge agent that holds an HTTP request until the answer has come back over MQTT.

pub mod config;
mod nearest;
pub mod service;
