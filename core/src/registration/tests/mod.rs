//! A registration on a bench: the test is its registry, its broker and its clock.

mod life;
mod matrix;
mod pace;

use alloc::vec::Vec;

use super::*;

const T0: Instant = Instant::from_micros(1_000_000_000);
/// 2026-11-22 02:00:00.
const WALL: UnixMillis = UnixMillis(1_795_312_800_000);
const REFUSAL: ReasonCode = ReasonCode::NOT_AUTHORIZED;

struct Bench {
    registration: Registration,
    now: Instant,
    /// The request that is answered, where that is not the last one.
    answering: Option<RequestId>,
}

impl Bench {
    fn new(config: Config) -> Self {
        Self {
            registration: Registration::new(config, [7; SEED_LEN]).unwrap(),
            now: T0,
            answering: None,
        }
    }

    /// A registration that begins with credentials of an earlier run.
    fn stored(mode: Mode) -> Self {
        Self::new(config(mode, Login::Stored(credentials())))
    }

    /// One that nobody knows yet.
    fn fresh(mode: Mode) -> Self {
        let username = "line-1".into();
        Self::new(config(mode, Login::New { username }))
    }

    /// One whose request is at the registry.
    fn asking(mode: Mode) -> Self {
        let mut bench = Self::stored(mode);
        bench.enter(State::AwaitResponse);
        bench
    }

    /// Goes to a state by the inputs that lead there, and forgets the outputs on the way.
    fn enter(&mut self, state: State) {
        let now = self.now;
        if state == State::Idle {
            return;
        }
        self.registration.start(now);
        match state {
            State::Idle | State::AwaitStored | State::AwaitConnack => {}
            State::Online => self.registration.handle_connected(now),
            State::AwaitResponse => self.registration.handle_refused(now, REFUSAL),
            State::AwaitRetry => {
                self.registration.handle_refused(now, REFUSAL);
                self.answer(202, "");
            }
            State::Denied => {
                self.registration.handle_refused(now, REFUSAL);
                self.answer(422, "");
            }
        }
        self.take();
        assert_eq!(self.registration.state(), state);
    }

    fn answer(&mut self, status: u16, body: &str) {
        self.answer_with(status, None, body);
    }

    fn answer_with(&mut self, status: u16, retry_after: Option<&str>, body: &str) {
        let answer = Answer::Response {
            status,
            retry_after,
            body: body.as_bytes(),
        };
        let id = self.answering.unwrap_or(self.registration.last_request);
        self.registration.handle_answer(self.now, WALL, id, &answer);
    }

    fn fail(&mut self, failure: Failure) {
        let id = self.answering.unwrap_or(self.registration.last_request);
        self.registration
            .handle_answer(self.now, WALL, id, &Answer::Failed(failure));
    }

    /// Goes to the next deadline and lets it pass; returns how long that took.
    fn pass(&mut self) -> Duration {
        let at = self.registration.poll_timeout().expect("a deadline");
        let waited = at.since(self.now);
        // A moment before, nothing is due.
        let before = Instant::from_micros(at.as_micros() - 1);
        let (state, deadline) = (self.registration.state(), self.registration.poll_timeout());
        self.registration.handle_timeout(before);
        assert_eq!(
            (self.registration.state(), self.registration.poll_timeout()),
            (state, deadline)
        );
        self.now = at;
        self.registration.handle_timeout(at);
        waited
    }

    fn take(&mut self) -> Vec<Output> {
        core::iter::from_fn(|| self.registration.poll()).collect()
    }

    /// The outputs, of which there must be this many, as an array.
    fn outputs<const N: usize>(&mut self) -> [Output; N] {
        let outputs = self.take();
        outputs
            .try_into()
            .unwrap_or_else(|outputs| panic!("expected {N} outputs, found {outputs:?}"))
    }
}

fn config(mode: Mode, login: Login) -> Config {
    Config {
        mode,
        login,
        csr: None,
    }
}

fn credentials() -> Credentials {
    Credentials::new("line-1", "kept-from-before").unwrap()
}
