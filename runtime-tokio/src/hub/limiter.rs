//! Guessing made slow: how many wrong passwords one address may try.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Wrong passwords that one address has free.
const BURST: u32 = 10;
/// Time after which one more is free.
const REFILL: Duration = Duration::from_secs(6);
/// Most addresses that are remembered; with more, those that have waited longest are forgotten.
const MAX_ADDRESSES: usize = 16_384;

/// Wrong passwords by address, forgotten at the pace of [`REFILL`].
#[derive(Debug, Default)]
pub(super) struct Limiter(Mutex<HashMap<IpAddr, Instant>>);

impl Limiter {
    /// How long this address has to wait before it may try again; `None` where it may now.
    pub(super) fn wait(&self, now: Instant, address: IpAddr) -> Option<Duration> {
        let spent_until = self.lock().get(&network(address)).copied()?;
        // The time by which all tries are free again, which lies at most a whole burst ahead.
        let wait = spent_until.saturating_duration_since(now + REFILL * (BURST - 1));
        (!wait.is_zero()).then_some(wait)
    }

    /// A wrong password came from this address.
    pub(super) fn failed(&self, now: Instant, address: IpAddr) {
        let mut addresses = self.lock();
        if addresses.len() >= MAX_ADDRESSES {
            addresses.retain(|_, spent_until| *spent_until > now);
            if addresses.len() >= MAX_ADDRESSES {
                let oldest = addresses.iter().min_by_key(|(_, spent_until)| **spent_until);
                if let Some(oldest) = oldest.map(|(address, _)| *address) {
                    addresses.remove(&oldest);
                }
            }
        }
        let spent_until = addresses.entry(network(address)).or_insert(now);
        *spent_until = (*spent_until).max(now) + REFILL;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<IpAddr, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one customer of a provider has: the address, or the first 64 bits of an IPv6 one.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let mut segments = address.segments();
            segments[4..].fill(0);
            IpAddr::V6(segments.into())
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[test]
    fn after_a_burst_of_wrong_passwords_one_try_is_free_every_few_seconds() {
        let (limiter, mut now) = (Limiter::default(), Instant::now());
        for _ in 0..BURST {
            assert_eq!(limiter.wait(now, HERE), None);
            limiter.failed(now, HERE);
        }
        assert_eq!(limiter.wait(now, HERE), Some(REFILL));
        for _ in 0..5 {
            now += REFILL;
            assert_eq!(limiter.wait(now, HERE), None);
            limiter.failed(now, HERE);
            assert_eq!(limiter.wait(now, HERE), Some(REFILL));
        }
        now += REFILL * BURST;
        for _ in 0..BURST {
            assert_eq!(limiter.wait(now, HERE), None);
            limiter.failed(now, HERE);
        }
        assert!(limiter.wait(now, HERE).is_some());
    }

    #[test]
    fn addresses_are_limited_one_by_one_and_bounded_in_number() {
        let (limiter, now) = (Limiter::default(), Instant::now());
        for number in 0..u32::try_from(MAX_ADDRESSES).unwrap() + 100 {
            limiter.failed(now, IpAddr::V4(Ipv4Addr::from_bits(number)));
        }
        assert_eq!(limiter.lock().len(), MAX_ADDRESSES);
        assert_eq!(limiter.wait(now, HERE), None);
        let neighbours = [1, 2].map(|last| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, last)));
        for _ in 0..BURST {
            limiter.failed(now, neighbours[0]);
        }
        assert!(limiter.wait(now, neighbours[1]).is_some());
    }
}
