//! Passwords: made, hashed with argon2, and verified by few at a time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use argon2::password_hash::SaltString;
use argon2::{Argon2, PasswordHash, PasswordHasher as _, PasswordVerifier as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

/// Hashes computed at once. Each takes 19 MiB and a processor.
const AT_ONCE: usize = 2;
/// Most verified passwords that are remembered.
const MAX_REMEMBERED: usize = 65_536;

/// The operating system gave no random numbers, or a hash could not be computed.
#[derive(Debug, thiserror::Error)]
#[error("a password cannot be hashed: {0}")]
pub struct PasswordError(String);

/// 32 random bytes in base64url.
///
/// # Errors
/// [`PasswordError`] when the system has none.
pub(crate) fn generate() -> Result<SecretString, PasswordError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| PasswordError(error.to_string()))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes).into())
}

/// Hashes and verifies off the runtime's threads.
pub(crate) struct Hasher {
    permits: Arc<Semaphore>,
    /// Digests of what has been verified since the start, so that a thousand agents that come back together do not wait for
    /// a thousand hashes. Keyed by the hash, so that a changed password is not found.
    remembered: Mutex<HashMap<String, [u8; 32]>>,
    key: [u8; 32],
}

impl Hasher {
    pub(crate) fn new() -> Result<Self, PasswordError> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|error| PasswordError(error.to_string()))?;
        Ok(Self {
            permits: Arc::new(Semaphore::new(AT_ONCE)),
            remembered: Mutex::default(),
            key,
        })
    }

    /// The hash to store, with its parameters and salt in it.
    pub(crate) async fn hash(&self, password: &SecretString) -> Result<String, PasswordError> {
        let password = password.clone();
        self.compute(move || {
            let mut salt = [0; 16];
            getrandom::fill(&mut salt).map_err(|error| PasswordError(error.to_string()))?;
            let failed = |error: argon2::password_hash::Error| PasswordError(error.to_string());
            let salt = SaltString::encode_b64(&salt).map_err(failed)?;
            let hash = Argon2::default()
                .hash_password(password.expose_secret().as_bytes(), &salt)
                .map_err(failed)?;
            Ok(hash.to_string())
        })
        .await?
    }

    /// Whether `password` is the one that `hash` was made of.
    pub(crate) async fn verify(&self, password: &[u8], hash: &str) -> bool {
        let digest = self.digest(password);
        let known = self
            .remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(hash)
            .copied();
        // Digests under a key that nobody else has: what their comparison takes tells nothing about a password.
        if known == Some(digest) {
            return true;
        }
        let (password, text) = (password.to_vec(), hash.to_owned());
        let verified = self
            .compute(move || {
                PasswordHash::new(&text)
                    .is_ok_and(|hash| Argon2::default().verify_password(&password, &hash).is_ok())
            })
            .await
            .unwrap_or(false);
        if verified {
            let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
            if remembered.len() >= MAX_REMEMBERED {
                remembered.clear();
            }
            remembered.insert(hash.to_owned(), digest);
        }
        verified
    }

    fn digest(&self, password: &[u8]) -> [u8; 32] {
        Sha256::new()
            .chain_update(self.key)
            .chain_update(password)
            .finalize()
            .into()
    }

    async fn compute<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PasswordError> {
        let permit = Arc::clone(&self.permits)
            .acquire_owned()
            .await
            .map_err(|error| PasswordError(error.to_string()))?;
        tokio::task::spawn_blocking(move || {
            let result = work();
            drop(permit);
            result
        })
        .await
        .map_err(|error| PasswordError(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_hash_verifies_its_own_password_alone_and_shows_none() {
        let hasher = Hasher::new().unwrap();
        let password: SecretString = "correct horse".to_owned().into();
        let hash = hasher.hash(&password).await.unwrap();
        assert!(
            hash.starts_with("$argon2id$") && !hash.contains("horse"),
            "{hash}"
        );
        assert_ne!(
            hash,
            hasher.hash(&password).await.unwrap(),
            "each has its own salt"
        );
        for _ in 0..2 {
            assert!(hasher.verify(b"correct horse", &hash).await);
            assert!(!hasher.verify(b"correct horsf", &hash).await);
            assert!(!hasher.verify(b"", &hash).await);
        }
        assert!(!hasher.verify(b"correct horse", "no hash").await);
    }

    #[test]
    fn generated_passwords_differ() {
        let (first, second) = (generate().unwrap(), generate().unwrap());
        assert_eq!(first.expose_secret().len(), 43);
        assert_ne!(first.expose_secret(), second.expose_secret());
    }
}
