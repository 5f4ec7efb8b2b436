//! The administrator's work for programs: `GET /api/hub` tells how things stand, `POST /api/hub/…` changes them.
//!
//! Every request carries the administrator's password by HTTP's Basic scheme; cookies count for nothing here. No answer asks
//! a browser for a password, a body has to be called JSON, and what comes from a page of another site is refused: a page
//! elsewhere cannot have an administrator's browser do anything.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode};
use secrecy::SecretString;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::Web;
use super::answer::{Answer, seconds};
use super::login::is_same_origin;
use crate::hub::Hub;
use crate::hub::directory::ChangeError;
use crate::hub::permission::{Permission, parse_lines, suggested};
use crate::hub::registry::{Pending, PendingId, Way};
use crate::hub::store::User;

/// Below this is everything that this file answers.
pub(super) const PATH: &str = "/api/hub";
/// Version of the JSON; a field is never removed or given another meaning within one.
const SCHEMA: u32 = 1;
/// The administrator's name.
const ADMIN: &str = "admin";

/// Whose request is meant: by what the agent's log shows, or by its number where two show the same.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Claimed {
    pairing_id: Option<String>,
    id: Option<u64>,
    /// Of a grant; what an agent needs where it is left out.
    permissions: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    username: String,
    permissions: Option<Vec<String>>,
}

/// Answers a request below [`PATH`].
pub(super) async fn answer(web: &Web, from: IpAddr, parts: &Parts, path: &str, body: &Bytes) -> Answer {
    if let Err(refusal) = authorized(web, from, &parts.headers).await {
        return refusal;
    }
    let hub = &web.hub;
    let done = match (&parts.method, path) {
        (&Method::GET, "") => Ok(()),
        (&Method::POST, _) if !is_json(&parts.headers) => Err(Answer::error(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "the body has to be JSON, with `content-type: application/json`; `{}` where there is nothing to say",
        )),
        (&Method::POST, "/unlock") => {
            hub.unlock(from);
            Ok(())
        }
        (&Method::POST, "/lock") => {
            hub.lock(from);
            Ok(())
        }
        (&Method::POST, "/grant") => grant(hub, from, body).await,
        (&Method::POST, "/deny") => deny(hub, from, body),
        (&Method::POST, "/permit") => permit(hub, from, body).await,
        (&Method::POST, "/delete") => delete(hub, from, body).await,
        _ => Err(Answer::error(
            StatusCode::NOT_FOUND,
            "there are GET /api/hub, and POST /api/hub/unlock, lock, grant, deny, permit and delete",
        )),
    };
    match done {
        Ok(()) => Answer::json(StatusCode::OK, &state(hub)),
        Err(answer) => answer,
    }
}

/// Whether the request is the administrator's own.
async fn authorized(web: &Web, from: IpAddr, headers: &HeaderMap) -> Result<(), Answer> {
    if !is_same_origin(headers) {
        return Err(Answer::error(
            StatusCode::FORBIDDEN,
            "this request was sent by another site",
        ));
    }
    let (directory, now) = (&web.hub.directory, Instant::now());
    if let Some(wait) = directory.limiter().wait(now, from) {
        let text = format!(
            "too many wrong passwords came from this address, try again in {} s",
            seconds(wait)
        );
        return Err(Answer::error(StatusCode::TOO_MANY_REQUESTS, &text).retry_after(wait));
    }
    let Some(password) = password(headers) else {
        // Nothing was guessed. No challenge: a browser would remember the password for other sites to use.
        return Err(Answer::error(
            StatusCode::UNAUTHORIZED,
            "the administrator's password is needed: `curl --user admin`",
        ));
    };
    if directory.is_admin(&password).await {
        return Ok(());
    }
    directory.limiter().failed(now, from);
    tracing::warn!(%from, "a wrong password for the hub");
    Err(Answer::error(
        StatusCode::FORBIDDEN,
        "this is not the administrator's password: `syncline hub --new-password` makes another",
    ))
}

/// The password of `Authorization: Basic` with the administrator's name.
fn password(headers: &HeaderMap) -> Option<SecretString> {
    let (scheme, credentials) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(credentials.trim()).ok()?).ok()?;
    let (name, password) = text.split_once(':')?;
    (name == ADMIN).then(|| SecretString::from(password))
}

fn is_json(headers: &HeaderMap) -> bool {
    let named = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    named
        .and_then(|named| named.split(';').next())
        .is_some_and(|named| named.trim().eq_ignore_ascii_case("application/json"))
}

async fn grant(hub: &Hub, from: IpAddr, body: &Bytes) -> Result<(), Answer> {
    let claimed: Claimed = parse(body, "`pairingId` or `id`, and maybe `permissions`")?;
    let pending = find(hub, &claimed)?;
    let permissions = match claimed.permissions {
        Some(texts) => permissions(&texts)?,
        None => permissions(&[suggested(&pending.claim.username)])?,
    };
    hub.grant(from, &pending, permissions)
        .await
        .map_err(|error| failure(&error))
}

fn deny(hub: &Hub, from: IpAddr, body: &Bytes) -> Result<(), Answer> {
    let claimed: Claimed = parse(body, "`pairingId` or `id`")?;
    let pending = find(hub, &claimed)?;
    hub.deny(from, pending.id).map_err(|error| failure(&error))
}

async fn permit(hub: &Hub, from: IpAddr, body: &Bytes) -> Result<(), Answer> {
    let expected = "`username` and `permissions`";
    let named: Named = parse(body, expected)?;
    let texts = named.permissions.ok_or_else(|| misunderstood(expected))?;
    hub.permit(from, &named.username, permissions(&texts)?)
        .await
        .map_err(|error| failure(&error))
}

async fn delete(hub: &Hub, from: IpAddr, body: &Bytes) -> Result<(), Answer> {
    let named: Named = parse(body, "`username`")?;
    hub.delete(from, &named.username)
        .await
        .map_err(|error| failure(&error))
}

fn parse<T: DeserializeOwned>(body: &Bytes, expected: &str) -> Result<T, Answer> {
    serde_json::from_slice(body).map_err(|_| misunderstood(expected))
}

fn misunderstood(expected: &str) -> Answer {
    Answer::error(
        StatusCode::BAD_REQUEST,
        &format!("the body is not a JSON object with {expected}"),
    )
}

fn permissions(texts: &[String]) -> Result<Vec<Permission>, Answer> {
    parse_lines(&texts.join("\n")).map_err(|wrong| Answer::error(StatusCode::UNPROCESSABLE_ENTITY, &wrong))
}

/// The one request that is meant.
fn find(hub: &Hub, claimed: &Claimed) -> Result<Pending, Answer> {
    if let Some(id) = claimed.id {
        return hub
            .directory
            .pending(PendingId(id))
            .map_err(|error| failure(&error));
    }
    let Some(wanted) = &claimed.pairing_id else {
        return Err(misunderstood("`pairingId` or `id`"));
    };
    let mut registry = hub.directory.registry();
    let all = registry.pending(Instant::now());
    let mut found = all
        .iter()
        .filter(|pending| pending.pairing_id.to_string() == *wanted);
    match (found.next(), found.next()) {
        (Some(pending), None) => Ok(pending.clone()),
        (Some(_), Some(_)) => Err(Answer::error(
            StatusCode::CONFLICT,
            "several requests show this pairing id: name one by its `id`",
        )),
        (None, _) => Err(failure(&ChangeError::NotPending)),
    }
}

fn failure(error: &ChangeError) -> Answer {
    Answer::error(error.status(), &error.to_string())
}

/// How things stand.
fn state(hub: &Hub) -> Value {
    let now = Instant::now();
    let (unlocked_for, pending): (_, Vec<Value>) = {
        let mut registry = hub.directory.registry();
        let waiting = registry.pending(now).iter().map(claim).collect();
        (registry.unlocked_for(now), waiting)
    };
    let users: Vec<Value> = {
        let kept = hub.directory.kept();
        let user = |(name, user): (&String, &User)| {
            let permissions: Vec<String> = user.permissions.iter().map(ToString::to_string).collect();
            json!({ "username": name, "permissions": permissions })
        };
        kept.users.iter().map(user).collect()
    };
    let agents: Vec<Value> = hub
        .overview
        .agents()
        .iter()
        .map(|(name, presence)| {
            json!({
                "name": name,
                "status": presence.status,
                "version": presence.version,
                "hostname": presence.hostname,
            })
        })
        .collect();
    json!({
        "schema": SCHEMA,
        "unlockedForSeconds": unlocked_for.map(|left| left.as_secs()),
        "pending": pending,
        "users": users,
        "agents": agents,
    })
}

fn claim(pending: &Pending) -> Value {
    json!({
        "id": pending.id.0,
        "username": pending.claim.username,
        "pairingId": pending.pairing_id.to_string(),
        "from": pending.claim.from.to_canonical().to_string(),
        "way": match pending.claim.way {
            Way::Rest => "rest",
            Way::Mqtt => "mqtt",
        },
        "wantsCertificate": pending.claim.csr.is_some(),
        "suggestedPermissions": suggested(&pending.claim.username).lines().collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret as _;

    #[test]
    fn only_the_administrators_name_brings_a_password() {
        let read = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, value.parse().unwrap());
            password(&headers).map(|password| password.expose_secret().to_owned())
        };
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        assert_eq!(read(&basic("admin:se:cret")).as_deref(), Some("se:cret"));
        assert_eq!(
            read(&basic("admin:se:cret").replace("Basic", "bASIC")).as_deref(),
            Some("se:cret")
        );
        let other = basic("root:secret");
        for wrong in [
            "Basic",
            "Basic ???",
            "Bearer YWRtaW46eA==",
            &basic("admin"),
            &other,
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_form_is_not_json() {
        for (named, expected) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("application/x-www-form-urlencoded", false),
            ("text/plain", false),
            ("text/plain; application/json", false),
        ] {
            let mut headers = HeaderMap::new();
            assert!(!is_json(&headers));
            headers.insert(CONTENT_TYPE, named.parse().unwrap());
            assert_eq!(is_json(&headers), expected, "{named}");
        }
    }
}
