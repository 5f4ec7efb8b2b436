//! The client registry's rules: locked or open, who waits, who has been denied. Knows no HTTP, no MQTT and no disk.

use std::net::IpAddr;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use syncline_core::registration::PairingId;
use tokio::time::Instant;

/// How long the registry stays open once unlocked.
pub(super) const UNLOCK_TIME: Duration = Duration::from_secs(5 * 60);
/// How long a request waits that nobody repeats.
const PENDING_TIME: Duration = Duration::from_secs(10 * 60);
/// Most requests that wait, and most denials that are remembered.
const MAX_PENDING: usize = 256;
/// Shortest and longest user name in bytes, shortest and longest password.
const USERNAME: std::ops::RangeInclusive<usize> = 3..=128;
const PASSWORD: std::ops::RangeInclusive<usize> = 5..=1024;

/// Which pending request is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PendingId(pub(super) u64);

/// Somebody who asks to be let in.
#[derive(Debug, Clone)]
pub(super) struct Claim {
    pub(super) username: String,
    pub(super) password: SecretString,
    /// Certificate signing request in PEM, already checked.
    pub(super) csr: Option<String>,
    pub(super) from: IpAddr,
    pub(super) way: Way,
}

/// How somebody asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// `POST /api/client-registry/register`.
    Rest,
    /// A CONNECT that was refused.
    Mqtt,
}

/// A request that waits for an administrator.
#[derive(Debug, Clone)]
pub(super) struct Pending {
    pub(super) id: PendingId,
    pub(super) claim: Claim,
    pub(super) pairing_id: PairingId,
    last_seen: Instant,
}

/// What becomes of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Locked,
    Pending,
    Denied,
    /// Too many wait already.
    Full,
}

/// Whoever is not a user yet.
#[derive(Debug, Default)]
pub(super) struct Registry {
    unlocked_until: Option<Instant>,
    pending: Vec<Pending>,
    denied: Vec<Claim>,
    last_id: u64,
    /// Counts changes that an administrator would see.
    version: u64,
}

/// Why a name or a password can belong to no user.
pub(super) fn check(username: &str, password: &str) -> Result<(), String> {
    if !USERNAME.contains(&username.len()) {
        return Err(format!(
            "the user name has {} bytes, expected {} to {}",
            username.len(),
            USERNAME.start(),
            USERNAME.end()
        ));
    }
    if !PASSWORD.contains(&password.len()) {
        return Err(format!(
            "the password has {} bytes, expected {} to {}",
            password.len(),
            PASSWORD.start(),
            PASSWORD.end()
        ));
    }
    if username.starts_with("__") {
        return Err("the user name begins with __, which is reserved".to_owned());
    }
    // It becomes part of topics.
    let wrong =
        |character: char| character.is_control() || character.is_whitespace() || "+#/*".contains(character);
    match username.chars().find(|character| wrong(*character)) {
        Some(character) => Err(format!(
            "the user name has the character {character:?}, expected none of + # / * and no space"
        )),
        None => Ok(()),
    }
}

impl Registry {
    /// Opens the registry for [`UNLOCK_TIME`], and forgets whom it has denied.
    pub(super) fn unlock(&mut self, now: Instant) {
        self.unlocked_until = Some(now + UNLOCK_TIME);
        self.denied.clear();
        self.version += 1;
    }

    pub(super) fn lock(&mut self) {
        self.unlocked_until = None;
        self.version += 1;
    }

    /// How long it is still open.
    pub(super) fn unlocked_for(&self, now: Instant) -> Option<Duration> {
        self.unlocked_until
            .map(|until| until.saturating_duration_since(now))
            .filter(|left| !left.is_zero())
    }

    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// A claim of somebody who is no user. A repeated one keeps its place, whether the registry is open or not.
    pub(super) fn claim(&mut self, now: Instant, claim: Claim) -> Verdict {
        self.expire(now);
        if let Some(known) = self.pending.iter_mut().find(|known| known.claim.is_same(&claim)) {
            known.last_seen = now;
            known.claim.from = claim.from;
            // A refused CONNECT says nothing about a certificate.
            if claim.way == Way::Rest {
                known.claim.csr = claim.csr;
                known.claim.way = Way::Rest;
            }
            return Verdict::Pending;
        }
        if self.denied.iter().any(|denied| denied.is_same(&claim)) {
            return Verdict::Denied;
        }
        if self.unlocked_for(now).is_none() {
            return Verdict::Locked;
        }
        if self.pending.len() >= MAX_PENDING {
            return Verdict::Full;
        }
        self.last_id += 1;
        self.version += 1;
        self.pending.push(Pending {
            id: PendingId(self.last_id),
            pairing_id: PairingId::of(&claim.username, claim.password.expose_secret().as_bytes()),
            claim,
            last_seen: now,
        });
        Verdict::Pending
    }

    /// Who waits, the one who came first in front.
    pub(super) fn pending(&mut self, now: Instant) -> &[Pending] {
        self.expire(now);
        &self.pending
    }

    pub(super) fn find(&mut self, now: Instant, id: PendingId) -> Option<Pending> {
        self.pending(now).iter().find(|pending| pending.id == id).cloned()
    }

    /// Takes a request out because its claimant is a user now.
    pub(super) fn granted(&mut self, id: PendingId) {
        self.pending.retain(|pending| pending.id != id);
        self.version += 1;
    }

    /// Takes a request out and remembers to deny its repetitions until the registry is unlocked again.
    pub(super) fn deny(&mut self, now: Instant, id: PendingId) -> Option<Pending> {
        let denied = self.find(now, id)?;
        self.pending.retain(|pending| pending.id != id);
        if self.denied.len() >= MAX_PENDING {
            self.denied.remove(0);
        }
        self.denied.push(denied.claim.clone());
        self.version += 1;
        Some(denied)
    }

    fn expire(&mut self, now: Instant) {
        let before = self.pending.len();
        self.pending
            .retain(|pending| now.saturating_duration_since(pending.last_seen) < PENDING_TIME);
        if self.pending.len() != before {
            self.version += 1;
        }
    }
}

impl Claim {
    /// Whether the same agent asks again.
    fn is_same(&self, other: &Self) -> bool {
        self.username == other.username && self.password.expose_secret() == other.password.expose_secret()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn claim(username: &str, password: &str) -> Claim {
        Claim {
            username: username.into(),
            password: password.to_owned().into(),
            csr: None,
            from: Ipv4Addr::LOCALHOST.into(),
            way: Way::Rest,
        }
    }

    #[test]
    fn a_registry_is_locked_until_it_is_unlocked_and_again_after_five_minutes() {
        let (mut registry, now) = (Registry::default(), Instant::now());
        assert_eq!(registry.claim(now, claim("line-1", "secret")), Verdict::Locked);
        registry.unlock(now);
        assert_eq!(registry.unlocked_for(now), Some(UNLOCK_TIME));
        let late = now + UNLOCK_TIME;
        assert_eq!(registry.claim(late, claim("line-1", "secret")), Verdict::Locked);
        registry.unlock(late);
        assert_eq!(registry.claim(late, claim("line-1", "secret")), Verdict::Pending);
        registry.lock();
        assert_eq!(registry.claim(late, claim("line-2", "secret")), Verdict::Locked);
        assert_eq!(
            registry.claim(late, claim("line-1", "secret")),
            Verdict::Pending,
            "who waits already goes on waiting"
        );
    }

    #[test]
    fn a_rival_under_the_same_name_waits_beside_with_another_pairing_id() {
        let (mut registry, now) = (Registry::default(), Instant::now());
        registry.unlock(now);
        for password in ["secret", "rival", "secret"] {
            registry.claim(now, claim("line-1", password));
        }
        let ids: Vec<_> = registry
            .pending(now)
            .iter()
            .map(|pending| pending.pairing_id.to_string())
            .collect();
        let expected = PairingId::of("line-1", b"secret").to_string();
        assert_eq!(ids.len(), 2);
        assert_eq!(ids[0], expected);
        assert_ne!(ids[1], expected);
    }

    #[test]
    fn a_denial_holds_for_the_same_claim_until_the_next_unlocking() {
        let (mut registry, now) = (Registry::default(), Instant::now());
        registry.unlock(now);
        registry.claim(now, claim("line-1", "secret"));
        let id = registry.pending(now)[0].id;
        assert!(registry.deny(now, id).is_some());
        assert!(registry.deny(now, id).is_none());
        assert_eq!(registry.claim(now, claim("line-1", "secret")), Verdict::Denied);
        assert_eq!(registry.claim(now, claim("line-1", "other")), Verdict::Pending);
        registry.unlock(now);
        assert_eq!(registry.claim(now, claim("line-1", "secret")), Verdict::Pending);
    }

    #[test]
    fn who_does_not_come_back_is_forgotten() {
        let (mut registry, now) = (Registry::default(), Instant::now());
        registry.unlock(now);
        registry.claim(now, claim("line-1", "secret"));
        registry.claim(now, claim("line-2", "secret"));
        let later = now + PENDING_TIME / 2;
        registry.claim(later, claim("line-2", "secret"));
        let left: Vec<_> = registry
            .pending(now + PENDING_TIME)
            .iter()
            .map(|pending| pending.claim.username.clone())
            .collect();
        assert_eq!(left, ["line-2"]);
    }

    #[test]
    fn no_more_wait_than_an_administrator_could_look_at() {
        let (mut registry, now) = (Registry::default(), Instant::now());
        registry.unlock(now);
        for number in 0..MAX_PENDING {
            assert_eq!(
                registry.claim(now, claim(&format!("line-{number}"), "secret")),
                Verdict::Pending
            );
        }
        assert_eq!(registry.claim(now, claim("one-more", "secret")), Verdict::Full);
        for number in 0..=MAX_PENDING {
            let id = PendingId(number as u64 + 1);
            registry.deny(now, id);
        }
        assert_eq!(registry.denied.len(), MAX_PENDING);
    }

    #[test]
    fn names_and_passwords_have_their_rules() {
        assert_eq!(check("line-1", "12345"), Ok(()));
        assert_eq!(check("müller@site", "12345"), Ok(()));
        for (username, password, expected) in [
            ("ab", "12345", "the user name has 2 bytes"),
            ("abc", "1234", "the password has 4 bytes"),
            ("__hub", "12345", "reserved"),
            ("a/b", "12345", "'/'"),
            ("a b", "12345", "' '"),
            ("a\u{1b}b", "12345", "'\\u{1b}'"),
        ] {
            let error = check(username, password).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
        assert!(check(&"x".repeat(129), "12345").is_err());
        assert!(check("abc", &"x".repeat(1025)).is_err());
    }
}
