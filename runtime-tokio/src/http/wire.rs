//! An accepted socket, or TLS over one, as hyper sees it: framing checked on the way in, heads and answers bound in time, a close that is
//! heard.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::exchange::{Exchange, STAND_IN};
use super::framing::{Fault, Framing};
use super::half_closed::{HalfClosed, Socket};
use super::patience::{Awaited, Patience};
use super::server::Limits;
use super::violation::Violation;

/// How long the rest of an unread request is discarded after the answer, before the socket closes.
const LINGER: Duration = Duration::from_secs(1);

/// A stream that hands hyper only what [`Framing`] has found sound.
///
/// A head is handed on when all of it has come. In place of one with a fault, or that takes too long, hyper gets [`STAND_IN`], so that
/// it is answered in its turn. A fault in a body is an error of that body, which the handler answers.
pub(super) struct Wire<S> {
    stream: S,
    framing: Framing,
    exchange: Arc<Exchange>,
    /// Bytes that hyper has yet to be given, the first `ready` of them as soon as it asks; the others are a head that has not ended.
    kept: Vec<u8>,
    ready: usize,
    rest: Rest,
    patience: Patience,
    linger_timer: Option<Pin<Box<Sleep>>>,
    answer_timeout: Duration,
    /// Runs while the client takes in nothing of what is written.
    answer_timer: Option<Pin<Box<Sleep>>>,
    /// Whether all that hyper has written is on its way.
    is_flushed: bool,
}

/// What comes after the bytes that are kept.
enum Rest {
    /// What the socket has.
    Unread,
    /// Nothing: the client does not send any more, and waits for its answers.
    HalfClosed(Box<HalfClosed>),
    /// An error in the body that is being read.
    Fault(Violation),
    /// Nothing that is worth reading.
    Unfit,
}

impl<S> Wire<S> {
    pub(super) fn new(stream: S, exchange: Arc<Exchange>, limits: &Limits) -> Self {
        Self {
            stream,
            framing: Framing::default(),
            exchange,
            kept: Vec::new(),
            ready: 0,
            rest: Rest::Unread,
            patience: Patience::new(limits.head_time, limits.idle_time),
            linger_timer: None,
            answer_timeout: limits.answer_time,
            answer_timer: None,
            is_flushed: true,
        }
    }

    /// Whether a request is being handled.
    fn is_busy(&self) -> bool {
        self.framing.heads() > self.exchange.answered()
    }

    /// Gives hyper what is ready for it; false if nothing is.
    fn hand_on(&mut self, buffer: &mut ReadBuf<'_>) -> bool {
        let count = self.ready.min(buffer.remaining());
        if count == 0 {
            return false;
        }
        buffer.put_slice(&self.kept[..count]);
        self.ready -= count;
        if count == self.kept.len() {
            self.kept = Vec::new();
        } else {
            self.kept.drain(..count);
        }
        true
    }

    /// Keeps what follows the first `sound` of the bytes just read, which begin at `start`: a head that has not ended.
    fn keep(&mut self, buffer: &mut ReadBuf<'_>, start: usize, sound: usize) {
        let read = &buffer.filled()[start..];
        if !self.kept.is_empty() {
            self.ready = if sound > 0 { self.kept.len() + sound } else { 0 };
            self.kept.extend_from_slice(read);
            buffer.set_filled(start);
        } else if sound < read.len() {
            self.kept.extend_from_slice(&read[sound..]);
            buffer.set_filled(start + sound);
        }
    }

    /// Keeps of the bytes just read what comes before a fault, and has the fault answered.
    fn refuse(&mut self, fault: &Fault, buffer: &mut ReadBuf<'_>, start: usize) {
        let Fault {
            violation,
            sound,
            in_head,
        } = *fault;
        tracing::debug!(%violation, "closing a connection whose request is unfit");
        if self.kept.is_empty() {
            buffer.set_filled(start + sound);
        } else {
            // It is the kept head that has the fault, unless that has ended.
            if sound == 0 && in_head {
                self.kept.clear();
            }
            self.kept
                .extend_from_slice(&buffer.filled()[start..start + sound]);
            self.ready = self.kept.len();
            buffer.set_filled(start);
        }
        if in_head {
            self.stand_in(violation);
        } else {
            self.rest = Rest::Fault(violation);
        }
    }

    /// Ends the requests with one that is answered with `violation`.
    fn stand_in(&mut self, violation: Violation) {
        self.exchange.refuse(self.framing.heads() + 1, violation);
        self.kept.extend_from_slice(STAND_IN);
        self.ready = self.kept.len();
        self.rest = Rest::Unfit;
    }

    /// Waits for the end of the client's time; false if that is the end of the connection.
    fn poll_patience(&mut self, context: &mut Context<'_>) -> Poll<bool> {
        if self.is_busy() {
            self.patience.rest();
            return Poll::Pending;
        }
        let heads = self.framing.heads();
        let awaited = match self.framing.in_head() || heads == 0 {
            true => Awaited::Head,
            false => Awaited::Request,
        };
        ready!(self.patience.poll_end(context, awaited, heads));
        if !self.framing.in_head() {
            return Poll::Ready(false);
        }
        self.kept.clear();
        self.stand_in(Violation::LATE);
        Poll::Ready(true)
    }

    /// Ends a write that makes no progress: a client that never reads would keep its answer in memory for ever.
    fn bound_write(
        &mut self,
        written: Poll<io::Result<usize>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        self.is_flushed = false;
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

impl<S: Socket> Wire<S> {
    /// The client has closed its side.
    fn ended(&mut self) {
        // RFC 9112 §9.6: that does not say that it has lost its interest in the answer.
        if self.is_busy() && self.framing.between_requests() && !self.framing.is_http_1_0() {
            self.rest = Rest::HalfClosed(Box::default());
        } else {
            self.rest = Rest::Unfit;
        }
    }

    /// Writes the rest of what was begun before hyper writes on.
    fn poll_interim(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.rest {
            Rest::HalfClosed(half_closed) => half_closed.poll_begun(&mut self.stream, context),
            _ => Poll::Ready(Ok(())),
        }
    }
}

impl<S: Socket> AsyncRead for Wire<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let start = buffer.filled().len();
        while !this.hand_on(buffer) {
            let is_busy = this.is_busy();
            match &mut this.rest {
                Rest::Unread => {}
                // An end in the midst of a request would cost its answer.
                Rest::Unfit if this.exchange.is_refusing() => return Poll::Pending,
                Rest::Unfit => return Poll::Ready(Ok(())),
                Rest::HalfClosed(half_closed) => {
                    if is_busy {
                        ready!(half_closed.poll_gone(&mut this.stream, this.is_flushed, context))?;
                    }
                    return Poll::Ready(Ok(()));
                }
                Rest::Fault(violation) => {
                    let error = io::Error::new(io::ErrorKind::InvalidData, *violation);
                    this.rest = Rest::Unfit;
                    return Poll::Ready(Err(error));
                }
            }
            if Pin::new(&mut this.stream)
                .poll_read(context, buffer)?
                .is_pending()
            {
                if ready!(this.poll_patience(context)) {
                    continue;
                }
                return Poll::Ready(Ok(()));
            }
            let read = &buffer.filled()[start..];
            if read.is_empty() {
                this.ended();
                continue;
            }
            match this.framing.follow(read) {
                Ok(sound) => this.keep(buffer, start, sound),
                Err(fault) => this.refuse(&fault, buffer, start),
            }
            if buffer.filled().len() > start {
                break;
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: Socket> AsyncWrite for Wire<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_interim(context))?;
        let written = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.bound_write(written, context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_interim(context))?;
        let written = Pin::new(&mut this.stream).poll_write_vectored(context, slices);
        this.bound_write(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(Pin::new(&mut this.stream).poll_flush(context))?;
        this.is_flushed = true;
        // hyper does not ask again for what it has asked for while the request was handled.
        if !this.is_busy() {
            let is_over = match this.rest {
                Rest::Unread => this.poll_patience(context).is_ready(),
                Rest::HalfClosed(_) => true,
                Rest::Fault(_) | Rest::Unfit => false,
            };
            if is_over {
                context.waker().wake_by_ref();
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Ends the writing side; where part of the request is unread, discards it for a while before reporting the end.
    /// Closing at once would reset the connection, and the reset can overtake the answer (RFC 9112 §9.6).
    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.linger_timer.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(context))?;
            if this.framing.between_requests() && !this.exchange.is_refused() {
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
