//! The transport's state, and the step that moves bytes between it and the core.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use syncline_core::agent::Agent;
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};

use super::clock::Clock;
use crate::transport::{DialError, Transport};

/// Slices handed to one vectored write; the system takes 1024 at most.
const SLICES: usize = 128;

/// The connection to the broker, or the attempt at one.
pub(super) enum Link {
    Down,
    Dialing(Pin<Box<dyn Future<Output = Result<Transport, DialError>> + Send>>),
    Up(Transport),
}

/// What has happened to the link.
pub(super) enum LinkEvent {
    /// The attempt has ended.
    Dialed(Result<Transport, DialError>),
    /// Bytes went out or came in; the core has been told.
    Moved { received: bool },
    /// The connection has ended: by the broker, or with an error.
    Lost(Option<io::Error>),
}

impl Link {
    /// Waits for the next event. Cancel safe: what has moved has been reported to the core.
    pub(super) async fn next(&mut self, agent: &mut Agent, clock: Clock) -> LinkEvent {
        std::future::poll_fn(|context| match self {
            Self::Down => Poll::Pending,
            Self::Dialing(attempt) => attempt.as_mut().poll(context).map(LinkEvent::Dialed),
            Self::Up(transport) => poll_bytes(transport, agent, clock, context),
        })
        .await
    }

    /// Lets go of the transport; what the core has written still leaves.
    pub(super) fn close(&mut self) {
        if let Self::Up(transport) = std::mem::replace(self, Self::Down) {
            transport.close();
        }
    }

    pub(super) fn acknowledge_now(&self) {
        if let Self::Up(transport) = self {
            transport.acknowledge_now();
        }
    }
}

/// Writes all that the transport takes, then reads once. Neither waits for the other.
fn poll_bytes(
    transport: &mut Transport,
    agent: &mut Agent,
    clock: Clock,
    context: &mut Context<'_>,
) -> Poll<LinkEvent> {
    let written = write_all(transport, agent, clock, context);
    // A broker that says why and closes leaves its words behind a failed write, so reading comes before giving up.
    let read = read_once(transport, agent, context);
    match (read, written) {
        (Poll::Ready(Ok(0)), _) => Poll::Ready(LinkEvent::Lost(None)),
        (Poll::Ready(Ok(_)), _) => Poll::Ready(LinkEvent::Moved { received: true }),
        (Poll::Ready(Err(error)), _) | (Poll::Pending, Err(error)) => {
            Poll::Ready(LinkEvent::Lost(Some(error)))
        }
        (Poll::Pending, Ok(true)) => Poll::Ready(LinkEvent::Moved { received: false }),
        (Poll::Pending, Ok(false)) => Poll::Pending,
    }
}

/// Whether anything was written.
fn write_all(
    transport: &mut Transport,
    agent: &mut Agent,
    clock: Clock,
    context: &mut Context<'_>,
) -> io::Result<bool> {
    let mut moved = false;
    while agent.has_transmit() {
        let poll = {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let mut filled = 0;
            for (slice, run) in slices.iter_mut().zip(agent.transmit().runs()) {
                *slice = IoSlice::new(run);
                filled += 1;
            }
            Pin::new(&mut *transport).poll_write_vectored(context, &slices[..filled])
        };
        match poll {
            Poll::Pending => break,
            Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
            Poll::Ready(Ok(count)) => agent.tx_advance(clock.now(), count),
            Poll::Ready(Err(error)) => return Err(error),
        }
        moved = true;
    }
    // TLS may hold back what the socket did not take. Being told to wait is no news: the transport wakes this task.
    match Pin::new(transport).poll_flush(context) {
        Poll::Ready(Err(error)) => Err(error),
        Poll::Ready(Ok(())) | Poll::Pending => Ok(moved),
    }
}

/// How many bytes were read; pending too while the core has no room for more.
fn read_once(
    transport: &mut Transport,
    agent: &mut Agent,
    context: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    let mut buffer = ReadBuf::new(agent.rx_space());
    if buffer.capacity() == 0 {
        return Poll::Pending;
    }
    match Pin::new(transport).poll_read(context, &mut buffer) {
        Poll::Pending => Poll::Pending,
        Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
        Poll::Ready(Ok(())) => {
            let count = buffer.filled().len();
            if count > 0 {
                agent.rx_commit(count);
            }
            Poll::Ready(Ok(count))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use rustls::ServerConfig;
    use rustls::crypto::ring;
    use rustls::pki_types::PrivateKeyDer;
    use syncline_core::session::Config;
    use tokio::io::AsyncReadExt as _;
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;

    use super::*;
    use crate::tls::{Client, Moment, Settings, Trust};
    use crate::transport::{Dialer, Endpoint};

    const PATIENCE: Duration = Duration::from_secs(20);

    fn acceptor() -> TlsAcceptor {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap().der().clone();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            );
        TlsAcceptor::from(Arc::new(config.unwrap()))
    }

    #[tokio::test]
    async fn what_tls_has_taken_and_the_socket_has_not_follows_without_further_writes() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = Endpoint {
            host: "127.0.0.1".to_owned(),
            port: listener.local_addr().unwrap().port(),
        };
        let settings = Settings {
            trust: Trust::Anyone,
            identity: None,
        };
        let client = Client::new("127.0.0.1", &settings, &settings.read().unwrap(), Moment::now()).unwrap();
        let dialer = Dialer {
            endpoint,
            tls: Some(Arc::new(client)),
        };
        let accept = async {
            acceptor()
                .accept(listener.accept().await.unwrap().0)
                .await
                .unwrap()
        };
        let (transport, mut server) = tokio::join!(dialer.dial(), accept);
        let mut transport = transport.unwrap();

        // Else the runtime would say stop before the socket does.
        let mut expected = tokio::task::unconstrained(async {
            let mut filled = 0;
            while !transport.holds_back() {
                let write =
                    |context: &mut Context<'_>| Pin::new(&mut transport).poll_write(context, &[0; 4096]);
                filled += std::future::poll_fn(write).await.unwrap();
            }
            filled
        })
        .await;
        let clock = Clock(tokio::time::Instant::now());
        let mut agent = Agent::new(Config::new("line-1"), [1; 32]).unwrap();
        agent.connect(clock.now());
        while agent.poll(clock.now()).is_some() {}
        agent.handle_transport_open(clock.now());
        expected += agent.transmit().runs().map(<[u8]>::len).sum::<usize>();

        let mut link = Link::Up(transport);
        let read = async {
            let mut buffer = vec![0; 64 << 10];
            let mut read = 0;
            while read < expected {
                read += server.read(&mut buffer).await.unwrap();
            }
            read
        };
        let move_bytes = async {
            loop {
                assert!(matches!(
                    link.next(&mut agent, clock).await,
                    LinkEvent::Moved { .. }
                ));
            }
        };
        let read = tokio::time::timeout(PATIENCE, async {
            tokio::select! {
                // In this order the socket is full when the CONNECT is written.
                biased;
                () = move_bytes => unreachable!("the link never ends"),
                read = read => read,
            }
        });
        assert_eq!(read.await.expect("everything arrives"), expected);
    }
}
