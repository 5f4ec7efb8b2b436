//! The core's session against a real broker: enhanced authentication.

use syncline_core::codec::{PropertyBuf, QoS, ReasonCode, Version};
use syncline_core::session::{Authentication, Completion, Config, DisconnectReason, Publication};
use syncline_tests::challenging_auth::{CHALLENGE, METHOD, TICKET, answer};
use syncline_tests::real_broker::RealBroker;
use syncline_tests::session_client::{SessionClient, configuration, topic};

fn with_method() -> Config {
    let mut config = configuration("authenticated", Version::V5);
    config.authentication = Some(Authentication {
        method: METHOD.to_owned(),
        data: None,
    });
    config
}

/// Waits for the challenge with this index and answers it.
fn respond(client: &mut SessionClient, index: usize, data: &[u8]) {
    let challenge = client.until("the server asks", |client| client.challenges.get(index).cloned());
    assert_eq!(challenge.authentication_data(), Some(CHALLENGE));
    let now = client.now();
    client
        .session()
        .authenticate(now, data, &PropertyBuf::new())
        .expect("there is a challenge to answer");
}

fn connected(broker: &RealBroker) -> SessionClient {
    let mut client = SessionClient::new(with_method(), broker.address());
    client.start();
    respond(&mut client, 0, &answer());
    client.until("the server accepts", |client| {
        client.connections.first().map(|_| ())
    });
    client
}

#[test]
fn a_client_that_answers_the_challenge_is_let_in() {
    let broker = RealBroker::challenging();
    let mut client = connected(&broker);
    let completion = client.publish(Publication::new(topic("a"), "b").qos(QoS::AtLeastOnce));
    assert!(matches!(completion, Completion::Published { .. }));
}

#[test]
fn a_client_that_answers_wrongly_is_refused_and_stays_away() {
    let broker = RealBroker::challenging();
    let mut client = SessionClient::new(with_method(), broker.address());
    client.start();
    respond(&mut client, 0, b"guess");
    let ended = client.until("the server refuses", |client| {
        client.disconnections.first().cloned()
    });
    let refused = DisconnectReason::Refused(ReasonCode::NOT_AUTHORIZED);
    assert_eq!((ended.reason, ended.retry_at), (refused, None));
}

#[test]
fn a_standing_connection_is_authenticated_again() {
    let broker = RealBroker::challenging();
    let mut client = connected(&broker);
    let op = client
        .session()
        .reauthenticate(TICKET, &PropertyBuf::new())
        .expect("no other is in progress");
    assert!(matches!(client.completion(op), Completion::Authenticated(_)));

    let op = client
        .session()
        .reauthenticate(b"forged", &PropertyBuf::new())
        .expect("no other is in progress");
    assert!(matches!(client.completion(op), Completion::Lost(_)));
    let ended = &client.disconnections[0];
    assert_eq!(
        ended.reason,
        DisconnectReason::ByServer(ReasonCode::NOT_AUTHORIZED)
    );
}
