//! Where the version check meets the session: an agent whose version does not go with its central's stays offline.

use super::{Agent, Output};
use crate::registration::version::{self, Likeness, VersionCheck};
use crate::registration::{Answer, RequestId};
use crate::session::{Disconnect, Unfinished, When};
use crate::time::{Duration, Instant};

/// Time for what is submitted last to be acknowledged before the connection ends.
const FAREWELL_TIME: Duration = Duration::from_secs(2);

/// The check, and how the agent stands to it.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) check: VersionCheck,
    /// The caller has been told of a mismatch, and the next poll ends the connection.
    ends_link: bool,
    /// Whether the agent is offline because of a mismatch.
    pub(super) holds_off: bool,
}

impl Watched {
    pub(super) fn stop(&mut self) {
        self.check.stop();
        self.ends_link = false;
        self.holds_off = false;
    }
}

impl Agent {
    /// Has this agent, whose version is `own`, ask its central for its version with each connection, and stay offline while
    /// the two do not go together.
    pub fn check_version(&mut self, own: &str, likeness: Likeness) {
        self.version = Some(Watched {
            check: VersionCheck::new(own, likeness, self.rng.derive_seed()),
            ends_link: false,
            holds_off: false,
        });
    }

    /// What came of a request of [`Output::AskVersion`].
    pub fn handle_version_answer(&mut self, now: Instant, id: RequestId, answer: &Answer<'_>) {
        if let Some(version) = &mut self.version {
            version.check.handle_answer(now, id, answer);
        }
    }

    /// Whether the agent stays offline because its version does not go with its central's.
    pub(super) fn is_held_off(&self) -> bool {
        self.version.as_ref().is_some_and(|version| version.holds_off)
    }

    /// The next output of the check that is not this composite's own.
    pub(super) fn poll_version(&mut self, now: Instant) -> Option<Output> {
        let version = self.version.as_mut()?;
        if core::mem::take(&mut version.ends_link) {
            version.holds_off = true;
            self.end_link(now);
        }
        let version = self.version.as_mut()?;
        Some(match version.check.poll()? {
            version::Output::Ask(request) => Output::AskVersion(request),
            version::Output::Differs(mismatch, retry_at) => {
                version.ends_link = !version.holds_off;
                Output::VersionDiffers(mismatch, retry_at)
            }
            version::Output::Agrees(central) => {
                if core::mem::take(&mut version.holds_off) {
                    self.begin(now);
                }
                Output::VersionAgrees(central)
            }
        })
    }

    fn end_link(&mut self, now: Instant) {
        let disconnect = Disconnect {
            when: When::Settled(FAREWELL_TIME),
            unfinished: Unfinished::Keep,
            ..Disconnect::default()
        };
        // It has nothing in it that cannot be sent.
        let _ = self.session.disconnect(now, disconnect);
        self.requester.cancel_all();
        if let Some(registration) = &mut self.registration {
            registration.stop(now);
        }
    }
}
