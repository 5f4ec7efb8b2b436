//! Each thing that can come from the registry, in each state: one expected outcome for every cell.

use super::*;

/// What comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    Status(u16),
    /// A status that is fine with a body that is not.
    Overlong,
    Failure(Failure),
    /// The time of the request is up.
    Timeout,
}

/// What it leads to while a request is out.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    Connect,
    Wait(Obstacle),
    Deny,
    /// [`Mode::Auto`] goes on over MQTT, [`Mode::Rest`] waits.
    Without(Obstacle),
}

fn matrix() -> Vec<(Event, Outcome)> {
    use Event::{Failure as Fails, Overlong, Status, Timeout};
    use Outcome::{Connect, Deny, Wait, Without};
    let unavailable = |status| {
        let reason = None;
        Wait(Obstacle::Unavailable { status, reason })
    };
    let rejected = |status| {
        let reason = None;
        Wait(Obstacle::Rejected { status, reason })
    };
    let foreign = |status| Without(Obstacle::NotARegistry { status });
    alloc::vec![
        (Status(423), Wait(Obstacle::Locked)),
        (Status(202), Wait(Obstacle::Pending)),
        (Status(201), Connect),
        (Status(409), Wait(Obstacle::Conflict)),
        (Status(401), rejected(401)),
        (Status(403), rejected(403)),
        (Status(400), Deny),
        (Status(422), Deny),
        (Status(408), unavailable(408)),
        (Status(429), unavailable(429)),
        (Status(500), unavailable(500)),
        (Status(503), unavailable(503)),
        (Timeout, Without(Obstacle::NoAnswer(Failure::TimedOut))),
        (
            Fails(Failure::TimedOut),
            Without(Obstacle::NoAnswer(Failure::TimedOut))
        ),
        (
            Fails(Failure::Unreachable),
            Without(Obstacle::NoAnswer(Failure::Unreachable))
        ),
        (
            Fails(Failure::Untrusted),
            Without(Obstacle::NoAnswer(Failure::Untrusted))
        ),
        (
            Fails(Failure::NotHttp),
            Without(Obstacle::NoAnswer(Failure::NotHttp))
        ),
        (Status(301), foreign(301)),
        (Status(307), foreign(307)),
        (Status(404), foreign(404)),
        (Status(200), foreign(200)),
        (Status(0), foreign(0)),
        (Status(999), foreign(999)),
        (Overlong, foreign(202)),
    ]
}

fn happen(bench: &mut Bench, event: Event) {
    match event {
        Event::Status(status) => bench.answer(status, "\u{1}not JSON"),
        Event::Overlong => {
            let body = "x".repeat(crate::limits::MAX_REGISTRY_ANSWER + 1);
            bench.answer(202, &body);
        }
        Event::Failure(failure) => bench.fail(failure),
        Event::Timeout => {
            let at = bench.registration.poll_timeout();
            bench.now = at
                .filter(|_| bench.registration.state() == State::AwaitResponse)
                .unwrap_or(bench.now);
            bench.registration.handle_timeout(bench.now);
        }
    }
}

#[test]
fn every_answer_to_a_request_has_its_outcome() {
    for mode in [Mode::Auto, Mode::Rest] {
        for (event, outcome) in matrix() {
            let mut bench = Bench::asking(mode);
            happen(&mut bench, event);
            let state = bench.registration.state();
            match (&outcome, mode) {
                (Outcome::Connect, _) => {
                    let expected = [
                        Output::Granted(Grant { certificate: None }),
                        Output::Connect(Some(credentials())),
                    ];
                    assert_eq!(bench.outputs(), expected, "{event:?}");
                    assert_eq!(state, State::AwaitConnack, "{event:?}");
                    assert_eq!(bench.registration.poll_timeout(), None, "{event:?}");
                }
                (Outcome::Deny, _) => {
                    let [Output::Denied(_)] = bench.outputs() else {
                        panic!("{event:?} does not deny");
                    };
                    assert_eq!(state, State::Denied, "{event:?}");
                    assert_eq!(bench.registration.poll_timeout(), None, "{event:?}");
                }
                (Outcome::Without(obstacle), Mode::Auto) => {
                    let delay = Delay {
                        obstacle: obstacle.clone(),
                        pairing_id: Some(credentials().pairing_id()),
                        retry_at: None,
                    };
                    let expected = [Output::Delayed(delay), Output::Connect(Some(credentials()))];
                    assert_eq!(bench.outputs(), expected, "{event:?}");
                    assert_eq!(state, State::AwaitConnack, "{event:?}");
                }
                (Outcome::Without(obstacle) | Outcome::Wait(obstacle), _) => {
                    let [Output::Delayed(delay)] = bench.outputs() else {
                        panic!("{event:?} does not delay");
                    };
                    assert_eq!(delay.obstacle, *obstacle, "{event:?}");
                    assert_eq!(delay.pairing_id, Some(credentials().pairing_id()), "{event:?}");
                    assert_eq!(delay.retry_at, bench.registration.poll_timeout(), "{event:?}");
                    assert_eq!(state, State::AwaitRetry, "{event:?}");
                    // And the wait ends with the same request.
                    bench.pass();
                    let [Output::Ask(request)] = bench.outputs() else {
                        panic!("{event:?} is not followed by a request");
                    };
                    assert!(
                        request
                            .body
                            .starts_with(br#"{"username":"line-1","password":"kept-from-before""#)
                    );
                }
            }
        }
    }
}

#[test]
fn an_answer_that_nobody_waits_for_changes_nothing() {
    let waiting = |state: &State| !matches!(state, State::AwaitResponse);
    for mode in [Mode::Auto, Mode::Rest] {
        for state in State::ALL.into_iter().filter(waiting) {
            for (event, _) in matrix() {
                let mut bench = match state {
                    State::AwaitStored => Bench::fresh(mode),
                    _ => Bench::stored(mode),
                };
                bench.enter(state);
                let deadline = bench.registration.poll_timeout();
                happen(&mut bench, event);
                assert_eq!(bench.take(), [], "{event:?} in {state:?}");
                assert_eq!(bench.registration.state(), state, "{event:?}");
                assert_eq!(
                    bench.registration.poll_timeout(),
                    deadline,
                    "{event:?} in {state:?}"
                );
            }
        }
    }
}

#[test]
fn an_answer_to_an_earlier_request_changes_nothing() {
    for (event, _) in matrix().into_iter().filter(|(event, _)| *event != Event::Timeout) {
        let mut bench = Bench::asking(Mode::Rest);
        let first = bench.registration.last_request;
        bench.answer(202, "");
        bench.pass();
        bench.take();
        assert_ne!(first, bench.registration.last_request);
        bench.answering = Some(first);
        happen(&mut bench, event);
        assert_eq!(bench.take(), [], "{event:?}");
        assert_eq!(bench.registration.state(), State::AwaitResponse, "{event:?}");
    }
}

#[test]
fn a_restart_in_any_state_goes_on_with_the_same_pairing_id() {
    for mode in Mode::ALL {
        let reachable = |state: &State| match mode {
            Mode::Auto | Mode::Rest => true,
            Mode::Mqtt | Mode::Off => {
                !matches!(state, State::AwaitResponse | State::AwaitRetry | State::Denied)
            }
        };
        for state in State::ALL.into_iter().filter(reachable) {
            // The first run makes its credentials; they are on the disk from AwaitStored on.
            let mut first = Bench::fresh(mode);
            first.registration.start(first.now);
            let [Output::StoreCredentials(stored)] = first.outputs() else {
                panic!("new credentials are stored first");
            };
            let mut before = Bench::new(config(mode, Login::Stored(stored.clone())));
            if state != State::AwaitStored {
                before.enter(state);
            }
            drop(before);

            let mut after = Bench::new(config(mode, Login::Stored(stored.clone())));
            assert_eq!(after.registration.pairing_id(), Some(stored.pairing_id()));
            after.registration.start(after.now);
            assert_eq!(
                after.outputs(),
                [Output::Connect(Some(stored.clone()))],
                "{mode:?}: {state:?}"
            );
            after.registration.handle_refused(after.now, REFUSAL);
            match after.outputs() {
                [Output::Ask(request)] => {
                    assert!(matches!(mode, Mode::Auto | Mode::Rest));
                    let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
                    assert_eq!(body["password"], stored.password());
                }
                [Output::Delayed(delay)] => {
                    assert!(matches!(mode, Mode::Mqtt | Mode::Off));
                    assert_eq!(delay.pairing_id, Some(stored.pairing_id()));
                    after.pass();
                    assert_eq!(after.outputs(), [Output::Connect(Some(stored))]);
                }
                [other] => panic!("{mode:?}: {other:?}"),
            }
        }
    }
}
