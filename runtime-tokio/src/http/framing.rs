//! Strict HTTP/1.1 message framing (RFC 9112): what hyper's lenient parser lets pass is found here, byte by byte.
//!
//! Two servers that disagree on where a request ends can be made to disagree on who sent the next one (request
//! smuggling). hyper accepts bare LF, no or several `Host`, and `Content-Length` beside `Transfer-Encoding`, and no
//! longer shows the last of these in its headers; so the check has to happen on the wire.

use std::mem;

use super::head::{Head, LONGEST, split_field};
use super::violation::Violation;

/// Longest head in bytes, and longest trailer.
pub(super) const MAX_HEAD: usize = 16 * 1024;
/// Most fields in a head, and in a trailer.
const MAX_FIELDS: usize = 64;
/// Longest line that announces a chunk, extensions included.
const MAX_CHUNK_LINE: usize = 256;
/// Empty lines that are skipped before a request line; RFC 9112 §2.2 asks for one.
const MAX_EMPTY_LINES: usize = 8;
// The texts of violations name them.
const _: () = assert!(MAX_HEAD == 16_384 && MAX_FIELDS == 64 && MAX_CHUNK_LINE == 256);

/// Where in the bytes just fed a violation was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// What is wrong.
    pub(super) violation: Violation,
    /// In a body, all bytes before this index belong to sound lines and chunks; in a head, to what comes before that head.
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
    /// Bytes and lines of the current head or trailer that have ended.
    section: Section,
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
}

#[derive(Debug, Default, Clone, Copy)]
struct Section {
    bytes: usize,
    lines: usize,
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

    /// Whether the last head was one of HTTP/1.0.
    pub(super) fn is_http_1_0(&self) -> bool {
        self.head.is_http_1_0()
    }

    /// Follows the next `bytes` of the connection, and tells how many of them come before the head that they end in; all of them
    /// where they do not end in one.
    ///
    /// # Errors
    /// [`Fault`] at the first violation. The connection is of no further use then.
    pub(super) fn follow(&mut self, bytes: &[u8]) -> Result<usize, Fault> {
        let mut at = 0;
        let mut head_at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            if self.between_requests() {
                head_at = at;
            }
            at += match self.state {
                State::Fixed(left) => {
                    let (taken, left) = consume(left, rest.len());
                    self.state = match left {
                        0 => State::RequestLine,
                        left => State::Fixed(left),
                    };
                    taken
                }
                State::ChunkData(left) => {
                    let (taken, left) = consume(left, rest.len());
                    self.state = match left {
                        0 => State::ChunkEnd,
                        left => State::ChunkData(left),
                    };
                    taken
                }
                State::RequestLine | State::Field | State::ChunkLine | State::ChunkEnd | State::Trailer => {
                    let in_head = matches!(self.state, State::RequestLine | State::Field);
                    self.follow_line(rest).map_err(|violation| Fault {
                        violation,
                        sound: if in_head { head_at } else { at },
                        in_head,
                    })?
                }
            };
        }
        Ok(if self.in_head() { head_at } else { at })
    }

    /// Takes bytes up to the end of the line or of `rest`.
    fn follow_line(&mut self, rest: &[u8]) -> Result<usize, Violation> {
        let end = rest.iter().position(|byte| *byte == b'\n').map(|index| index + 1);
        let part = &rest[..end.unwrap_or(rest.len())];
        self.check_length(self.line.len() + part.len())?;
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

    /// Bounds the current line, which has `length` bytes so far, and what it is a part of.
    fn check_length(&self, length: usize) -> Result<(), Violation> {
        let is_within = self.section.bytes + length <= MAX_HEAD;
        match self.state {
            State::ChunkLine if length > MAX_CHUNK_LINE => {
                Err(Violation::bad("the line before a chunk is longer than 256 bytes"))
            }
            State::RequestLine if !is_within => Err(Violation::TARGET_TOO_LONG),
            State::Field if !is_within => Err(Violation::HEAD_TOO_LONG),
            State::Trailer if !is_within => Err(Violation::bad("the trailer is longer than 16384 bytes")),
            _ => Ok(()),
        }
    }

    fn end_line(&mut self, line: &[u8]) -> Result<(), Violation> {
        self.section.bytes += line.len();
        let line = line
            .strip_suffix(b"\r\n")
            .ok_or(Violation::bad("a line ends in a bare LF"))?;
        // To the end of the line, whatever it has: without a way out the compiler looks at many bytes at once.
        let has_control = line.iter().fold(false, |found, byte| {
            found | ((*byte < b' ') & (*byte != b'\t')) | (*byte == 0x7f)
        });
        if has_control {
            return Err(Violation::bad("a line has a control character in it"));
        }
        self.state = match self.state {
            State::RequestLine if line.is_empty() => {
                self.section.lines += 1;
                if self.section.lines > MAX_EMPTY_LINES {
                    return Err(Violation::bad("there are too many empty lines before a request"));
                }
                State::RequestLine
            }
            State::RequestLine => {
                self.head = Head::begin(line)?;
                self.section.lines = 0;
                State::Field
            }
            State::Field if line.is_empty() => {
                let body = self.head.end()?;
                self.heads += 1;
                self.section = Section::default();
                match body {
                    Body::None => State::RequestLine,
                    Body::Fixed(length) => State::Fixed(length),
                    Body::Chunked => State::ChunkLine,
                }
            }
            State::Field => {
                self.count_field(Violation::TOO_MANY_FIELDS)?;
                self.head.field(line)?;
                State::Field
            }
            State::ChunkLine => {
                self.section = Section::default();
                match chunk_size(line)? {
                    0 => State::Trailer,
                    size => State::ChunkData(size),
                }
            }
            State::ChunkEnd if line.is_empty() => State::ChunkLine,
            State::ChunkEnd => return Err(Violation::bad("a chunk is longer than its announced size")),
            State::Trailer if line.is_empty() => {
                self.section = Section::default();
                State::RequestLine
            }
            State::Trailer => {
                self.count_field(Violation::bad("the trailer has more than 64 fields"))?;
                split_field(line)?;
                State::Trailer
            }
            State::Fixed(_) | State::ChunkData(_) => self.state,
        };
        Ok(())
    }

    fn count_field(&mut self, violation: Violation) -> Result<(), Violation> {
        self.section.lines += 1;
        match self.section.lines {
            0..=MAX_FIELDS => Ok(()),
            _ => Err(violation),
        }
    }
}

/// What follows a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    None,
    /// So many bytes.
    Fixed(u64),
    Chunked,
}

/// How many of `available` bytes belong to a run with `left` to come, and what is left of it then.
fn consume(left: u64, available: usize) -> (usize, u64) {
    let taken = usize::try_from(left).map_or(available, |left| left.min(available));
    (taken, left - taken as u64)
}

fn chunk_size(line: &[u8]) -> Result<u64, Violation> {
    const WRONG: Violation = Violation::bad("a chunk size is not a hexadecimal number");
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (size, extension) = line.split_at(digits);
    if !(extension.is_empty() || extension.trim_ascii_start().starts_with(b";")) {
        return Err(WRONG);
    }
    let size = u64::from_str_radix(str::from_utf8(size).map_err(|_| WRONG)?, 16).map_err(|_| WRONG)?;
    if size > LONGEST {
        return Err(Violation::BODY_TOO_LONG);
    }
    Ok(size)
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
            .map(drop)
            .map_err(|fault| (fault.violation, fault.in_head));
        let mut framing = Framing::default();
        let single = bytes
            .chunks(1)
            .try_for_each(|byte| framing.follow(byte).map(drop));
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
        bytes.push_str("OPTIONS * HTTP/1.0\r\n\r\n");
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
                "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n",
                "`Transfer-Encoding` does not end in one `chunked`",
            ),
            (
                "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
                "`Transfer-Encoding` in HTTP/1.0",
            ),
        ];
        for (request, expected) in cases {
            assert_eq!(faulty(request), (Violation::bad(expected), true), "{request:?}");
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
            assert_eq!(faulty(&request), (Violation::bad(expected), false), "{request:?}");
        }
        let extension = format!("{CHUNKED}1;{}", "x".repeat(MAX_CHUNK_LINE));
        let too_long = Violation::bad("the line before a chunk is longer than 256 bytes");
        assert_eq!(faulty(&extension), (too_long, false));
        let trailer = format!("{CHUNKED}0\r\n{}", "a: b\r\n".repeat(MAX_FIELDS + 1));
        let too_many = Violation::bad("the trailer has more than 64 fields");
        assert_eq!(faulty(&trailer), (too_many, false));
        let trailer = format!("{CHUNKED}0\r\na: {}", "x".repeat(MAX_HEAD));
        let too_long = Violation::bad("the trailer is longer than 16384 bytes");
        assert_eq!(faulty(&trailer), (too_long, false));
    }

    #[test]
    fn what_is_no_ambiguity_has_a_status_of_its_own() {
        let head = "POST / HTTP/1.1\r\nHost: a\r\n";
        let long = "x".repeat(MAX_HEAD);
        for (request, expected) in [
            ("GET / HTTP/1.2\r\n".to_owned(), 505),
            ("PRI * HTTP/2.0\r\n".to_owned(), 505),
            ("CONNECT h:80 HTTP/1.1\r\n".to_owned(), 501),
            (format!("{head}Transfer-Encoding: gzip, chunked\r\n"), 501),
            (format!("{head}Content-Length: 99999999999999999999\r\n"), 413),
            (format!("GET /{long}"), 414),
            (format!("{head}A: {long}"), 431),
            (format!("{head}{}", "a: b\r\n".repeat(MAX_FIELDS)), 431),
        ] {
            let (violation, in_head) = faulty(&request);
            let status = violation.failure().status().as_u16();
            assert_eq!((status, in_head), (expected, true), "{request}");
        }
    }

    #[test]
    fn the_bytes_before_an_unfinished_head_are_told() {
        let follow = |bytes: &str| Framing::default().follow(bytes.as_bytes()).unwrap();
        assert_eq!(follow(GET), GET.len());
        assert_eq!(follow(&format!("{GET}G")), GET.len());
        assert_eq!(follow(&format!("{GET}\r\n{GET}\r\nG")), 2 * GET.len() + 4);
        assert_eq!(follow("POST / HTTP/1.1\r\nHost: h\r\n"), 0);
        assert_eq!(follow(&format!("{CHUNKED}3\r")), CHUNKED.len() + 2);
    }

    #[test]
    fn empty_lines_before_a_request_are_skipped_up_to_a_bound() {
        let empty = "\r\n".repeat(MAX_EMPTY_LINES);
        assert_eq!(verdict(format!("{empty}{GET}{empty}{GET}").as_bytes()), Ok(()));
        let violation = Violation::bad("there are too many empty lines before a request");
        assert_eq!(faulty(&format!("{empty}\r\n{GET}")), (violation, true));
    }

    #[test]
    fn a_fault_leaves_the_sound_request_before_it_alone() {
        let bytes = format!("{GET}GET / HTTP/1.1\r\n\r\n");
        let fault = Framing::default().follow(bytes.as_bytes()).unwrap_err();
        assert_eq!(fault.sound, GET.len());
    }
}
