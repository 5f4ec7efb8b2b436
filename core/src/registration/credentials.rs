//! Who an agent says it is: user name, password, and the pairing id by which an operator tells two claimants apart.

use alloc::string::String;
use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::rng::Rng;

/// Bytes of chance in a new password.
const PASSWORD_ENTROPY: usize = 32;

/// User name and password. Both fit a CONNECT: at most 65,535 bytes, the user name without U+0000.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    username: String,
    password: String,
}

/// A text cannot be a user name or a password of MQTT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "user name and password must each be at most 65535 bytes, the user name not empty and without U+0000"
)]
pub struct InvalidCredentials;

impl Credentials {
    /// These credentials.
    ///
    /// # Errors
    /// [`InvalidCredentials`] where they do not fit a CONNECT.
    pub fn new(username: impl Into<String>, password: impl Into<String>) -> Result<Self, InvalidCredentials> {
        let (username, password) = (username.into(), password.into());
        let fits = |text: &str| text.len() <= usize::from(u16::MAX);
        if username.is_empty() || !fits(&username) || !fits(&password) || username.contains('\0') {
            return Err(InvalidCredentials);
        }
        Ok(Self { username, password })
    }

    /// Credentials with a new password: 32 random bytes in base64url.
    pub(super) fn generate(username: String, rng: &mut Rng) -> Self {
        let password = URL_SAFE_NO_PAD.encode(rng.bytes::<PASSWORD_ENTROPY>());
        Self { username, password }
    }

    /// User name.
    #[must_use]
    pub fn username(&self) -> &str {
        &self.username
    }

    /// Password.
    #[must_use]
    pub fn password(&self) -> &str {
        &self.password
    }

    /// What both sides show of these credentials.
    #[must_use]
    pub fn pairing_id(&self) -> PairingId {
        PairingId::of(&self.username, self.password.as_bytes())
    }
}

impl fmt::Debug for Credentials {
    /// Leaves out the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

/// The first three bytes of SHA-256(user name ‖ 0x00 ‖ password), shown as six hexadecimal digits.
///
/// Agent and registry compute it from what they know, so that a rival under the same name shows another one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PairingId([u8; 3]);

impl PairingId {
    /// The pairing id of these credentials.
    #[must_use]
    pub fn of(username: &str, password: &[u8]) -> Self {
        let digest = Sha256::new()
            .chain_update(username.as_bytes())
            .chain_update([0])
            .chain_update(password)
            .finalize();
        Self([digest[0], digest[1], digest[2]])
    }
}

impl fmt::Display for PairingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for PairingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PairingId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::ToString as _;

    #[test]
    fn pairing_id_is_the_beginning_of_a_digest_that_others_can_compute() {
        // printf 'line-1\0secret' | sha256sum
        let credentials = Credentials::new("line-1", "secret").unwrap();
        assert_eq!(credentials.pairing_id().to_string(), "009be4");
        let rival = Credentials::new("line-1", "secret2").unwrap();
        assert_ne!(rival.pairing_id(), credentials.pairing_id());
    }

    #[test]
    fn the_border_between_name_and_password_counts() {
        assert_ne!(PairingId::of("ab", b"c"), PairingId::of("a", b"bc"));
    }

    #[test]
    fn new_passwords_have_the_strength_of_32_bytes_and_differ() {
        let mut rng = Rng::from_seed([9; 32]);
        let first = Credentials::generate("line-1".into(), &mut rng);
        let second = Credentials::generate("line-1".into(), &mut rng);
        assert_eq!(first.password().len(), 43);
        assert_ne!(first.password(), second.password());
        assert!(
            first
                .password()
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        );
    }

    #[test]
    fn what_does_not_fit_a_connect_is_refused() {
        let longest = "x".repeat(65_535);
        assert!(Credentials::new(longest.clone(), longest.clone()).is_ok());
        for (username, password) in [
            ("", "secret"),
            ("a\0b", "secret"),
            (&format!("{longest}x"), "secret"),
            ("a", &format!("{longest}x")),
        ] {
            assert_eq!(Credentials::new(username, password), Err(InvalidCredentials));
        }
    }

    #[test]
    fn debug_output_keeps_the_password() {
        let shown = format!("{:?}", Credentials::new("line-1", "secret").unwrap());
        assert!(shown.contains("line-1") && !shown.contains("secret"), "{shown}");
    }
}
