//! The connection to the broker: name to address to socket.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

/// Time for finding the addresses of a name, and again for connecting to each of them.
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

/// Why no connection came about.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The name has no address.
    #[error("its name cannot be resolved: {}", text(.0))]
    Resolve(io::Error),
    /// No address took the connection; the error of the last one.
    #[error("{}", text(.0))]
    Connect(io::Error),
}

impl Endpoint {
    /// Connects to the first address that takes the connection.
    ///
    /// # Errors
    /// [`DialError`] when there is none.
    pub async fn dial(&self) -> Result<Transport, DialError> {
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
                Ok(stream) => return Transport::over(stream).map_err(DialError::Connect),
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
}

impl Transport {
    fn over(stream: TcpStream) -> io::Result<Self> {
        // Nagle's algorithm against delayed acknowledgements costs 40 to 90 ms a transaction.
        stream.set_nodelay(true)?;
        Ok(Self::Tcp(stream))
    }

    /// Has what was just received acknowledged now. The system forgets this wish, so it is made after each read.
    ///
    /// A broker that leaves Nagle's algorithm on holds its next packet back until then.
    pub(crate) fn acknowledge_now(&self) {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        match self {
            // A wish that is refused costs latency only.
            Self::Tcp(stream) => drop(stream.set_quickack(true)),
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
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write_vectored(context, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
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
        let endpoint = Endpoint { host: "127.0.0.1".into(), port };
        let error = endpoint.dial().await.unwrap_err();
        assert_eq!(error.to_string(), "connection refused");
    }

    #[test]
    fn an_address_of_ipv6_is_shown_in_brackets() {
        assert_eq!(Endpoint { host: "::1".into(), port: 1883 }.to_string(), "[::1]:1883");
        assert_eq!(Endpoint { host: "broker".into(), port: 1883 }.to_string(), "broker:1883");
    }
}
