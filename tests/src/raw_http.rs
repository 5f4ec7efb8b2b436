//! An HTTP client that sends what it is told, byte by byte, over TCP or TLS, and reads answers by their own rules.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::wait;

/// How a server is reached.
#[derive(Clone)]
pub enum Transport {
    /// TCP alone.
    Tcp,
    /// TLS over it.
    Tls(TlsConnector),
}

/// One connection.
pub struct RawClient {
    stream: Box<dyn Stream>,
    unread: Vec<u8>,
}

/// A complete answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawAnswer {
    /// Status code.
    pub status: u16,
    /// Names in lower case, and values.
    pub fields: Vec<(String, String)>,
    /// Body text.
    pub body: String,
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

impl Transport {
    /// TLS that believes the authority with this certificate, PEM.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    pub fn tls(authority: &str) -> Self {
        let certificate = CertificateDer::from_pem_slice(authority.as_bytes()).expect("a certificate");
        let mut roots = RootCertStore::empty();
        roots.add(certificate).expect("an authority");
        let config = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self::Tls(TlsConnector::from(Arc::new(config)))
    }

    /// Connects to `127.0.0.1:port`.
    ///
    /// # Errors
    /// When that fails, or takes longer than [`wait::PATIENCE`].
    pub async fn connect(&self, port: u16) -> io::Result<RawClient> {
        let connecting = async {
            let tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
            tcp.set_nodelay(true)?;
            let stream: Box<dyn Stream> = match self {
                Self::Tcp => Box::new(tcp),
                Self::Tls(connector) => {
                    let name = ServerName::from(std::net::IpAddr::from(Ipv4Addr::LOCALHOST));
                    Box::new(connector.connect(name, tcp).await?)
                }
            };
            Ok(RawClient {
                stream,
                unread: Vec::new(),
            })
        };
        within(wait::PATIENCE, connecting).await
    }
}

impl RawClient {
    /// Sends these bytes in one piece.
    ///
    /// # Errors
    /// When the connection has ended.
    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    /// Closes this side, and goes on reading.
    ///
    /// # Errors
    /// When the connection has ended.
    pub async fn half_close(&mut self) -> io::Result<()> {
        self.stream.shutdown().await
    }

    /// The next final answer; interim ones are skipped. `None` where the connection ends instead.
    ///
    /// # Errors
    /// When there is none within `limit`, or none that is complete.
    pub async fn answer(&mut self, limit: Duration) -> io::Result<Option<RawAnswer>> {
        within(limit, async {
            loop {
                let answer = self.any_answer().await?;
                if answer.as_ref().is_none_or(|answer| answer.status >= 200) {
                    return Ok(answer);
                }
            }
        })
        .await
    }

    /// All that comes until the end of the connection.
    ///
    /// # Errors
    /// When it does not end within `limit`.
    pub async fn rest(&mut self, limit: Duration) -> io::Result<Vec<u8>> {
        within(limit, async {
            while self.read().await? {}
            Ok(std::mem::take(&mut self.unread))
        })
        .await
    }

    async fn any_answer(&mut self) -> io::Result<Option<RawAnswer>> {
        let end = loop {
            if let Some(end) = self.unread.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            if !self.read().await? {
                return match self.unread.is_empty() {
                    true => Ok(None),
                    false => Err(io::ErrorKind::UnexpectedEof.into()),
                };
            }
        };
        let head: Vec<u8> = self.unread.drain(..end).collect();
        let mut answer = RawAnswer::of_head(&head).ok_or(io::ErrorKind::InvalidData)?;
        let length = answer.field("content-length").map_or(Ok(0), str::parse::<usize>);
        let length = length.map_err(|_| io::ErrorKind::InvalidData)?;
        while self.unread.len() < length {
            if !self.read().await? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let body = self.unread.drain(..length).collect();
        answer.body = String::from_utf8(body).map_err(|_| io::ErrorKind::InvalidData)?;
        Ok(Some(answer))
    }

    /// Reads on; false at the end, whichever way the server has put it.
    async fn read(&mut self) -> io::Result<bool> {
        use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
        match self.stream.read_buf(&mut self.unread).await {
            Ok(count) => Ok(count > 0),
            Err(error) if matches!(error.kind(), ConnectionReset | BrokenPipe | UnexpectedEof) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl RawAnswer {
    fn of_head(head: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(head).ok()?;
        let mut lines = text.trim_end().split("\r\n");
        let (version, status) = lines.next()?.split_at_checked("HTTP/1.1 ".len())?;
        let status = match version {
            "HTTP/1.1 " | "HTTP/1.0 " => status.get(..3)?.parse().ok()?,
            _ => return None,
        };
        let fields = lines
            .map(|line| {
                let (name, value) = line.split_once(':')?;
                Some((name.to_ascii_lowercase(), value.trim().to_owned()))
            })
            .collect::<Option<_>>()?;
        Some(Self {
            status,
            fields,
            body: String::new(),
        })
    }

    /// The value of the first field of that name, in lower case.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        let (_, value) = self.fields.iter().find(|(found, _)| found == name)?;
        Some(value)
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is not.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }
}

async fn within<T>(limit: Duration, future: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(limit, future)
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}
