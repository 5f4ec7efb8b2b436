//! From unknown to online and back again.

use super::*;
use alloc::format;
use alloc::string::ToString as _;

#[test]
fn new_credentials_are_shown_to_nobody_before_they_are_stored() {
    for mode in Mode::ALL {
        let mut bench = Bench::fresh(mode);
        bench.registration.start(bench.now);
        let [Output::StoreCredentials(stored)] = bench.outputs() else {
            panic!("{mode:?} goes on without storing");
        };
        assert_eq!(bench.registration.poll_timeout(), None);
        bench.registration.handle_connected(bench.now);
        bench.registration.handle_refused(bench.now, REFUSAL);
        assert_eq!(bench.take(), []);
        bench.registration.handle_stored(bench.now);
        match (mode, bench.outputs()) {
            (Mode::Auto | Mode::Rest, [Output::Ask(request)]) => {
                assert_eq!(
                    (request.method, request.path),
                    ("POST", "/api/client-registry/register")
                );
                let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
                assert_eq!(
                    body,
                    serde_json::json!({"username": "line-1", "password": stored.password()})
                );
            }
            (Mode::Mqtt | Mode::Off, [Output::Connect(Some(shown))]) => assert_eq!(shown, stored),
            (_, [other]) => panic!("{mode:?}: {other:?}"),
        }
        bench.registration.handle_stored(bench.now);
        assert_eq!(bench.take(), []);
    }
}

#[test]
fn the_seed_alone_decides_the_password() {
    let password = |seed| {
        let config = config(
            Mode::Auto,
            Login::New {
                username: "line-1".into(),
            },
        );
        let mut registration = Registration::new(config, [seed; SEED_LEN]).unwrap();
        registration.start(T0);
        match registration.poll() {
            Some(Output::StoreCredentials(credentials)) => credentials.password().to_string(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(password(1), password(1));
    assert_ne!(password(1), password(2));
}

#[test]
fn a_registration_goes_from_locked_over_pending_to_online() {
    let mut bench = Bench::fresh(Mode::Auto);
    bench.registration.start(bench.now);
    bench.registration.handle_stored(bench.now);
    bench.take();
    for status in [423, 423, 202, 202] {
        bench.answer(status, "");
        let [Output::Delayed(_)] = bench.outputs() else {
            panic!("{status} does not delay");
        };
        bench.pass();
        let [Output::Ask(_)] = bench.outputs() else {
            panic!("nothing is asked after {status}");
        };
    }
    bench.answer(201, "{}");
    let [Output::Granted(_), Output::Connect(Some(_))] = bench.outputs() else {
        panic!("a grant does not connect");
    };
    bench.registration.handle_connected(bench.now);
    assert_eq!(bench.take(), []);
    assert_eq!(bench.registration.state(), State::Online);
    assert_eq!(bench.registration.poll_timeout(), None);
}

#[test]
fn known_credentials_connect_and_register_only_when_refused() {
    for login in [Login::Stored(credentials()), Login::Given(credentials())] {
        let mut bench = Bench::new(config(Mode::Auto, login));
        bench.registration.start(bench.now);
        assert_eq!(bench.outputs(), [Output::Connect(Some(credentials()))]);
        bench.registration.handle_connected(bench.now);
        bench.registration.handle_link_lost();
        assert_eq!(bench.take(), [], "the session reconnects by itself");
        bench.registration.handle_connected(bench.now);
        assert_eq!(bench.registration.state(), State::Online);
        // The user is deleted, the next CONNECT refused.
        bench.registration.handle_link_lost();
        bench
            .registration
            .handle_refused(bench.now, ReasonCode::BAD_USER_NAME_OR_PASSWORD);
        let [Output::Ask(request)] = bench.outputs() else {
            panic!("a refused user does not register again");
        };
        assert!(request.body.ends_with(br#""password":"kept-from-before"}"#));
    }
}

#[test]
fn a_user_that_is_thrown_out_while_online_registers_again() {
    let mut bench = Bench::stored(Mode::Rest);
    bench.enter(State::Online);
    bench.registration.handle_refused(bench.now, REFUSAL);
    assert!(matches!(bench.outputs(), [Output::Ask(_)]));
}

#[test]
fn a_grant_that_the_broker_does_not_know_of_yet_is_not_asked_for_in_a_tight_loop() {
    for mode in [Mode::Auto, Mode::Rest] {
        let mut bench = Bench::asking(mode);
        let mut waited = Duration::ZERO;
        for round in 0..40 {
            bench.answer(201, "");
            let [Output::Granted(_), Output::Connect(_)] = bench.outputs() else {
                panic!("round {round}");
            };
            bench.registration.handle_refused(bench.now, REFUSAL);
            let [Output::Delayed(delay)] = bench.outputs() else {
                panic!("round {round}");
            };
            assert_eq!(delay.obstacle, Obstacle::Refused(REFUSAL));
            waited += bench.pass();
            assert!(matches!(bench.outputs(), [Output::Ask(_)]));
        }
        assert!(
            waited > Duration::from_secs(300),
            "{mode:?}: 40 rounds in {waited:?}"
        );
    }
}

#[test]
fn without_a_registry_refused_connects_are_the_request() {
    let mut bench = Bench::fresh(Mode::Mqtt);
    bench.registration.start(bench.now);
    bench.registration.handle_stored(bench.now);
    bench.take();
    for _ in 0..20 {
        bench.registration.handle_refused(bench.now, REFUSAL);
        let [Output::Delayed(delay)] = bench.outputs() else {
            panic!("a refusal does not delay");
        };
        assert_eq!(delay.obstacle, Obstacle::PendingAtBroker(REFUSAL));
        assert_eq!(delay.pairing_id, bench.registration.pairing_id());
        let waited = bench.pass();
        assert!((4_000..=6_000).contains(&waited.as_millis()), "{waited:?}");
        assert!(matches!(bench.outputs(), [Output::Connect(Some(_))]));
    }
    bench.registration.handle_connected(bench.now);
    assert_eq!(bench.registration.state(), State::Online);
}

#[test]
fn auto_asks_registry_and_broker_in_turn_until_one_of_them_accepts() {
    let mut bench = Bench::asking(Mode::Auto);
    for _ in 0..20 {
        bench.fail(Failure::Unreachable);
        let [Output::Delayed(delay), Output::Connect(_)] = bench.outputs() else {
            panic!("no registry does not lead to the broker");
        };
        assert_eq!(delay.retry_at, None);
        bench.registration.handle_refused(bench.now, REFUSAL);
        let [Output::Delayed(delay)] = bench.outputs() else {
            panic!("a refusal does not delay");
        };
        assert_eq!(delay.obstacle, Obstacle::PendingAtBroker(REFUSAL));
        let waited = bench.pass();
        assert!((4_000..=6_000).contains(&waited.as_millis()), "{waited:?}");
        assert!(matches!(bench.outputs(), [Output::Ask(_)]));
    }
    bench.answer(201, "");
    bench.take();
    bench.registration.handle_connected(bench.now);
    assert_eq!(bench.registration.state(), State::Online);
}

#[test]
fn who_needs_no_password_never_registers() {
    for mode in Mode::ALL {
        let mut bench = Bench::new(config(mode, Login::Passwordless));
        assert_eq!(bench.registration.mode(), Mode::Off);
        assert_eq!(bench.registration.pairing_id(), None);
        bench.registration.start(bench.now);
        assert_eq!(bench.outputs(), [Output::Connect(None)]);
        for _ in 0..10 {
            bench.registration.handle_refused(bench.now, REFUSAL);
            let [Output::Delayed(delay)] = bench.outputs() else {
                panic!("a refusal does not delay");
            };
            assert_eq!(delay.obstacle, Obstacle::Refused(REFUSAL));
            bench.pass();
            assert_eq!(bench.outputs(), [Output::Connect(None)]);
        }
    }
}

#[test]
fn a_signing_request_goes_along_until_it_is_granted_and_nothing_connects_before() {
    let with_csr = |mode| Config {
        csr: Some("-----BEGIN CERTIFICATE REQUEST-----".into()),
        ..config(mode, Login::Stored(credentials()))
    };
    let mut bench = Bench::new(with_csr(Mode::Auto));
    bench.registration.start(bench.now);
    for status in [423, 202, 404, 201] {
        let [Output::Ask(request)] = bench.outputs() else {
            panic!("nothing is asked before {status}");
        };
        let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!(body["csr"], "-----BEGIN CERTIFICATE REQUEST-----");
        // The last answer grants without the certificate, which is not enough.
        bench.answer(status, "{}");
        let [Output::Delayed(_)] = bench.outputs() else {
            panic!("{status} does not delay");
        };
        bench.pass();
    }
    bench.take();
    bench.answer(201, r#"{"certificate":"-----BEGIN CERTIFICATE-----"}"#);
    let [Output::Granted(grant), Output::Connect(Some(_))] = bench.outputs() else {
        panic!("a signed certificate does not connect");
    };
    assert_eq!(grant.certificate.as_deref(), Some("-----BEGIN CERTIFICATE-----"));
    bench.registration.handle_refused(bench.now, REFUSAL);
    bench.take();

    for mode in [Mode::Mqtt, Mode::Off] {
        let refused = Registration::new(with_csr(mode), [0; SEED_LEN]).unwrap_err();
        assert_eq!(refused, ConfigError::CsrWithoutRegistry);
    }
    let long = Config {
        csr: Some("x".repeat(MAX_CSR + 1)),
        ..with_csr(Mode::Auto)
    };
    assert_eq!(
        Registration::new(long, [0; SEED_LEN]).unwrap_err(),
        ConfigError::CsrTooLong
    );
}

#[test]
fn what_is_denied_stays_so_until_it_is_started_anew() {
    let mut bench = Bench::asking(Mode::Rest);
    bench.answer(422, r#"{"message":"the name is too short"}"#);
    let [Output::Denied(denial)] = bench.outputs() else {
        panic!("422 does not deny");
    };
    assert_eq!(
        denial.to_string(),
        "the client registry does not take this request, 422: the name is too short"
    );
    bench.registration.handle_connected(bench.now);
    bench.registration.handle_refused(bench.now, REFUSAL);
    bench.registration.handle_link_lost();
    bench.registration.handle_timeout(Instant::FAR_FUTURE);
    assert_eq!(bench.take(), []);
    bench.registration.start(bench.now);
    assert!(matches!(bench.outputs(), [Output::Connect(Some(_))]));
}

#[test]
fn stopping_ends_all_efforts_in_every_state() {
    for state in State::ALL {
        let mut bench = match state {
            State::AwaitStored => Bench::fresh(Mode::Auto),
            _ => Bench::stored(Mode::Auto),
        };
        bench.enter(state);
        bench.registration.stop(bench.now);
        assert_eq!(bench.registration.state(), State::Idle, "{state:?}");
        assert_eq!(bench.registration.poll_timeout(), None, "{state:?}");
        bench.answer(201, "");
        bench.registration.handle_timeout(Instant::FAR_FUTURE);
        assert_eq!(bench.take(), [], "{state:?}");
    }
}

#[test]
fn the_text_of_every_obstacle_names_a_cure_and_no_secret() {
    let reason = Some("said".to_string());
    let obstacles = [
        (Obstacle::Locked, "unlock"),
        (Obstacle::Pending, "grant"),
        (Obstacle::PendingAtBroker(REFUSAL), "grant"),
        (Obstacle::Conflict, "CYBUS_AGENT_NAME"),
        (
            Obstacle::Rejected {
                status: 403,
                reason: reason.clone(),
            },
            "says: said",
        ),
        (Obstacle::Unavailable { status: 500, reason }, "says: said"),
        (Obstacle::NoCertificate, "sign"),
        (Obstacle::NotARegistry { status: 308 }, "SYNCLINE_REGISTRY_URL"),
        (Obstacle::NotARegistry { status: 404 }, "SYNCLINE_REGISTRATION"),
        (Obstacle::NoAnswer(Failure::Unreachable), "SYNCLINE_REGISTRY_URL"),
        (Obstacle::NoAnswer(Failure::TimedOut), "firewall"),
        (Obstacle::NoAnswer(Failure::Untrusted), "CA"),
        (Obstacle::NoAnswer(Failure::NotHttp), "http://"),
        (Obstacle::Refused(REFUSAL), "access"),
    ];
    for (obstacle, cure) in obstacles {
        let text = obstacle.to_string();
        assert!(text.contains(cure), "{text}");
        assert!(
            text.starts_with(char::is_lowercase) && !text.ends_with('.'),
            "{text}"
        );
    }
    let bench = Bench::stored(Mode::Auto);
    assert!(!format!("{:?}", bench.registration).contains("kept-from-before"));
}
