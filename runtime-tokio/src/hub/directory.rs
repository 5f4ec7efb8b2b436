//! Who may do what: users on disk, claims in memory, passwords in neither.

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::StatusCode;
use secrecy::{ExposeSecret as _, SecretString};
use syncline_core::topic::{TopicFilter, TopicName};
use tokio::time::Instant;

use super::dynamic_security::Failed;
use super::limiter::Limiter;
use super::permission::Permission;
use super::registry::{Claim, Pending, PendingId, Registry, Verdict, Way};
use super::store::{Kept, Store, StoreError, User};
use crate::client_identifier;
use crate::password::{self, Hasher, PasswordError};

/// User name of the hub's own client at the embedded broker. Nobody else can have it.
pub(super) const HUB_USERNAME: &str = "__hub";

/// What becomes of a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Registered {
    /// The user exists and the password is right.
    Granted,
    /// The user exists with another password.
    Conflict,
    /// Too many wrong passwords came from this address.
    TooMany(Duration),
    /// Nobody of that name exists.
    Claimed(Verdict),
}

/// Why a change was not made.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// It cannot be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The password cannot be hashed.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// Nobody waits under this number any more.
    #[error("this request waits no more: see whether another administrator has acted on it")]
    NotPending,
    /// A user of that name exists.
    #[error(
        "a user of that name exists with other credentials: delete it first if this claim is to have its name"
    )]
    Exists,
    /// There is no such user.
    #[error("there is no such user: see whether another administrator has deleted it")]
    NoSuchUser,
    /// The broker has users of its own and did not follow.
    #[error("{0}")]
    Broker(#[from] Failed),
    /// A task of the hub has ended early.
    #[error("the hub is stopping")]
    Stopping,
}

impl ChangeError {
    /// What to answer over HTTP. What is the hub's own trouble is logged.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::NotPending | Self::NoSuchUser => StatusCode::NOT_FOUND,
            Self::Exists => StatusCode::CONFLICT,
            Self::Broker(_) => {
                tracing::error!(error = %self, "the hub could not make a change");
                StatusCode::BAD_GATEWAY
            }
            Self::Store(_) | Self::Password(_) | Self::Stopping => {
                tracing::error!(error = %self, "the hub could not make a change");
                StatusCode::INTERNAL_SERVER_ERROR
            }
        }
    }
}

/// Users, claims and passwords of one hub.
pub(super) struct Directory {
    kept: RwLock<Kept>,
    store: Store,
    /// Held while a change is made, so that one follows the other on disk as in memory.
    changing: tokio::sync::Mutex<()>,
    registry: Mutex<Registry>,
    hasher: Hasher,
    limiter: Limiter,
    /// Password of [`HUB_USERNAME`], of this process alone.
    hub_password: SecretString,
}

impl Directory {
    pub(super) fn open(store: Store) -> Result<Self, ChangeError> {
        Ok(Self {
            kept: RwLock::new(store.load()?),
            store,
            changing: tokio::sync::Mutex::default(),
            registry: Mutex::default(),
            hasher: Hasher::new()?,
            limiter: Limiter::default(),
            hub_password: password::generate()?,
        })
    }

    // Looking.

    pub(super) fn kept(&self) -> RwLockReadGuard<'_, Kept> {
        self.kept.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn limiter(&self) -> &Limiter {
        &self.limiter
    }

    pub(super) fn hub_password(&self) -> &SecretString {
        &self.hub_password
    }

    // Those who come in.

    /// A registration over REST.
    pub(super) async fn register(&self, claim: Claim) -> Registered {
        let now = Instant::now();
        let Some(hash) = self.hash_of(&claim.username) else {
            return Registered::Claimed(self.registry().claim(now, claim));
        };
        if let Some(wait) = self.limiter.wait(now, claim.from) {
            return Registered::TooMany(wait);
        }
        if self
            .hasher
            .verify(claim.password.expose_secret().as_bytes(), &hash)
            .await
        {
            return Registered::Granted;
        }
        self.limiter.failed(now, claim.from);
        Registered::Conflict
    }

    /// Whether a CONNECT is let in. One that nobody knows becomes a claim while the registry is open.
    pub(super) async fn login(&self, username: &str, password: &[u8], from: IpAddr) -> bool {
        let now = Instant::now();
        if username == HUB_USERNAME {
            return self.hub_password.expose_secret().as_bytes() == password;
        }
        if let Some(hash) = self.hash_of(username) {
            if self.limiter.wait(now, from).is_some() {
                return false;
            }
            let right = self.hasher.verify(password, &hash).await;
            if !right {
                self.limiter.failed(now, from);
            }
            return right;
        }
        if let Ok(password) = str::from_utf8(password)
            && super::registry::check(username, password).is_ok()
        {
            self.registry().claim(
                now,
                Claim {
                    username: username.to_owned(),
                    password: password.to_owned().into(),
                    csr: None,
                    from,
                    way: Way::Mqtt,
                },
            );
        }
        false
    }

    /// Whether a Client Identifier is the name of another user, or is derived from it: whoever connects with it would throw
    /// that user's own connection out.
    pub(super) fn is_of_another(&self, username: &str, client_id: &str) -> bool {
        let kept = self.kept();
        let is_taken =
            |name: &str| name != username && (name == HUB_USERNAME || kept.users.contains_key(name));
        client_id != username
            && (is_taken(client_id) || client_identifier::derived_from(client_id).is_some_and(is_taken))
    }

    pub(super) fn may_publish(&self, username: &str, topic: &str) -> bool {
        let Ok(topic) = TopicName::try_from(topic) else {
            return false;
        };
        username == HUB_USERNAME || self.any_permission(username, |permission| permission.lets_write(&topic))
    }

    pub(super) fn may_subscribe(&self, username: &str, filter: &str) -> bool {
        let Ok(filter) = TopicFilter::try_from(filter) else {
            return false;
        };
        username == HUB_USERNAME || self.any_permission(username, |permission| permission.lets_read(&filter))
    }

    fn any_permission(&self, username: &str, lets: impl Fn(&Permission) -> bool) -> bool {
        let kept = self.kept();
        let user = kept.users.get(username);
        user.is_some_and(|user| user.permissions.iter().any(lets))
    }

    fn hash_of(&self, username: &str) -> Option<String> {
        self.kept().users.get(username).map(|user| user.hash.clone())
    }

    // The administrator.

    /// Whether this is the administrator's password.
    pub(super) async fn is_admin(&self, password: &SecretString) -> bool {
        let Some(hash) = self.kept().admin.clone() else {
            return false;
        };
        self.hasher
            .verify(password.expose_secret().as_bytes(), &hash)
            .await
    }

    /// Makes a new password for the administrator, unless there is one and `anew` is false. It counts at once, and beyond a
    /// restart from [`Directory::keep_admin`] on.
    pub(super) async fn make_admin(&self, anew: bool) -> Result<Option<SecretString>, ChangeError> {
        if self.kept().admin.is_some() && !anew {
            return Ok(None);
        }
        let password = password::generate()?;
        let hash = self.hasher.hash(&password).await?;
        let _changing = self.changing.lock().await;
        self.kept.write().unwrap_or_else(PoisonError::into_inner).admin = Some(hash);
        Ok(Some(password))
    }

    /// Keeps the administrator's password, once it has been shown.
    pub(super) async fn keep_admin(&self) -> Result<(), ChangeError> {
        self.change(|_| Ok(())).await
    }

    /// A claim that waits.
    pub(super) fn pending(&self, id: PendingId) -> Result<Pending, ChangeError> {
        self.registry()
            .find(Instant::now(), id)
            .ok_or(ChangeError::NotPending)
    }

    /// Makes a claim's owner a user.
    pub(super) async fn grant(
        &self,
        pending: &Pending,
        permissions: Vec<Permission>,
    ) -> Result<(), ChangeError> {
        let hash = self.hasher.hash(&pending.claim.password).await?;
        let user = User {
            hash,
            permissions,
            created_at: unix_millis(),
        };
        let username = pending.claim.username.clone();
        self.change(|kept| {
            if kept.users.contains_key(&username) {
                return Err(ChangeError::Exists);
            }
            kept.users.insert(username, user);
            Ok(())
        })
        .await?;
        self.registry().granted(pending.id);
        Ok(())
    }

    /// Gives a user other permissions.
    pub(super) async fn permit(
        &self,
        username: &str,
        permissions: Vec<Permission>,
    ) -> Result<(), ChangeError> {
        self.change(|kept| {
            let user = kept.users.get_mut(username).ok_or(ChangeError::NoSuchUser)?;
            user.permissions = permissions;
            Ok(())
        })
        .await
    }

    /// Deletes a user.
    pub(super) async fn delete(&self, username: &str) -> Result<(), ChangeError> {
        self.change(|kept| {
            kept.users
                .remove(username)
                .map(drop)
                .ok_or(ChangeError::NoSuchUser)
        })
        .await
    }

    /// Keeps a change on disk, then in memory; neither where it fails.
    async fn change(
        &self,
        change: impl FnOnce(&mut Kept) -> Result<(), ChangeError>,
    ) -> Result<(), ChangeError> {
        let _changing = self.changing.lock().await;
        let mut kept = self.kept().clone();
        change(&mut kept)?;
        let store = self.store.clone();
        let kept = tokio::task::spawn_blocking(move || store.save(&kept).map(|()| kept))
            .await
            .map_err(|_| ChangeError::Stopping)??;
        *self.kept.write().unwrap_or_else(PoisonError::into_inner) = kept;
        Ok(())
    }
}

fn unix_millis() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn claim(password: &str) -> Claim {
        Claim {
            username: "line-1".into(),
            password: password.to_owned().into(),
            csr: None,
            from: HERE,
            way: Way::Rest,
        }
    }

    fn opened(folder: &std::path::Path) -> Directory {
        Directory::open(Store::open(folder).unwrap()).unwrap()
    }

    fn only_pending(directory: &Directory) -> Pending {
        let pending = directory.registry().pending(Instant::now()).to_vec();
        assert_eq!(pending.len(), 1, "{pending:?}");
        pending[0].clone()
    }

    #[tokio::test]
    async fn a_claim_becomes_a_user_that_a_restart_keeps() {
        let folder = tempfile::tempdir().unwrap();
        let first = opened(folder.path());
        assert_eq!(
            first.register(claim("secret")).await,
            Registered::Claimed(Verdict::Locked)
        );
        first.registry().unlock(Instant::now());
        assert_eq!(
            first.register(claim("secret")).await,
            Registered::Claimed(Verdict::Pending)
        );
        let permissions = vec!["readwrite services/#".parse().unwrap()];
        let pending = only_pending(&first);
        first.grant(&pending, permissions).await.unwrap();
        assert!(matches!(
            first.grant(&pending, Vec::new()).await,
            Err(ChangeError::Exists)
        ));

        let mut current = Some(first);
        for _ in 0..2 {
            let directory = current.take().unwrap_or_else(|| opened(folder.path()));
            assert_eq!(directory.register(claim("secret")).await, Registered::Granted);
            assert_eq!(directory.register(claim("rival")).await, Registered::Conflict);
            assert!(directory.login("line-1", b"secret", HERE).await);
            assert!(!directory.login("line-1", b"rival", HERE).await);
            assert!(directory.may_publish("line-1", "services/a/treq"));
            assert!(!directory.may_publish("line-1", "other"));
            assert!(directory.may_subscribe("line-1", "services/+/tres"));
            assert!(!directory.may_subscribe("line-1", "#"));
            assert!(!directory.may_publish("line-2", "services/a/treq"));
        }
        let text = std::fs::read_to_string(folder.path().join("hub.json")).unwrap();
        assert!(!text.contains("secret"), "{text}");
    }

    #[tokio::test]
    async fn a_refused_connect_is_a_claim_while_the_registry_is_open() {
        let folder = tempfile::tempdir().unwrap();
        let directory = opened(folder.path());
        assert!(!directory.login("line-1", b"secret", HERE).await);
        assert!(directory.registry().pending(Instant::now()).is_empty());
        directory.registry().unlock(Instant::now());
        for name in ["line-1", "a/b", "ab"] {
            assert!(!directory.login(name, b"secret", HERE).await);
        }
        assert!(!directory.login("line-2", b"\xff\xff\xff\xff\xff", HERE).await);
        let pending = only_pending(&directory);
        assert_eq!(pending.claim.way, Way::Mqtt);
        directory.grant(&pending, Vec::new()).await.unwrap();
        assert!(directory.login("line-1", b"secret", HERE).await);
        assert!(
            !directory.may_publish("line-1", "a"),
            "no permission unless granted"
        );
    }

    #[tokio::test]
    async fn a_deleted_user_is_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let directory = opened(folder.path());
        directory.registry().unlock(Instant::now());
        directory.register(claim("secret")).await;
        directory
            .grant(&only_pending(&directory), Vec::new())
            .await
            .unwrap();
        directory
            .permit("line-1", vec!["write a".parse().unwrap()])
            .await
            .unwrap();
        assert!(directory.may_publish("line-1", "a"));
        directory.delete("line-1").await.unwrap();
        assert!(!directory.may_publish("line-1", "a"));
        assert!(!directory.login("line-1", b"secret", HERE).await);
        assert!(matches!(
            directory.delete("line-1").await,
            Err(ChangeError::NoSuchUser)
        ));
        assert!(matches!(
            directory.permit("line-1", Vec::new()).await,
            Err(ChangeError::NoSuchUser)
        ));
    }

    #[tokio::test]
    async fn a_client_identifier_belongs_to_the_user_whose_name_it_has_or_is_derived_from() {
        let folder = tempfile::tempdir().unwrap();
        let directory = opened(folder.path());
        for name in ["line-1", "line-2", "line-2-trial"] {
            directory.registry().unlock(Instant::now());
            let claim = Claim {
                username: name.into(),
                ..claim("secret")
            };
            directory.register(claim).await;
            directory
                .grant(&only_pending(&directory), Vec::new())
                .await
                .unwrap();
        }
        for own in [
            "line-1",
            "line-1-command-7",
            "line-1-trial",
            "auto-5",
            "line-3",
            "line-3-trial",
        ] {
            assert!(!directory.is_of_another("line-1", own), "{own}");
        }
        for other in [
            "line-2",
            "line-2-command-7",
            "line-2-trial",
            "line-2-trial-trial",
            "__hub",
        ] {
            assert!(directory.is_of_another("line-1", other), "{other}");
        }
        assert!(!directory.is_of_another("line-2-trial", "line-2-trial"));
        assert!(
            directory.is_of_another("line-2", "line-2-trial"),
            "a user of that name exists"
        );
    }

    #[tokio::test]
    async fn the_administrators_password_is_made_once() {
        let folder = tempfile::tempdir().unwrap();
        let directory = opened(folder.path());
        let unseen = directory.make_admin(false).await.unwrap().unwrap();
        assert!(directory.is_admin(&unseen).await);
        drop(directory);
        let directory = opened(folder.path());
        assert!(!directory.is_admin(&unseen).await, "nobody was shown it");
        let first = directory.make_admin(false).await.unwrap().unwrap();
        directory.keep_admin().await.unwrap();
        drop(directory);
        let directory = opened(folder.path());
        assert!(directory.is_admin(&first).await);
        assert!(directory.make_admin(false).await.unwrap().is_none());
        let second = directory.make_admin(true).await.unwrap().unwrap();
        assert!(directory.is_admin(&second).await);
        assert!(!directory.is_admin(&first).await);
    }

    #[tokio::test]
    async fn guessing_is_stopped_and_a_change_that_cannot_be_kept_is_not_made() {
        let folder = tempfile::tempdir().unwrap();
        let directory = opened(folder.path());
        directory.registry().unlock(Instant::now());
        directory.register(claim("secret")).await;
        directory
            .grant(&only_pending(&directory), Vec::new())
            .await
            .unwrap();
        let mut answers = Vec::new();
        for number in 0..20 {
            answers.push(directory.register(claim(&format!("guess-{number}"))).await);
        }
        assert!(matches!(answers[0], Registered::Conflict));
        assert!(matches!(answers[19], Registered::TooMany(_)));
        assert!(
            !directory.login("line-1", b"secret", HERE).await,
            "the right password from a guesser's address waits too"
        );

        std::fs::remove_dir_all(folder.path()).unwrap();
        assert!(directory.delete("line-1").await.is_err());
        assert!(directory.kept().users.contains_key("line-1"));
    }
}
