//! The beginnings of the messages of one direction of an OPC UA connection (Part 6, §7.1.2), however their bytes come.

/// Bytes of a message's header: its type, what kind of chunk it is, its size.
pub(super) const HEADER: usize = 8;

/// Cuts a stream into messages, and keeps of each as much of its beginning as somebody wants to see.
#[derive(Debug, Clone, Default)]
pub(super) struct Heads {
    head: Vec<u8>,
    is_complete: bool,
    /// Bytes of the message before that are still to be passed over.
    skip: usize,
}

impl Heads {
    /// Takes in `bytes` up to the end of the next head; none where it does not end there. `wanted` tells from at least a header how long the
    /// head is to be, as far as can be told; it never becomes longer than its message.
    pub(super) fn next(&mut self, bytes: &mut &[u8], wanted: impl Fn(&[u8]) -> usize) -> Option<&[u8]> {
        if self.is_complete {
            self.head.clear();
            self.is_complete = false;
        }
        loop {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            *bytes = &bytes[skipped..];
            let end = match size(&self.head) {
                Some(size) => wanted(&self.head).min(size).max(HEADER),
                None => HEADER,
            };
            let missing = end.saturating_sub(self.head.len());
            if missing == 0 {
                self.skip = size(&self.head).unwrap_or_default().saturating_sub(end);
                self.is_complete = true;
                return Some(&self.head);
            }
            if bytes.is_empty() {
                return None;
            }
            let (taken, rest) = bytes.split_at(missing.min(bytes.len()));
            self.head.extend_from_slice(taken);
            *bytes = rest;
        }
    }
}

/// The size of the message that begins like this, where its header is there.
pub(super) fn size(head: &[u8]) -> Option<usize> {
    let size = head.get(4..HEADER)?.try_into().ok()?;
    Some(usize::try_from(u32::from_le_bytes(size)).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_message_has_a_head_of_the_wanted_length_however_its_bytes_come() {
        let message =
            |kind: &[u8; 4], size: u32, content: &[u8]| [kind, &size.to_le_bytes()[..], content].concat();
        let sent = [
            message(b"HELF", 12, b"1234"),
            message(b"OPNF", 20, b"abcdefghijkl"),
            message(b"OPNF", 10, b"xy"),
            message(b"MSGF", 8, b""),
            message(b"OPNC", 3, b""),
            message(b"CLOF", 9, b"z"),
        ]
        .concat();
        let wanted = |head: &[u8]| match head {
            [b'O', ..] if head.len() < 12 => 12,
            [b'O', ..] => 14,
            _ => 0,
        };
        for chunk in 1..=sent.len() {
            let mut heads = Heads::default();
            let mut seen = Vec::new();
            for mut bytes in sent.chunks(chunk) {
                while let Some(head) = heads.next(&mut bytes, wanted) {
                    seen.push((head[..3].to_vec(), head[HEADER..].to_vec()));
                }
                assert!(bytes.is_empty());
            }
            let seen: Vec<(&[u8], &[u8])> = seen.iter().map(|(kind, rest)| (&**kind, &**rest)).collect();
            assert_eq!(
                seen,
                [
                    (b"HEL".as_slice(), b"".as_slice()),
                    (b"OPN", b"abcdef"),
                    (b"OPN", b"xy"),
                    (b"MSG", b""),
                    (b"OPN", b""),
                    (b"CLO", b""),
                ],
                "{chunk} bytes at a time"
            );
        }
    }
}
