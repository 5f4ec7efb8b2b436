//! The listener and its connections: bounded in number and time, each request given to its node.

use std::convert::Infallible;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http::request::Parts;
use http::{Request, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::value::RawValue;
use syncline_core::agent::Terms;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::access::Admission;
use super::body::{self, Content, ReadLimits, Received};
use super::cors::Sharing;
use super::exchange::Exchange;
use super::framing::MAX_HEAD;
use super::half_closed::Socket;
use super::idempotency::{Key, Replays};
use super::prefer::Wait;
use super::receive::Receiver;
use super::reply::{self, ErrorFormat, Failure, Reply};
use super::route::{self, Action, Match, Routes};
use super::threads::{self, Threads};
use super::trace;
use super::transaction::Transaction;
use super::wire::Wire;
use crate::task::Task;
use crate::tls;
use crate::unconfirmed::UNCONFIRMED;

/// Pause after the system has no file descriptor or memory left for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What one listener grants its clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Connections open at once, 16384 by default. More wait in the listener's backlog.
    pub connections: usize,
    /// Time for a head from its first byte, for the first head from the start of the connection; 10 s by default.
    pub head_time: Duration,
    /// Time for a body from the end of its head, 30 s by default.
    pub body_time: Duration,
    /// Time for the next request of an idle connection to begin, 60 s by default.
    pub idle_time: Duration,
    /// Time for a client to take in any part of its answer, 30 s by default.
    pub answer_time: Duration,
    /// Threads that connections may take, where the runtime has one alone: half of the processors by default, 4 at most.
    pub threads: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 16_384,
            head_time: Duration::from_secs(10),
            body_time: Duration::from_secs(30),
            idle_time: Duration::from_secs(60),
            answer_time: Duration::from_secs(30),
            threads: threads::by_default(),
        }
    }
}

struct Shared {
    routes: Routes,
    protection: Protection,
    limits: Limits,
    replays: Replays,
}

/// What stands between a listener and everyone; by default nothing.
#[derive(Debug, Default)]
pub struct Protection {
    /// TLS.
    pub tls: Option<Arc<tls::ServerTls>>,
    /// Who may come in, and what for.
    pub access: Option<Arc<Admission>>,
}

impl Protection {
    /// Looks at the files of the certificate every `interval`, as long as the task is held.
    pub(crate) fn keep_certificate_up_to_date(&self, interval: Duration) -> Option<Task> {
        let certificate = self.tls.clone();
        certificate.map(|tls| Task::start(async move { tls.keep_up_to_date(interval).await }))
    }

    /// Looks at the files of certificate and logins every `interval`, as long as the tasks are held.
    pub(crate) fn keep_up_to_date(&self, interval: Duration) -> Vec<Task> {
        let certificate = self.keep_certificate_up_to_date(interval);
        let access = self.access.clone();
        let access = access.map(|access| Task::start(async move { access.keep_up_to_date(interval).await }));
        certificate.into_iter().chain(access).collect()
    }
}

/// Serves `routes` on `listener`, behind `protection`, until `stop` is true; then refuses new connections, lets the requests that are held
/// end, and returns. Dropping the future closes all connections at once.
pub async fn serve(
    listener: TcpListener,
    routes: Routes,
    protection: Protection,
    limits: Limits,
    mut stop: watch::Receiver<bool>,
) {
    let mut threads = Threads::new(limits.threads);
    let permits = Arc::new(Semaphore::new(limits.connections));
    let shared = Arc::new(Shared {
        routes,
        protection,
        limits,
        replays: Replays::default(),
    });
    let mut connections = JoinSet::new();
    loop {
        let permit = tokio::select! {
            biased;
            () = stopped(&mut stop) => break,
            Some(_) = connections.join_next() => continue,
            permit = Arc::clone(&permits).acquire_owned() => permit.expect("this semaphore is never closed"),
        };
        let stream = tokio::select! {
            biased;
            () = stopped(&mut stop) => break,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    pause_after(&error).await;
                    continue;
                }
            },
        };
        let (shared, stop) = (Arc::clone(&shared), stop.clone());
        let Some(thread) = threads.next() else {
            connections.spawn(async move {
                connection(stream, shared, stop).await;
                drop(permit);
            });
            continue;
        };
        let stream = stream.into_std();
        let moved = async move {
            // Registered anew, so that it is the thread that serves it which learns what the socket has.
            match stream.and_then(TcpStream::from_std) {
                Ok(stream) => connection(stream, shared, stop).await,
                Err(error) => tracing::debug!(%error, "an HTTP connection was gone before it was served"),
            }
            drop(permit);
        };
        connections.spawn_on(moved, thread);
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// Waits until `stop` is true, or nobody can make it so.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// An error that concerns one connection passes at once; lack of resources lasts, and asking again would spin.
async fn pause_after(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if !matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    ) {
        tracing::warn!(%error, "cannot accept an HTTP connection, raise the limit of open files if it is reached");
        tokio::time::sleep(ACCEPT_PAUSE).await;
    }
}

async fn connection(stream: TcpStream, shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "an HTTP connection was gone before it was served");
        return;
    }
    let Some(acceptor) = shared.protection.tls.as_ref().map(|tls| tls.acceptor()) else {
        return requests(stream, shared, stop).await;
    };
    let handshake = tokio::time::timeout(shared.limits.head_time, acceptor.accept(stream));
    let shaken = tokio::select! {
        shaken = handshake => shaken,
        () = stopped(&mut stop) => return,
    };
    match shaken {
        Ok(Ok(stream)) => requests(stream, shared, stop).await,
        Ok(Err(error)) => tracing::debug!(%error, "an HTTP client failed in the TLS handshake"),
        Err(_) => tracing::debug!("an HTTP client did not end its TLS handshake in time"),
    }
}

/// Answers the requests of one connection.
async fn requests<S>(stream: S, shared: Arc<Shared>, mut stop: watch::Receiver<bool>)
where
    S: Socket + Send + 'static,
{
    let exchange = Arc::new(Exchange::default());
    let io = TokioIo::new(Wire::new(stream, Arc::clone(&exchange), &shared.limits));
    // The wire keeps the time, and all the other bounds.
    let mut builder = http1::Builder::new();
    builder.header_read_timeout(None).max_buf_size(MAX_HEAD);
    let service = service_fn(move |request| {
        let (shared, exchange) = (Arc::clone(&shared), Arc::clone(&exchange));
        async move {
            let reply = match exchange.refusal() {
                None => respond(&shared, request).await,
                Some(violation) => violation.failure().into_reply(ErrorFormat::Envelope),
            };
            exchange.end();
            Ok::<_, Infallible>(reply)
        }
    });
    let mut connection = pin!(builder.serve_connection(io, service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopped(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "an HTTP connection ended early");
    }
}

/// Answers one request whatever happens: a panic costs this request only.
async fn respond(shared: &Shared, request: Request<Incoming>) -> Reply {
    let (parts, body) = request.into_parts();
    let format = ErrorFormat::accepted(&parts.headers);
    // Not held while the request is: what is replaced meanwhile shall go.
    let (sharing, found) = {
        let router = shared.routes.current();
        let found = router.find(&parts.method, parts.uri.path());
        (Sharing::of(&router, &parts), found)
    };
    let wait = Wait::preferred(&parts.headers);
    let terms = Terms {
        timeout: wait.map(Wait::duration),
        trace: trace::parent(&parts.headers),
    };
    let mut held = false;
    let result = contained(async {
        if let Some(reply) = sharing.preflight() {
            return Ok(reply);
        }
        let (key, prepared) = prepare(shared, found, parts, body).await?;
        match (prepared, key) {
            (Prepared::Held(node, value), None) => {
                held = true;
                node.request(value, terms).await
            }
            (Prepared::Held(node, value), Some(key)) => {
                held = true;
                let request = async move { node.request(value, terms).await };
                shared.replays.once(&key, request).await
            }
            (Prepared::Published(receiver, received), key) => {
                let unconfirmed = shared.routes.unconfirmed();
                // In a place of its own: requests that are held would have to keep room for it.
                let publishing = Box::pin(async move { receiver.publish(received).await });
                let answer = match key {
                    None => unconfirmed.confirmed(publishing).await,
                    Some(key) => unconfirmed.confirmed(shared.replays.once(&key, publishing)).await,
                };
                answer.unwrap_or_else(|| Err(Failure::uncertain(UNCONFIRMED)))
            }
            (Prepared::Answered(reply), _) => Ok(reply),
        }
    })
    .await;
    let mut reply = result.unwrap_or_else(|failure| failure.into_reply(format));
    sharing.apply(reply.headers_mut());
    if let Some(wait) = wait.filter(|_| held) {
        wait.applied(reply.headers_mut());
    }
    reply
}

enum Prepared {
    Held(Arc<Transaction>, Box<RawValue>),
    Published(Arc<Receiver>, Received),
    Answered(Reply),
}

/// Does all that needs the request's own bytes, so that they are gone while the request is held.
async fn prepare(
    shared: &Shared,
    found: Match,
    parts: Parts,
    body: Incoming,
) -> Result<(Option<Key>, Prepared), Failure> {
    if let Some(admission) = &shared.protection.access {
        let path = route::normal(parts.uri.path());
        admission
            .access()
            .admit(&parts.headers, &parts.method, path.as_deref())
            .await?;
    }
    let route = match found {
        Match::Node(route) => route,
        Match::Options(allow) => return Ok((None, Prepared::Answered(reply::options(allow)))),
        Match::WrongMethod(allow) => return Err(Failure::wrong_method(allow)),
        Match::Described(document) => return Ok((None, Prepared::Answered(reply::value(document)))),
        Match::Unknown => return Err(Failure::new(StatusCode::NOT_FOUND, "no node has this path")),
    };
    let is_ready = match &route.action {
        Action::Transaction(held) => held.node.is_ready(),
        Action::Receive(receiver) => receiver.is_ready(),
        Action::Provide(provider) => provider.is_ready(),
    };
    let content = match &route.action {
        // It takes no content, of whatever type.
        Action::Provide(_) => None,
        _ => Content::of(&parts.headers)?,
    };
    if !is_ready {
        let is_online = match &route.action {
            Action::Transaction(held) => held.node.is_online(),
            Action::Receive(receiver) => receiver.is_ready(),
            Action::Provide(provider) => provider.is_online(),
        };
        return Err(Failure::unavailable(match is_online {
            true => {
                "the broker has not confirmed this node's subscription, try again; if that goes on, the log of this agent tells why"
            }
            false => "the broker cannot be reached, try again",
        }));
    }
    let limits = ReadLimits {
        size: route.max_body,
        time: shared.limits.body_time,
    };
    let bytes = body::read(body, limits).await?;
    let query = parts.uri.query();
    let key = Key::of(&parts, route.owner(), &bytes)?;
    let prepared = match &route.action {
        Action::Transaction(node) => Prepared::Held(
            Arc::clone(node),
            body::value(&parts.method, query, content, bytes)?,
        ),
        Action::Receive(receiver) => Prepared::Published(
            Arc::clone(receiver),
            body::received(&parts.method, query, content, bytes)?,
        ),
        Action::Provide(provider) => Prepared::Answered(provider.answer()?),
    };
    Ok((key, prepared))
}

/// Runs `answer`; a panic in it becomes 500.
async fn contained(answer: impl Future<Output = Result<Reply, Failure>>) -> Result<Reply, Failure> {
    let mut answer = pin!(answer);
    std::future::poll_fn(|context| {
        catch_unwind(AssertUnwindSafe(|| answer.as_mut().poll(context))).unwrap_or_else(|_| {
            tracing::error!("a request's handler panicked, this is a bug in syncline");
            let message = "this agent failed to handle the request, its log says more";
            Poll::Ready(Err(Failure::new(StatusCode::INTERNAL_SERVER_ERROR, message)))
        })
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_costs_its_own_request_only() {
        let panicking = std::future::poll_fn(|_| panic!("a handler's bug"));
        assert_eq!(
            contained(panicking).await.unwrap_err().status(),
            StatusCode::INTERNAL_SERVER_ERROR
        );
        assert_eq!(
            contained(async { Ok(Reply::default()) }).await.unwrap().status(),
            StatusCode::OK
        );
    }
}
