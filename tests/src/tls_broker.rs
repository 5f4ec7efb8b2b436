//! Mosquitto with two doors to the same messages: one in plain text for the test's own clients, one with TLS.

use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::certificates::{Authority, Lifetime, Pair};
use crate::mosquitto::Mosquitto;
use crate::{port, wait};

/// What the broker asks of clients at its door with TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clients {
    /// Anyone may come in.
    Anonymous,
    /// A certificate of the authority, whose common name becomes the username.
    WithCertificate,
}

/// The newest version that the broker speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Newest {
    /// TLS 1.3.
    Tls13,
    /// TLS 1.2.
    Tls12,
}

/// A broker with TLS, and the authority that issued its certificate and those of its clients.
pub struct TlsBroker {
    /// The broker; its port is the one without TLS.
    pub broker: Mosquitto,
    authority: Authority,
    ca: PathBuf,
    clients_ca: PathBuf,
    port: u16,
    folder: TempDir,
}

impl TlsBroker {
    /// A broker with a good certificate for `127.0.0.1`.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start(clients: Clients, newest: Newest) -> Self {
        Self::start_as(clients, newest, |authority| {
            authority.server(&["127.0.0.1"], Lifetime::Now)
        })
    }

    /// A broker with the certificate that `server` makes.
    ///
    /// # Panics
    /// As [`TlsBroker::start`].
    #[must_use]
    pub fn start_as(clients: Clients, newest: Newest, server: impl FnOnce(&Authority) -> Pair) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let authority = Authority::new("Plant Authority");
        let ca = folder.path().join("ca.pem");
        std::fs::write(&ca, authority.certificate()).expect("a writable folder");
        let clients_ca = folder.path().join("clients-ca.pem");
        std::fs::write(&clients_ca, authority.certificate()).expect("a writable folder");
        let files = server(&authority).write(folder.path(), "server");
        let port = port::free();
        let door = match clients {
            Clients::Anonymous => "",
            Clients::WithCertificate => "require_certificate true\nuse_identity_as_username true",
        };
        // Started by root, Mosquitto would become a user who may not read these files.
        let configuration = format!(
            "user root\nlistener {port} 127.0.0.1\ncafile {}\ncertfile {}\nkeyfile {}\n{door}",
            clients_ca.display(),
            files.certificate.display(),
            files.key.display()
        );
        let openssl = folder.path().join("openssl.cnf");
        let protocol = match newest {
            Newest::Tls13 => "TLSv1.3",
            Newest::Tls12 => "TLSv1.2",
        };
        std::fs::write(
            &openssl,
            format!(
                "openssl_conf = all\n[all]\nssl_conf = ssl\n[ssl]\nsystem_default = tls\n[tls]\nMaxProtocol = {protocol}\n"
            ),
        )
        .expect("a writable folder");
        let broker = Mosquitto::start_in(&configuration, &[("OPENSSL_CONF", &openssl.to_string_lossy())]);
        wait::until("Mosquitto accepts a connection for TLS", wait::PATIENCE, || {
            TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()
        });
        Self {
            broker,
            authority,
            ca,
            clients_ca,
            port,
            folder,
        }
    }

    /// The port with TLS.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Restarts the broker as one that believes clients of these authorities, and no longer of its own.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn restart_believing(&mut self, authorities: &[&Authority]) {
        let certificates: String = authorities
            .iter()
            .map(|authority| authority.certificate())
            .collect();
        std::fs::write(&self.clients_ca, certificates).expect("a writable folder");
        self.broker.restart();
        wait::until("Mosquitto accepts a connection for TLS", wait::PATIENCE, || {
            TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).ok()
        });
    }

    /// The file with the authority's certificate.
    #[must_use]
    pub fn ca(&self) -> &Path {
        &self.ca
    }

    /// The authority.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// A folder for the files of clients.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}
