//! The administrator's sessions: a cookie that scripts cannot read, and a token that other sites do not know.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::HeaderMap;
use http::header::{COOKIE, HOST, ORIGIN};
use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use crate::password;

/// Name of the cookie.
const COOKIE_NAME: &str = "syncline_hub";
/// A session that nobody uses ends after this, and any session after [`LONGEST`].
const IDLE: Duration = Duration::from_secs(3600);
const LONGEST: Duration = Duration::from_secs(12 * 3600);
/// Most sessions at once; a further login ends the one that has been idle longest.
const MAX_SESSIONS: usize = 64;

/// Who is logged in.
#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<HashMap<[u8; 32], Session>>);

/// One login.
#[derive(Debug, Clone)]
pub(super) struct Session {
    /// What every form carries.
    pub(super) csrf: String,
    since: Instant,
    last_used: Instant,
}

impl Sessions {
    /// A new session, as the cookie that stands for it.
    pub(super) fn begin(&self, now: Instant, is_secure: bool) -> Option<String> {
        let token = password::generate().ok()?;
        let csrf = password::generate().ok()?.expose_secret().to_owned();
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, session| session.is_alive(now));
        if sessions.len() >= MAX_SESSIONS {
            let oldest = sessions.iter().min_by_key(|(_, session)| session.last_used);
            if let Some(oldest) = oldest.map(|(key, _)| *key) {
                sessions.remove(&oldest);
            }
        }
        let session = Session {
            csrf,
            since: now,
            last_used: now,
        };
        sessions.insert(key(token.expose_secret()), session);
        let secure = if is_secure { "; Secure" } else { "" };
        Some(format!(
            "{COOKIE_NAME}={}; Path=/; HttpOnly; SameSite=Strict{secure}",
            token.expose_secret()
        ))
    }

    /// The session of a request.
    pub(super) fn find(&self, now: Instant, headers: &HeaderMap) -> Option<Session> {
        let token = token(headers)?;
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let session = sessions
            .get_mut(&key(token))
            .filter(|session| session.is_alive(now))?;
        session.last_used = now;
        Some(session.clone())
    }

    /// Ends the session of a request; returns the cookie that removes it from the browser.
    pub(super) fn end(&self, headers: &HeaderMap) -> String {
        if let Some(token) = token(headers) {
            let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            sessions.remove(&key(token));
        }
        format!("{COOKIE_NAME}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0")
    }
}

impl Session {
    fn is_alive(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.last_used) < IDLE
            && now.saturating_duration_since(self.since) < LONGEST
    }

    /// Whether a form carries this session's token. Digests are compared: the time that takes tells nothing.
    pub(super) fn is_own(&self, csrf: &str) -> bool {
        key(&self.csrf) == key(csrf)
    }
}

/// Whether a form was sent by a page of this server. Browsers say where it comes from; other programs need not.
pub(super) fn is_same_origin(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let site = headers.get("sec-fetch-site").map(|value| value.as_bytes());
    if site.is_some_and(|site| site != b"same-origin") {
        return false;
    }
    match (headers.get(ORIGIN).is_some(), text(ORIGIN), text(HOST)) {
        (false, ..) => true,
        (true, Some(origin), Some(host)) => origin
            .split_once("://")
            .is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host)),
        (true, ..) => false,
    }
}

/// Sessions are found by a digest, so that the time of a search tells nothing about a token.
fn key(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

fn token(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|cookies| cookies.split(';'))
        .filter_map(|cookie| cookie.trim().split_once('='))
        .find_map(|(name, value)| (name == COOKIE_NAME && !value.is_empty()).then_some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            (http::HeaderName::from_static(name), value.parse().unwrap())
        };
        pairs.iter().map(pair).collect()
    }

    fn cookie(set_cookie: &str) -> String {
        set_cookie.split(';').next().unwrap().to_owned()
    }

    #[test]
    fn a_session_is_found_by_its_cookie_until_it_ends() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        let set_cookie = sessions.begin(now, true).unwrap();
        for part in ["HttpOnly", "SameSite=Strict", "Secure", "Path=/"] {
            assert!(set_cookie.contains(part), "{set_cookie}");
        }
        assert!(!sessions.begin(now, false).unwrap().contains("Secure"));
        let own = headers(&[("cookie", &format!("other=1; {}", cookie(&set_cookie)))]);
        let session = sessions.find(now, &own).unwrap();
        assert!(session.is_own(&session.csrf.clone()) && !session.is_own("") && !session.is_own("x"));
        for foreign in ["syncline_hub=", "syncline_hub=x", "other=1"] {
            assert!(sessions.find(now, &headers(&[("cookie", foreign)])).is_none());
        }
        assert!(sessions.end(&own).contains("Max-Age=0"));
        assert!(sessions.find(now, &own).is_none());
    }

    #[test]
    fn a_session_ends_when_it_is_idle_or_old() {
        let (sessions, start) = (Sessions::default(), Instant::now());
        let idle = headers(&[("cookie", &cookie(&sessions.begin(start, true).unwrap()))]);
        assert!(sessions.find(start + IDLE, &idle).is_none());
        let busy = headers(&[("cookie", &cookie(&sessions.begin(start, true).unwrap()))]);
        let mut now = start;
        while now + IDLE / 2 < start + LONGEST {
            now += IDLE / 2;
            assert!(sessions.find(now, &busy).is_some());
        }
        assert!(sessions.find(start + LONGEST, &busy).is_none());
    }

    #[test]
    fn sessions_are_bounded_in_number() {
        let (sessions, mut now) = (Sessions::default(), Instant::now());
        let first = headers(&[("cookie", &cookie(&sessions.begin(now, true).unwrap()))]);
        for _ in 0..MAX_SESSIONS {
            now += Duration::from_secs(1);
            sessions.begin(now, true).unwrap();
        }
        assert!(sessions.find(now, &first).is_none());
        assert_eq!(sessions.0.lock().unwrap().len(), MAX_SESSIONS);
    }

    #[test]
    fn forms_of_other_sites_are_told_apart() {
        for (pairs, expected) in [
            (vec![("host", "hub:8443")], true),
            (vec![("host", "hub:8443"), ("origin", "https://hub:8443")], true),
            (vec![("host", "hub:8443"), ("origin", "https://evil")], false),
            (vec![("host", "hub:8443"), ("origin", "null")], false),
            (vec![("host", "hub"), ("sec-fetch-site", "same-origin")], true),
            (vec![("host", "hub"), ("sec-fetch-site", "cross-site")], false),
            (vec![("host", "hub"), ("sec-fetch-site", "same-site")], false),
        ] {
            assert_eq!(is_same_origin(&headers(&pairs)), expected, "{pairs:?}");
        }
    }
}
