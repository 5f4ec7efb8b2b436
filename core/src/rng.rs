//! Seeded randomness: the only source of chance in the core.

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use uuid::Uuid;

use crate::time::Duration;

/// Length of a seed in bytes.
pub const SEED_LEN: usize = 32;

/// ChaCha12 stream: the same seed gives the same sequence on every platform and release.
///
/// Transaction ids and passwords come from here, so in production the seed must come from the operating system's entropy:
/// whoever knows the seed can forge replies and log in as this agent.
#[derive(Clone)]
pub struct Rng(ChaCha12Rng);

impl core::fmt::Debug for Rng {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Rng(..)")
    }
}

impl Rng {
    /// Starts the sequence that `seed` stands for.
    #[must_use]
    pub fn from_seed(seed: [u8; SEED_LEN]) -> Self {
        Self(ChaCha12Rng::from_seed(seed))
    }

    /// Starts a second sequence of `seed`, which has nothing in common with that of [`from_seed`](Self::from_seed): for what
    /// stands around a machine that has the seed itself.
    #[must_use]
    pub fn beside_seed(seed: [u8; SEED_LEN]) -> Self {
        let mut rng = ChaCha12Rng::from_seed(seed);
        rng.set_stream(1);
        Self(rng)
    }

    /// The next random bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill_bytes(&mut bytes);
        bytes
    }

    /// A seed for a subordinate machine, so that siblings draw from separate sequences.
    pub fn derive_seed(&mut self) -> [u8; SEED_LEN] {
        self.bytes()
    }

    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A version 4 UUID (RFC 9562 §5.4).
    pub fn uuid(&mut self) -> Uuid {
        uuid::Builder::from_random_bytes(self.bytes()).into_uuid()
    }

    /// A duration drawn evenly from zero up to and including `ceiling` ("full jitter").
    pub fn jitter(&mut self, ceiling: Duration) -> Duration {
        let span = u64::try_from(ceiling.as_micros())
            .unwrap_or(u64::MAX - 1)
            .saturating_add(1);
        // A 64-bit draw scaled by multiplication: the bias is below 2^-20 for spans under six months.
        let scaled = (u128::from(self.next_u64()) * u128::from(span)) >> 64;
        Duration::from_micros(u64::try_from(scaled).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_seed_gives_the_same_ids() {
        let (mut a, mut b) = (Rng::from_seed([7; 32]), Rng::from_seed([7; 32]));
        for _ in 0..100 {
            assert_eq!(a.uuid(), b.uuid());
        }
        assert_eq!(a.uuid().get_version_num(), 4);
    }

    #[test]
    fn the_sequence_beside_a_seed_is_another_one() {
        let (mut own, mut beside) = (Rng::from_seed([7; 32]), Rng::beside_seed([7; 32]));
        let own: [u8; 4096] = own.bytes();
        let beside: [u8; 64] = beside.bytes();
        assert!(own.windows(8).all(|window| window != &beside[..8]));
        assert_eq!(Rng::beside_seed([7; 32]).bytes::<64>(), beside);
    }

    #[test]
    fn jitter_stays_within_its_ceiling_and_uses_its_width() {
        let mut rng = Rng::from_seed([1; 32]);
        let draws: alloc::vec::Vec<_> = (0..1000).map(|_| rng.jitter(Duration::from_micros(9))).collect();
        assert!(draws.iter().all(|d| *d <= Duration::from_micros(9)));
        for micros in 0..=9 {
            assert!(
                draws.contains(&Duration::from_micros(micros)),
                "never drew {micros}"
            );
        }
        assert_eq!(rng.jitter(Duration::ZERO), Duration::ZERO);
    }
}
