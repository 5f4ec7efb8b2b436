//! Clients that have closed their side of a connection while their request is held: some have gone, some wait for the answer.
//!
//! Both look the same until something is sent: who waits reads it, who has gone has its system say so. An interim answer does no
//! harm: any client of HTTP/1.1 takes a 100 that it has not asked for (RFC 9110 §15.2).

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};
use tokio_rustls::server::TlsStream;

/// What is sent.
const INTERIM: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
/// Time until the first look at what came of it. Each further one comes after twice the time.
const FIRST_LOOK: Duration = Duration::from_millis(10);
/// With the look after so much time, which is five seconds after the first, it is sent again.
const LAST_LOOK: Duration = Duration::from_millis(2560);

/// A connection with a socket at its end.
pub(super) trait Socket: AsyncRead + AsyncWrite + Unpin {
    /// Whether the other side has told that nobody is there any more.
    fn is_reset(&self) -> bool;
}

impl Socket for TcpStream {
    fn is_reset(&self) -> bool {
        !matches!(self.take_error(), Ok(None))
    }
}

impl Socket for TlsStream<TcpStream> {
    fn is_reset(&self) -> bool {
        self.get_ref().0.is_reset()
    }
}

/// Finds out whether a client has gone.
#[derive(Debug, Default)]
pub(super) struct HalfClosed {
    /// How much of [`INTERIM`] is written.
    written: usize,
    is_flushed: bool,
    timer: Option<(Pin<Box<Sleep>>, Duration)>,
}

impl HalfClosed {
    /// Waits for the client to have gone, which is an error. What is sent to that end begins only where `may_write`: not within an
    /// answer.
    pub(super) fn poll_gone<S: Socket>(
        &mut self,
        stream: &mut S,
        may_write: bool,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            if may_write || self.written > 0 {
                ready!(self.poll_write(stream, context))?;
            }
            if stream.is_reset() {
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
            let (timer, interval) = self
                .timer
                .get_or_insert_with(|| (Box::pin(sleep(FIRST_LOOK)), FIRST_LOOK));
            ready!(timer.as_mut().poll(context));
            *interval *= 2;
            if *interval > LAST_LOOK {
                *interval = FIRST_LOOK;
                self.written = 0;
                self.is_flushed = false;
            }
            timer.as_mut().reset(Instant::now() + *interval);
        }
    }

    /// Ends what [`poll_gone`](Self::poll_gone) has begun to write.
    pub(super) fn poll_begun<S: Socket>(
        &mut self,
        stream: &mut S,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        match self.written {
            0 => Poll::Ready(Ok(())),
            _ => self.poll_write(stream, context),
        }
    }

    fn poll_write<S: Socket>(&mut self, stream: &mut S, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < INTERIM.len() {
            let count = ready!(Pin::new(&mut *stream).poll_write(context, &INTERIM[self.written..]))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += count;
        }
        if !self.is_flushed {
            ready!(Pin::new(stream).poll_flush(context))?;
            self.is_flushed = true;
        }
        Poll::Ready(Ok(()))
    }
}
