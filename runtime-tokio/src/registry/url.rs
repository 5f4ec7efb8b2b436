//! Where a client registry is: the part of a URL that matters.

use std::fmt;
use std::str::FromStr;

use http::Uri;
use http::uri::Scheme;

use crate::transport::Endpoint;

/// Base URL of a client registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryUrl {
    is_secure: bool,
    endpoint: Endpoint,
    /// Without the slash at its end.
    prefix: String,
}

impl RegistryUrl {
    /// `https://HOST`.
    #[must_use]
    pub fn of_host(host: &str) -> Self {
        Self {
            is_secure: true,
            endpoint: Endpoint {
                host: host.to_owned(),
                port: 443,
            },
            prefix: String::new(),
        }
    }

    /// Whether it is reached with TLS.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.is_secure
    }

    /// Where it listens.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The target of a request for `path`.
    pub(super) fn target(&self, path: &str) -> String {
        format!("{}{path}", self.prefix)
    }

    /// The field `Host`.
    pub(super) fn authority(&self) -> String {
        let Endpoint { host, port } = &self.endpoint;
        let usual = if self.is_secure { 443 } else { 80 };
        match (host.contains(':'), *port == usual) {
            (false, true) => host.clone(),
            (true, true) => format!("[{host}]"),
            (_, false) => self.endpoint.to_string(),
        }
    }
}

impl fmt::Display for RegistryUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_secure { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority(), self.prefix)
    }
}

impl FromStr for RegistryUrl {
    /// What was expected instead.
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || {
            "a URL such as `https://central.example` or `http://127.0.0.1:8081`, without user, query and fragment"
                .to_owned()
        };
        let uri: Uri = text.parse().map_err(|_| expected())?;
        let is_secure = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP => false,
            _ => return Err(expected()),
        };
        let authority = uri.authority().ok_or_else(expected)?;
        if authority.as_str().contains('@') || uri.query().is_some() || text.contains('#') {
            return Err(expected());
        }
        let host = authority.host();
        // The library takes a port that is none for no port.
        let port = match authority.as_str()[host.len()..].strip_prefix(':') {
            Some(port) => port.parse().map_err(|_| expected())?,
            None if is_secure => 443,
            None => 80,
        };
        let host = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host);
        if host.is_empty() || port == 0 {
            return Err(expected());
        }
        Ok(Self {
            is_secure,
            endpoint: Endpoint {
                host: host.to_owned(),
                port,
            },
            prefix: uri.path().trim_end_matches('/').to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_read_and_shown_the_same() {
        for (text, shown, host, port) in [
            ("https://hub.example", "https://hub.example", "hub.example", 443),
            (
                "https://hub.example:443/",
                "https://hub.example",
                "hub.example",
                443,
            ),
            (
                "http://127.0.0.1:8081",
                "http://127.0.0.1:8081",
                "127.0.0.1",
                8081,
            ),
            ("http://hub/base/", "http://hub/base", "hub", 80),
            ("https://[::1]:8443", "https://[::1]:8443", "::1", 8443),
            ("https://[::1]", "https://[::1]", "::1", 443),
        ] {
            let url: RegistryUrl = text.parse().unwrap();
            assert_eq!(url.to_string(), shown);
            assert_eq!((url.endpoint().host.as_str(), url.endpoint().port), (host, port));
        }
        assert_eq!(RegistryUrl::of_host("::1").to_string(), "https://[::1]");
        let url: RegistryUrl = "http://hub/base/".parse().unwrap();
        assert_eq!(url.target("/api"), "/base/api");
    }

    #[test]
    fn what_is_no_base_url_is_refused() {
        for text in [
            "",
            "hub.example",
            "ftp://hub",
            "https://",
            "https://user:secret@hub",
            "https://hub?x=1",
            "https://hub#x",
            "https://hub:0",
            "https://hub:99999",
            "https://hub:",
        ] {
            let error = text.parse::<RegistryUrl>().unwrap_err();
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
