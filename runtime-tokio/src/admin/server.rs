//! Connections of the admin listener: few, short, and bounded in time.

use std::convert::Infallible;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::places::{Places, Standing};
use super::routes::{self, Powers};
use super::socket::{Socket, SocketFile, may_act};
use crate::http::Protection;
use crate::status::View;
use crate::transport::text;

/// Connections open at once; for one more, that which has waited longest for a request is closed.
const MAX_CONNECTIONS: usize = 64;
/// Time for a head, and for an idle connection to begin the next one.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// Longest life of a connection: one that does not read cannot keep its place.
const CONNECTION_TIME: Duration = Duration::from_secs(60);
/// The same where a call may be held for the time of its node, which is an hour at most.
const CALL_TIME: Duration = Duration::from_secs(60 * 60);
/// Largest head in bytes.
const MAX_HEAD: usize = 16 * 1024;
/// Pause after the system has no file descriptor left for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Where clients come in.
pub(crate) enum Door {
    /// The admin listener: clients may look, behind what protects it.
    Listener(TcpListener, Protection),
    /// The socket in the data folder: clients may act, too.
    Socket(UnixListener),
}

/// A client that has come in, before TLS where there is to be any.
enum Arrived {
    Tcp(TcpStream),
    Unix(UnixStream),
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

impl Door {
    /// The next client, and what it may do.
    async fn accept(&self) -> io::Result<(Arrived, Powers)> {
        match self {
            Self::Listener(listener, _) => {
                let (stream, _) = listener.accept().await?;
                Ok((Arrived::Tcp(stream), Powers::Look))
            }
            Self::Socket(listener) => {
                let (stream, _) = listener.accept().await?;
                let powers = match may_act(&stream) {
                    true => Powers::Act,
                    false => Powers::Look,
                };
                Ok((Arrived::Unix(stream), powers))
            }
        }
    }

    /// Longest life of a connection.
    const fn connection_time(powers: Powers) -> Duration {
        match powers {
            Powers::Look => CONNECTION_TIME,
            Powers::Act => CALL_TIME,
        }
    }
}

/// The socket in the data folder while it is served; gone with this value.
#[derive(Debug)]
pub(crate) struct ServedSocket {
    task: JoinHandle<()>,
    _file: SocketFile,
}

impl Drop for ServedSocket {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves `view` on the socket in `folder`. Without it all goes on but the commands that ask a running agent.
pub(crate) fn open_socket(folder: &Path, view: View) -> Option<ServedSocket> {
    let Socket { listener, file } = Socket::open(folder)
        .inspect_err(|error| {
            tracing::warn!(
                "`syncline status` and other commands cannot reach this agent: no socket in {}: {}",
                folder.display(),
                text(error)
            );
        })
        .ok()?;
    Some(ServedSocket {
        task: tokio::spawn(serve(Door::Socket(listener), view)),
        _file: file,
    })
}

/// Serves `view` until the future is dropped, which closes all connections.
pub(crate) async fn serve(door: Door, view: View) {
    let view = Arc::new(view);
    let door = Arc::new(door);
    let mut places = Places::new(MAX_CONNECTIONS);
    loop {
        match door.accept().await {
            Ok((stream, powers)) => {
                places.vacancy().await;
                let (view, door) = (Arc::clone(&view), Arc::clone(&door));
                places.give(|standing| async move {
                    let served = connection(stream, powers, view, &door, &standing);
                    let served = timeout(Door::connection_time(powers), served).await;
                    tracing::debug!(in_time = served.is_ok(), "an admin connection ended");
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept an admin connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(stream: Arrived, powers: Powers, view: Arc<View>, door: &Door, standing: &Standing) {
    let protection = match door {
        Door::Listener(_, protection) => Some(protection),
        Door::Socket(_) => None,
    };
    let tls = protection.and_then(|protection| protection.tls.as_ref());
    let stream: Box<dyn Stream> = match (stream, tls) {
        (Arrived::Unix(stream), _) => Box::new(stream),
        (Arrived::Tcp(stream), None) => Box::new(stream),
        (Arrived::Tcp(stream), Some(tls)) => match timeout(HEAD_TIME, tls.acceptor().accept(stream)).await {
            Ok(Ok(stream)) => Box::new(stream),
            Ok(Err(error)) => {
                return tracing::debug!(%error, "a TLS handshake with the admin listener failed");
            }
            Err(_) => return tracing::debug!("a TLS handshake with the admin listener took too long"),
        },
    };
    let access = protection.and_then(|protection| protection.access.as_ref());
    let service = service_fn(|request: Request<Incoming>| {
        let view = Arc::clone(&view);
        async move {
            let _answering = standing.answering();
            if let Some(admission) = access {
                let path = request.uri().path();
                if let Err(refused) = admission
                    .access()
                    .judge(request.headers(), request.method(), Some(path))
                    .await
                {
                    return Ok(routes::refusal(refused));
                }
            }
            Ok::<_, Infallible>(routes::answer(&view, powers, request).await)
        }
    });
    let ended = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = ended {
        tracing::debug!(%error, "an admin connection ended early");
    }
}
