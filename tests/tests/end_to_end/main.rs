//! The agent as users run it, against servers and clients as they have them: run by `cargo xtask test`.

mod admin;
mod broker_gone_wrong;
mod broker_outage;
mod c_examples;
mod certificate_rotation;
mod commands;
mod data_folder;
mod demo;
mod flowsync_http;
mod harness;
mod http_nodes;
mod hub_page;
mod many_held;
mod mio_example;
mod mutual_tls;
mod packet_capture;
mod presence;
mod register;
mod registration;
mod service_file;
mod session_authentication;
mod session_exchange;
mod session_properties;
mod session_resumption;
mod stored_session;
mod tls;
