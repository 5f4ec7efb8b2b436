//! Registry and page over HTTP: connections bounded in number, size and time.

mod answer;
mod api;
mod login;
mod page;
mod registry;
mod routes;

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use self::answer::Answer;
use self::login::Sessions;
use super::Hub;

/// Connections open at once; more wait in the listener's backlog.
const MAX_CONNECTIONS: usize = 1024;
/// Time for a TLS handshake, and for a head.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// Time for a request from its head to its answer: hashes may have to wait for each other.
const REQUEST_TIME: Duration = Duration::from_secs(30);
/// Largest head in bytes.
const MAX_HEAD: usize = 16 << 10;
/// Pause after the system has no file descriptor left for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What all connections share.
struct Web {
    hub: Arc<Hub>,
    sessions: Sessions,
    /// Whether this listener speaks TLS.
    is_secure: bool,
}

/// Serves until `stop` is true, then lets the answers under way end.
pub(super) async fn serve(
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    hub: Arc<Hub>,
    mut stop: watch::Receiver<bool>,
) {
    let web = Arc::new(Web {
        hub,
        sessions: Sessions::default(),
        is_secure: acceptor.is_some(),
    });
    let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let permit = Arc::clone(&permits).acquire_owned();
        let accepted = async {
            let permit = permit.await.ok()?;
            Some((listener.accept().await, permit))
        };
        let (accepted, permit) = tokio::select! {
            biased;
            () = stopped(&mut stop) => break,
            Some(_) = connections.join_next() => continue,
            accepted = accepted => match accepted {
                Some(accepted) => accepted,
                None => break,
            },
        };
        match accepted {
            Ok((stream, peer)) => {
                let (web, acceptor, stop) = (Arc::clone(&web), acceptor.clone(), stop.clone());
                connections.spawn(async move {
                    connection(stream, peer, acceptor, web, stop).await;
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the hub cannot accept a connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// Waits until `stop` is true, or nobody can make it so.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    acceptor: Option<TlsAcceptor>,
    web: Arc<Web>,
    stop: watch::Receiver<bool>,
) {
    // What it costs to go without is latency.
    let _ = stream.set_nodelay(true);
    match acceptor {
        None => exchange(stream, peer.ip(), web, stop).await,
        Some(acceptor) => match timeout(HEAD_TIME, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => exchange(stream, peer.ip(), web, stop).await,
            Ok(Err(error)) => tracing::debug!(%peer, %error, "a TLS handshake with the hub failed"),
            Err(_) => tracing::debug!(%peer, "a TLS handshake with the hub took too long"),
        },
    }
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    peer: IpAddr,
    web: Arc<Web>,
    mut stop: watch::Receiver<bool>,
) {
    let service = service_fn(move |request: Request<Incoming>| {
        let web = Arc::clone(&web);
        async move {
            let answer = timeout(REQUEST_TIME, routes::answer(&web, peer, request)).await;
            Ok::<_, Infallible>(answer.unwrap_or_else(|_| Answer::timed_out()).into_response())
        }
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(MAX_HEAD);
    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopped(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection to the hub ended early");
    }
}
