//! An agent that serves HTTP, plain or with TLS, and its broker: for clients that send byte by byte.

use std::path::Path;

use tempfile::TempDir;

use crate::agent::{Agent, service_file};
use crate::certificates::{Authority, Lifetime};
use crate::mosquitto::Mosquitto;
use crate::raw_http::{RawClient, Transport};

/// What its clients speak below HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Below {
    /// TCP alone.
    Tcp,
    /// TLS over it.
    Tls,
}

/// A running one, connected to its broker.
pub struct HttpPlant {
    /// The agent.
    pub agent: Agent,
    /// Its broker.
    pub broker: Mosquitto,
    /// How its clients reach it.
    pub transport: Transport,
    folder: TempDir,
}

impl HttpPlant {
    /// Runs a commissioning file of this text.
    ///
    /// # Panics
    /// When broker or agent do not start.
    #[must_use]
    pub fn start(service: &str, below: Below) -> Self {
        let (folder, service) = service_file(service);
        let broker = Mosquitto::start();
        let (mut agent, transport) = match below {
            Below::Tcp => (Agent::start(&service, broker.port()), Transport::Tcp),
            Below::Tls => {
                let authority = Authority::new("plant");
                let files = authority
                    .server(&["127.0.0.1"], Lifetime::Now)
                    .write(folder.path(), "http");
                let text = |path: &Path| path.to_str().expect("a path in UTF-8").to_owned();
                let (certificate, key) = (text(&files.certificate), text(&files.key));
                let variables = [
                    ("SYNCLINE_HTTP_TLS_CERT", certificate.as_str()),
                    ("SYNCLINE_HTTP_TLS_KEY", key.as_str()),
                ];
                let agent = Agent::start_with(&service, broker.port(), &variables);
                (agent, Transport::tls(authority.certificate()))
            }
        };
        agent.wait_for_log_line(&["connected to"]);
        Self {
            agent,
            broker,
            transport,
            folder,
        }
    }

    /// A folder that lasts as long as it does.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Connects a client.
    ///
    /// # Panics
    /// When the agent does not accept the connection.
    pub async fn connect(&self) -> RawClient {
        let client = self.transport.connect(self.agent.http_port()).await;
        client.expect("the agent accepts a connection")
    }
}
