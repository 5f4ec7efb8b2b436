//! A way to a server on loopback that breaks as networks do: cut after so many bytes, or silent without an end.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// When and how one connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// After so many bytes to the server.
    pub to_server: u64,
    /// Or after so many to the client.
    pub to_client: u64,
    /// With which words.
    pub farewell: Farewell,
}

impl Cut {
    /// The connection lasts as long as its ends want it to.
    pub const NEVER: Self = Self {
        to_server: u64::MAX,
        to_client: u64::MAX,
        farewell: Farewell::End,
    };
}

/// What the ends of a connection see when it is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Farewell {
    /// An orderly end of the stream.
    End,
    /// A reset, which also takes away what has arrived and was not read.
    Reset,
}

/// Which ways are silent: bytes are taken from nobody, and nobody is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Silence {
    /// Nothing reaches the server.
    pub to_server: bool,
    /// Nothing reaches the client.
    pub to_client: bool,
}

/// A listening port whose connections lead to a server. They end with this value.
#[derive(Debug)]
pub struct FaultyLink {
    port: u16,
    cuts: Arc<AtomicU64>,
    silence: watch::Sender<Silence>,
    accepting: JoinHandle<()>,
}

impl FaultyLink {
    /// Leads to `server_port`; `plan` says of each connection how it ends.
    ///
    /// # Panics
    /// When there is no free loopback port.
    pub async fn start(server_port: u16, mut plan: impl FnMut() -> Cut + Send + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a free loopback port");
        let port = listener
            .local_addr()
            .expect("a bound socket has an address")
            .port();
        let cuts = Arc::new(AtomicU64::new(0));
        let (silence, silences) = watch::channel(Silence::default());
        let counter = Arc::clone(&cuts);
        let accepting = tokio::spawn(async move {
            // Aborted with this task.
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let (cut, counter, silences) = (plan(), Arc::clone(&counter), silences.clone());
                connections.spawn(async move {
                    if carry(client, server_port, cut, silences)
                        .await
                        .is_ok_and(|ended| ended == Ended::Cut)
                    {
                        counter.fetch_add(1, Ordering::Relaxed);
                    }
                });
                while connections.try_join_next().is_some() {}
            }
        });
        Self {
            port,
            cuts,
            silence,
            accepting,
        }
    }

    /// The port to connect to.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Connections that were cut so far.
    #[must_use]
    pub fn cuts(&self) -> u64 {
        self.cuts.load(Ordering::Relaxed)
    }

    /// Has these ways be silent from now on, in connections old and new.
    pub fn silence(&self, silence: Silence) {
        self.silence.send_replace(silence);
    }
}

impl Drop for FaultyLink {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// By one of its ends.
    ByPeer,
    /// By the plan.
    Cut,
}

/// Carries bytes both ways until the first of them is at its end.
async fn carry(
    mut client: TcpStream,
    server_port: u16,
    cut: Cut,
    silence: watch::Receiver<Silence>,
) -> io::Result<Ended> {
    let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, server_port)).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    let ended = tokio::select! {
        ended = forward(from_client, to_server, cut.to_server, silence.clone(), |silence| silence.to_server) => ended?,
        ended = forward(from_server, to_client, cut.to_client, silence, |silence| silence.to_client) => ended?,
    };
    if ended == Ended::Cut && cut.farewell == Farewell::Reset {
        client.set_zero_linger()?;
        server.set_zero_linger()?;
    }
    Ok(ended)
}

async fn forward(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut left: u64,
    mut silence: watch::Receiver<Silence>,
    is_silent: fn(&Silence) -> bool,
) -> io::Result<Ended> {
    let mut buffer = [0; 4096];
    while left > 0 {
        let room = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let count = from.read(&mut buffer[..room]).await?;
        if count == 0 {
            return Ok(Ended::ByPeer);
        }
        // What has come in while it is silent waits, as it would for a retransmission.
        if silence.wait_for(|silence| !is_silent(silence)).await.is_err() {
            return Ok(Ended::ByPeer);
        }
        to.write_all(&buffer[..count]).await?;
        left -= count as u64;
    }
    Ok(Ended::Cut)
}
