//! Where the registration meets the session: credentials one way, the broker's word on them the other.

use bytes::Bytes;

use super::{Agent, Output};
use crate::registration::{self, Answer, Credentials, Registration, RequestId};
use crate::session::{DisconnectReason, Disconnected};
use crate::time::{Instant, UnixMillis};

impl Agent {
    /// Has this agent register where it is not known, from its next [`connect`](Self::connect) on. The session's credentials
    /// are replaced by the registration's, and its policy for refusals by
    /// [`OnRefusal::AwaitCredentials`](crate::session::OnRefusal::AwaitCredentials).
    ///
    /// A new password comes from the seed of this agent, which therefore has to come from the operating system's entropy.
    ///
    /// # Errors
    /// [`registration::ConfigError`]; nothing has changed.
    pub fn register_with(&mut self, config: registration::Config) -> Result<(), registration::ConfigError> {
        self.registration = Some(Registration::new(config, self.rng.derive_seed())?);
        self.session.await_credentials();
        Ok(())
    }

    /// The credentials of [`Output::StoreCredentials`] are stored, or cannot be.
    pub fn handle_credentials_stored(&mut self, now: Instant) {
        if let Some(registration) = &mut self.registration {
            registration.handle_stored(now);
        }
    }

    /// What came of a request of [`Output::AskRegistry`]. `wall` reads a `Retry-After` that is a date.
    pub fn handle_registry_answer(
        &mut self,
        now: Instant,
        wall: UnixMillis,
        id: RequestId,
        answer: &Answer<'_>,
    ) {
        if let Some(registration) = &mut self.registration {
            registration.handle_answer(now, wall, id, answer);
        }
    }

    /// The next output of the registration that is not this composite's own.
    pub(super) fn poll_registration(&mut self, now: Instant) -> Option<Output> {
        loop {
            return Some(match self.registration.as_mut()?.poll()? {
                registration::Output::Connect(credentials) => {
                    self.connect_with(now, credentials.as_ref());
                    continue;
                }
                registration::Output::StoreCredentials(credentials) => Output::StoreCredentials(credentials),
                registration::Output::Ask(request) => Output::AskRegistry(request),
                registration::Output::Delayed(delay) => Output::RegistrationDelayed(delay),
                registration::Output::Granted(grant) => Output::Granted(grant),
                registration::Output::Denied(denial) => Output::Denied(denial),
            });
        }
    }

    fn connect_with(&mut self, now: Instant, credentials: Option<&Credentials>) {
        let username = credentials.map(|credentials| credentials.username().into());
        let password =
            credentials.map(|credentials| Bytes::copy_from_slice(credentials.password().as_bytes()));
        // Credentials fit a CONNECT by construction.
        let _ = self.session.set_credentials(username, password);
        self.session.connect(now);
    }

    /// Has the registration take over where the credentials are refused; tells where nothing will be tried again.
    pub(super) fn registration_disconnected(&mut self, now: Instant, disconnected: &Disconnected) {
        let reason = disconnected.reason;
        let is_wanted = reason == DisconnectReason::Requested || self.is_held_off();
        let stopped = disconnected.retry_at.is_none() && !is_wanted;
        if let Some(registration) = &mut self.registration {
            match reason {
                DisconnectReason::Refused(code) | DisconnectReason::ByServer(code)
                    if stopped && Registration::is_about_credentials(code) =>
                {
                    registration.handle_refused(now, code);
                    return;
                }
                _ => registration.handle_link_lost(),
            }
        }
        if stopped {
            self.outputs.push_back(Output::GaveUp(reason));
        }
    }
}
