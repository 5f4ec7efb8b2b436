//! The connection to the broker: name to address to socket, and TLS over it.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use crate::tls;

/// Time for finding the addresses of a name, again for connecting to each of them, and again for the TLS handshake.
pub const DIAL_TIME: Duration = Duration::from_secs(10);

/// Where a broker listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// How a broker is reached: where it listens, and whether with TLS.
#[derive(Debug, Clone)]
pub struct Dialer {
    /// Where it listens.
    pub endpoint: Endpoint,
    /// TLS; `None` for plain TCP.
    pub tls: Option<Arc<tls::Client>>,
}

impl From<Endpoint> for Dialer {
    /// Plain TCP.
    fn from(endpoint: Endpoint) -> Self {
        Self { endpoint, tls: None }
    }
}

/// Why no connection came about.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The name has no address.
    #[error("its name cannot be resolved: {}", text(.0))]
    Resolve(io::Error),
    /// No address took the connection; the error of the last one.
    #[error("{}", text(.0))]
    Connect(io::Error),
    /// The connection was made, TLS over it was not.
    #[error("{0}")]
    Tls(tls::Failure),
}

impl DialError {
    /// What the log and commands say of a broker at `endpoint`.
    #[must_use]
    pub fn at(&self, endpoint: &Endpoint) -> String {
        match self {
            Self::Resolve(_) => format!("{endpoint} cannot be found: {self}"),
            Self::Connect(_) => format!("{endpoint} unreachable: {self}"),
            Self::Tls(_) => format!("{endpoint}: no TLS connection: {self}"),
        }
    }
}

impl Dialer {
    /// Connects, and does the TLS handshake where there is to be one.
    ///
    /// # Errors
    /// [`DialError`] of the last step that was taken.
    pub async fn dial(&self) -> Result<Transport, DialError> {
        let stream = self.endpoint.connect().await?;
        let Some(client) = &self.tls else {
            return Ok(Transport::Tcp(stream));
        };
        match timeout(DIAL_TIME, client.connect(stream)).await {
            Ok(Ok(stream)) => Ok(Transport::Tls(Box::new(Tls {
                stream,
                shows_certificate: client.identity().is_some(),
                server: client.kind(),
            }))),
            Ok(Err(failure)) => Err(DialError::Tls(failure)),
            Err(_) => Err(DialError::Tls(tls::Failure::silence(DIAL_TIME, client.kind()))),
        }
    }
}

impl Endpoint {
    /// Connects to the first address that takes the connection.
    async fn connect(&self) -> Result<TcpStream, DialError> {
        let addresses = timeout(DIAL_TIME, lookup_host((self.host.as_str(), self.port)))
            .await
            .unwrap_or_else(|_| Err(timed_out()))
            .map_err(DialError::Resolve)?;
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in addresses {
            match timeout(DIAL_TIME, TcpStream::connect(address))
                .await
                .unwrap_or_else(|_| Err(timed_out()))
            {
                Ok(stream) => {
                    // Nagle's algorithm against delayed acknowledgements costs 40 to 90 ms a transaction.
                    stream.set_nodelay(true).map_err(DialError::Connect)?;
                    return Ok(stream);
                }
                Err(error) => last = error,
            }
        }
        Err(DialError::Connect(last))
    }
}

fn timed_out() -> io::Error {
    io::Error::new(
        io::ErrorKind::TimedOut,
        format!("no answer within {} s", DIAL_TIME.as_secs()),
    )
}

/// An I/O error as one sentence: without the number that the standard library adds.
pub(crate) fn text(error: &io::Error) -> String {
    let text = error.to_string();
    let end = text.find(" (os error").unwrap_or(text.len());
    let mut text = text[..end].to_owned();
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    text
}

/// An open connection to the broker.
#[derive(Debug)]
pub enum Transport {
    /// Plain TCP.
    Tcp(TcpStream),
    /// TLS over TCP.
    Tls(Box<Tls>),
}

/// An open connection with TLS.
#[derive(Debug)]
pub struct Tls {
    stream: TlsStream<TcpStream>,
    /// Whether a client certificate may have been shown, which the server may refuse even now.
    shows_certificate: bool,
    server: tls::Peer,
}

impl Tls {
    /// An error in plain words.
    fn explain<T>(&self, poll: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        poll.map_err(|error| tls::lost(error, self.shows_certificate, self.server))
    }
}

impl Transport {
    /// Closes: what has been written still leaves, as does the end of TLS, as far as the socket takes it within a while.
    pub(crate) fn close(mut self) {
        /// Time for a socket that is full.
        const CLOSE_TIME: Duration = Duration::from_secs(1);
        if let Self::Tls(_) = self {
            let mut context = Context::from_waker(Waker::noop());
            if Pin::new(&mut self).poll_shutdown(&mut context).is_pending() {
                tokio::spawn(async move {
                    let shutdown = poll_fn(|context| Pin::new(&mut self).poll_shutdown(context));
                    // Either way there is nobody to tell.
                    let _ = timeout(CLOSE_TIME, shutdown).await;
                });
            }
        }
    }

    /// Whether TLS has taken bytes that the socket has not.
    #[cfg(test)]
    pub(crate) fn holds_back(&self) -> bool {
        match self {
            Self::Tcp(_) => false,
            Self::Tls(tls) => tls.stream.get_ref().1.wants_write(),
        }
    }

    /// Has what was just received acknowledged now. The system forgets this wish, so it is made after each read.
    ///
    /// A broker that leaves Nagle's algorithm on holds its next packet back until then.
    pub(crate) fn acknowledge_now(&self) {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        match self {
            // A wish that is refused costs latency only.
            Self::Tcp(stream) => drop(stream.set_quickack(true)),
            Self::Tls(tls) => drop(tls.stream.get_ref().0.set_quickack(true)),
        }
    }
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(tls) => {
                let poll = Pin::new(&mut tls.stream).poll_read(context, buffer);
                tls.explain(poll)
            }
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(tls) => {
                let poll = Pin::new(&mut tls.stream).poll_write(context, bytes);
                tls.explain(poll)
            }
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write_vectored(context, slices),
            Self::Tls(tls) => {
                let poll = Pin::new(&mut tls.stream).poll_write_vectored(context, slices);
                tls.explain(poll)
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(stream) => stream.is_write_vectored(),
            Self::Tls(tls) => tls.stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(tls) => {
                let poll = Pin::new(&mut tls.stream).poll_flush(context);
                tls.explain(poll)
            }
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(tls) => {
                let poll = Pin::new(&mut tls.stream).poll_shutdown(context);
                tls.explain(poll)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_refused_connection_reads_as_a_sentence() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let endpoint = Endpoint {
            host: "127.0.0.1".into(),
            port,
        };
        let error = Dialer::from(endpoint).dial().await.unwrap_err();
        assert_eq!(error.to_string(), "connection refused");
    }

    #[test]
    fn an_address_of_ipv6_is_shown_in_brackets() {
        assert_eq!(
            Endpoint {
                host: "::1".into(),
                port: 1883
            }
            .to_string(),
            "[::1]:1883"
        );
        assert_eq!(
            Endpoint {
                host: "broker".into(),
                port: 1883
            }
            .to_string(),
            "broker:1883"
        );
    }
}
