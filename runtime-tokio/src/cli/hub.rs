//! `syncline hub`: a place to register at, with a broker.

use std::net::SocketAddr;
use std::path::PathBuf;

use syncline::config::{LogFormat, LogLevel};
use syncline::hub::{self, HubError, Settings};

use super::exit::Exit;
use super::output;
use super::run::{failed, until_signalled};
use super::{TEMPLATE, logging};

/// Let agents register: client registry, admin page, certificate authority and broker
#[derive(Debug, clap::Args)]
#[command(
    help_template = TEMPLATE,
    before_help = "Examples:
  syncline hub --data-dir hub --http 127.0.0.1:8081
  syncline hub --data-dir /var/lib/syncline-hub --https 0.0.0.0:443 --mqtts 0.0.0.0:8883 --name hub.example.com",
    after_help = "The first start prints the password of the admin page, once. Certificates come from the hub's own \
                  authority: give agents its `ca.crt`, which the page offers, in the variable CA."
)]
pub(super) struct Hub {
    /// Folder of users, keys and certificates
    #[arg(long, value_name = "DIR", default_value = "/data/hub")]
    data_dir: PathBuf,
    /// Address of client registry and admin page [default: 0.0.0.0:443, unless there is --http]
    #[arg(long, value_name = "ADDRESS")]
    https: Option<SocketAddr>,
    /// Address of the same without TLS, on the loopback interface
    #[arg(long, value_name = "ADDRESS")]
    http: Option<SocketAddr>,
    /// Address of the broker without TLS
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:1883")]
    mqtt: SocketAddr,
    /// Address of the broker with TLS
    #[arg(long, value_name = "ADDRESS")]
    mqtts: Option<SocketAddr>,
    /// Name or address by which agents reach this hub, may be given more than once [default: this host's]
    #[arg(long, value_name = "HOST")]
    name: Vec<String>,
    /// Make a new password for the admin page and print it
    #[arg(long)]
    new_password: bool,
}

pub(super) fn main(options: Hub) -> Exit {
    logging::start(LogLevel::Info, LogFormat::Text);
    let https = match (options.https, options.http) {
        (None, None) => Some(SocketAddr::from(([0, 0, 0, 0], 443))),
        (https, _) => https,
    };
    if !options.mqtt.ip().is_loopback() {
        tracing::warn!(
            "--mqtt {} is not a loopback address: passwords cross the network in the clear, agents should use --mqtts",
            options.mqtt
        );
    }
    let settings = Settings {
        data_dir: options.data_dir,
        https,
        http: options.http,
        mqtt: options.mqtt,
        mqtts: options.mqtts,
        names: options.name,
        new_password: options.new_password,
    };
    until_signalled(async |signals| {
        let received = signals.received();
        match hub::run(settings, &mut std::io::stdout(), signals.first()).await {
            Ok(()) => received.exit(),
            Err(HubError::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => Exit::Ok,
            Err(error) if error.is_configuration() => {
                output::error(&error.to_string());
                Exit::Configuration
            }
            Err(error) => failed(&error.to_string()),
        }
    })
}
