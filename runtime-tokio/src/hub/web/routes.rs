//! Which request is answered by what, and who may make it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use secrecy::SecretString;
use serde_json::json;
use syncline_core::registration::REGISTER_PATH;
use tokio::time::Instant;

use super::answer::{Answer, seconds};
use super::login::{Session, is_same_origin};
use super::{Web, api, page, registry};
use crate::hub::directory::ChangeError;
use crate::hub::permission::parse_lines;
use crate::hub::registry::PendingId;

/// Largest body in bytes.
const MAX_BODY: usize = 64 << 10;

/// Fields of a form; the last one counts where a name comes twice.
type Form = BTreeMap<String, String>;

/// Answers one request.
pub(super) async fn answer(web: &Web, from: IpAddr, request: Request<Incoming>) -> Answer {
    let (parts, body) = request.into_parts();
    let body = match Limited::new(body, MAX_BODY).collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => {
            return Answer::error(
                StatusCode::PAYLOAD_TOO_LARGE,
                "the body did not come as a whole within 64 KiB",
            );
        }
    };
    if let Some(below) = parts.uri.path().strip_prefix(api::PATH) {
        return api::answer(web, from, &parts, below, &body).await;
    }
    match (&parts.method, parts.uri.path()) {
        (&Method::POST, REGISTER_PATH) => registry::register(&web.hub, from, &body).await,
        (&Method::GET, "/api/system/info") => Answer::json(
            StatusCode::OK,
            &json!({"name": "syncline hub", "version": env!("CARGO_PKG_VERSION")}),
        ),
        (&Method::GET, "/ca.crt") => Answer::file(
            "application/x-pem-file",
            web.hub.authority.certificate().to_owned(),
        ),
        (&Method::GET, "/hub.css") => Answer::file("text/css; charset=utf-8", include_str!("hub.css")),
        (&Method::GET, "/hub.js") => Answer::file("text/javascript; charset=utf-8", include_str!("hub.js")),
        (_, path) if path.starts_with("/api/") => {
            Answer::error(StatusCode::NOT_FOUND, "the hub has nothing under this path")
        }
        (&Method::GET, _) => look(web, &parts),
        (&Method::POST, path) => act(web, from, &parts, path, &body).await,
        _ => Answer::error(StatusCode::METHOD_NOT_ALLOWED, "the hub takes GET and POST here"),
    }
}

/// A page for a browser.
fn look(web: &Web, parts: &Parts) -> Answer {
    let Some(session) = web.sessions.find(Instant::now(), &parts.headers) else {
        return match parts.uri.path() {
            "/login" => Answer::html(StatusCode::OK, page::login(None)),
            _ => Answer::see_other("/login"),
        };
    };
    let hub = &web.hub;
    match parts.uri.path() {
        "/" => Answer::html(StatusCode::OK, page::overview(hub, &session)),
        "/login" => Answer::see_other("/"),
        "/pending" => match number(parts).and_then(|id| hub.directory.pending(id).ok()) {
            Some(pending) => Answer::html(StatusCode::OK, page::review(&session, &pending, None)),
            None => failure(&session, &ChangeError::NotPending),
        },
        "/user" => {
            let name = query(parts, "name").unwrap_or_default();
            let user = hub.directory.kept().users.get(&name).cloned();
            match user {
                Some(user) => Answer::html(StatusCode::OK, page::user(&session, &name, &user, None)),
                None => failure(&session, &ChangeError::NoSuchUser),
            }
        }
        _ => Answer::html(
            StatusCode::NOT_FOUND,
            page::message(Some(&session), "There is no such page."),
        ),
    }
}

/// What a form asks for.
async fn act(web: &Web, from: IpAddr, parts: &Parts, path: &str, body: &Bytes) -> Answer {
    if !is_same_origin(&parts.headers) {
        return Answer::error(StatusCode::FORBIDDEN, "this form was sent by another site");
    }
    let form: Form = form_urlencoded::parse(body).into_owned().collect();
    if path == "/login" {
        return login(web, from, &form).await;
    }
    let Some(session) = web.sessions.find(Instant::now(), &parts.headers) else {
        return Answer::see_other("/login");
    };
    if !session.is_own(form.get("csrf").map_or("", String::as_str)) {
        return Answer::error(
            StatusCode::FORBIDDEN,
            "this form is of another session, load its page again",
        );
    }
    match path {
        "/logout" => Answer::see_other("/login").cookie(&web.sessions.end(&parts.headers)),
        "/unlock" => {
            web.hub.unlock(from);
            Answer::see_other("/")
        }
        "/lock" => {
            web.hub.lock(from);
            Answer::see_other("/")
        }
        "/grant" => grant(web, from, &session, &form).await,
        "/deny" => deny(web, from, &session, &form),
        "/permit" => permit(web, from, &session, &form).await,
        "/delete" => delete(web, from, &session, &form).await,
        _ => Answer::error(StatusCode::NOT_FOUND, "the hub has nothing under this path"),
    }
}

async fn login(web: &Web, from: IpAddr, form: &Form) -> Answer {
    let (directory, now) = (&web.hub.directory, Instant::now());
    if let Some(wait) = directory.limiter().wait(now, from) {
        let text = format!(
            "Too many wrong passwords came from this address. Try again in {} s.",
            seconds(wait)
        );
        return Answer::html(StatusCode::TOO_MANY_REQUESTS, page::login(Some(&text))).retry_after(wait);
    }
    let password = SecretString::from(form.get("password").cloned().unwrap_or_default());
    if !directory.is_admin(&password).await {
        directory.limiter().failed(now, from);
        tracing::warn!(%from, "a wrong password for the hub's page");
        return Answer::html(
            StatusCode::FORBIDDEN,
            page::login(Some("This is not the password.")),
        );
    }
    match web.sessions.begin(now, web.is_secure) {
        Some(cookie) => {
            tracing::info!(%from, "the administrator has logged in");
            Answer::see_other("/").cookie(&cookie)
        }
        None => Answer::error(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the operating system gave no random numbers",
        ),
    }
}

async fn grant(web: &Web, from: IpAddr, session: &Session, form: &Form) -> Answer {
    let directory = &web.hub.directory;
    let pending = match form_number(form).map_or(Err(ChangeError::NotPending), |id| directory.pending(id)) {
        Ok(pending) => pending,
        Err(error) => return failure(session, &error),
    };
    let permissions = match parse_lines(form.get("permissions").map_or("", String::as_str)) {
        Ok(permissions) => permissions,
        Err(wrong) => {
            let page = page::review(session, &pending, Some(&wrong));
            return Answer::html(StatusCode::UNPROCESSABLE_ENTITY, page);
        }
    };
    done(session, web.hub.grant(from, &pending, permissions).await)
}

fn deny(web: &Web, from: IpAddr, session: &Session, form: &Form) -> Answer {
    let id = form_number(form).ok_or(ChangeError::NotPending);
    done(session, id.and_then(|id| web.hub.deny(from, id)))
}

async fn permit(web: &Web, from: IpAddr, session: &Session, form: &Form) -> Answer {
    let directory = &web.hub.directory;
    let name = form.get("name").cloned().unwrap_or_default();
    let known = directory.kept().users.get(&name).cloned();
    let Some(user) = known else {
        return failure(session, &ChangeError::NoSuchUser);
    };
    let permissions = match parse_lines(form.get("permissions").map_or("", String::as_str)) {
        Ok(permissions) => permissions,
        Err(wrong) => {
            let page = page::user(session, &name, &user, Some(&wrong));
            return Answer::html(StatusCode::UNPROCESSABLE_ENTITY, page);
        }
    };
    done(session, web.hub.permit(from, &name, permissions).await)
}

async fn delete(web: &Web, from: IpAddr, session: &Session, form: &Form) -> Answer {
    let name = form.get("name").map_or("", String::as_str);
    done(session, web.hub.delete(from, name).await)
}

/// Back to the overview, or to what went wrong.
fn done(session: &Session, outcome: Result<(), ChangeError>) -> Answer {
    match outcome {
        Ok(()) => Answer::see_other("/"),
        Err(error) => failure(session, &error),
    }
}

fn failure(session: &Session, error: &ChangeError) -> Answer {
    Answer::html(error.status(), page::message(Some(session), &error.to_string()))
}

fn query(parts: &Parts, name: &str) -> Option<String> {
    let query = parts.uri.query()?;
    form_urlencoded::parse(query.as_bytes())
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

fn number(parts: &Parts) -> Option<PendingId> {
    query(parts, "id")?.parse().ok().map(PendingId)
}

fn form_number(form: &Form) -> Option<PendingId> {
    form.get("id")?.parse().ok().map(PendingId)
}
