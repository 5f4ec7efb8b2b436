//! A server that answers as a real one might, and as none would.

use std::ptr;

use syncline_ffi::*;

use super::{Place, Walk, call};

impl Walk<'_> {
    /// Bytes into the room, and perhaps more than there is room for.
    fn receive(&mut self, slot: usize, bytes: &[u8]) {
        self.session_has_not_moved(slot);
        let session = self.sessions.0[slot];
        let mut place = Place::new();
        let code = call!(syncline_session_rx_space(session, place.pointer()));
        let Some(room) = place.after(code) else { return };
        let len = bytes.len().min(room.len);
        if len > 0 {
            // SAFETY: the room has as many bytes until the next call that changes the session.
            unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), room.data, len) };
        }
        let beyond = call!(syncline_session_rx_commit(session, room.len + 1));
        assert_eq!(beyond, Code::OutOfRange);
        assert_eq!(call!(syncline_session_rx_commit(session, len)), Code::Ok);
        let again = call!(syncline_session_rx_commit(session, 1));
        assert_eq!(again, Code::OutOfRange, "the room is for one commit");
    }

    pub(super) fn server_sends(&mut self, slot: usize) -> Option<()> {
        let (choice, id) = (self.input.byte()?, self.input.byte()? % 4 + 1);
        let packet: Vec<u8> = match choice % 16 {
            0 => vec![0x20, 2, id & 1, 0],
            1 => vec![0x20, 3, id & 1, 0, 0],
            2 => vec![0x20, 2, 0, 5],
            3 => vec![0x40, 2, 0, id],
            4 => vec![0x50, 2, 0, id],
            5 => vec![0x70, 2, 0, id],
            6 => vec![0x62, 2, 0, id],
            7 => vec![0x90, 3, 0, id, 0],
            8 => vec![0x90, 4, 0, id, 0, 0],
            9 => vec![0xB0, 2, 0, id],
            10 => vec![0x30, 4, 0, 1, b'a', b'x'],
            11 => vec![0x32, 6, 0, 1, b'a', 0, id, b'x'],
            12 => vec![0x34, 7, 0, 1, b'a', 0, id, 0, b'x'],
            13 => vec![0xD0, 0],
            14 => self.tres(),
            _ => self.input.take(usize::from(choice)).to_vec(),
        };
        self.receive(slot, &packet);
        Some(())
    }

    /// The reply to the last transaction.
    fn tres(&self) -> Vec<u8> {
        let payload = self.envelope();
        let len = u8::try_from(8 + payload.len()).expect("a short payload");
        [&[0x30, len, 0, 6][..], b"b/tres", &payload].concat()
    }

    /// A message of the last transaction: what it asks and what it is answered look alike.
    pub(super) fn envelope(&self) -> Vec<u8> {
        let digits: String = self
            .transaction
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let parts = [
            &digits[..8],
            &digits[8..12],
            &digits[12..16],
            &digits[16..20],
            &digits[20..],
        ];
        format!("{{\"id\":\"{}\",\"timestamp\":1,\"value\":2}}", parts.join("-")).into_bytes()
    }
}
