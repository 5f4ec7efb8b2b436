//! Who may call the HTTP servers and log in to the OPC UA server: users and tokens of a file of hashes, and which paths each may
//! read and write.

mod admission;
mod file;
mod permission;

use std::collections::HashMap;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Method};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

pub use admission::Admission;
pub(crate) use admission::Patience;
pub use file::{AccessError, Entry};
use permission::Permissions;

use super::reply::Failure;
use crate::password::Hasher;

/// Longest password or token in bytes that is looked at: hashing takes time with the length.
const MAX_SECRET: usize = 1024;
/// A password's hash for names that nobody has, so that they take as long as those that somebody has. It is argon2's with
/// the parameters of all others.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$c29tZSBzYWx0IG9mIG5vYm9keQ$mK3ZUxSvhOz0OLYtMbX4OLjVUbx0wpCFkCUjGVSyYFM";

/// The users and tokens of one file.
pub struct Access {
    users: HashMap<String, User>,
    tokens: Vec<Token>,
    /// Verifies for requests.
    hasher: Hasher,
    /// Verifies for sessions: neither kind waits for the other.
    session_hasher: Hasher,
}

struct User {
    /// Argon2, with its parameters and salt in it.
    hash: String,
    /// What stands for the user with this hash, see [`Access::log_in`].
    login: String,
    permissions: Permissions,
}

struct Token {
    sha256: [u8; 32],
    permissions: Permissions,
}

/// Why a request is turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It shows no credentials.
    NoLogin,
    /// Its credentials are nobody's.
    Nobody,
    /// Its sender may not read this path.
    Read,
    /// Its sender may not write to it.
    Write,
}

/// What a request shows of who sends it.
enum Credentials<'a> {
    Basic { name: String, password: Vec<u8> },
    Bearer(&'a [u8]),
}

impl Access {
    /// Reads a file of users and tokens, which messages name by `variable`.
    ///
    /// # Errors
    /// [`AccessError`] names what is wrong with it.
    pub fn read(file: &Path, variable: &'static str) -> Result<Self, AccessError> {
        let text = file::text(file, variable)?;
        file::parse(&text, file, variable)
    }

    /// As [`Access::judge`], with the data plane's answer.
    pub(super) async fn admit(
        &self,
        headers: &HeaderMap,
        method: &Method,
        path: Option<&str>,
    ) -> Result<(), Failure> {
        self.judge(headers, method, path)
            .await
            .map_err(|refused| match refused {
                Refused::NoLogin => Failure::unauthorized(
                    "this path needs a login, send `Authorization` with Basic or Bearer",
                ),
                Refused::Nobody => Failure::unauthorized("the credentials are nobody's"),
                Refused::Read => Failure::forbidden(true),
                Refused::Write => Failure::forbidden(false),
            })
    }

    /// Checks that a request comes from somebody who may do this to `path`, as the router compares it.
    ///
    /// # Errors
    /// [`Refused`] without credentials that somebody has, and for somebody who may not.
    pub(crate) async fn judge(
        &self,
        headers: &HeaderMap,
        method: &Method,
        path: Option<&str>,
    ) -> Result<(), Refused> {
        let credentials = credentials(headers).ok_or(Refused::NoLogin)?;
        let permissions = match &credentials {
            Credentials::Bearer(token) => self.by_token(token),
            Credentials::Basic { name, password } => self.by_password(name, password).await,
        };
        let permissions = permissions.ok_or(Refused::Nobody)?;
        let reads = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
        match (path.is_some_and(|path| permissions.allow(reads, path)), reads) {
            (true, _) => Ok(()),
            (false, true) => Err(Refused::Read),
            (false, false) => Err(Refused::Write),
        }
    }

    /// Every token is compared, each in a time that does not depend on what is in it.
    fn by_token(&self, token: &[u8]) -> Option<&Permissions> {
        let digest: [u8; 32] = Sha256::digest(token).into();
        let mut found = None;
        for known in &self.tokens {
            if bool::from(known.sha256.ct_eq(&digest)) {
                found = Some(&known.permissions);
            }
        }
        found
    }

    async fn by_password(&self, name: &str, password: &[u8]) -> Option<&Permissions> {
        let user = self.user(name, password, &self.hasher).await;
        user.map(|user| &user.permissions)
    }

    async fn user(&self, name: &str, password: &[u8], hasher: &Hasher) -> Option<&User> {
        let user = self.users.get(name);
        let hash = user.map_or(NOBODY, |user| &user.hash);
        let verified = hasher.verify(password, hash).await;
        user.filter(|_| verified)
    }

    /// Lets a user in for more than one request: the text stands for the user while the file has the same hash of the password.
    /// `None` where the password is not this user's, or there is no such user.
    pub(crate) async fn log_in(&self, name: &str, password: &[u8]) -> Option<String> {
        if password.len() > MAX_SECRET {
            return None;
        }
        let user = self.user(name, password, &self.session_hasher).await;
        Some(user?.login.clone())
    }

    /// Whether who has logged in may read `path`, or write to it; it is compared as [`Access::judge`] does.
    pub(crate) fn allows(&self, login: &str, reads: bool, path: &str) -> bool {
        let user = login.split_once(':').and_then(|(_, name)| self.users.get(name));
        user.is_some_and(|user| user.login == login && user.permissions.allow(reads, path))
    }

    /// Whether the file has this user.
    pub(crate) fn knows(&self, name: &str) -> bool {
        self.users.contains_key(name)
    }
}

impl User {
    fn new(name: &str, hash: String, permissions: Permissions) -> Self {
        let digest: [u8; 32] = Sha256::digest(&hash).into();
        let mark = u64::from_be_bytes(digest.first_chunk().copied().unwrap_or_default());
        Self {
            login: format!("{mark:016x}:{name}"),
            hash,
            permissions,
        }
    }
}

/// The credentials of a request: exactly one `Authorization`, well formed.
fn credentials(headers: &HeaderMap) -> Option<Credentials<'_>> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (value, None) = (values.next()?, values.next()) else {
        return None;
    };
    let value = value.as_bytes();
    let at = value.iter().position(|byte| *byte == b' ')?;
    let (scheme, rest) = (&value[..at], value[at..].trim_ascii());
    if rest.is_empty() || rest.len() > MAX_SECRET {
        return None;
    }
    if scheme.eq_ignore_ascii_case(b"bearer") {
        return Some(Credentials::Bearer(rest));
    }
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return None;
    }
    let decoded = BASE64.decode(rest).ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    let name = String::from_utf8(decoded[..colon].to_vec()).ok()?;
    Some(Credentials::Basic {
        name,
        password: decoded[colon + 1..].to_vec(),
    })
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access")
            .field("users", &self.users.len())
            .field("tokens", &self.tokens.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderValue, StatusCode};

    const TOKEN: &str = "0123456789abcdefghijklmnopqrstuvwxyz";

    async fn access() -> Access {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.toml");
        let user = Entry::user(
            "press",
            "s3cret: with a colon",
            &["data/+/read"],
            &["data/plant/#"],
        )
        .await
        .unwrap();
        let token = Entry::token("board", TOKEN, &["#"], &[]).unwrap();
        std::fs::write(&path, format!("{user}\n{token}")).unwrap();
        Access::read(&path, "SYNCLINE_HTTP_AUTH").unwrap()
    }

    fn basic(name: &str, password: &str) -> String {
        format!("Basic {}", BASE64.encode(format!("{name}:{password}")))
    }

    async fn ask(access: &Access, authorization: &[&str], method: Method, path: &str) -> u16 {
        let mut headers = HeaderMap::new();
        for value in authorization {
            headers.append(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        }
        match access.admit(&headers, &method, Some(path)).await {
            Ok(()) => 200,
            Err(failure) => failure.status().as_u16(),
        }
    }

    #[tokio::test]
    async fn a_user_may_do_what_the_patterns_of_the_file_say() {
        let access = access().await;
        let press = basic("press", "s3cret: with a colon");
        for (method, path, expected) in [
            (Method::GET, "/data/plant/read", 200),
            (Method::HEAD, "/data/other/read", 200),
            (Method::GET, "/data/plant/read/more", 403),
            (Method::POST, "/data/plant/read", 200),
            (Method::DELETE, "/data/plant/a/b", 200),
            (Method::POST, "/data/other", 403),
        ] {
            let status = ask(&access, &[&press], method.clone(), path).await;
            assert_eq!(status, expected, "{method} {path}");
        }
    }

    #[tokio::test]
    async fn a_login_counts_while_the_file_has_the_user_with_the_same_password() {
        let access = access().await;
        assert_eq!(access.log_in("press", b"s3cret").await, None);
        assert_eq!(access.log_in("nobody", b"s3cret: with a colon").await, None);
        assert_eq!(access.log_in("press", &[b'x'; MAX_SECRET + 1]).await, None);
        let login = access.log_in("press", b"s3cret: with a colon").await.unwrap();
        assert!(access.allows(&login, true, "/data/plant/read"));
        assert!(!access.allows(&login, true, "/data/plant/a"));
        assert!(access.allows(&login, false, "/data/plant/a"));
        // The same user with the same password again, which has another salt now.
        let later = self::access().await;
        assert!(!later.allows(&login, true, "/data/plant/read"));
        let login = later.log_in("press", b"s3cret: with a colon").await.unwrap();
        assert!(later.allows(&login, true, "/data/plant/read"));
    }

    #[tokio::test]
    async fn a_token_is_somebody_and_anything_near_it_nobody() {
        let access = access().await;
        let bearer = format!("bearer  {TOKEN}");
        assert_eq!(ask(&access, &[&bearer], Method::GET, "/data/x").await, 200);
        assert_eq!(ask(&access, &[&bearer], Method::PUT, "/data/x").await, 403);
        let near = [
            format!("Bearer {TOKEN}x"),
            format!("Bearer {}", &TOKEN[1..]),
            format!("Basic {TOKEN}"),
            format!("Digest {TOKEN}"),
            "Bearer".to_owned(),
            "Bearer ".to_owned(),
            basic("press", "s3cret"),
            basic("nobody", "s3cret: with a colon"),
            format!("Bearer {}", "x".repeat(2000)),
        ];
        for wrong in near {
            assert_eq!(
                ask(&access, &[&wrong], Method::GET, "/data/x").await,
                401,
                "{wrong}"
            );
        }
        assert_eq!(ask(&access, &[], Method::GET, "/data/x").await, 401);
        assert_eq!(
            ask(&access, &[&bearer, &bearer], Method::GET, "/data/x").await,
            401,
            "two of them could be read differently"
        );
    }

    #[tokio::test]
    async fn the_hash_of_nobody_has_the_parameters_of_all_others() {
        let access = access().await;
        let hash = &access.users["press"].hash;
        let parameters = |hash: &str| hash.split('$').take(4).collect::<Vec<_>>().join("$");
        assert_eq!(parameters(NOBODY), parameters(hash));
        let parsed = argon2::PasswordHash::new(NOBODY).unwrap();
        assert_eq!(parsed.hash.unwrap().len(), 32, "it is computed to its end");
        let failure = access
            .admit(&HeaderMap::new(), &Method::GET, Some("/data/x"))
            .await
            .unwrap_err();
        assert_eq!(failure.status(), StatusCode::UNAUTHORIZED);
    }
}
