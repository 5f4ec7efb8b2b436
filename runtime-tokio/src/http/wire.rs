//! An accepted socket, or TLS over one, as hyper sees it: framing checked on the way in, heads and answers bound in time, a close that is
//! heard.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::framing::{Fault, Framing, Violation};

/// How long the rest of an unread request is discarded after the answer, before the socket closes.
const LINGER: Duration = Duration::from_secs(1);

/// What hyper reads in place of a faulty line: no head may have a NUL, and hyper looks again at a head that came in
/// part only when there is an empty line in it.
const POISON: &[u8] = b"\0\r\n\r\n";

/// A stream that hands hyper only what [`Framing`] has found sound.
///
/// A fault in a head is handed on as [`POISON`], which hyper answers with 400 and a close, after the answers that are due
/// before it. A fault in a body is an error of that body, which the handler answers.
pub(super) struct Wire<S> {
    stream: S,
    framing: Framing,
    rest: Rest,
    head_timeout: Duration,
    /// Runs while a head is awaited that has begun, or that is the connection's first.
    head_timer: Option<Pin<Box<Sleep>>>,
    linger_timer: Option<Pin<Box<Sleep>>>,
    answer_timeout: Duration,
    /// Runs while the client takes in nothing of what is written.
    answer_timer: Option<Pin<Box<Sleep>>>,
}

/// What comes after the bytes that hyper has been given.
enum Rest {
    /// What the socket has.
    Unread,
    /// These, then the end.
    Poison(&'static [u8]),
    /// An error, then the end.
    Error(Violation),
}

impl Rest {
    fn is_faulty(&self) -> bool {
        !matches!(self, Self::Unread)
    }
}

impl<S> Wire<S> {
    pub(super) fn new(stream: S, head_timeout: Duration, answer_timeout: Duration) -> Self {
        let framing = Framing::default();
        Self {
            stream,
            framing,
            rest: Rest::Unread,
            head_timeout,
            head_timer: None,
            linger_timer: None,
            answer_timeout,
            answer_timer: None,
        }
    }

    /// Takes back from `buffer` what follows the sound part of the bytes just read, which began at `start`.
    fn refuse(&mut self, fault: &Fault, buffer: &mut ReadBuf<'_>, start: usize) -> io::Result<()> {
        let violation = fault.violation;
        tracing::debug!(%violation, "closing a connection whose request breaks RFC 9112");
        buffer.set_filled(start + fault.sound);
        self.rest = if fault.in_head {
            Rest::Poison(POISON)
        } else {
            Rest::Error(violation)
        };
        // No bytes at all would be the end; and a fault leaves room for one at least.
        if fault.sound == 0 {
            self.hand_on_rest(buffer)
        } else {
            Ok(())
        }
    }

    fn hand_on_rest(&mut self, buffer: &mut ReadBuf<'_>) -> io::Result<()> {
        match &mut self.rest {
            Rest::Unread => Ok(()),
            Rest::Poison(poison) => {
                let (now, later) = poison.split_at(poison.len().min(buffer.remaining()));
                buffer.put_slice(now);
                *poison = later;
                Ok(())
            }
            Rest::Error(violation) => {
                let violation = *violation;
                self.rest = Rest::Poison(&[]);
                Err(io::Error::new(io::ErrorKind::InvalidData, violation))
            }
        }
    }

    fn poll_head_timer(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !(self.framing.in_head() || self.framing.heads() == 0) {
            return Poll::Pending;
        }
        let timeout = self.head_timeout;
        let timer = self.head_timer.get_or_insert_with(|| Box::pin(sleep(timeout)));
        ready!(timer.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the head of the request did not end in time",
        )))
    }
}

impl<S> Wire<S> {
    /// Ends a write that makes no progress: a client that never reads would keep its answer in memory for ever.
    fn bound_write(
        &mut self,
        written: Poll<io::Result<usize>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.answer_timer = None;
            return written;
        }
        let timeout = self.answer_timeout;
        let timer = self.answer_timer.get_or_insert_with(|| Box::pin(sleep(timeout)));
        ready!(timer.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the client does not read its answer",
        )))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.rest.is_faulty() {
            return Poll::Ready(this.hand_on_rest(buffer));
        }
        let start = buffer.filled().len();
        if Pin::new(&mut this.stream)
            .poll_read(context, buffer)?
            .is_pending()
        {
            return this.poll_head_timer(context);
        }
        let heads = this.framing.heads();
        let followed = this.framing.follow(&buffer.filled()[start..]);
        if this.framing.heads() > heads {
            this.head_timer = None;
        }
        match followed {
            Ok(()) => Poll::Ready(Ok(())),
            Err(fault) => Poll::Ready(this.refuse(&fault, buffer, start)),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.bound_write(written, context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(context, slices);
        this.bound_write(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    /// Ends the writing side; where part of the request is unread, discards it for a while before reporting the end.
    /// Closing at once would reset the connection, and the reset can overtake the answer (RFC 9112 §9.6).
    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.linger_timer.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(context))?;
            if this.framing.between_requests() && !this.rest.is_faulty() {
                return Poll::Ready(Ok(()));
            }
        }
        let timer = this.linger_timer.get_or_insert_with(|| Box::pin(sleep(LINGER)));
        if timer.as_mut().poll(context).is_ready() {
            return Poll::Ready(Ok(()));
        }
        let mut discarded = [0; 4096];
        loop {
            let mut buffer = ReadBuf::new(&mut discarded);
            ready!(Pin::new(&mut this.stream).poll_read(context, &mut buffer))?;
            if buffer.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}
