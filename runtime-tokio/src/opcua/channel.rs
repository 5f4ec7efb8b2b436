//! The secure channels of a server's clients, by their numbers: whoever holds a request of one learns when its connection has gone.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::heads::{HEADER, Heads};

/// The channels that are open.
#[derive(Debug, Clone, Default)]
pub(super) struct Channels(Arc<Mutex<HashMap<u32, watch::Sender<()>>>>);

/// One channel, open until this is dropped.
#[derive(Debug)]
pub(super) struct Channel {
    channels: Channels,
    id: u32,
}

/// The end of a channel, for those who wait for it.
#[derive(Debug)]
pub(super) struct End(watch::Receiver<()>);

impl Channels {
    /// The connection of a channel is there.
    pub(super) fn open(&self, id: u32) -> Channel {
        self.lock().insert(id, watch::Sender::default());
        let channels = self.clone();
        Channel { channels, id }
    }

    /// The end of an open channel; none of one that has ended already.
    pub(super) fn end(&self, id: u32) -> Option<End> {
        self.lock().get(&id).map(|channel| End(channel.subscribe()))
    }

    /// How many are open.
    pub(super) fn count(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u32, watch::Sender<()>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.channels.lock().remove(&self.id);
    }
}

impl End {
    /// Waits for it.
    pub(super) async fn reached(&mut self) {
        // Nothing is ever sent: what comes is the end of the sender.
        while self.0.changed().await.is_ok() {}
    }
}

/// Bytes up to the end of a channel's number, which follows the header.
const NUMBERED: usize = HEADER + 4;

/// Looks for the number of a channel in what a server sends: in the first message of the type OPN (Part 6, §6.7.2).
#[derive(Debug, Default)]
pub(super) struct Finder(Heads);

impl Finder {
    /// Looks at the next bytes; the number, once it is there.
    pub(super) fn find(&mut self, mut bytes: &[u8]) -> Option<u32> {
        while let Some(head) = self.0.next(&mut bytes, wanted) {
            if let [b'O', b'P', b'N', _, _, _, _, _, a, b, c, d] = *head {
                return Some(u32::from_le_bytes([a, b, c, d]));
            }
        }
        None
    }
}

fn wanted(head: &[u8]) -> usize {
    match head.starts_with(b"OPN") {
        true => NUMBERED,
        false => HEADER,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_a_channel_is_found_however_its_bytes_come() {
        let acknowledgement = [b"ACKF".as_slice(), &28_u32.to_le_bytes(), &[7; 20]].concat();
        let opened = [
            b"OPNF".as_slice(),
            &200_u32.to_le_bytes(),
            &[1, 2, 3, 4],
            &[9; 188],
        ]
        .concat();
        let sent = [acknowledgement, opened].concat();
        for size in 1..=sent.len() {
            let mut finder = Finder::default();
            let found: Vec<u32> = sent
                .chunks(size)
                .find_map(|bytes| finder.find(bytes))
                .into_iter()
                .collect();
            assert_eq!(found, [0x0403_0201], "{size} bytes at a time");
        }
        let mut finder = Finder::default();
        assert_eq!(finder.find(b"ERRF\x10\0\0\0\0\0\0\x80\0\0\0\0"), None);
    }

    #[tokio::test]
    async fn whoever_waits_for_the_end_of_a_channel_is_told() {
        let channels = Channels::default();
        let channel = channels.open(5);
        let mut end = channels.end(5).unwrap();
        let told = tokio::spawn(async move { end.reached().await });
        assert!(channels.end(6).is_none());
        drop(channel);
        told.await.unwrap();
        assert!(channels.end(5).is_none());
    }
}
