//! A central that tells its version and knows nothing else: HTTP on a loopback port, one request a connection.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// A running central; it ends with this process.
#[derive(Debug)]
pub struct Central {
    address: SocketAddr,
    version: Arc<Mutex<String>>,
}

impl Central {
    /// Starts a central of that version.
    ///
    /// # Panics
    /// When no loopback port is free.
    #[must_use]
    pub fn start(version: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free loopback port");
        let central = Self {
            address: listener.local_addr().expect("a bound socket"),
            version: Arc::new(Mutex::new(version.to_owned())),
        };
        let told = Arc::clone(&central.version);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let version = told.lock().unwrap_or_else(PoisonError::into_inner).clone();
                // A client that goes away is served.
                let _ = answer(&client, &version);
            }
        });
        central
    }

    /// Its base URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Has it be of another version from now on.
    pub fn become_version(&self, version: &str) {
        version.clone_into(&mut self.version.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

fn answer(client: &TcpStream, version: &str) -> std::io::Result<()> {
    let mut lines = BufReader::new(client).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let (status, body) = match request.starts_with("GET /api/system/info ") {
        true => ("200 OK", format!("{{\"version\":\"{version}\"}}")),
        false => ("404 Not Found", "{}".to_owned()),
    };
    let mut client = client;
    write!(
        client,
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}
