//! Strict HTTP/1.1 message framing (RFC 9112): what hyper's lenient parser lets pass is found here, byte by byte.
//!
//! Two servers that disagree on where a request ends can be made to disagree on who sent the next one (request
//! smuggling). hyper accepts bare LF, no or several `Host`, and `Content-Length` beside `Transfer-Encoding`, and no
//! longer shows the last of these in its headers; so the check has to happen on the wire.

use std::mem;

/// Longest line of a head that is kept for inspection. hyper refuses a longer head by itself (431).
const MAX_LINE: usize = 16 * 1024;
/// Longest line that announces a chunk, extensions included.
const MAX_CHUNK_LINE: usize = 256;

/// What makes a request unfit: one sentence for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Violation(&'static str);

/// Where in the bytes just fed a violation was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// What is wrong.
    pub(super) violation: Violation,
    /// All bytes before this index belong to lines and bodies that are sound.
    pub(super) sound: usize,
    /// Whether the fault is in a head, which has not been answered, or in the body of a request being handled.
    pub(super) in_head: bool,
}

/// Follows one connection's requests from byte to byte.
#[derive(Debug, Default)]
pub(super) struct Framing {
    state: State,
    /// The part of the current line that came with earlier reads.
    line: Vec<u8>,
    head: Head,
    heads: u64,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the first byte of a request, or in its first line.
    #[default]
    RequestLine,
    Field,
    Fixed(u64),
    ChunkLine,
    ChunkData(u64),
    ChunkEnd,
    Trailer,
    /// A head too long to follow; hyper answers it and closes.
    Unfollowed,
}

#[derive(Debug, Default)]
struct Head {
    http_1_0: bool,
    hosts: u32,
    length: Option<u64>,
    chunked: bool,
}

impl Framing {
    /// Whether the first byte of a request has come and its head has not ended.
    pub(super) fn in_head(&self) -> bool {
        match self.state {
            State::RequestLine => !self.line.is_empty(),
            State::Field => true,
            _ => false,
        }
    }

    /// Whether the next byte would be the first one of a request.
    pub(super) fn between_requests(&self) -> bool {
        self.state == State::RequestLine && self.line.is_empty()
    }

    /// How many heads have ended.
    pub(super) fn heads(&self) -> u64 {
        self.heads
    }

    /// Follows the next `bytes` of the connection.
    ///
    /// # Errors
    /// [`Fault`] at the first violation. The connection is of no further use then.
    pub(super) fn follow(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            at += match self.state {
                State::Unfollowed => rest.len(),
                State::Fixed(left) => {
                    let (taken, left) = consume(left, rest.len());
                    self.state = if left == 0 {
                        State::RequestLine
                    } else {
                        State::Fixed(left)
                    };
                    taken
                }
                State::ChunkData(left) => {
                    let (taken, left) = consume(left, rest.len());
                    self.state = if left == 0 {
                        State::ChunkEnd
                    } else {
                        State::ChunkData(left)
                    };
                    taken
                }
                State::RequestLine | State::Field | State::ChunkLine | State::ChunkEnd | State::Trailer => {
                    let in_head = matches!(self.state, State::RequestLine | State::Field);
                    self.follow_line(rest).map_err(|violation| Fault {
                        violation,
                        sound: at,
                        in_head,
                    })?
                }
            };
        }
        Ok(())
    }

    /// Takes bytes up to the end of the line or of `rest`.
    fn follow_line(&mut self, rest: &[u8]) -> Result<usize, Violation> {
        let end = rest.iter().position(|byte| *byte == b'\n').map(|index| index + 1);
        let part = &rest[..end.unwrap_or(rest.len())];
        let bound = if self.state == State::ChunkLine {
            MAX_CHUNK_LINE
        } else {
            MAX_LINE
        };
        if self.line.len() + part.len() > bound {
            if self.state == State::ChunkLine || self.state == State::Trailer {
                return Err(Violation("chunk extension or trailer field is too long"));
            }
            self.state = State::Unfollowed;
            self.line = Vec::new();
            return Ok(part.len());
        }
        if end.is_none() {
            self.line.extend_from_slice(part);
            return Ok(part.len());
        }
        if self.line.is_empty() {
            self.end_line(part)?;
        } else {
            let mut line = mem::take(&mut self.line);
            line.extend_from_slice(part);
            self.end_line(&line)?;
        }
        Ok(part.len())
    }

    fn end_line(&mut self, line: &[u8]) -> Result<(), Violation> {
        let line = line
            .strip_suffix(b"\r\n")
            .ok_or(Violation("a line ends in a bare LF"))?;
        // To the end of the line, whatever it has: without a way out the compiler looks at many bytes at once.
        let has_control = line.iter().fold(false, |found, byte| {
            found | ((*byte < b' ') & (*byte != b'\t')) | (*byte == 0x7f)
        });
        if has_control {
            return Err(Violation("a line has a control character in it"));
        }
        self.state = match self.state {
            // RFC 9112 §2.2: empty lines before a request line are skipped.
            State::RequestLine if line.is_empty() => State::RequestLine,
            State::RequestLine => {
                self.head = Head {
                    http_1_0: request_line(line)?,
                    ..Head::default()
                };
                State::Field
            }
            State::Field if line.is_empty() => {
                self.heads += 1;
                self.head.body()?
            }
            State::Field => {
                self.head.field(line)?;
                State::Field
            }
            State::ChunkLine => match chunk_size(line)? {
                0 => State::Trailer,
                size => State::ChunkData(size),
            },
            State::ChunkEnd if line.is_empty() => State::ChunkLine,
            State::ChunkEnd => return Err(Violation("a chunk is longer than its announced size")),
            State::Trailer if line.is_empty() => State::RequestLine,
            State::Trailer => {
                split_field(line)?;
                State::Trailer
            }
            State::Fixed(_) | State::ChunkData(_) | State::Unfollowed => self.state,
        };
        Ok(())
    }
}

impl Head {
    fn field(&mut self, line: &[u8]) -> Result<(), Violation> {
        let (name, value) = split_field(line)?;
        if name.eq_ignore_ascii_case(b"host") {
            self.hosts += 1;
            if value
                .iter()
                .any(|byte| !byte.is_ascii_graphic() || b"/?#@,\\".contains(byte))
            {
                return Err(Violation("`Host` is not a host with an optional port"));
            }
        } else if name.eq_ignore_ascii_case(b"content-length") {
            if self.length.replace(decimal(value)?).is_some() {
                return Err(Violation("`Content-Length` comes twice"));
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
                return Err(Violation("`Transfer-Encoding` is anything but one `chunked`"));
            }
            self.chunked = true;
        }
        Ok(())
    }

    /// The state after the empty line that ends the head.
    fn body(&self) -> Result<State, Violation> {
        match (self.hosts, self.http_1_0) {
            (1, _) | (0, true) => {}
            (0, false) => return Err(Violation("`Host` is missing")),
            _ => return Err(Violation("`Host` comes twice")),
        }
        match (self.chunked, self.length) {
            (true, Some(_)) => Err(Violation("`Content-Length` beside `Transfer-Encoding`")),
            (true, None) if self.http_1_0 => Err(Violation("`Transfer-Encoding` in HTTP/1.0")),
            (true, None) => Ok(State::ChunkLine),
            (false, None | Some(0)) => Ok(State::RequestLine),
            (false, Some(length)) => Ok(State::Fixed(length)),
        }
    }
}

/// How many of `available` bytes belong to a run with `left` to come, and what is left of it then.
fn consume(left: u64, available: usize) -> (usize, u64) {
    let taken = usize::try_from(left).map_or(available, |left| left.min(available));
    (taken, left - taken as u64)
}

/// Checks `method SP request-target SP HTTP-version` and tells whether the version is 1.0.
fn request_line(line: &[u8]) -> Result<bool, Violation> {
    let mut words = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Violation(
            "the request line is not method, target and version with one space between",
        ));
    };
    if method.is_empty() || !method.iter().all(is_token) {
        return Err(Violation("the method is not a token"));
    }
    if target.is_empty()
        || target
            .iter()
            .any(|byte| !byte.is_ascii_graphic() || *byte == b'#')
    {
        return Err(Violation(
            "the request target has a character that a URI must escape",
        ));
    }
    match version {
        b"HTTP/1.1" => Ok(false),
        b"HTTP/1.0" => Ok(true),
        _ => Err(Violation("the version is neither HTTP/1.1 nor HTTP/1.0")),
    }
}

fn split_field(line: &[u8]) -> Result<(&[u8], &[u8]), Violation> {
    if line.first().is_some_and(|byte| matches!(byte, b' ' | b'\t')) {
        return Err(Violation("a field is folded over two lines"));
    }
    let colon = line
        .iter()
        .position(|byte| *byte == b':')
        .ok_or(Violation("a field has no colon"))?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    if name.is_empty() || !name.iter().all(is_token) {
        return Err(Violation("a field name is not a token"));
    }
    Ok((name, value.trim_ascii()))
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
    digits
        .and_then(|digits| str::from_utf8(digits).ok()?.parse().ok())
        .ok_or(Violation("`Content-Length` is not one decimal number"))
}

fn chunk_size(line: &[u8]) -> Result<u64, Violation> {
    const WRONG: Violation = Violation("a chunk size is not a hexadecimal number");
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (size, extension) = line.split_at(digits);
    if !(extension.is_empty() || extension.trim_ascii_start().starts_with(b";")) {
        return Err(WRONG);
    }
    u64::from_str_radix(str::from_utf8(size).map_err(|_| WRONG)?, 16).map_err(|_| WRONG)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GET: &str = "GET /a?b=c HTTP/1.1\r\nHost: h:80\r\n\r\n";
    const CHUNKED: &str = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n";

    /// What is wrong and whether it is in a head; the same when fed whole and one by one.
    fn verdict(bytes: &[u8]) -> Result<(), (Violation, bool)> {
        let whole = Framing::default()
            .follow(bytes)
            .map_err(|fault| (fault.violation, fault.in_head));
        let mut framing = Framing::default();
        let single = bytes.chunks(1).try_for_each(|byte| framing.follow(byte));
        assert_eq!(
            whole,
            single.map_err(|fault| (fault.violation, fault.in_head)),
            "whole and one by one differ"
        );
        whole
    }

    fn faulty(request: &str) -> (Violation, bool) {
        verdict(request.as_bytes()).expect_err(request)
    }

    #[test]
    fn sound_requests_pass_one_after_the_other() {
        let mut bytes = String::new();
        bytes.push_str(GET);
        bytes.push_str("\r\nPOST / HTTP/1.1\r\nhost:h\r\ncontent-length: 3 \r\n\r\nab\n");
        bytes.push_str(CHUNKED);
        bytes.push_str("3;name=\"v\"\r\nabc\r\n0a \t;x\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n");
        bytes.push_str("HEAD * HTTP/1.0\r\n\r\n");
        assert_eq!(verdict(bytes.as_bytes()), Ok(()));
        let mut framing = Framing::default();
        framing.follow(bytes.as_bytes()).unwrap();
        assert!(framing.between_requests());
        framing.follow(b"G").unwrap();
        assert!(framing.in_head() && !framing.between_requests());
    }

    #[test]
    fn heads_that_two_parsers_could_read_differently_are_faulty() {
        let cases = [
            ("GET / HTTP/1.1\nHost: h\r\n\r\n", "a line ends in a bare LF"),
            ("GET / HTTP/1.1\r\nHost: h\r\n\n", "a line ends in a bare LF"),
            (
                "GET / HTTP/1.1\r\nHost: h\r\nA: b\rc\r\n\r\n",
                "a line has a control character in it",
            ),
            (
                "GET / HTTP/1.1\r\nHost: h\r\nA: b\0c\r\n\r\n",
                "a line has a control character in it",
            ),
            ("GET / HTTP/1.1\r\n\r\n", "`Host` is missing"),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
                "`Host` comes twice",
            ),
            (
                "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n",
                "`Host` is not a host with an optional port",
            ),
            (
                "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
                "a field name is not a token",
            ),
            (
                "GET / HTTP/1.1\r\nHost: a\r\n b: c\r\n\r\n",
                "a field is folded over two lines",
            ),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n",
                "a field has no colon",
            ),
            (
                "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
                "the request line is not method, target and version with one space between",
            ),
            (
                "GET /\r\nHost: a\r\n\r\n",
                "the request line is not method, target and version with one space between",
            ),
            (
                "G\u{e9}T / HTTP/1.1\r\nHost: a\r\n\r\n",
                "the method is not a token",
            ),
            (
                "GET /#x HTTP/1.1\r\nHost: a\r\n\r\n",
                "the request target has a character that a URI must escape",
            ),
            (
                "GET / HTTP/1.2\r\nHost: a\r\n\r\n",
                "the version is neither HTTP/1.1 nor HTTP/1.0",
            ),
            (
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                "`Content-Length` beside `Transfer-Encoding`",
            ),
            (
                "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n",
                "`Content-Length` beside `Transfer-Encoding`",
            ),
            (
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
                "`Content-Length` comes twice",
            ),
            (
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n",
                "`Content-Length` is not one decimal number",
            ),
            (
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n",
                "`Content-Length` is not one decimal number",
            ),
            (
                "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
                "`Transfer-Encoding` is anything but one `chunked`",
            ),
            (
                "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n",
                "`Transfer-Encoding` is anything but one `chunked`",
            ),
            (
                "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
                "`Transfer-Encoding` in HTTP/1.0",
            ),
        ];
        for (request, expected) in cases {
            assert_eq!(faulty(request), (Violation(expected), true), "{request:?}");
        }
    }

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
    fn a_chunked_body_that_lies_is_faulty_in_its_body() {
        let cases = [
            ("3\r\nabcde\r\n", "a chunk is longer than its announced size"),
            ("x\r\n", "a chunk size is not a hexadecimal number"),
            ("-1\r\n", "a chunk size is not a hexadecimal number"),
            ("3 3\r\nabc\r\n", "a chunk size is not a hexadecimal number"),
            (
                "fffffffffffffffff\r\n",
                "a chunk size is not a hexadecimal number",
            ),
            ("3\nabc\r\n", "a line ends in a bare LF"),
            ("0\r\nfolded\r\n", "a field has no colon"),
        ];
        for (body, expected) in cases {
            let request = format!("{CHUNKED}{body}");
            assert_eq!(faulty(&request), (Violation(expected), false), "{request:?}");
        }
        let extension = format!("{CHUNKED}1;{}", "x".repeat(MAX_CHUNK_LINE));
        assert_eq!(
            faulty(&extension),
            (Violation("chunk extension or trailer field is too long"), false)
        );
    }

    #[test]
    fn a_fault_leaves_the_sound_request_before_it_alone() {
        let bytes = format!("{GET}GET / HTTP/1.1\r\n\r\n");
        let fault = Framing::default().follow(bytes.as_bytes()).unwrap_err();
        assert_eq!(
            fault.sound,
            bytes.len() - 2,
            "all but the empty line that ends the head without Host"
        );
    }

    #[test]
    fn a_head_without_end_is_kept_in_bounded_memory() {
        let mut framing = Framing::default();
        for _ in 0..100 {
            framing.follow(&[b'a'; 1000]).unwrap();
            assert!(framing.line.len() <= MAX_LINE);
        }
        assert_eq!(framing.state, State::Unfollowed);
    }
}
