//! The receive buffer: filled by the caller in place, handed out packet by packet without copying payloads.

use bytes::{Buf, Bytes, BytesMut};

/// Below this much free space, a read is not worth a system call while more may be had.
const MIN_SPACE: usize = 2048;

/// Bytes received and not yet parsed.
///
/// The buffer offers `read_size` bytes to read into, and more only for a packet that is known to be larger; even then it
/// grows by doubling, as bytes arrive, never on the word of a length field alone.
pub(super) struct Rx {
    /// `start..filled` holds received bytes, before them are those of packets that were skipped; the rest is space, zeroed
    /// so that safe code can lend it out.
    buf: BytesMut,
    start: usize,
    filled: usize,
    /// Length of the incomplete packet at the front, once its header has been read.
    awaited: usize,
    read_size: usize,
}

impl core::fmt::Debug for Rx {
    /// Shows sizes, never what was received.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let waiting = self.waiting();
        let Self {
            awaited, read_size, ..
        } = self;
        write!(
            f,
            "Rx {{ waiting: {waiting}, awaited: {awaited}, read_size: {read_size} }}"
        )
    }
}

impl Rx {
    pub(super) fn new(read_size: usize) -> Self {
        Self {
            buf: BytesMut::new(),
            start: 0,
            filled: 0,
            awaited: 0,
            read_size: read_size.max(MIN_SPACE),
        }
    }

    /// Received bytes that wait to be parsed.
    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buf[self.start..self.filled]
    }

    #[inline]
    fn waiting(&self) -> usize {
        self.filled - self.start
    }

    /// Most bytes that may wait.
    fn limit(&self) -> usize {
        self.read_size.max(self.awaited)
    }

    /// Whether no more is read until something is parsed.
    pub(super) fn is_full(&self) -> bool {
        self.waiting() >= self.limit()
    }

    /// Room to read into; empty while a full buffer waits to be parsed.
    pub(super) fn space(&mut self) -> &mut [u8] {
        let limit = self.limit();
        let waiting = self.waiting();
        if waiting >= limit {
            return &mut [];
        }
        let wanted = limit - waiting;
        if self.buf.len() - self.filled < wanted.min(MIN_SPACE) {
            let room = wanted.min(waiting.max(self.read_size));
            self.let_go_of_skipped();
            self.buf.truncate(self.filled);
            self.buf.reserve(room);
            self.zero_fill(room);
        }
        let end = self.buf.len().min(self.start + limit);
        &mut self.buf[self.filled..end]
    }

    fn let_go_of_skipped(&mut self) {
        self.buf.advance(self.start);
        self.filled -= self.start;
        self.start = 0;
    }

    /// Makes `room` bytes of reserved memory readable, a cache-friendly piece at a time.
    fn zero_fill(&mut self, room: usize) {
        const ZEROES: [u8; 1024] = [0; 1024];
        let mut left = room;
        while left > 0 {
            let piece = left.min(ZEROES.len());
            self.buf.extend_from_slice(&ZEROES[..piece]);
            left -= piece;
        }
    }

    /// Takes over `n` bytes that were written to the start of [`Rx::space`]; more than there was room for is cut off.
    pub(super) fn commit(&mut self, n: usize) {
        self.filled = (self.filled + n).min(self.buf.len());
    }

    /// Copies what fits of `bytes` and returns how much that was.
    pub(super) fn extend(&mut self, bytes: &[u8]) -> usize {
        let space = self.space();
        let n = space.len().min(bytes.len());
        space[..n].copy_from_slice(&bytes[..n]);
        self.commit(n);
        n
    }

    /// Notes that the packet at the front is `len` bytes long and not yet complete.
    pub(super) fn await_packet(&mut self, len: usize) {
        self.awaited = len;
    }

    /// Removes the packet of `len` bytes at the front, keeping it alive for its payload.
    #[inline(always)]
    pub(super) fn take(&mut self, len: usize) -> Bytes {
        if self.start > 0 {
            self.let_go_of_skipped();
        }
        self.filled -= len;
        self.awaited = 0;
        self.buf.split_to(len).freeze()
    }

    /// Removes the packet of `len` bytes at the front.
    #[inline]
    pub(super) fn skip(&mut self, len: usize) {
        self.start += len;
        self.awaited = 0;
        if self.start == self.filled {
            // Nobody shares these bytes: the next read may begin where they did.
            self.clear();
        }
    }

    /// Gives a buffer back that has grown for a large packet.
    pub(super) fn release_memory(&mut self) {
        if self.waiting() == 0 && self.buf.capacity() > 2 * self.read_size {
            self.clear();
            self.buf = BytesMut::new();
        }
    }

    /// Forgets everything: the connection that these bytes came from is gone.
    pub(super) fn clear(&mut self) {
        self.start = 0;
        self.filled = 0;
        self.awaited = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_buffer_offers_no_space_until_a_packet_is_taken() {
        let mut rx = Rx::new(MIN_SPACE);
        assert_eq!(rx.extend(&[1; MIN_SPACE + 1]), MIN_SPACE);
        assert!(rx.space().is_empty());
        rx.skip(10);
        assert_eq!(rx.space().len(), 10);
    }

    #[test]
    fn a_large_packet_grows_the_buffer_by_doubling_only() {
        let mut rx = Rx::new(MIN_SPACE);
        rx.await_packet(1 << 28);
        assert!(rx.space().len() <= MIN_SPACE);
        let mut received = 0;
        while received < 1 << 20 {
            let space = rx.space().len();
            assert!(
                space <= received.max(MIN_SPACE),
                "{space} bytes of room after {received}"
            );
            rx.commit(space);
            received += space;
        }
    }

    #[test]
    fn the_buffer_is_used_again_when_its_packets_are_dropped() {
        let mut rx = Rx::new(MIN_SPACE);
        rx.extend(&[1; 100]);
        let first = rx.bytes().as_ptr();
        drop(rx.take(100));
        for _ in 0..100 {
            rx.extend(&[2; MIN_SPACE]);
            drop(rx.take(MIN_SPACE.min(rx.bytes().len())));
        }
        rx.space();
        assert_eq!(rx.buf.as_ptr().align_offset(1), first.align_offset(1));
        assert!(rx.buf.capacity() <= 4 * MIN_SPACE);
    }

    #[test]
    fn taken_packets_stay_intact_while_the_buffer_is_refilled() {
        let mut rx = Rx::new(MIN_SPACE);
        let mut taken = alloc::vec::Vec::new();
        for round in 0..50_u8 {
            assert_eq!(rx.extend(&[round; 1000]), 1000);
            taken.push(rx.take(1000));
        }
        for (round, packet) in (0..).zip(&taken) {
            assert!(packet.iter().all(|byte| *byte == round));
        }
    }
}
