//! The door of a server: takes in its clients' connections, bounded in number, leads them to the library's own listener, and tells when one
//! has gone, which the library does not.
//!
//! ```text
//! client ══ Gate ══ 127.0.0.1 ══ library ── Nodes ── Channels::closed
//!             └── Channels::open ────────────────────────┘
//! ```
//! Of what passes three things are read: from the server's first answer to an OpenSecureChannel request the number of the channel, by which
//! held requests know it; by what policy a client wants to open or renew one, and for what (`opening.rs`); and its first message, whose URL
//! is completed (`hello.rs`).

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use opcua::types::StatusCode;
use rustix::net::sockopt;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::channel::{Channels, Finder};
use super::hello;
use super::limits::{ANSWER_TIME, CONNECTIONS, IDLE_TIME};
use super::opening::{Offer, Openings, Refused};
use crate::task::Task;

/// Pause after the system has no file descriptor or memory left for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Time for a client to take in the last that it is sent.
const FAREWELL_TIME: Duration = Duration::from_secs(1);
/// Time after which a client that says nothing is asked whether it is there, and between two such questions.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Questions without an answer after which a client has gone.
const KEEP_ALIVE_ATTEMPTS: u32 = 3;
/// Bytes that are carried at once.
const BUFFER: usize = 16 * 1024;

/// A server behind the gate.
#[derive(Debug, Clone)]
pub(super) struct Inside {
    /// Where the library listens.
    pub(super) address: SocketAddr,
    pub(super) channels: Channels,
    pub(super) offer: Arc<Offer>,
    /// The path of the server's URL.
    pub(super) path: Arc<str>,
}

/// Takes connections until this is dropped, which closes them all.
#[derive(Debug)]
pub(crate) struct Gate {
    leads: watch::Sender<Option<Inside>>,
    closes: watch::Sender<bool>,
    task: Task,
}

impl Gate {
    /// Takes connections on `listener` from now on; they wait until the gate leads to a server.
    pub(crate) fn open(listener: TcpListener) -> Self {
        let (leads, inside) = watch::channel(None);
        let (closes, is_closing) = watch::channel(false);
        Self {
            leads,
            closes,
            task: Task::start(serve(listener, inside, is_closing)),
        }
    }

    /// Connections from now on lead to this server; those that there are stay with theirs.
    pub(super) fn lead(&self, inside: Inside) {
        self.leads.send_replace(Some(inside));
    }

    /// Takes no more connections, and waits a moment for the last that clients are sent.
    pub(crate) async fn close(self) {
        self.closes.send_replace(true);
        self.task.finish(2 * FAREWELL_TIME).await;
    }
}

async fn serve(
    listener: TcpListener,
    mut leads: watch::Receiver<Option<Inside>>,
    mut is_closing: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            _ = is_closing.wait_for(|closing| *closing) => break,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        let mut client = match accepted {
            Ok((client, _)) => client,
            Err(error) => {
                tracing::warn!(%error, "cannot accept an OPC UA connection");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        if let Err(error) = watch_over(&client) {
            tracing::debug!(%error, "an OPC UA client has gone before it was let in");
            continue;
        }
        // The next one waits with it: there is a server in a moment.
        let Ok(inside) = leads.wait_for(Option::is_some).await.map(|inside| inside.clone()) else {
            break;
        };
        let Some(inside) = inside.filter(|_| connections.len() < CONNECTIONS) else {
            connections.spawn(async move {
                tell(
                    &mut client,
                    StatusCode::BadTcpServerTooBusy,
                    "too many connections",
                )
                .await;
            });
            continue;
        };
        connections.spawn(async move {
            if let Err(error) = carry(client, inside).await {
                tracing::debug!(%error, "an OPC UA connection has ended");
            }
        });
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// Has the system find out whether a client is there that says nothing, and send what it is sent at once.
fn watch_over(client: &TcpStream) -> io::Result<()> {
    client.set_nodelay(true)?;
    sockopt::set_socket_keepalive(client, true)?;
    sockopt::set_tcp_keepidle(client, KEEP_ALIVE)?;
    sockopt::set_tcp_keepintvl(client, KEEP_ALIVE)?;
    sockopt::set_tcp_keepcnt(client, KEEP_ALIVE_ATTEMPTS)?;
    Ok(())
}

/// Tells a client why its connection ends, in the form of Part 6, §7.1.2.5.
async fn tell(client: &mut TcpStream, status: StatusCode, reason: &str) {
    let reason = reason.as_bytes();
    let lengths =
        [8 + 4 + 4 + reason.len(), reason.len()].map(|length| u32::try_from(length).unwrap_or_default());
    let mut message = b"ERRF".to_vec();
    message.extend(lengths[0].to_le_bytes());
    message.extend(status.bits().to_le_bytes());
    message.extend(lengths[1].to_le_bytes());
    message.extend(reason);
    let (mut from, mut to) = client.split();
    let told = async {
        to.write_all(&message).await?;
        farewell(&mut from, &mut to).await
    };
    // It may have gone before.
    let _ = timeout(FAREWELL_TIME, told).await;
}

/// Carries what client and server say to each other until one of them closes.
async fn carry(mut client: TcpStream, inside: Inside) -> io::Result<()> {
    let mut server = TcpStream::connect(inside.address).await?;
    server.set_nodelay(true)?;
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let openings = Openings::new(inside.offer);
    let refused = tokio::select! {
        // A client that has gone waits for nothing any more, whatever the server has still to say.
        biased;
        ended = inward(&mut from_client, &mut to_server, openings, &inside.path) => match ended? {
            Some(refused) => refused,
            None => return Ok(()),
        },
        ended = outward(&mut from_server, &mut to_client, &inside.channels) => {
            ended?;
            // What the server has said last is why it closes.
            let _ = timeout(FAREWELL_TIME, farewell(&mut from_client, &mut to_client)).await;
            return Ok(());
        }
    };
    drop(server);
    tell(&mut client, refused.status(), &refused.to_string()).await;
    Ok(())
}

/// Carries what the client says, until it has gone or is refused.
async fn inward(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    mut openings: Openings,
    path: &str,
) -> io::Result<Option<Refused>> {
    let first = timeout(IDLE_TIME, hello::read(from, path)).await??;
    if let Err(refused) = openings.look(&first) {
        return Ok(Some(refused));
    }
    to.write_all(&first).await?;
    let mut buffer = vec![0; BUFFER];
    loop {
        let read = timeout(IDLE_TIME, from.read(&mut buffer)).await??;
        if read == 0 {
            return Ok(None);
        }
        if let Err(refused) = openings.look(&buffer[..read]) {
            return Ok(Some(refused));
        }
        to.write_all(&buffer[..read]).await?;
    }
}

async fn outward(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    channels: &Channels,
) -> io::Result<()> {
    let mut finder = Some(Finder::default());
    // Each is open until the next one, or until the connection has gone.
    let mut _channel = None;
    let mut buffer = vec![0; BUFFER];
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        let said = &buffer[..read];
        if let Some(id) = finder.as_mut().and_then(|finder| finder.find(said)) {
            finder = None;
            _channel = Some(channels.open(id));
        }
        let mut rest = said;
        while !rest.is_empty() {
            let written = timeout(ANSWER_TIME, to.write(rest)).await??;
            rest = &rest[written..];
        }
    }
}

/// Ends the side that sends, and waits until the client has ended its own, so that it gets to read what it was sent.
async fn farewell(from: &mut (impl AsyncRead + Unpin), to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
    to.shutdown().await?;
    let mut sink = [0; 1024];
    while from.read(&mut sink).await? > 0 {}
    Ok(())
}
