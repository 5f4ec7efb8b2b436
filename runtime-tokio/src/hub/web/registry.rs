//! The client registry over REST: `POST /api/client-registry/register`.

use std::net::IpAddr;
use std::time::Duration;

use http::StatusCode;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;
use syncline_core::registration::PairingId;

use super::answer::{Answer, seconds};
use crate::hub::Hub;
use crate::hub::authority::check_csr;
use crate::hub::directory::Registered;
use crate::hub::registry::{Claim, Verdict, Way, check};

/// When somebody who waits should ask again.
const ASK_AGAIN: Duration = Duration::from_secs(5);

#[derive(Deserialize)]
struct Body {
    username: String,
    password: String,
    csr: Option<String>,
}

/// Answers one registration.
pub(super) async fn register(hub: &Hub, from: IpAddr, body: &[u8]) -> Answer {
    let Ok(Body {
        username,
        password,
        csr,
    }) = serde_json::from_slice::<Body>(body)
    else {
        // The parser's own message may repeat a part of the body.
        return Answer::error(
            StatusCode::BAD_REQUEST,
            "the body is not JSON with `username`, `password` and maybe `csr`",
        );
    };
    let checked = check(&username, &password).and_then(|()| match &csr {
        Some(csr) => check_csr(&username, csr),
        None => Ok(()),
    });
    if let Err(wrong) = checked {
        return Answer::error(StatusCode::UNPROCESSABLE_ENTITY, &wrong);
    }
    let pairing_id = PairingId::of(&username, password.as_bytes());
    let claim = Claim {
        username: username.clone(),
        password: SecretString::from(password),
        csr: csr.clone(),
        from,
        way: Way::Rest,
    };
    let registered = hub.directory.register(claim).await;
    tracing::debug!(user = username, %from, %pairing_id, ?registered, "a registration");
    match registered {
        Registered::Granted => granted(hub, &username, csr.as_deref()),
        Registered::Conflict => Answer::error(
            StatusCode::CONFLICT,
            "a user of that name exists with other credentials",
        ),
        Registered::TooMany(wait) => Answer::error(
            StatusCode::TOO_MANY_REQUESTS,
            &format!(
                "too many wrong passwords came from this address, try again in {} s",
                seconds(wait)
            ),
        )
        .retry_after(wait),
        Registered::Claimed(Verdict::Pending) => Answer::json(
            StatusCode::ACCEPTED,
            &json!({"username": username, "pairingId": pairing_id.to_string()}),
        )
        .retry_after(ASK_AGAIN),
        Registered::Claimed(Verdict::Locked) => {
            Answer::error(StatusCode::LOCKED, "the client registry is locked").retry_after(ASK_AGAIN)
        }
        Registered::Claimed(Verdict::Denied) => {
            Answer::error(StatusCode::FORBIDDEN, "an administrator has denied this request")
        }
        Registered::Claimed(Verdict::Full) => Answer::error(
            StatusCode::SERVICE_UNAVAILABLE,
            "too many requests wait for an administrator",
        )
        .retry_after(ASK_AGAIN),
    }
}

fn granted(hub: &Hub, username: &str, csr: Option<&str>) -> Answer {
    let Some(csr) = csr else {
        return Answer::json(StatusCode::CREATED, &json!({"username": username}));
    };
    match hub.authority.sign(username, csr) {
        Ok(certificate) => Answer::json(
            StatusCode::CREATED,
            &json!({
                "username": username,
                "certificate": certificate,
                "ca": hub.authority.certificate(),
            }),
        ),
        Err(wrong) => Answer::error(StatusCode::UNPROCESSABLE_ENTITY, &wrong),
    }
}
