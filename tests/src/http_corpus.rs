//! Requests that two servers could read differently, that break the rules of RFC 9112, or that are just allowed.
//!
//! `{host}` stands for the server's host and port. Each is followed by a second request on the same connection, which must be handled
//! after a sound one and must not after any other.

/// A request and what has to come of it.
#[derive(Debug, Clone)]
pub struct Case {
    /// What is odd about it.
    pub name: &'static str,
    /// Its bytes.
    pub request: Vec<u8>,
    /// Status of its answer. With 200 the connection stays, with any other it ends.
    pub status: u16,
}

/// The path of a node that publishes what is posted there.
pub const PATH: &str = "/data/in";

/// Where a body is announced by `fields` and has these bytes.
fn post(name: &'static str, fields: &str, body: &str, status: u16) -> Case {
    raw(
        name,
        format!(
            "POST {PATH} HTTP/1.1\r\nHost: {{host}}\r\nContent-Type: text/plain\r\n{fields}\r\n\r\n{body}"
        ),
        status,
    )
}

fn chunked(name: &'static str, body: &str, status: u16) -> Case {
    post(name, "Transfer-Encoding: chunked", body, status)
}

/// A request with this line, and a body that would be published.
fn line(name: &'static str, line: &str, status: u16) -> Case {
    raw(
        name,
        format!("{line}\r\nHost: {{host}}\r\nContent-Type: text/plain\r\nContent-Length: 1\r\n\r\n1"),
        status,
    )
}

fn raw(name: &'static str, request: impl Into<Vec<u8>>, status: u16) -> Case {
    Case {
        name,
        request: request.into(),
        status,
    }
}

/// All cases, sound ones and others.
#[must_use]
pub fn all() -> Vec<Case> {
    let mut cases = lengths();
    cases.extend(codings());
    cases.extend(chunks());
    cases.extend(lines());
    cases.extend(hosts());
    cases.extend(fields());
    cases.extend(sizes());
    cases.extend(sound());
    cases
}

fn lengths() -> Vec<Case> {
    vec![
        post(
            "length and coding",
            "Content-Length: 6\r\nTransfer-Encoding: chunked",
            "1\r\n1\r\n0\r\n\r\n",
            400,
        ),
        post(
            "coding and length",
            "Transfer-Encoding: chunked\r\nContent-Length: 6",
            "1\r\n1\r\n0\r\n\r\n",
            400,
        ),
        post(
            "length zero and coding",
            "Content-Length: 0\r\nTransfer-Encoding: chunked",
            "1\r\n1\r\n0\r\n\r\n",
            400,
        ),
        post(
            "two equal lengths",
            "Content-Length: 1\r\nContent-Length: 1",
            "1",
            400,
        ),
        post(
            "two different lengths",
            "Content-Length: 1\r\nContent-Length: 2",
            "11",
            400,
        ),
        post("two lengths in one field", "Content-Length: 1, 1", "1", 400),
        post("two lengths without a space", "Content-Length: 1,2", "11", 400),
        post("positive length", "Content-Length: +1", "1", 400),
        post("negative length", "Content-Length: -1", "1", 400),
        post("hexadecimal length", "Content-Length: 0x1", "1", 400),
        post(
            "hexadecimal digit in a length",
            "Content-Length: a",
            "1111111111",
            400,
        ),
        post("empty length", "Content-Length:", "1", 400),
        post("broken length", "Content-Length: 1.0", "1", 400),
        post("two words of length", "Content-Length: 1 1", "1", 400),
        post("length in quotes", "Content-Length: \"1\"", "1", 400),
        post("length with a vertical tab", "Content-Length: \u{b}1", "1", 400),
        post("length with a trailing NUL", "Content-Length: 1\0", "1", 400),
        post("length of another script", "Content-Length: \u{0661}", "1", 400),
        post(
            "length beyond 64 bits",
            "Content-Length: 18446744073709551617",
            "1",
            413,
        ),
        post(
            "length beyond what is taken",
            "Content-Length: 18446744073709551615",
            "1",
            413,
        ),
        post(
            "space before the colon of the length",
            "Content-Length : 1",
            "1",
            400,
        ),
        post(
            "tab before the colon of the length",
            "Content-Length\t: 1",
            "1",
            400,
        ),
        post("folded length", "Content-Length:\r\n 1", "1", 400),
        post("length behind a bare CR", "X: y\rContent-Length: 1", "1", 400),
        post("length behind a bare LF", "X: y\nContent-Length: 1", "1", 400),
    ]
}

fn codings() -> Vec<Case> {
    let body = "1\r\n1\r\n0\r\n\r\n";
    let coding = |name, value: &str, status| post(name, &format!("Transfer-Encoding:{value}"), body, status);
    vec![
        coding("chunked before identity", " chunked, identity", 400),
        coding("identity", " identity", 400),
        coding("unknown coding", " xchunked", 400),
        coding("empty coding", "", 400),
        coding("chunked in quotes", " \"chunked\"", 400),
        coding("chunked with a parameter", " chunked;q=1", 400),
        coding("chunked behind a vertical tab", " \u{b}chunked", 400),
        coding("chunked twice in one field", " chunked, chunked", 400),
        coding("chunked behind an empty one", " , chunked", 400),
        coding(
            "chunked in two fields",
            " chunked\r\nTransfer-Encoding: chunked",
            400,
        ),
        coding(
            "chunked and another field",
            " chunked\r\nTransfer-Encoding: identity",
            400,
        ),
        coding(
            "another field and chunked",
            " identity\r\nTransfer-Encoding: chunked",
            400,
        ),
        coding("folded chunked", "\r\n chunked", 400),
        coding("compressed and chunked", " gzip, chunked", 501),
        post(
            "space before the colon of the coding",
            "Transfer-Encoding : chunked",
            body,
            400,
        ),
        raw(
            "chunked in HTTP/1.0",
            format!(
                "POST {PATH} HTTP/1.0\r\nHost: {{host}}\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n{body}"
            ),
            400,
        ),
    ]
}

fn chunks() -> Vec<Case> {
    let flood = format!("1;{}\r\n1\r\n", "x".repeat(200)).repeat(200);
    vec![
        chunked(
            "chunk size beyond 64 bits",
            "10000000000000001\r\n1\r\n0\r\n\r\n",
            400,
        ),
        chunked("largest chunk size", "ffffffffffffffff\r\n1\r\n0\r\n\r\n", 400),
        chunked("negative chunk size", "-1\r\n1\r\n0\r\n\r\n", 400),
        chunked("positive chunk size", "+1\r\n1\r\n0\r\n\r\n", 400),
        chunked("chunk size with 0x", "0x1\r\n1\r\n0\r\n\r\n", 400),
        chunked("empty chunk size", "\r\n1\r\n0\r\n\r\n", 400),
        chunked("chunk size behind a space", " 1\r\n1\r\n0\r\n\r\n", 400),
        chunked("chunk size before a space", "1 \r\n1\r\n0\r\n\r\n", 400),
        chunked(
            "chunk size with a digit behind a space",
            "1 1\r\n1\r\n0\r\n\r\n",
            400,
        ),
        chunked("bare LF behind the chunk size", "1\n1\r\n0\r\n\r\n", 400),
        chunked("bare CR behind the chunk size", "1\r1\r\n0\r\n\r\n", 400),
        chunked("bare LF behind the chunk", "1\r\n1\n0\r\n\r\n", 400),
        chunked("bare LF in an extension", "1;a\nb\r\n1\r\n0\r\n\r\n", 400),
        chunked("bare CR in an extension", "1;a\rb\r\n1\r\n0\r\n\r\n", 400),
        chunked("NUL in an extension", "1;a\0\r\n1\r\n0\r\n\r\n", 400),
        chunked("no CRLF behind the chunk", "1\r\n10\r\n\r\n", 400),
        chunked("chunk longer than its size", "1\r\n111\r\n0\r\n\r\n", 400),
        chunked("two CRLF behind the chunk", "1\r\n1\r\n\r\n0\r\n\r\n", 400),
        chunked(
            "extension without end",
            &format!("1;{}\r\n1\r\n0\r\n\r\n", "x".repeat(300)),
            400,
        ),
        chunked("flood of extensions", &format!("{flood}0\r\n\r\n"), 400),
        chunked("trailer without colon", "1\r\n1\r\n0\r\nx\r\n\r\n", 400),
        chunked("folded trailer", "1\r\n1\r\n0\r\nx: y\r\n z\r\n\r\n", 400),
        chunked("bare LF in the trailer", "1\r\n1\r\n0\r\nx: y\n\r\n", 400),
        chunked(
            "trailer without end",
            &format!("1\r\n1\r\n0\r\n{}\r\n", "x: y\r\n".repeat(65)),
            400,
        ),
    ]
}

fn lines() -> Vec<Case> {
    vec![
        line(
            "two spaces before the target",
            &format!("POST  {PATH} HTTP/1.1"),
            400,
        ),
        line(
            "two spaces behind the target",
            &format!("POST {PATH}  HTTP/1.1"),
            400,
        ),
        line(
            "tabs in the request line",
            &format!("POST\t{PATH}\tHTTP/1.1"),
            400,
        ),
        line("space before the method", &format!(" POST {PATH} HTTP/1.1"), 400),
        line("space behind the version", &format!("POST {PATH} HTTP/1.1 "), 400),
        line("word behind the version", &format!("POST {PATH} HTTP/1.1 x"), 400),
        line("space in the target", &format!("POST {PATH} x HTTP/1.1"), 400),
        line("no version", &format!("POST {PATH}"), 400),
        line("no target", "POST HTTP/1.1", 400),
        line("version without a minor one", &format!("POST {PATH} HTTP/1"), 400),
        line("version of two digits", &format!("POST {PATH} HTTP/11"), 400),
        line("version in lower case", &format!("POST {PATH} http/1.1"), 400),
        line(
            "version of another protocol",
            &format!("POST {PATH} RTSP/1.1"),
            400,
        ),
        line("version 1.2", &format!("POST {PATH} HTTP/1.2"), 505),
        line("version 2.0", &format!("POST {PATH} HTTP/2.0"), 505),
        line("version 0.9", &format!("POST {PATH} HTTP/0.9"), 505),
        line("method that is no token", &format!("PO(ST {PATH} HTTP/1.1"), 400),
        line(
            "method in another script",
            &format!("P\u{d6}ST {PATH} HTTP/1.1"),
            400,
        ),
        line("fragment in the target", &format!("POST {PATH}#x HTTP/1.1"), 400),
        line("target in another script", "POST /data/\u{ef}n HTTP/1.1", 400),
        line("target without a slash", "POST data/in HTTP/1.1", 400),
        line("asterisk for POST", "POST * HTTP/1.1", 400),
        line("authority for POST", "POST {host} HTTP/1.1", 400),
        line("tunnel", "CONNECT {host} HTTP/1.1", 501),
        line(
            "target at another host",
            &format!("POST http://other.example{PATH} HTTP/1.1"),
            400,
        ),
        line(
            "target at another port",
            &format!("POST http://127.0.0.1:1{PATH} HTTP/1.1"),
            400,
        ),
        line(
            "target with a user",
            &format!("POST http://user@{{host}}{PATH} HTTP/1.1"),
            400,
        ),
        line(
            "target of another scheme",
            &format!("POST ftp://{{host}}{PATH} HTTP/1.1"),
            400,
        ),
        line(
            "target without a host",
            &format!("POST http://{PATH} HTTP/1.1"),
            400,
        ),
        line("NUL in the target", "POST /data/in\0 HTTP/1.1", 400),
        line("bare CR in the request line", "POST /data/in\r HTTP/1.1", 400),
        line("NUL before the method", &format!("\0POST {PATH} HTTP/1.1"), 400),
        raw(
            "bare LF behind the request line",
            format!("POST {PATH} HTTP/1.1\nHost: {{host}}\r\n\r\n"),
            400,
        ),
        raw(
            "bare LF everywhere",
            format!("POST {PATH} HTTP/1.1\nHost: {{host}}\nContent-Length: 0\n\n"),
            400,
        ),
        raw(
            "bare LF before the request line",
            format!("\nPOST {PATH} HTTP/1.1\r\nHost: {{host}}\r\n\r\n"),
            400,
        ),
        raw(
            "bare CR everywhere",
            format!("POST {PATH} HTTP/1.1\rHost: {{host}}\r\r\n\r\n"),
            400,
        ),
        raw(
            "too many empty lines",
            format!(
                "{}POST {PATH} HTTP/1.1\r\nHost: {{host}}\r\n\r\n",
                "\r\n".repeat(9)
            ),
            400,
        ),
        raw(
            "HTTP/2 from the beginning",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            505,
        ),
    ]
}

fn hosts() -> Vec<Case> {
    let fields = "Content-Type: text/plain\r\nContent-Length: 1";
    let host = |name, hosts: &str, status| {
        raw(
            name,
            format!("POST {PATH} HTTP/1.1\r\n{hosts}{fields}\r\n\r\n1"),
            status,
        )
    };
    vec![
        host("no host", "", 400),
        host("two equal hosts", "Host: {host}\r\nHost: {host}\r\n", 400),
        host("two hosts", "Host: {host}\r\nHost: other\r\n", 400),
        host("two hosts in one field", "Host: {host}, other\r\n", 400),
        host("empty host", "Host:\r\n", 400),
        host("port without host", "Host: :80\r\n", 400),
        host("port that is none", "Host: h:8o\r\n", 400),
        host("host with a user", "Host: user@h\r\n", 400),
        host("host with a path", "Host: h/data\r\n", 400),
        host("host of two words", "Host: h x\r\n", 400),
        host("host with a backslash", "Host: h\\x\r\n", 400),
        host("space before the colon of the host", "Host : h\r\n", 400),
        host("folded host", "Host: h\r\n x\r\n", 400),
        host("host folded from the request line", " Host: h\r\n", 400),
        raw(
            "two hosts in HTTP/1.0",
            format!("POST {PATH} HTTP/1.0\r\nHost: a\r\nHost: b\r\n{fields}\r\n\r\n1"),
            400,
        ),
        raw(
            "empty host in HTTP/1.0",
            format!("POST {PATH} HTTP/1.0\r\nHost:\r\n{fields}\r\n\r\n1"),
            400,
        ),
    ]
}

fn fields() -> Vec<Case> {
    let field = |name, line: &str| post(name, &format!("{line}\r\nContent-Length: 1"), "1", 400);
    vec![
        field("field without a colon", "X"),
        field("field without a name", ": y"),
        field("space in a field name", "X y: z"),
        field("bracket in a field name", "X(y): z"),
        field("field name in another script", "\u{dc}: z"),
        field("NUL in a field name", "X\0: z"),
        field("NUL in a field", "X: y\0z"),
        field("escape in a field", "X: y\u{1b}z"),
        field("delete in a field", "X: y\u{7f}z"),
        field("bare CR in a field", "X: y\rz"),
        field("bare LF in a field", "X: y\nz: 1"),
        field("bare CR behind a field", "X: y\r"),
        field("folded field", "X: y\r\n z"),
        field("field folded with a tab", "X: y\r\n\tz"),
        field("line of spaces", " "),
        raw(
            "bare LF behind the head",
            format!("POST {PATH} HTTP/1.1\r\nHost: {{host}}\r\nContent-Length: 0\r\n\n"),
            400,
        ),
    ]
}

fn sizes() -> Vec<Case> {
    let long = "x".repeat(20_000);
    vec![
        line(
            "target that is too long",
            &format!("POST {PATH}?{long} HTTP/1.1"),
            414,
        ),
        post(
            "field that is too long",
            &format!("X: {long}\r\nContent-Length: 1"),
            "1",
            431,
        ),
        post(
            "too many fields",
            &format!("{}Content-Length: 1", "x: y\r\n".repeat(64)),
            "1",
            431,
        ),
        post(
            "head that is too long",
            &format!(
                "{}Content-Length: 1",
                format!("x: {}\r\n", "y".repeat(1000)).repeat(20)
            ),
            "1",
            431,
        ),
        raw("line without end", long, 414),
        post("body that is too long", "Content-Length: 200000", "1", 413),
    ]
}

fn sound() -> Vec<Case> {
    let fields = "Content-Type: text/plain\r\nContent-Length: 1\r\n\r\n1";
    vec![
        post("length", "Content-Length: 1", "1", 200),
        post("length with spaces around", "Content-Length:  1 \t", "1", 200),
        post("length with a leading zero", "Content-Length: 01", "1", 200),
        chunked("chunk", "1\r\n1\r\n0\r\n\r\n", 200),
        chunked("chunk with an extension", "1 ; a=\"b\"\r\n1\r\n00\r\n\r\n", 200),
        chunked("chunk with a trailer", "1\r\n1\r\n0\r\nX: y\r\n\r\n", 200),
        post(
            "coding in mixed case",
            "tRANSFER-eNCODING: ChunkeD",
            "1\r\n1\r\n0\r\n\r\n",
            200,
        ),
        post(
            "bytes beyond ASCII in a field",
            "X: \u{e9}\r\nContent-Length: 1",
            "1",
            200,
        ),
        post("empty field", "X:\r\nContent-Length: 1", "1", 200),
        raw(
            "empty line before the request",
            format!("\r\nPOST {PATH} HTTP/1.1\r\nHost: {{host}}\r\n{fields}"),
            200,
        ),
        line(
            "target with the same host",
            &format!("POST http://{{host}}{PATH} HTTP/1.1"),
            200,
        ),
        line("path in another case", "POST /DATA/In HTTP/1.1", 200),
        line("path with an escape", "POST /data/%69n HTTP/1.1", 200),
        raw(
            "another host by name",
            format!("POST {PATH} HTTP/1.1\r\nHost: plant.example\r\n{fields}"),
            200,
        ),
        raw(
            "host that is an address",
            format!("POST {PATH} HTTP/1.1\r\nHost: [::1]:8080\r\n{fields}"),
            200,
        ),
        raw(
            "HTTP/1.0 without host that stays",
            format!("POST {PATH} HTTP/1.0\r\nConnection: keep-alive\r\n{fields}"),
            200,
        ),
    ]
}
