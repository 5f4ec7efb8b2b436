//! The head of a request as its lines come: what it says of its target, its host and its body has to be sound and said once.

use http::Uri;

use super::framing::Body;
use super::violation::Violation;

/// Longest body that may be announced, far beyond any that is taken: hyper has no room for one of 2^64 - 1 bytes.
pub(super) const LONGEST: u64 = 1 << 62;

/// What the lines of a head have said so far.
#[derive(Debug, Default)]
pub(super) struct Head {
    http_1_0: bool,
    host: Option<Vec<u8>>,
    /// Host and port of a target that names them.
    authority: Option<Authority>,
    length: Option<u64>,
    chunked: bool,
}

/// Host and port of an absolute target.
#[derive(Debug)]
struct Authority {
    text: String,
    default_port: &'static str,
}

impl Head {
    /// Reads `method SP request-target SP HTTP-version`.
    pub(super) fn begin(line: &[u8]) -> Result<Self, Violation> {
        let mut words = line.split(|byte| *byte == b' ');
        let (Some(method), Some(target), Some(version), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(Violation::bad(
                "the request line is not method, target and version with one space between",
            ));
        };
        if method.is_empty() || !method.iter().all(is_token) {
            return Err(Violation::bad("the method is not a token"));
        }
        let http_1_0 = match version {
            b"HTTP/1.1" => false,
            b"HTTP/1.0" => true,
            [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
                if major.is_ascii_digit() && minor.is_ascii_digit() =>
            {
                return Err(Violation::version("the version is neither HTTP/1.1 nor HTTP/1.0"));
            }
            _ => return Err(Violation::bad("the version is neither HTTP/1.1 nor HTTP/1.0")),
        };
        if method == b"CONNECT" {
            return Err(Violation::not_implemented(
                "this server is no proxy, it makes no tunnels",
            ));
        }
        Ok(Self {
            http_1_0,
            authority: authority(method, target)?,
            ..Self::default()
        })
    }

    /// Whether it is one of HTTP/1.0.
    pub(super) fn is_http_1_0(&self) -> bool {
        self.http_1_0
    }

    /// Reads a field.
    pub(super) fn field(&mut self, line: &[u8]) -> Result<(), Violation> {
        let (name, value) = split_field(line)?;
        if name.eq_ignore_ascii_case(b"host") {
            if self.host.is_some() {
                return Err(Violation::bad("`Host` comes twice"));
            }
            if !is_host(value) {
                return Err(Violation::bad("`Host` is not a host with an optional port"));
            }
            // Only to be compared with the target.
            let kept = if self.authority.is_some() { value } else { &[] };
            self.host = Some(kept.to_vec());
        } else if name.eq_ignore_ascii_case(b"content-length") {
            if self.length.replace(decimal(value)?).is_some() {
                return Err(Violation::bad("`Content-Length` comes twice"));
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if self.chunked {
                return Err(Violation::bad("`Transfer-Encoding` comes twice"));
            }
            self.chunked = is_chunked(value)?;
        }
        Ok(())
    }

    /// What follows the empty line that ends the head.
    pub(super) fn end(&self) -> Result<Body, Violation> {
        match (&self.host, &self.authority) {
            (None, _) if !self.http_1_0 => return Err(Violation::bad("`Host` is missing")),
            (Some(host), Some(authority)) if !authority.is(host) => {
                return Err(Violation::bad("`Host` is another than the target's"));
            }
            _ => {}
        }
        match (self.chunked, self.length) {
            (true, Some(_)) => Err(Violation::bad("`Content-Length` beside `Transfer-Encoding`")),
            (true, None) if self.http_1_0 => Err(Violation::bad("`Transfer-Encoding` in HTTP/1.0")),
            (true, None) => Ok(Body::Chunked),
            (false, None | Some(0)) => Ok(Body::None),
            (false, Some(length)) => Ok(Body::Fixed(length)),
        }
    }
}

impl Authority {
    /// Whether `host` is the same, a default port left away or not.
    fn is(&self, host: &[u8]) -> bool {
        let bare = |text: &[u8]| {
            let text = text.strip_suffix(self.default_port.as_bytes()).unwrap_or(text);
            text.to_ascii_lowercase()
        };
        bare(host) == bare(self.text.as_bytes())
    }
}

/// Name and value of a field.
pub(super) fn split_field(line: &[u8]) -> Result<(&[u8], &[u8]), Violation> {
    if line.first().is_some_and(|byte| matches!(byte, b' ' | b'\t')) {
        return Err(Violation::bad("a field is folded over two lines"));
    }
    let colon = line
        .iter()
        .position(|byte| *byte == b':')
        .ok_or(Violation::bad("a field has no colon"))?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    if name.is_empty() || !name.iter().all(is_token) {
        return Err(Violation::bad("a field name is not a token"));
    }
    Ok((name, value.trim_ascii()))
}

/// The authority of an absolute target; `None` for a path, and for the `*` of `OPTIONS`.
fn authority(method: &[u8], target: &[u8]) -> Result<Option<Authority>, Violation> {
    const WRONG: Violation =
        Violation::bad("the request target is no path, and no URI of http or https with a host");
    if target
        .iter()
        .any(|byte| !byte.is_ascii_graphic() || *byte == b'#')
    {
        return Err(Violation::bad(
            "the request target has a character that a URI must escape",
        ));
    }
    // What every parser takes.
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~/%?=&+,:;@!$'()*".contains(byte);
    if target.starts_with(b"/") && target.iter().all(plain) {
        return Ok(None);
    }
    if target == b"*" {
        return match method {
            b"OPTIONS" => Ok(None),
            _ => Err(WRONG),
        };
    }
    let uri = Uri::try_from(target).map_err(|_| WRONG)?;
    if target.starts_with(b"/") {
        return Ok(None);
    }
    let default_port = match uri.scheme_str() {
        Some("http") => ":80",
        Some("https") => ":443",
        _ => return Err(WRONG),
    };
    match uri.authority().map(http::uri::Authority::as_str) {
        Some(text) if is_host(text.as_bytes()) => Ok(Some(Authority {
            text: text.to_owned(),
            default_port,
        })),
        _ => Err(WRONG),
    }
}

/// Whether `value` is a host that is not empty, with an optional port: no user, no path, no list.
fn is_host(value: &[u8]) -> bool {
    let (host, port) = match value.iter().rposition(|byte| *byte == b':') {
        Some(colon) if !value.ends_with(b"]") => (&value[..colon], &value[colon + 1..]),
        _ => (value, &[][..]),
    };
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+;=".contains(byte);
    let is_address = |byte: &u8| byte.is_ascii_alphanumeric() || b":.".contains(byte);
    let is_sound = match host.strip_prefix(b"[") {
        Some(rest) => rest
            .strip_suffix(b"]")
            .is_some_and(|address| !address.is_empty() && address.iter().all(is_address)),
        None => !host.is_empty() && host.iter().all(is_name),
    };
    is_sound && port.iter().all(u8::is_ascii_digit)
}

fn is_token(byte: &u8) -> bool {
    const TOKEN: [bool; 256] = {
        let mut table = [false; 256];
        let mut rest: &[u8] =
            b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        while let [byte, others @ ..] = rest {
            table[*byte as usize] = true;
            rest = others;
        }
        table
    };
    TOKEN[usize::from(*byte)]
}

fn decimal(text: &[u8]) -> Result<u64, Violation> {
    let digits = Some(text).filter(|text| !text.is_empty() && text.iter().all(u8::is_ascii_digit));
    let digits = digits.ok_or(Violation::bad("`Content-Length` is not one decimal number"))?;
    str::from_utf8(digits)
        .ok()
        .and_then(|digits| digits.parse().ok())
        .filter(|length| *length <= LONGEST)
        .ok_or(Violation::BODY_TOO_LONG)
}

/// Whether the one coding is `chunked`; it has to be.
fn is_chunked(value: &[u8]) -> Result<bool, Violation> {
    if value.eq_ignore_ascii_case(b"chunked") {
        return Ok(true);
    }
    let mut codings = value.rsplit(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    let last_is_chunked = codings
        .next()
        .is_some_and(|coding| coding.eq_ignore_ascii_case(b"chunked"));
    // RFC 9112 §6.1 and §6.3: where `chunked` is not the last, nobody knows where the body ends.
    if last_is_chunked && codings.all(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case(b"chunked"))
    {
        return Err(Violation::not_implemented(
            "`Transfer-Encoding` is another than `chunked`, send the body without it",
        ));
    }
    Err(Violation::bad(
        "`Transfer-Encoding` does not end in one `chunked`",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_letters_digits_and_fifteen_other_characters() {
        let tokens: Vec<u8> = (0..=u8::MAX).filter(is_token).collect();
        assert_eq!(tokens.len(), 2 * 26 + 10 + 15);
        for byte in 0..=u8::MAX {
            let expected = byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
            assert_eq!(is_token(&byte), expected, "{byte}");
        }
    }

    #[test]
    fn a_host_is_a_name_or_an_address_with_an_optional_port() {
        for sound in [
            "h",
            "plant.example:8080",
            "127.0.0.1:80",
            "[::1]",
            "[::1]:8080",
            "h:",
            "xn--bcher-kva.example",
        ] {
            assert!(is_host(sound.as_bytes()), "{sound}");
        }
        for wrong in [
            "", ":80", "a b", "a,b", "u@h", "h/x", "h:8o", "h:80:80", "[::1", "::1]", "[]", "h\\x", "h?",
        ] {
            assert!(!is_host(wrong.as_bytes()), "{wrong}");
        }
    }

    #[test]
    fn a_target_is_a_path_or_names_the_same_host() {
        let ends = |target: &str, host: &str| {
            let mut head = Head::begin(format!("GET {target} HTTP/1.1").as_bytes())?;
            head.field(format!("Host: {host}").as_bytes())?;
            head.end()
        };
        for (target, host) in [
            ("/", "h"),
            ("/a%2Fb?c=[d]", "h"),
            ("//a/b", "h"),
            ("http://h/a", "h"),
            ("http://H:80/", "h"),
            ("https://h/", "h:443"),
            ("http://[::1]:8080/", "[::1]:8080"),
        ] {
            assert_eq!(ends(target, host), Ok(Body::None), "{target} at {host}");
        }
        for (target, host) in [
            ("http://other/", "h"),
            ("http://h:81/", "h"),
            ("http://h:443/", "h"),
            ("http://user@h/", "h"),
            ("http:///a", "h"),
            ("ftp://h/", "h"),
            ("h:80", "h:80"),
            ("a", "h"),
            ("*", "h"),
            ("", "h"),
            ("/a#b", "h"),
        ] {
            assert!(ends(target, host).is_err(), "{target} at {host}");
        }
        assert!(Head::begin(b"OPTIONS * HTTP/1.1").is_ok());
    }
}
