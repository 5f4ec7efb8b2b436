//! The transmit queue: packets in wire order, small ones side by side in one buffer, large payloads by handle.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use bytes::{Buf, BufMut as _, Bytes, BytesMut};

use super::OpId;

/// Payloads up to this size are copied behind their header: cheaper than a handle of their own and one more `iovec`.
pub(super) const INLINE_PAYLOAD: usize = 512;

/// Bytes to write, front first.
#[derive(Default)]
pub(super) struct Tx {
    /// Headers, small packets and small payloads; `..consumed` is written already.
    scratch: Vec<u8>,
    consumed: usize,
    /// Scratch bytes that follow the last payload handle.
    tail: usize,
    /// Payload handles, each after the scratch bytes that precede it. Empty while everything is in `scratch`.
    payloads: VecDeque<Placed>,
    /// Bytes of the handles in `payloads`.
    payload_bytes: usize,
    queued: u64,
    written: u64,
    /// Ends of the packets whose complete transmission completes an operation.
    marks: VecDeque<(u64, OpId)>,
}

struct Placed {
    scratch_before: usize,
    payload: Bytes,
}

impl core::fmt::Debug for Tx {
    /// Shows sizes, never what is sent: a CONNECT carries the password.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "Tx {{ unwritten: {}, marks: {} }}",
            self.len(),
            self.marks.len()
        )
    }
}

impl Tx {
    /// Bytes not yet written.
    pub(super) fn len(&self) -> usize {
        self.scratch.len() - self.consumed + self.payload_bytes
    }

    /// Bytes not yet written besides large payloads.
    pub(super) fn scratch_len(&self) -> usize {
        self.scratch.len() - self.consumed
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends through `encode`, which must leave the buffer as it was when it fails.
    #[inline]
    pub(super) fn append<E>(&mut self, encode: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<(), E> {
        self.compact();
        let before = self.scratch.len();
        encode(&mut self.scratch)?;
        let added = self.scratch.len() - before;
        self.tail += added;
        self.queued += added as u64;
        Ok(())
    }

    /// Appends bytes that are a packet already.
    #[inline]
    pub(super) fn append_bytes(&mut self, packet: &[u8]) {
        self.compact();
        self.scratch.extend_from_slice(packet);
        self.tail += packet.len();
        self.queued += packet.len() as u64;
    }

    /// Appends the payload of the packet whose header was appended last.
    #[inline]
    pub(super) fn append_payload(&mut self, payload: &Bytes) {
        self.queued += payload.len() as u64;
        if payload.len() <= INLINE_PAYLOAD {
            self.scratch.extend_from_slice(payload);
            self.tail += payload.len();
        } else {
            self.payload_bytes += payload.len();
            let scratch_before = core::mem::take(&mut self.tail);
            self.payloads.push_back(Placed {
                scratch_before,
                payload: payload.clone(),
            });
        }
    }

    /// Completes `op` once everything appended so far is written.
    pub(super) fn mark(&mut self, op: OpId) {
        self.marks.push_back((self.queued, op));
    }

    /// The next operation that is completed by what has been written.
    #[inline]
    pub(super) fn next_written(&mut self) -> Option<OpId> {
        match self.marks.front() {
            Some((end, _)) if *end <= self.written => self.marks.pop_front().map(|(_, op)| op),
            _ => None,
        }
    }

    #[inline]
    /// Removes `n` written bytes from the front; more than there are counts as all.
    pub(super) fn advance(&mut self, n: usize) {
        let mut left = n.min(self.len());
        self.written += left as u64;
        if self.payloads.is_empty() && left == self.scratch.len() - self.consumed {
            // Everything was written, as it is nearly always.
            self.scratch.clear();
            self.consumed = 0;
            self.tail = 0;
            return;
        }
        while left > 0 {
            match self.payloads.front_mut() {
                None => {
                    self.consumed += left;
                    self.tail -= left;
                    left = 0;
                }
                Some(placed) if placed.scratch_before > 0 => {
                    let step = left.min(placed.scratch_before);
                    placed.scratch_before -= step;
                    self.consumed += step;
                    left -= step;
                }
                Some(placed) => {
                    let step = left.min(placed.payload.len());
                    placed.payload.advance(step);
                    self.payload_bytes -= step;
                    left -= step;
                    if placed.payload.is_empty() {
                        self.payloads.pop_front();
                    }
                }
            }
        }
        if self.consumed == self.scratch.len() {
            self.scratch.clear();
            self.consumed = 0;
        }
    }

    /// Forgets everything and returns the operations that were not completely written.
    pub(super) fn clear(&mut self) -> impl Iterator<Item = OpId> + use<> {
        let marks = core::mem::take(&mut self.marks);
        *self = Self {
            scratch: core::mem::take(&mut self.scratch),
            ..Self::default()
        };
        self.scratch.clear();
        marks.into_iter().map(|(_, op)| op)
    }

    /// Gives back what more bytes have needed than wait now.
    pub(super) fn release_memory(&mut self) {
        self.scratch.shrink_to_fit();
        self.payloads.shrink_to_fit();
        self.marks.shrink_to_fit();
    }

    /// A view of the unwritten bytes.
    pub(super) fn view(&self) -> Transmit<'_> {
        Transmit {
            tx: self,
            index: 0,
            scratch: self.consumed,
            offset: 0,
            remaining: self.len(),
        }
    }

    /// Moves the unwritten rest to the front once more than half is written, so that a slow reader on the other side
    /// does not make the buffer grow.
    #[inline]
    fn compact(&mut self) {
        if self.consumed > 0 && self.consumed > self.scratch.len() / 2 {
            self.scratch.drain(..self.consumed);
            self.consumed = 0;
        }
    }
}

/// The bytes that wait to be written, as a [`Buf`] for vectored writes.
///
/// A view: `advance` moves the view alone. Tell the session what was really written with `tx_advance`.
#[derive(Clone, Debug)]
pub struct Transmit<'a> {
    tx: &'a Tx,
    /// Next payload handle.
    index: usize,
    /// Position in the scratch buffer.
    scratch: usize,
    /// Bytes consumed of the current scratch run, or of the current payload where the run is used up.
    offset: usize,
    remaining: usize,
}

impl<'a> Transmit<'a> {
    /// The next contiguous run.
    fn current(&self) -> &'a [u8] {
        match self.tx.payloads.get(self.index) {
            None => &self.tx.scratch[self.scratch..],
            Some(placed) if self.offset < placed.scratch_before => {
                &self.tx.scratch[self.scratch..self.scratch + placed.scratch_before - self.offset]
            }
            Some(placed) => &placed.payload[self.offset - placed.scratch_before..],
        }
    }

    fn step(&mut self, n: usize) {
        self.remaining -= n;
        match self.tx.payloads.get(self.index) {
            None => self.scratch += n,
            Some(placed) => {
                if self.offset < placed.scratch_before {
                    self.scratch += n;
                }
                self.offset += n;
                if self.offset == placed.scratch_before + placed.payload.len() {
                    self.index += 1;
                    self.offset = 0;
                }
            }
        }
    }

    /// The contiguous runs in order, at most as many as there are packets with large payloads, twice, plus one.
    pub fn runs(mut self) -> impl Iterator<Item = &'a [u8]> {
        core::iter::from_fn(move || {
            let run = self.current();
            self.step(run.len());
            (!run.is_empty()).then_some(run)
        })
    }
}

impl Buf for Transmit<'_> {
    fn remaining(&self) -> usize {
        self.remaining
    }

    fn chunk(&self) -> &[u8] {
        self.current()
    }

    /// Without a copy where the bytes are those of one payload handle.
    fn copy_to_bytes(&mut self, len: usize) -> Bytes {
        assert!(len <= self.remaining, "copy past the end of the transmit view");
        if let Some(placed) = self.tx.payloads.get(self.index)
            && let Some(from) = self.offset.checked_sub(placed.scratch_before)
            && len <= placed.payload.len() - from
        {
            let shared = placed.payload.slice(from..from + len);
            self.step(len);
            return shared;
        }
        let mut copy = BytesMut::with_capacity(len);
        copy.put(self.take(len));
        copy.freeze()
    }

    fn advance(&mut self, mut n: usize) {
        assert!(n <= self.remaining, "advance past the end of the transmit view");
        while n > 0 {
            let step = n.min(self.current().len());
            self.step(step);
            n -= step;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(tx: &mut Tx, head: &[u8], payload: &[u8]) {
        tx.append(|out| {
            out.extend_from_slice(head);
            Ok::<_, ()>(())
        })
        .unwrap();
        tx.append_payload(&Bytes::copy_from_slice(payload));
    }

    fn filled() -> (Tx, Vec<u8>) {
        let mut tx = Tx::default();
        let mut expected = Vec::new();
        for (index, size) in (1_u8..).zip([0, 10, 600, 2000, 5, 513, 512, 700, 0]) {
            let head = [index; 3];
            let payload = alloc::vec![index + 100; size];
            push(&mut tx, &head, &payload);
            expected.extend_from_slice(&head);
            expected.extend_from_slice(&payload);
        }
        (tx, expected)
    }

    #[test]
    fn runs_join_to_the_bytes_in_wire_order() {
        let (tx, expected) = filled();
        assert_eq!(tx.len(), expected.len());
        assert_eq!(tx.view().runs().collect::<Vec<_>>().concat(), expected);
    }

    #[test]
    fn the_view_reads_the_same_at_every_offset() {
        let (tx, expected) = filled();
        for start in 0..=expected.len() {
            let mut view = tx.view();
            view.advance(start);
            assert_eq!(view.remaining(), expected.len() - start);
            assert_eq!(view.runs().collect::<Vec<_>>().concat(), expected[start..]);
        }
    }

    #[test]
    fn bytes_taken_from_the_view_are_in_wire_order_and_those_of_a_payload_are_shared() {
        let (tx, expected) = filled();
        for step in [1, 7, 600, expected.len()] {
            let mut view = tx.view();
            let mut taken = Vec::new();
            while view.has_remaining() {
                taken.extend_from_slice(&view.copy_to_bytes(step.min(view.remaining())));
            }
            assert_eq!(taken, expected);
        }
        let mut view = tx.view();
        let mut shared = 0;
        while view.has_remaining() {
            let (chunk, len) = (view.chunk().as_ptr(), view.chunk().len());
            shared += usize::from(core::ptr::eq(view.copy_to_bytes(len).as_ptr(), chunk));
        }
        assert_eq!(shared, tx.payloads.len());
    }

    #[test]
    fn writing_in_steps_of_any_size_leaves_the_rest_in_order() {
        for step in [1, 2, 3, 7, 100, 512, 5000] {
            let (mut tx, expected) = filled();
            let mut written = Vec::new();
            while !tx.is_empty() {
                let rest = tx.view().runs().collect::<Vec<_>>().concat();
                let n = step.min(rest.len());
                written.extend_from_slice(&rest[..n]);
                tx.advance(n);
            }
            assert_eq!(written, expected);
        }
    }

    #[test]
    fn a_mark_completes_only_when_its_last_byte_is_written() {
        let mut tx = Tx::default();
        push(&mut tx, &[1; 4], &[2; 600]);
        tx.mark(OpId::new(1));
        push(&mut tx, &[3; 4], b"");
        tx.mark(OpId::new(2));
        tx.advance(603);
        assert_eq!(tx.next_written(), None);
        tx.advance(1);
        assert_eq!(tx.next_written(), Some(OpId::new(1)));
        assert_eq!(tx.next_written(), None);
        assert_eq!(tx.clear().collect::<Vec<_>>(), [OpId::new(2)]);
        assert!(tx.is_empty());
    }

    #[test]
    fn a_failed_append_changes_nothing() {
        let (mut tx, expected) = filled();
        assert_eq!(tx.append(|_| Err(7)), Err(7));
        assert_eq!(tx.view().runs().collect::<Vec<_>>().concat(), expected);
    }

    #[test]
    fn the_buffer_does_not_grow_while_it_drains_slowly() {
        let mut tx = Tx::default();
        push(&mut tx, &[0; 1000], b"");
        for _ in 0..10_000 {
            push(&mut tx, &[1; 100], b"");
            tx.advance(100);
        }
        assert_eq!(tx.len(), 1000);
        assert!(tx.scratch.capacity() <= 8192, "{}", tx.scratch.capacity());
    }
}
