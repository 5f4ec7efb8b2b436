//! A central that tells its version and knows nothing else: HTTP on a loopback port, one request a connection.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;

/// A running central; it ends with this process.
#[derive(Debug)]
pub struct Central {
    address: SocketAddr,
}

impl Central {
    /// Starts a central of that version.
    ///
    /// # Panics
    /// When no loopback port is free.
    #[must_use]
    pub fn start(version: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free loopback port");
        let address = listener.local_addr().expect("a bound socket");
        let version = version.to_owned();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // A client that goes away is served.
                let _ = answer(&client, &version);
            }
        });
        Self { address }
    }

    /// Its base URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
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
