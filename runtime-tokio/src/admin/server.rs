//! Connections of the admin listener: few, short, and bounded in time.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::routes;
use crate::status::View;

/// Connections open at once; more wait in the listener's backlog.
const MAX_CONNECTIONS: usize = 64;
/// Time for a head, and for an idle connection to begin the next one.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// Longest life of a connection: one that does not read cannot keep its place.
const CONNECTION_TIME: Duration = Duration::from_secs(60);
/// Largest head in bytes.
const MAX_HEAD: usize = 16 * 1024;
/// Pause after the system has no file descriptor left for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves `view` until the future is dropped, which closes all connections.
pub(crate) async fn serve(listener: TcpListener, view: View) {
    let view = Arc::new(view);
    let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let view = Arc::clone(&view);
                connections.spawn(async move {
                    let served = timeout(CONNECTION_TIME, connection(stream, view)).await;
                    tracing::debug!(in_time = served.is_ok(), "an admin connection ended");
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept an admin connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
        // Those that have ended.
        while connections.try_join_next().is_some() {}
    }
}

async fn connection(stream: impl AsyncRead + AsyncWrite + Unpin, view: Arc<View>) {
    let service = service_fn(|request| {
        let view = Arc::clone(&view);
        async move { Ok::<_, Infallible>(routes::answer(&view, &request).await) }
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
