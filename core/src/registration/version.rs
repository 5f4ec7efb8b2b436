//! Whether agent and central are of versions that go together: the central tells its own, where it tells any.
//!
//! A [`VersionCheck`] asks with every connection that the broker accepts, so that nothing waits for a central that has none
//! to tell. When the two differ the agent belongs offline; the central is asked again every 60 s ± 20 % until they do not,
//! or until it answers without a version. What it does not answer at all changes nothing.
//!
//! ```text
//!          connected                 other version
//! Idle ──────────────▶ AwaitAnswer ───────────────▶ Differs ──┐ time is up: ask,
//!   ▲                       │                          │ ▲     │ and stay
//!   └───────────────────────┘◀─────────────────────────┘ └─────┘
//!     goes together, none told,     goes together, none told
//!     no answer
//! ```

use alloc::borrow::ToOwned as _;
use alloc::collections::VecDeque;
use alloc::string::String;
use core::fmt;

use bytes::Bytes;
use serde::Deserialize;

use super::SLOW_POLL_INTERVAL;
use super::registry::{Answer, Request, RequestId};
use crate::limits::{MAX_REGISTRY_ANSWER, MAX_VERSION_TEXT, REGISTRY_TIMEOUT};
use crate::rng::{Rng, SEED_LEN};
use crate::time::{Duration, Instant};

/// Path below the base URL of the client registry under which a central tells its version.
pub const SYSTEM_INFO_PATH: &str = "/api/system/info";

/// How alike the versions of agent and central have to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Likeness {
    /// The same text.
    Exact,
    /// The same major and minor number. A version that does not begin with two numbers is none.
    #[default]
    Compatible,
}

/// Two versions that do not go together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// The agent's version.
    pub own: String,
    /// The central's version.
    pub central: String,
    /// How alike they would have to be.
    pub likeness: Likeness,
}

/// One item from [`VersionCheck::poll`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Make this request, then call [`handle_answer`](VersionCheck::handle_answer).
    Ask(Request),
    /// The agent belongs offline; the central is asked again at this time.
    Differs(Mismatch, Instant),
    /// The agent may be online: the versions go together, or the central tells none any more.
    Agrees(Option<String>),
}

/// Watches over the versions of one agent and its central. See the [module's documentation](self).
#[derive(Debug)]
pub struct VersionCheck {
    own: String,
    likeness: Likeness,
    rng: Rng,
    /// Whether the central's last word was a version that does not go with this one.
    differs: bool,
    is_asked: bool,
    /// When the answer is overdue, or when to ask again.
    deadline: Option<Instant>,
    last_request: RequestId,
    outputs: VecDeque<Output>,
}

impl VersionCheck {
    /// A check of an agent whose version is `own`.
    #[must_use]
    pub fn new(own: impl Into<String>, likeness: Likeness, seed: [u8; SEED_LEN]) -> Self {
        Self {
            own: own.into(),
            likeness,
            rng: Rng::from_seed(seed),
            differs: false,
            is_asked: false,
            deadline: None,
            last_request: RequestId(0),
            outputs: VecDeque::new(),
        }
    }

    /// The broker has accepted the agent.
    pub fn handle_connected(&mut self, now: Instant) {
        if !self.is_asked {
            self.ask(now);
        }
    }

    /// What came of the request with this id; that of an earlier one is ignored.
    pub fn handle_answer(&mut self, now: Instant, id: RequestId, answer: &Answer<'_>) {
        if !self.is_asked || id != self.last_request {
            return;
        }
        match *answer {
            Answer::Failed(_) => self.unanswered(now),
            Answer::Response { status, body, .. } => self.answered(now, version_told(status, body)),
        }
    }

    /// Ends all efforts, and forgets what the central has said.
    pub fn stop(&mut self) {
        self.differs = false;
        self.is_asked = false;
        self.deadline = None;
        self.outputs.clear();
    }

    /// When [`handle_timeout`](Self::handle_timeout) next has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadline
    }

    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.deadline.is_none_or(|deadline| deadline > now) {
            return;
        }
        match self.is_asked {
            true => self.unanswered(now),
            false => self.ask(now),
        }
    }

    /// The next thing to do or to know; `None` when there is nothing until the next input.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn ask(&mut self, now: Instant) {
        self.is_asked = true;
        self.last_request = RequestId(self.last_request.0 + 1);
        self.deadline = Some(now.after(REGISTRY_TIMEOUT));
        self.outputs.push_back(Output::Ask(Request {
            id: self.last_request,
            ..question()
        }));
    }

    /// Nothing is known anew.
    fn unanswered(&mut self, now: Instant) {
        self.is_asked = false;
        self.deadline = self.differs.then(|| self.later(now));
    }

    fn answered(&mut self, now: Instant, told: Option<String>) {
        self.is_asked = false;
        self.deadline = None;
        let told = told.filter(|central| self.likeness.is_version(central));
        let mismatch = told
            .as_ref()
            .and_then(|central| self.likeness.mismatch(&self.own, central));
        self.differs = mismatch.is_some();
        let output = match mismatch {
            Some(mismatch) => {
                let again = self.later(now);
                self.deadline = Some(again);
                Output::Differs(mismatch, again)
            }
            None => Output::Agrees(told),
        };
        self.outputs.push_back(output);
    }

    fn later(&mut self, now: Instant) -> Instant {
        let wait: Duration = SLOW_POLL_INTERVAL * 4 / 5 + self.rng.jitter(SLOW_POLL_INTERVAL * 2 / 5);
        now.after(wait)
    }
}

impl Likeness {
    /// The mismatch of an agent of version `own` with a central that has told `central`, where there is one.
    #[must_use]
    pub fn mismatch(self, own: &str, central: &str) -> Option<Mismatch> {
        let differs = self.is_version(central) && !self.holds(own, central);
        differs.then(|| Mismatch {
            own: own.to_owned(),
            central: central.to_owned(),
            likeness: self,
        })
    }

    /// Whether an agent of version `own` goes with a central of version `central`.
    fn holds(self, own: &str, central: &str) -> bool {
        match self {
            Self::Exact => own == central,
            Self::Compatible => series(own).is_some() && series(own) == series(central),
        }
    }

    /// Whether `text` is a version that can be compared.
    #[must_use]
    pub fn is_version(self, text: &str) -> bool {
        match self {
            Self::Exact => true,
            Self::Compatible => series(text).is_some(),
        }
    }
}

/// Major and minor number.
fn series(version: &str) -> Option<(u64, u64)> {
    let release = version.split(['-', '+']).next()?;
    let mut numbers = release.strip_prefix('v').unwrap_or(release).split('.');
    let major = numbers.next()?.parse().ok()?;
    let minor = numbers.next()?.parse().ok()?;
    Some((major, minor))
}

/// The request for a central's version, for who asks without a [`VersionCheck`].
#[must_use]
pub fn question() -> Request {
    Request {
        id: RequestId(0),
        method: "GET",
        path: SYSTEM_INFO_PATH,
        body: Bytes::new(),
    }
}

/// The version in an answer under [`SYSTEM_INFO_PATH`]; `None` where it tells none.
#[must_use]
pub fn version_told(status: u16, body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Info {
        version: String,
    }
    if status != 200 || body.len() > MAX_REGISTRY_ANSWER {
        return None;
    }
    let info: Info = serde_json::from_slice(body).ok()?;
    let version = info.version.trim();
    let is_printable = version.chars().all(|character| character.is_ascii_graphic());
    (!version.is_empty() && version.len() <= MAX_VERSION_TEXT && is_printable).then(|| version.to_owned())
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            own,
            central,
            likeness,
        } = self;
        let (rule, other) = match likeness {
            Likeness::Exact => ("have to be the same", "compatible or off"),
            Likeness::Compatible => ("have to have the same major and minor number", "off"),
        };
        write!(
            f,
            "the central has version {central} and this agent {own}, which {rule}: install the one that goes with the other, \
             or set SYNCLINE_VERSION_CHECK to {other}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registration::Failure;
    use alloc::format;
    use alloc::string::ToString as _;

    const NOW: Instant = Instant::from_micros(1_000_000);

    fn check(likeness: Likeness) -> VersionCheck {
        VersionCheck::new("1.4.2", likeness, [5; SEED_LEN])
    }

    fn asked(check: &mut VersionCheck) -> RequestId {
        let Some(Output::Ask(request)) = check.poll() else {
            panic!("the central is not asked");
        };
        assert_eq!((request.method, request.path), ("GET", SYSTEM_INFO_PATH));
        assert!(request.body.is_empty());
        request.id
    }

    fn told(check: &mut VersionCheck, now: Instant, id: RequestId, body: &str) -> Option<Output> {
        let answer = Answer::Response {
            status: 200,
            retry_after: None,
            body: body.as_bytes(),
        };
        check.handle_answer(now, id, &answer);
        check.poll()
    }

    fn version(text: &str) -> String {
        format!("{{\"name\":\"central\",\"version\":\"{text}\"}}")
    }

    #[test]
    fn versions_go_together_by_the_rule_that_is_set() {
        for (own, central, exact, compatible) in [
            ("1.4.2", "1.4.2", true, true),
            ("1.4.2", "1.4.9", false, true),
            ("1.4.2", "v1.4.0-rc.1+build", false, true),
            ("1.4.2", "1.4", false, true),
            ("1.4.2", "1.5.0", false, false),
            ("1.4.2", "2.4.2", false, false),
            ("1.4.2", "14.2", false, false),
            ("dev", "dev", true, false),
        ] {
            assert_eq!(Likeness::Exact.holds(own, central), exact, "{own} {central}");
            assert_eq!(
                Likeness::Compatible.holds(own, central),
                compatible,
                "{own} {central}"
            );
        }
    }

    #[test]
    fn every_connection_asks_and_what_goes_together_sets_no_deadline() {
        let mut check = check(Likeness::Compatible);
        for _ in 0..2 {
            check.handle_connected(NOW);
            check.handle_connected(NOW);
            let id = asked(&mut check);
            assert_eq!(check.poll(), None, "one question at a time");
            let agrees = told(&mut check, NOW, id, &version("1.4.7"));
            assert_eq!(agrees, Some(Output::Agrees(Some("1.4.7".into()))));
            assert_eq!(check.poll_timeout(), None);
        }
    }

    #[test]
    fn a_mismatch_is_told_with_both_numbers_and_asked_about_until_it_is_mended() {
        let mut check = check(Likeness::Compatible);
        check.handle_connected(NOW);
        let mut id = asked(&mut check);
        let mut now = NOW;
        for _ in 0..3 {
            let Some(Output::Differs(mismatch, again)) = told(&mut check, now, id, &version("1.5.0")) else {
                panic!("a mismatch is not told");
            };
            let text = mismatch.to_string();
            assert!(text.contains("1.5.0") && text.contains("1.4.2"), "{text}");
            let wait = again.since(now).as_secs();
            assert!((48..=72).contains(&wait), "{wait} s");
            assert_eq!(check.poll_timeout(), Some(again));
            now = again;
            check.handle_timeout(now);
            id = asked(&mut check);
        }
        // No answer, or too late a one, is none.
        check.handle_answer(now, id, &Answer::Failed(Failure::Unreachable));
        assert_eq!(check.poll(), None);
        now = check.poll_timeout().unwrap();
        check.handle_timeout(now);
        let late = asked(&mut check);
        now = check.poll_timeout().unwrap();
        check.handle_timeout(now);
        assert_eq!(told(&mut check, now, late, &version("1.4.0")), None);
        now = check.poll_timeout().unwrap();
        check.handle_timeout(now);
        let id = asked(&mut check);
        let agrees = told(&mut check, now, id, &version("1.4.0"));
        assert_eq!(agrees, Some(Output::Agrees(Some("1.4.0".into()))));
        assert_eq!(check.poll_timeout(), None);
    }

    #[test]
    fn a_central_that_tells_no_version_is_no_obstacle() {
        let long = version(&"1.5.".repeat(MAX_VERSION_TEXT));
        let bodies = [
            "",
            "garbage",
            "{}",
            r#"{"version":7}"#,
            r#"{"version":" "}"#,
            r#"{"version":"1.5\u001b[31m"}"#,
            r#"{"version":"latest"}"#,
            r#"{"version":"0"}"#,
            r#"{"version":"99999999999999999999.1.1"}"#,
            r#"{"version":"<script>"}"#,
            &long,
        ];
        for body in bodies {
            let mut check = check(Likeness::Compatible);
            check.handle_connected(NOW);
            let id = asked(&mut check);
            assert_eq!(
                told(&mut check, NOW, id, body),
                Some(Output::Agrees(None)),
                "{body}"
            );
        }
        assert_eq!(version_told(404, version("1.5.0").as_bytes()), None);
        let mut silent = check(Likeness::Exact);
        silent.handle_connected(NOW);
        let id = asked(&mut silent);
        silent.handle_answer(NOW, id, &Answer::Failed(Failure::Untrusted));
        assert_eq!((silent.poll(), silent.poll_timeout()), (None, None));
    }

    #[test]
    fn stopping_forgets_the_mismatch_and_the_question() {
        let mut check = check(Likeness::Exact);
        check.handle_connected(NOW);
        let id = asked(&mut check);
        told(&mut check, NOW, id, &version("1.4.3"));
        check.stop();
        assert_eq!((check.poll(), check.poll_timeout()), (None, None));
        check.handle_connected(NOW);
        let id = asked(&mut check);
        check.stop();
        assert_eq!(told(&mut check, NOW, id, &version("1.4.3")), None);
    }
}
