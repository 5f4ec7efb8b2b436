//! Loopback ports that nobody listens on.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the range from which Linux takes ports for outgoing connections: a client's port can never be in the way when
/// a stopped server comes back to its own.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// A port that was free a moment ago. Each call in a process gives another one, and processes begin far apart.
///
/// # Panics
/// When every port is taken.
#[must_use]
pub fn free() -> u16 {
    let spread = u16::try_from(u64::from(std::process::id()) * 97 % u64::from(COUNT)).expect("below COUNT");
    (0..COUNT)
        .map(|_| FIRST + (spread + NEXT.fetch_add(1, Ordering::Relaxed) % COUNT) % COUNT)
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .expect("no free loopback port between 20000 and 32000")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_never_given_out() {
        let taken = free();
        let _listener = TcpListener::bind((Ipv4Addr::LOCALHOST, taken)).unwrap();
        NEXT.store(0, Ordering::Relaxed);
        assert!((0..100).all(|_| free() != taken));
    }
}
