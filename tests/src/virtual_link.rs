//! A simulated TCP connection on virtual time: seeded delay and chunks, back-pressure, and every way to break.

use std::collections::VecDeque;

use syncline_core::rng::{Rng, SEED_LEN};
use syncline_core::time::{Duration, Instant};

/// One end of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The end that dialled.
    Client,
    /// The end that accepted.
    Server,
}

impl End {
    /// The other end.
    #[must_use]
    pub fn peer(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// How a link treats what is written to it.
#[derive(Debug, Clone, Copy)]
pub struct LinkConfig {
    /// Each chunk is under way for up to so long; none overtakes another.
    pub delay: Duration,
    /// Longest chunk that arrives at once; a write is cut into chunks of 1 up to so many bytes.
    pub chunk: usize,
    /// Bytes under way or unread beyond which a write takes no more.
    pub window: usize,
}

impl LinkConfig {
    /// Everything arrives at once and whole.
    pub const INSTANT: Self = Self {
        delay: Duration::ZERO,
        chunk: usize::MAX,
        window: usize::MAX,
    };
}

/// A connection between two ends.
#[derive(Debug)]
pub struct VirtualLink {
    config: LinkConfig,
    rng: Rng,
    to_server: Pipe,
    to_client: Pipe,
    is_reset: bool,
}

/// One direction.
#[derive(Debug, Default)]
struct Pipe {
    /// Chunks with their time of arrival.
    chunks: VecDeque<(Instant, Vec<u8>)>,
    /// Bytes under way and unread.
    held: usize,
    /// Nothing arrives before.
    stalled_until: Instant,
    last_arrival: Instant,
    /// The writing end has closed, which arrives after the last chunk.
    finished: bool,
    /// Bytes that may still be read until the link breaks.
    budget: Option<u64>,
}

impl VirtualLink {
    /// An open link; the seed decides on its delays and chunks.
    #[must_use]
    pub fn new(config: LinkConfig, seed: [u8; SEED_LEN]) -> Self {
        Self {
            config,
            rng: Rng::from_seed(seed),
            to_server: Pipe::default(),
            to_client: Pipe::default(),
            is_reset: false,
        }
    }

    /// Writes from one end and returns how many bytes the link took.
    pub fn write(&mut self, now: Instant, end: End, bytes: &[u8]) -> usize {
        if self.is_reset {
            return bytes.len();
        }
        let LinkConfig { delay, chunk, window } = self.config;
        let pipe = match end {
            End::Client => &mut self.to_server,
            End::Server => &mut self.to_client,
        };
        let taken = bytes.len().min(window.saturating_sub(pipe.held));
        let mut rest = &bytes[..taken];
        while !rest.is_empty() {
            let most = rest.len().min(chunk);
            let size = 1 + draw(&mut self.rng, most as u64 - 1) as usize;
            let size = if chunk == usize::MAX { most } else { size };
            let (piece, after) = rest.split_at(size);
            let arrival = now.after(self.rng.jitter(delay)).max(pipe.last_arrival);
            pipe.last_arrival = arrival;
            pipe.chunks.push_back((arrival, piece.to_vec()));
            rest = after;
        }
        pipe.held += taken;
        taken
    }

    /// The bytes that have arrived at one end, the next chunk at most; empty when there are none.
    #[must_use]
    pub fn readable(&self, now: Instant, end: End) -> &[u8] {
        let pipe = self.towards(end);
        if self.is_reset || pipe.stalled_until > now {
            return &[];
        }
        match pipe.chunks.front() {
            Some((arrival, bytes)) if *arrival <= now => {
                let allowed = pipe.budget.map_or(usize::MAX, |left| left as usize);
                &bytes[..bytes.len().min(allowed)]
            }
            _ => &[],
        }
    }

    /// Removes `n` bytes of [`VirtualLink::readable`]; the link breaks where a cut is due.
    pub fn consume(&mut self, end: End, n: usize) {
        let pipe = self.towards_mut(end);
        let Some((_, bytes)) = pipe.chunks.front_mut() else {
            return;
        };
        bytes.drain(..n);
        pipe.held -= n;
        if bytes.is_empty() {
            pipe.chunks.pop_front();
        }
        if let Some(left) = &mut pipe.budget {
            *left -= n as u64;
            if *left == 0 {
                self.reset();
            }
        }
    }

    /// Whether one end sees that the connection is over: it was reset, or the peer closed and all it wrote was read.
    #[must_use]
    pub fn has_ended(&self, now: Instant, end: End) -> bool {
        let pipe = self.towards(end);
        self.is_reset || (pipe.finished && pipe.chunks.is_empty() && pipe.stalled_until <= now)
    }

    /// When something next arrives, if nothing is written until then.
    #[must_use]
    pub fn next_arrival(&self, now: Instant) -> Option<Instant> {
        let arrival = |pipe: &Pipe| {
            let at = pipe.chunks.front().map(|(at, _)| *at);
            let at = at.or(pipe.finished.then_some(Instant::ZERO))?;
            Some(at.max(pipe.stalled_until))
        };
        [&self.to_server, &self.to_client]
            .into_iter()
            .filter_map(arrival)
            .filter(|at| *at > now)
            .min()
    }

    /// One end writes no more; what it has written still arrives.
    pub fn close(&mut self, end: End) {
        self.towards_mut(end.peer()).finished = true;
    }

    /// The connection breaks: both ends see it at once, and what was under way is gone.
    pub fn reset(&mut self) {
        self.is_reset = true;
        self.to_server = Pipe::default();
        self.to_client = Pipe::default();
    }

    /// Nothing arrives at `end` before `until`.
    pub fn stall(&mut self, end: End, until: Instant) {
        let pipe = self.towards_mut(end);
        pipe.stalled_until = pipe.stalled_until.max(until);
    }

    /// Resets the connection as soon as `end` has read `bytes` more bytes, at once where that is none.
    pub fn cut_after(&mut self, end: End, bytes: u64) {
        if bytes == 0 {
            self.reset();
        } else {
            self.towards_mut(end).budget = Some(bytes);
        }
    }

    fn towards(&self, end: End) -> &Pipe {
        match end {
            End::Client => &self.to_client,
            End::Server => &self.to_server,
        }
    }

    fn towards_mut(&mut self, end: End) -> &mut Pipe {
        match end {
            End::Client => &mut self.to_client,
            End::Server => &mut self.to_server,
        }
    }
}

/// A number from 0 up to `most`.
pub(crate) fn draw(rng: &mut Rng, most: u64) -> u64 {
    rng.next_u64() % (most + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Instant = Instant::from_micros(1_000);

    fn read_all(link: &mut VirtualLink, end: End, until: Instant) -> Vec<u8> {
        let mut read = Vec::new();
        let mut now = T0;
        loop {
            let n = link.readable(now, end).len();
            read.extend_from_slice(link.readable(now, end));
            if n > 0 {
                link.consume(end, n);
                continue;
            }
            match link.next_arrival(now) {
                Some(at) if at <= until => now = at,
                _ => return read,
            }
        }
    }

    fn slow() -> VirtualLink {
        let config = LinkConfig {
            delay: Duration::from_millis(50),
            chunk: 7,
            window: 1_000,
        };
        VirtualLink::new(config, [3; SEED_LEN])
    }

    #[test]
    fn bytes_arrive_in_order_whatever_their_chunks_and_delays() {
        let mut link = slow();
        let sent: Vec<u8> = (0..=255).collect();
        assert_eq!(link.write(T0, End::Client, &sent), 256);
        assert_eq!(
            read_all(&mut link, End::Server, T0.after(Duration::from_millis(50))),
            sent
        );
    }

    #[test]
    fn a_full_window_takes_no_more_until_something_is_read() {
        let mut link = slow();
        assert_eq!(link.write(T0, End::Server, &[0; 1_500]), 1_000);
        assert_eq!(link.write(T0, End::Server, &[0; 1]), 0);
        assert_eq!(
            link.write(T0, End::Client, &[0; 1]),
            1,
            "the other direction is free"
        );
        read_all(&mut link, End::Client, T0.after(Duration::from_secs(1)));
        assert_eq!(link.write(T0, End::Server, &[0; 1_500]), 1_000);
    }

    #[test]
    fn a_cut_lets_exactly_its_bytes_through_and_both_ends_see_it() {
        for bytes in 0..20 {
            let mut link = slow();
            link.cut_after(End::Server, bytes);
            link.write(T0, End::Client, &[1; 20]);
            link.write(T0, End::Server, &[1; 20]);
            let read = read_all(&mut link, End::Server, T0.after(Duration::from_secs(1)));
            assert_eq!(read.len() as u64, bytes);
            assert!(link.has_ended(T0, End::Client) && link.has_ended(T0, End::Server));
        }
    }

    #[test]
    fn a_closed_end_is_seen_after_what_it_wrote_and_a_stall_holds_both_back() {
        let mut link = slow();
        let later = T0.after(Duration::from_secs(1));
        link.write(T0, End::Server, b"bye");
        link.close(End::Server);
        link.stall(End::Client, later);
        assert_eq!(
            link.readable(T0.after(Duration::from_millis(999)), End::Client),
            b""
        );
        assert!(!link.has_ended(T0, End::Client) && !link.has_ended(later, End::Client));
        assert_eq!(read_all(&mut link, End::Client, later), b"bye");
        assert!(link.has_ended(later, End::Client) && !link.has_ended(later, End::Server));
    }
}
