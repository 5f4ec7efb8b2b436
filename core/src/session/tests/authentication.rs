//! Enhanced authentication: while the connection is made, and again later.

use super::*;
use crate::codec::{Auth, PropertyId};

const METHOD: &str = "SCRAM";

fn with_method(config: &mut Config) {
    config.authentication = Some(Authentication {
        method: METHOD.to_string(),
        data: Some("first".into()),
    });
}

/// A session whose CONNECT is written.
fn connecting(adjust: impl FnOnce(&mut Config)) -> Bench {
    let mut config = Config::new("bench");
    config.version = VersionPolicy::V5;
    adjust(&mut config);
    let mut bench = Bench::new(config);
    bench.session.connect(T0);
    bench.take();
    bench.session.handle_transport_open(T0);
    bench
}

fn auth(bench: &mut Bench, reason: ReasonCode, method: &str, data: &[u8]) {
    let properties = buf(&[
        Property::AuthenticationMethod(method),
        Property::AuthenticationData(data),
    ]);
    bench.receive(&Packet::Auth(Auth {
        reason,
        properties: properties.as_properties(),
    }));
}

fn accept(bench: &mut Bench, method: Option<&str>) {
    let mut properties = PropertyBuf::new();
    if let Some(method) = method {
        properties.push(Property::AuthenticationMethod(method)).unwrap();
    }
    bench.receive(&Packet::Connack(Connack {
        session_present: false,
        reason: ReasonCode::SUCCESS,
        properties: properties.as_properties(),
    }));
}

/// A connection that was made with the method.
fn authenticated() -> Bench {
    let mut bench = connecting(with_method);
    bench.written();
    accept(&mut bench, Some(METHOD));
    assert!(matches!(bench.take()[..], [Output::Connected(_)]));
    bench
}

/// Writes what waits and returns the method and data of each CONNECT and AUTH in it, with the AUTH's code.
fn spoken(bench: &mut Bench) -> Vec<(Option<u8>, String, String)> {
    bench.drain();
    let bytes = bench.session.transmit().runs().collect::<Vec<_>>().concat();
    bench.session.tx_advance(bench.now, bytes.len());
    let mut rest = &bytes[..];
    let mut spoken = Vec::new();
    while let Some(header) = peek(rest, Version::V5, u32::MAX).unwrap() {
        let (frame, behind) = rest.split_at(header.packet_len());
        rest = behind;
        let (code, properties) = match decode(header, frame, Version::V5).unwrap() {
            Packet::Connect(connect) => (None, connect.properties),
            Packet::Auth(auth) => (Some(auth.reason.0), auth.properties),
            other => panic!("{other:?}"),
        };
        let method = match properties.find(PropertyId::AuthenticationMethod) {
            Some(Property::AuthenticationMethod(method)) => method,
            _ => "",
        };
        let data = match properties.find(PropertyId::AuthenticationData) {
            Some(Property::AuthenticationData(data)) => data,
            _ => b"",
        };
        spoken.push((
            code,
            method.to_string(),
            String::from_utf8(data.to_vec()).unwrap(),
        ));
    }
    spoken
}

fn says(code: impl Into<Option<u8>>, data: &str) -> (Option<u8>, String, String) {
    (code.into(), METHOD.to_string(), data.to_string())
}

fn challenge(outputs: &[Output]) -> &[u8] {
    match outputs {
        [Output::AuthChallenge(details)] => details.authentication_data().unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_connection_is_made_through_as_many_challenges_as_the_server_asks() {
    let mut bench = connecting(with_method);
    assert_eq!(spoken(&mut bench), [says(None, "first")]);
    for (question, answer) in [("q1", "a1"), ("q2", "a2")] {
        auth(
            &mut bench,
            ReasonCode::CONTINUE_AUTHENTICATION,
            METHOD,
            question.as_bytes(),
        );
        assert_eq!(challenge(&bench.take()), question.as_bytes());
        bench
            .session
            .authenticate(T0, answer.as_bytes(), &buf(&[Property::UserProperty("a", "b")]))
            .unwrap();
        assert_eq!(spoken(&mut bench), [says(0x18, answer)]);
    }
    accept(&mut bench, Some(METHOD));
    assert!(matches!(bench.take()[..], [Output::Connected(_)]));
    assert!(bench.session.is_established());
}

#[test]
fn an_answer_gives_the_server_its_time_again_and_silence_ends_the_attempt() {
    let mut bench = connecting(with_method);
    spoken(&mut bench);
    bench.advance(Duration::from_secs(9));
    auth(&mut bench, ReasonCode::CONTINUE_AUTHENTICATION, METHOD, b"q");
    bench.take();
    bench
        .session
        .authenticate(bench.now, b"a", &PropertyBuf::new())
        .unwrap();
    let deadline = bench.now.after(Duration::from_secs(10));
    assert_eq!(bench.session.poll_timeout(), Some(deadline));
    bench.advance(Duration::from_secs(10));
    assert_eq!(
        disconnected(&bench.take()).reason,
        DisconnectReason::ConnackTimeout
    );
}

#[test]
fn authentication_data_can_be_new_for_each_connection() {
    let mut bench = authenticated();
    bench.cut();
    bench
        .session
        .set_authentication_data(Some("second".into()))
        .unwrap();
    bench.session.handle_transport_open(bench.now);
    assert_eq!(spoken(&mut bench), [says(None, "second")]);
    let long = alloc::vec![0; 65_536];
    assert!(matches!(
        bench.session.set_authentication_data(Some(long.into())),
        Err(SubmitError::Invalid(_))
    ));
    let mut plain = connecting(|_| {});
    assert_eq!(
        plain.session.set_authentication_data(None),
        Err(SubmitError::NoAuthentication)
    );
}

#[test]
fn a_connack_must_have_the_method_of_the_connect() {
    let cases = [(true, None), (true, Some("OTHER")), (false, Some(METHOD))];
    for (configured, method) in cases {
        let mut bench = connecting(|config| {
            if configured {
                with_method(config);
            }
        });
        bench.written();
        accept(&mut bench, method);
        assert_eq!(bench.written(), "DISCONNECT 0x82", "{configured} {method:?}");
        let outputs = bench.take();
        assert!(
            !outputs
                .iter()
                .any(|output| matches!(output, Output::Connected(_)))
        );
        assert!(matches!(
            disconnected(&outputs).reason,
            DisconnectReason::Violation(_)
        ));
    }
}

#[test]
fn a_connection_is_authenticated_again_while_messages_go_on() {
    let mut bench = authenticated();
    let op = bench
        .session
        .reauthenticate(b"again", &PropertyBuf::new())
        .unwrap();
    assert_eq!(spoken(&mut bench), [says(0x19, "again")]);
    let second = bench.session.reauthenticate(b"again", &PropertyBuf::new());
    assert_eq!(second, Err(SubmitError::Authenticating));
    bench.deliver(QoS::AtLeastOnce, 1, false);
    assert_eq!(bench.messages(), 1);
    assert_eq!(bench.written(), "PUBACK #1");
    auth(&mut bench, ReasonCode::CONTINUE_AUTHENTICATION, METHOD, b"q");
    assert_eq!(challenge(&bench.take()), b"q");
    bench
        .session
        .authenticate(bench.now, b"a", &PropertyBuf::new())
        .unwrap();
    assert_eq!(spoken(&mut bench), [says(0x18, "a")]);
    auth(&mut bench, ReasonCode::SUCCESS, METHOD, b"done");
    let outputs = bench.take();
    let [Output::Completed(done, Completion::Authenticated(details))] = &outputs[..] else {
        panic!("{outputs:?}")
    };
    assert_eq!((*done, details.authentication_data()), (op, Some(&b"done"[..])));
    assert!(
        bench
            .session
            .reauthenticate(b"once more", &PropertyBuf::new())
            .is_ok()
    );
}

#[test]
fn a_reauthentication_ends_with_its_connection() {
    let mut bench = authenticated();
    let op = bench
        .session
        .reauthenticate(b"again", &PropertyBuf::new())
        .unwrap();
    spoken(&mut bench);
    let outputs = bench.cut();
    assert_eq!(
        outputs
            .iter()
            .filter(|output| **output == lost(op, Loss::LinkLost))
            .count(),
        1
    );
    assert_eq!(
        bench.session.reauthenticate(b"again", &PropertyBuf::new()),
        Err(SubmitError::NotConnected)
    );
}

#[test]
fn an_auth_out_of_turn_ends_the_connection() {
    let again = |bench: &mut Bench| {
        bench
            .session
            .reauthenticate(b"again", &PropertyBuf::new())
            .unwrap();
        spoken(bench);
    };
    let idle = |_: &mut Bench| {};
    type Begin = fn() -> Bench;
    type Prepare<'a> = &'a dyn Fn(&mut Bench);
    let cases: [(&str, Begin, Prepare<'_>, ReasonCode, &str); 7] = [
        (
            "unsolicited",
            authenticated,
            &idle,
            ReasonCode::CONTINUE_AUTHENTICATION,
            METHOD,
        ),
        (
            "unsolicited success",
            authenticated,
            &idle,
            ReasonCode::SUCCESS,
            METHOD,
        ),
        (
            "a client's code",
            authenticated,
            &again,
            ReasonCode::REAUTHENTICATE,
            METHOD,
        ),
        (
            "another method",
            authenticated,
            &again,
            ReasonCode::SUCCESS,
            "OTHER",
        ),
        (
            "without a method",
            || Bench::established(Version::V5),
            &idle,
            ReasonCode::SUCCESS,
            METHOD,
        ),
        (
            "success before CONNACK",
            connecting_with_method,
            &idle,
            ReasonCode::SUCCESS,
            METHOD,
        ),
        (
            "CONNECT without a method",
            connecting_without,
            &idle,
            ReasonCode::CONTINUE_AUTHENTICATION,
            METHOD,
        ),
    ];
    for (name, begin, prepare, reason, method) in cases {
        let mut bench = begin();
        prepare(&mut bench);
        auth(&mut bench, reason, method, b"q");
        assert_eq!(bench.written(), "DISCONNECT 0x82", "{name}");
        assert!(
            matches!(disconnected(&bench.take()).reason, DisconnectReason::Violation(_)),
            "{name}"
        );
    }
}

#[test]
fn a_second_challenge_before_the_answer_and_an_empty_auth_end_the_connection() {
    let mut bench = connecting_with_method();
    auth(&mut bench, ReasonCode::CONTINUE_AUTHENTICATION, METHOD, b"q");
    auth(&mut bench, ReasonCode::CONTINUE_AUTHENTICATION, METHOD, b"q");
    assert_eq!(bench.written(), "DISCONNECT 0x82");
    assert_eq!(
        bench.session.authenticate(T0, b"late", &PropertyBuf::new()),
        Err(SubmitError::NotChallenged)
    );

    let mut bench = authenticated();
    bench
        .session
        .reauthenticate(b"again", &PropertyBuf::new())
        .unwrap();
    spoken(&mut bench);
    bench.receive_bytes(&[0xf0, 0]);
    assert_eq!(bench.written(), "DISCONNECT 0x82");
}

#[test]
fn an_answer_to_no_challenge_and_authentication_without_a_method_are_refused() {
    let none = PropertyBuf::new();
    let mut bench = authenticated();
    assert_eq!(
        bench.session.authenticate(T0, b"a", &none),
        Err(SubmitError::NotChallenged)
    );
    for version in BOTH {
        let mut plain = Bench::established(version);
        assert_eq!(
            plain.session.reauthenticate(b"a", &none),
            Err(SubmitError::NoAuthentication)
        );
    }
    let method = buf(&[Property::AuthenticationMethod("OTHER")]);
    assert!(matches!(
        bench.session.reauthenticate(b"a", &method),
        Err(SubmitError::Invalid(_))
    ));
    assert!(
        bench.session.reauthenticate(b"a", &none).is_ok(),
        "nothing was begun"
    );
}

#[test]
fn an_auth_is_malformed_in_3_1_1() {
    let mut bench = Bench::established(Version::V3_1_1);
    bench.receive_bytes(&[0xf0, 0]);
    let outputs = bench.take();
    assert_eq!(outputs[0], Output::CloseTransport);
    assert!(matches!(
        disconnected(&outputs).reason,
        DisconnectReason::Malformed(_)
    ));
}

#[test]
fn authentication_is_never_left_out_for_an_older_version() {
    let mut config = Config::new("bench");
    with_method(&mut config);
    let mut bench = Bench::new(config.clone());
    bench.session.connect(T0);
    bench.take();
    bench.session.handle_transport_open(T0);
    bench.written();
    bench.receive_bytes(&[0x20, 2, 0, 1]);
    let end = disconnected(&bench.take());
    assert_eq!(
        end.reason,
        DisconnectReason::Refused(ReasonCode::UNSUPPORTED_PROTOCOL_VERSION)
    );
    assert_eq!(end.retry_at, None);
    config.version = VersionPolicy::V3_1_1;
    assert_eq!(
        Session::new(config, [0; 32]).unwrap_err(),
        ConfigError::AuthenticationVersion
    );
}

fn connecting_with_method() -> Bench {
    let mut bench = connecting(with_method);
    bench.written();
    bench
}

fn connecting_without() -> Bench {
    let mut bench = connecting(|_| {});
    bench.written();
    bench
}
