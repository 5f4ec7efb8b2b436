//! MQTT edge agent that holds an HTTP request until the answer has come back over MQTT.

pub mod service;
