//! Signals that stop the agent, and the one that has it read its commissioning files.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;

use super::exit::Exit;

const NONE: u8 = 0;
const INTERRUPT: u8 = 1;
const TERMINATE: u8 = 2;

/// The signals of this process, caught from the moment of construction.
pub(super) struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
    received: Arc<AtomicU8>,
}

/// Which signal was received, if any.
#[derive(Clone)]
pub(super) struct Received(Arc<AtomicU8>);

impl StopSignals {
    /// Catches SIGINT and SIGTERM; must be called inside the runtime.
    pub(super) fn catch() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            received: Arc::new(AtomicU8::new(NONE)),
        })
    }

    pub(super) fn received(&self) -> Received {
        Received(self.received.clone())
    }

    /// Ends with the first signal. The second one ends the process at once: the operator does not want to wait.
    pub(super) async fn first(mut self) {
        let kind = self.next().await;
        self.received.store(kind, Ordering::Relaxed);
        tokio::spawn(async move {
            let exit = of(self.next().await);
            std::process::exit(exit.code().into());
        });
    }

    async fn next(&mut self) -> u8 {
        tokio::select! {
            _ = self.interrupt.recv() => INTERRUPT,
            _ = self.terminate.recv() => TERMINATE,
        }
    }
}

impl Received {
    /// The exit code that tells of the signal.
    pub(super) fn exit(&self) -> Exit {
        of(self.0.load(Ordering::Relaxed))
    }
}

/// Has each SIGHUP from now on notify `hangup`; must be called inside the runtime.
pub(super) fn on_hangup(hangup: Arc<Notify>) -> io::Result<()> {
    let mut signals = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        while signals.recv().await.is_some() {
            hangup.notify_one();
        }
    });
    Ok(())
}

fn of(kind: u8) -> Exit {
    match kind {
        INTERRUPT => Exit::Interrupted,
        TERMINATE => Exit::Terminated,
        _ => Exit::Ok,
    }
}
