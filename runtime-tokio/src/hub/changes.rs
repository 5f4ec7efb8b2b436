//! What an administrator does, by page or by program: the broker follows first, then it is kept and logged.

use std::net::IpAddr;

use tokio::time::Instant;

use super::Hub;
use super::broker::Decision;
use super::directory::ChangeError;
use super::permission::Permission;
use super::registry::{Pending, PendingId};

impl Hub {
    pub(super) fn unlock(&self, from: IpAddr) {
        self.directory.registry().unlock(Instant::now());
        tracing::info!(%from, "the client registry is unlocked");
    }

    pub(super) fn lock(&self, from: IpAddr) {
        self.directory.registry().lock();
        tracing::info!(%from, "the client registry is locked");
    }

    /// Lets somebody in.
    pub(super) async fn grant(
        &self,
        from: IpAddr,
        pending: &Pending,
        permissions: Vec<Permission>,
    ) -> Result<(), ChangeError> {
        let (username, pairing_id) = (&pending.claim.username, pending.pairing_id);
        // Before the broker, which would give the one that exists another password.
        if self.directory.kept().users.contains_key(username) {
            return Err(ChangeError::Exists);
        }
        let decision = Decision::Admit {
            username,
            password: &pending.claim.password,
            permissions: &permissions,
        };
        self.broker.follow(decision).await?;
        self.directory.grant(pending, permissions).await?;
        tracing::info!(%from, user = username, %pairing_id, "a registration is granted");
        Ok(())
    }

    /// Turns somebody away until the registry is unlocked again.
    pub(super) fn deny(&self, from: IpAddr, id: PendingId) -> Result<(), ChangeError> {
        let denied = self.directory.registry().deny(Instant::now(), id);
        let pending = denied.ok_or(ChangeError::NotPending)?;
        let (user, pairing_id) = (&pending.claim.username, pending.pairing_id);
        tracing::info!(%from, user, %pairing_id, "a registration is denied");
        Ok(())
    }

    /// Gives a user other permissions.
    pub(super) async fn permit(
        &self,
        from: IpAddr,
        username: &str,
        permissions: Vec<Permission>,
    ) -> Result<(), ChangeError> {
        self.must_know(username)?;
        let decision = Decision::Permit {
            username,
            permissions: &permissions,
        };
        self.broker.follow(decision).await?;
        self.directory.permit(username, permissions).await?;
        tracing::info!(%from, user = username, "a user has other permissions");
        // Its subscriptions are judged anew.
        self.broker.throw_out(username).await;
        Ok(())
    }

    pub(super) async fn delete(&self, from: IpAddr, username: &str) -> Result<(), ChangeError> {
        self.must_know(username)?;
        self.broker.follow(Decision::Expel { username }).await?;
        self.directory.delete(username).await?;
        tracing::info!(%from, user = username, "a user is deleted");
        self.broker.throw_out(username).await;
        Ok(())
    }

    /// Users that the hub has not let in are none of its business.
    fn must_know(&self, username: &str) -> Result<(), ChangeError> {
        match self.directory.kept().users.contains_key(username) {
            true => Ok(()),
            false => Err(ChangeError::NoSuchUser),
        }
    }
}
