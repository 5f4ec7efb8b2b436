//! How long the next bytes of a connection may take.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// What the next bytes are a part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Awaited {
    /// A head that has begun, or the connection's first.
    Head,
    /// The first byte of a request.
    Request,
}

/// A deadline that is set anew for each request, and a timer that is not: it is armed again when it fires too early.
#[derive(Debug)]
pub(super) struct Patience {
    head_time: Duration,
    idle_time: Duration,
    /// What is awaited, after how many heads, and until when.
    awaited: Option<(Awaited, u64, Instant)>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    pub(super) fn new(head_time: Duration, idle_time: Duration) -> Self {
        Self {
            head_time,
            idle_time,
            awaited: None,
            timer: None,
        }
    }

    /// Nothing is awaited.
    pub(super) fn rest(&mut self) {
        self.awaited = None;
    }

    /// Waits for the end of the time for `what`, which began when it was first awaited after so many `heads`.
    pub(super) fn poll_end(&mut self, context: &mut Context<'_>, what: Awaited, heads: u64) -> Poll<()> {
        let deadline = match self.awaited {
            Some((known, after, deadline)) if (known, after) == (what, heads) => deadline,
            _ => {
                let time = match what {
                    Awaited::Head => self.head_time,
                    Awaited::Request => self.idle_time,
                };
                let deadline = Instant::now() + time;
                self.awaited = Some((what, heads, deadline));
                deadline
            }
        };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if timer.deadline() > deadline {
            timer.as_mut().reset(deadline);
        }
        loop {
            ready!(timer.as_mut().poll(context));
            if timer.deadline() >= deadline {
                return Poll::Ready(());
            }
            timer.as_mut().reset(deadline);
        }
    }
}
