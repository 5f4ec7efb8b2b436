//! `syncline hub`: a place to register at, with a broker.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use syncline::config::{self, Environment, Flags};
use syncline::hub::{self, BrokerSettings, HubError, Settings};
use syncline::tls::{self, Trust};
use syncline::transport::{Dialer, Endpoint};
use tokio::runtime::Builder;

use super::exit::Exit;
use super::output;
use super::run::until_signalled;
use super::{TEMPLATE, logging};

/// Let agents register: client registry, admin page, certificate authority and broker
#[derive(Debug, clap::Args)]
#[command(
    help_template = TEMPLATE,
    before_help = "Examples:
  syncline hub --data-dir hub --http 127.0.0.1:8081
  syncline hub --data-dir /var/lib/syncline-hub --https 0.0.0.0:443 --mqtts 0.0.0.0:8883 --name hub.example.com
  syncline hub --mosquitto localhost:1883 --mosquitto-password-file /etc/syncline/mosquitto-admin",
    after_help = "The first start prints the password of the admin page, once. Certificates come from the hub's own \
                  authority: give agents its `ca.crt`, which the page offers, in the variable CA.

What the page does, a program does with the same password and the name `admin`; it is asked for where it is left out:
  curl --user admin --cacert ca.crt https://HOST/api/hub
  curl --user admin --cacert ca.crt --json '{}' https://HOST/api/hub/unlock
  curl --user admin --cacert ca.crt --json '{\"pairingId\":\"0a1b2c\"}' https://HOST/api/hub/grant
GET /api/hub tells how things stand. The body of a POST is a JSON object with these fields:
  unlock  none: opens the registry for five minutes
  lock    none: closes it
  grant   `pairingId` or `id`, and `permissions`, as [\"readwrite services/#\"], unless an agent's will do
  deny    `pairingId` or `id`
  permit  `username` and `permissions`, which replace those it has
  delete  `username`

The embedded broker keeps nothing over a restart of the hub: no retained message, no session, no queued message. Agents \
                  publish their state anew and subscribe again. Where messages have to outlast it, and where agents log \
                  in by client certificate, run a Mosquitto and give it with --mosquitto. Mosquitto tells nobody of a \
                  login that it refuses: agents register there over REST, not with SYNCLINE_REGISTRATION=mqtt. \
                  The embedded broker refuses a Client Identifier that is another user's name; Mosquitto lets every \
                  user throw out another by its Client Identifier, unless its listener has \
                  `use_username_as_clientid true`, with which `register`, `mqtt` and `check --live` throw out the \
                  running agent."
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
    /// Address of the embedded broker without TLS
    #[arg(
        long,
        value_name = "ADDRESS",
        default_value = "127.0.0.1:1883",
        conflicts_with = "mosquitto"
    )]
    mqtt: SocketAddr,
    /// Address of the embedded broker with TLS
    #[arg(long, value_name = "ADDRESS", conflicts_with = "mosquitto")]
    mqtts: Option<SocketAddr>,
    /// A Mosquitto with its dynamic security plugin, in place of the embedded broker
    #[arg(long, value_name = "HOST:PORT", requires = "mosquitto_password_file")]
    mosquitto: Option<String>,
    /// An administrator of that plugin
    #[arg(long, value_name = "NAME", default_value = "admin")]
    mosquitto_username: String,
    /// File with the administrator's password
    #[arg(long, value_name = "FILE")]
    mosquitto_password_file: Option<PathBuf>,
    /// Reach Mosquitto with TLS, and verify it against the authorities in this file
    #[arg(long, value_name = "FILE")]
    mosquitto_ca: Option<PathBuf>,
    /// Name or address by which agents reach this hub, may be given more than once [default: this host's]
    #[arg(long, value_name = "HOST")]
    name: Vec<String>,
    /// Make a new password for the admin page and print it
    #[arg(long)]
    new_password: bool,
    /// Least grave message that is logged: debug, info, warn, error [env: CYBUS_LOG_LEVEL] [default: info]
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
    /// Form of the log's lines: text, logfmt, json, pino [env: SYNCLINE_LOG_FORMAT] [default: text]
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
}

pub(super) fn main(options: Hub, environment: &Environment) -> Exit {
    if let Err(exit) = start_log(&options, environment) {
        return exit;
    }
    let https = match (options.https, options.http) {
        (None, None) => Some(SocketAddr::from(([0, 0, 0, 0], 443))),
        (https, _) => https,
    };
    if options.mosquitto.is_none() && !options.mqtt.ip().is_loopback() {
        tracing::warn!(
            "--mqtt {} is not a loopback address: passwords cross the network in the clear, agents should use --mqtts",
            options.mqtt
        );
    }
    let broker = match broker(&options) {
        Ok(broker) => broker,
        Err(wrong) => {
            output::error(&wrong);
            return Exit::Configuration;
        }
    };
    let settings = Settings {
        data_dir: options.data_dir,
        https,
        http: options.http,
        broker,
        names: options.name,
        new_password: options.new_password,
    };
    until_signalled(Builder::new_multi_thread(), async |signals| {
        let received = signals.received();
        match hub::run(settings, &mut std::io::stdout(), signals.first()).await {
            Ok(()) => received.exit(),
            Err(HubError::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => Exit::Ok,
            Err(error) => {
                output::error(&error.to_string());
                match error {
                    HubError::Output(_) => Exit::InputOutput,
                    error if error.is_in_use() => Exit::Temporary,
                    error if error.is_configuration() => Exit::Configuration,
                    _ => Exit::Software,
                }
            }
        }
    })
}

/// Starts the log as `syncline run` does. What else the environment says is an agent's concern.
fn start_log(options: &Hub, environment: &Environment) -> Result<(), Exit> {
    let given = [
        ("CYBUS_LOG_LEVEL", &options.log_level),
        ("SYNCLINE_LOG_FORMAT", &options.log_format),
    ];
    let flags: Flags = given
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.clone()?)))
        .collect();
    let loaded = config::load(&flags, environment).map_err(|error| output::configuration(&error))?;
    logging::start(loaded.config.log_level, loaded.config.log_format);
    Ok(())
}

/// Which broker the options ask for.
fn broker(options: &Hub) -> Result<BrokerSettings, String> {
    let (Some(address), Some(password)) = (&options.mosquitto, &options.mosquitto_password_file) else {
        return Ok(BrokerSettings::Embedded {
            mqtt: options.mqtt,
            mqtts: options.mqtts,
        });
    };
    let endpoint = address
        .rsplit_once(':')
        .and_then(|(host, port)| {
            let port = port.parse().ok().filter(|port| *port != 0)?;
            let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
            (!host.is_empty()).then_some(Endpoint { host, port })
        })
        .ok_or_else(|| {
            format!("--mosquitto: found `{address}`, expected HOST:PORT, as in `localhost:1883`")
        })?;
    let tls = match &options.mosquitto_ca {
        None => None,
        Some(authorities) => {
            let settings = tls::Settings {
                trust: Trust::Authorities(authorities.clone()),
                identity: None,
            };
            let snapshot = settings.read().map_err(|error| error.to_string())?;
            let client = tls::Client::new(&endpoint.host, &settings, &snapshot, tls::Moment::now());
            Some(Arc::new(client.map_err(|error| error.to_string())?))
        }
    };
    Ok(BrokerSettings::Mosquitto {
        dialer: Dialer { endpoint, tls },
        username: options.mosquitto_username.clone(),
        password: read_password(password)?.into(),
    })
}

/// The first line of a file.
fn read_password(path: &Path) -> Result<String, String> {
    let shown = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("--mosquitto-password-file: cannot read {shown}: {error}"))?;
    match text.lines().next().filter(|line| !line.is_empty()) {
        Some(line) => Ok(line.to_owned()),
        None => Err(format!(
            "--mosquitto-password-file: {shown} is empty, expected the password in its first line"
        )),
    }
}
