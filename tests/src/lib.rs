//! What the tests stand on: real servers on free loopback ports, the built agent, and clients that share no code with it.
//!
//! For the core alone: a broker and a link on virtual time, and the model that random walks are held against.
//!
//! Everything here waits for conditions with a deadline and never for a length of time, and everything that it starts
//! ends with the value that stands for it.

pub mod agent;
pub mod backend;
pub mod browser;
pub mod built;
pub mod c_example;
pub mod capture;
pub mod central;
pub mod certificates;
pub mod challenging_auth;
pub mod container;
pub mod curl;
pub mod dynamic_security;
pub mod fake_broker;
pub mod faulty_link;
pub mod guide;
pub mod held_requests;
pub mod http_corpus;
pub mod http_plant;
pub mod hub;
pub mod machine;
pub mod mosquitto;
pub mod mosquitto_clients;
pub mod mqttbytes_oracle;
pub mod notation;
pub mod opcua;
pub mod opcua_server;
pub mod packets;
pub mod port;
pub mod process;
pub mod protocol_core_oracle;
pub mod quiet_mosquitto;
pub mod raw_http;
pub mod real_broker;
pub mod responder;
pub mod secrets;
pub mod session_client;
pub mod session_model;
pub mod simulation;
pub mod small_disk;
pub mod task_process;
pub mod tls_broker;
pub mod vector_file;
pub mod virtual_broker;
pub mod virtual_link;
pub mod wait;
pub mod walk;
pub mod yaml;

/// The workspace's top folder.
///
/// # Panics
/// Never: this package lies in a folder of its own.
#[must_use]
pub fn workspace() -> &'static std::path::Path {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the package's folder lies in the workspace")
}
