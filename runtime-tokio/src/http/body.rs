//! Request content: from bytes of a media type to the JSON `value` of a treq.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::error::Error;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::{Buf, Bytes};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Body;
use serde_json::value::RawValue;

use super::reply::Failure;

/// How content of a media type becomes a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// The JSON text itself.
    Json,
    /// A string.
    Text,
    /// A base64 string.
    Octets,
}

impl Content {
    /// Reads `Content-Type`; `None` without one.
    ///
    /// # Errors
    /// 415 for a media type, character set or content coding that is not taken.
    pub(super) fn of(headers: &HeaderMap) -> Result<Option<Self>, Failure> {
        if headers
            .get(CONTENT_ENCODING)
            .is_some_and(|coding| coding != "identity")
        {
            return Err(unsupported(
                "content-encoding is not taken, send the content unencoded",
            ));
        }
        let Some(value) = headers.get(CONTENT_TYPE) else {
            return Ok(None);
        };
        let content = Self::named(value).ok_or_else(|| {
            unsupported(
                "content-type is not taken, send application/json, text/plain, text/xml, application/xml, text/csv \
                 or application/octet-stream, text as UTF-8",
            )
        })?;
        Ok(Some(content))
    }

    fn named(value: &HeaderValue) -> Option<Self> {
        // What most clients send, to the letter.
        if value == "application/json" {
            return Some(Self::Json);
        }
        let value = value.to_str().ok()?;
        let (name, parameters) = value.split_once(';').unwrap_or((value, ""));
        let name = name.trim().to_ascii_lowercase();
        let content = match name.as_str() {
            "application/json" => Self::Json,
            "text/plain" | "text/xml" | "application/xml" | "text/csv" => Self::Text,
            "application/octet-stream" => Self::Octets,
            other if other.ends_with("+json") => Self::Json,
            _ => return None,
        };
        (content == Self::Octets || is_utf8(parameters)).then_some(content)
    }

    /// Makes the value of `bytes`.
    ///
    /// # Errors
    /// 400 with line and column for what is not JSON, or not UTF-8.
    pub(super) fn value(self, bytes: Vec<u8>) -> Result<Box<RawValue>, Failure> {
        match self {
            Self::Json => RawValue::from_string(text(bytes)?).map_err(|error| {
                let message = format!("the body is not valid JSON: {error}");
                Failure::new(StatusCode::BAD_REQUEST, message)
            }),
            Self::Text => Ok(to_raw(&text(bytes)?)),
            Self::Octets => Ok(to_raw(&BASE64.encode(bytes))),
        }
    }
}

/// What the content of a request is read with.
#[derive(Debug, Clone, Copy)]
pub(super) struct ReadLimits {
    /// Longest body in bytes.
    pub(super) size: usize,
    /// Longest time from the head to the end of the body.
    pub(super) time: Duration,
}

/// Reads the whole body. Where that fails the connection ends, for what is left of the body would be the next request.
///
/// # Errors
/// 413 as soon as the announced or the actual length is beyond the limit, 408 when it does not end in time, 400 when it
/// breaks the rules of HTTP.
pub(super) async fn read<B>(body: B, limits: ReadLimits) -> Result<Vec<u8>, Failure>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Error,
{
    if body.is_end_stream() {
        return Ok(Vec::new());
    }
    let read = async {
        if body.size_hint().lower() > limits.size as u64 {
            return Err(too_large(limits.size));
        }
        match tokio::time::timeout(limits.time, collect(body, limits.size)).await {
            Ok(result) => result,
            Err(_) => Err(Failure::new(
                StatusCode::REQUEST_TIMEOUT,
                "the body did not end in time",
            )),
        }
    };
    read.await.map_err(Failure::ending)
}

async fn collect<B>(mut body: B, limit: usize) -> Result<Vec<u8>, Failure>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Error,
{
    let mut bytes = Vec::with_capacity(usize::try_from(body.size_hint().lower()).unwrap_or(0).min(limit));
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            let cause = error
                .source()
                .map_or_else(|| error.to_string(), ToString::to_string);
            Failure::new(
                StatusCode::BAD_REQUEST,
                format!("the body breaks the rules of HTTP: {cause}"),
            )
        })?;
        if let Some(data) = frame.data_ref() {
            if bytes.len() + data.remaining() > limit {
                return Err(too_large(limit));
            }
            bytes.extend_from_slice(data);
        }
    }
    Ok(bytes)
}

/// Makes the value of a request: of its content, or where it has none of its query.
///
/// # Errors
/// 415 for content without a type, and those of [`Content::value`].
pub(super) fn value(
    method: &Method,
    query: Option<&str>,
    content: Option<Content>,
    bytes: Vec<u8>,
) -> Result<Box<RawValue>, Failure> {
    match content {
        Some(content) if !(bytes.is_empty() && matches!(*method, Method::GET | Method::HEAD)) => {
            content.value(bytes)
        }
        None if !bytes.is_empty() => Err(unsupported(
            "the body has no content-type, name one, for example application/json",
        )),
        _ => Ok(query_value(query.unwrap_or_default())),
    }
}

/// What a node that receives publishes.
#[derive(Debug)]
pub(super) enum Received {
    /// A JSON value, to go into an envelope.
    Value(Box<RawValue>),
    /// The bytes of the body as they are.
    Bytes(Vec<u8>),
}

/// Makes what a node that receives publishes: of JSON or a query a value, of everything else the bytes, with text found
/// to be UTF-8.
///
/// # Errors
/// As [`value`].
pub(super) fn received(
    method: &Method,
    query: Option<&str>,
    content: Option<Content>,
    bytes: Vec<u8>,
) -> Result<Received, Failure> {
    match content {
        Some(Content::Text) => text(bytes).map(|text| Received::Bytes(text.into_bytes())),
        Some(Content::Octets) => Ok(Received::Bytes(bytes)),
        _ => value(method, query, content, bytes).map(Received::Value),
    }
}

/// The query's parameters as an object, in their order; a name that comes again has an array.
fn query_value(query: &str) -> Box<RawValue> {
    let mut names = HashMap::new();
    let mut parameters: Vec<(Cow<'_, str>, Vec<Cow<'_, str>>)> = Vec::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match names.entry(name.clone()) {
            Entry::Vacant(entry) => {
                entry.insert(parameters.len());
                parameters.push((name, vec![value]));
            }
            Entry::Occupied(entry) => parameters[*entry.get()].1.push(value),
        }
    }
    let mut json = String::from("{");
    for (index, (name, values)) in parameters.iter().enumerate() {
        if index > 0 {
            json.push(',');
        }
        json.push_str(to_raw(name).get());
        json.push(':');
        json.push_str(
            match values.as_slice() {
                [value] => to_raw(value),
                values => to_raw(values),
            }
            .get(),
        );
    }
    json.push('}');
    RawValue::from_string(json).expect("an object of strings and arrays of strings")
}

fn to_raw<T: serde::Serialize + ?Sized>(value: &T) -> Box<RawValue> {
    serde_json::value::to_raw_value(value).expect("text is always writable as JSON")
}

fn text(bytes: Vec<u8>) -> Result<String, Failure> {
    String::from_utf8(bytes).map_err(|error| {
        let sound = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = sound.iter().filter(|byte| **byte == b'\n').count() + 1;
        let column = sound.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
        let message = format!("the body is not UTF-8 at line {line} column {column}");
        Failure::new(StatusCode::BAD_REQUEST, message)
    })
}

/// Whether the parameters of a media type name no character set, or UTF-8 or its subset ASCII.
fn is_utf8(parameters: &str) -> bool {
    parameters.split(';').all(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let value = value.trim().trim_matches('"');
        !name.trim().eq_ignore_ascii_case("charset")
            || ["utf-8", "utf8", "us-ascii"]
                .iter()
                .any(|known| value.eq_ignore_ascii_case(known))
    })
}

fn unsupported(message: &'static str) -> Failure {
    Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message)
}

fn too_large(limit: usize) -> Failure {
    let message = format!("the body is longer than the {limit} bytes of requestMaxBodySize");
    Failure::new(StatusCode::PAYLOAD_TOO_LARGE, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use http_body_util::Full;
    use hyper::body::Frame;

    const LIMITS: ReadLimits = ReadLimits {
        size: 8,
        time: Duration::from_secs(3600),
    };

    fn content(value: &str) -> Result<Option<Content>, Failure> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_str(value).unwrap());
        Content::of(&headers)
    }

    fn status<T: std::fmt::Debug>(result: Result<T, Failure>) -> StatusCode {
        result.unwrap_err().status()
    }

    fn json(content: Content, bytes: &[u8]) -> String {
        content.value(bytes.to_vec()).unwrap().get().to_owned()
    }

    #[test]
    fn media_types_are_told_apart_without_regard_to_case_and_parameters() {
        for name in [
            "application/json",
            "Application/JSON; charset=UTF-8",
            "application/ld+json",
            "text/json+json",
        ] {
            assert_eq!(content(name).unwrap(), Some(Content::Json), "{name}");
        }
        for name in [
            "text/plain",
            "text/csv;header=present",
            "text/xml; charset=\"utf-8\"",
            "application/xml",
        ] {
            assert_eq!(content(name).unwrap(), Some(Content::Text), "{name}");
        }
        assert_eq!(
            content("application/octet-stream").unwrap(),
            Some(Content::Octets)
        );
        assert_eq!(Content::of(&HeaderMap::new()).unwrap(), None);
        for name in [
            "application/x-www-form-urlencoded",
            "text/html",
            "json",
            "",
            "text/plain; charset=latin1",
        ] {
            assert_eq!(
                status(content(name)),
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "{name}"
            );
        }
    }

    #[test]
    fn encoded_content_is_not_taken() {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        assert_eq!(status(Content::of(&headers)), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }

    #[test]
    fn json_is_passed_on_to_the_letter() {
        assert_eq!(
            json(Content::Json, b" {\"b\": 1.10,\n\"a\":[1e400]} \r\n"),
            "{\"b\": 1.10,\n\"a\":[1e400]}"
        );
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(json(Content::Json, deep.as_bytes()), deep);
    }

    #[test]
    fn text_and_octets_become_strings() {
        assert_eq!(
            json(Content::Text, "a\"\n\u{e9}".as_bytes()),
            "\"a\\\"\\n\u{e9}\""
        );
        assert_eq!(json(Content::Text, b""), "\"\"");
        assert_eq!(json(Content::Octets, b"\0\xff~"), "\"AP9+\"");
    }

    #[test]
    fn what_is_not_json_or_not_utf8_is_refused_with_its_place() {
        let cases: [(&[u8], &str); 4] = [
            (b"{\"a\":1,\n \"b\" 2}", "line 2 column 6"),
            (b"", "line 1 column 0"),
            (b"{} {}", "line 1 column 4"),
            (b"\"a\",\n\"\xff\"", "line 2 column 2"),
        ];
        for (bytes, place) in cases {
            let failure = Content::Json.value(bytes.to_vec()).unwrap_err();
            assert_eq!(failure.status(), StatusCode::BAD_REQUEST);
            assert!(failure.message().ends_with(place), "{}", failure.message());
        }
    }

    #[test]
    fn a_request_without_content_has_its_query_as_value() {
        let value_of = |query| {
            value(&Method::GET, query, None, Vec::new())
                .unwrap()
                .get()
                .to_owned()
        };
        assert_eq!(value_of(None), "{}");
        assert_eq!(value_of(Some("")), "{}");
        assert_eq!(
            value_of(Some("b=1&a=x%20y+z&b=%22&c&b=")),
            r#"{"b":["1","\"",""],"a":"x y z","c":""}"#
        );
        let typed = value(&Method::GET, Some("a=1"), Some(Content::Json), Vec::new()).unwrap();
        assert_eq!(
            typed.get(),
            r#"{"a":"1"}"#,
            "clients that always send a content-type"
        );
    }

    #[test]
    fn what_is_received_is_a_value_for_json_and_bytes_for_all_else() {
        let received_of = |content, bytes: &[u8]| {
            received(&Method::POST, Some("a=1"), content, bytes.to_vec()).map(|received| match received {
                Received::Value(value) => format!("value {}", value.get()),
                Received::Bytes(bytes) => format!("bytes {bytes:?}"),
            })
        };
        assert_eq!(received_of(Some(Content::Json), b" [1] ").unwrap(), "value [1]");
        assert_eq!(
            received_of(Some(Content::Text), b"[1]").unwrap(),
            "bytes [91, 49, 93]"
        );
        assert_eq!(
            received_of(Some(Content::Octets), b"\xff").unwrap(),
            "bytes [255]"
        );
        assert_eq!(received_of(None, b"").unwrap(), "value {\"a\":\"1\"}");
        assert_eq!(
            status(received_of(Some(Content::Text), b"\xff")),
            StatusCode::BAD_REQUEST
        );
        assert_eq!(
            status(received_of(None, b"x")),
            StatusCode::UNSUPPORTED_MEDIA_TYPE
        );
    }

    #[test]
    fn content_wins_over_the_query_and_needs_a_type() {
        let typed = value(&Method::POST, Some("a=1"), Some(Content::Text), b"x".to_vec()).unwrap();
        assert_eq!(typed.get(), "\"x\"");
        let untyped = value(&Method::POST, None, None, b"x".to_vec());
        assert_eq!(status(untyped), StatusCode::UNSUPPORTED_MEDIA_TYPE);
        let empty = value(&Method::POST, None, Some(Content::Json), Vec::new());
        assert_eq!(status(empty), StatusCode::BAD_REQUEST, "an empty text is no JSON");
    }

    #[tokio::test]
    async fn a_body_may_be_as_long_as_the_limit_and_not_longer() {
        assert_eq!(
            read(Full::new(Bytes::from_static(b"12345678")), LIMITS)
                .await
                .unwrap(),
            b"12345678"
        );
        let announced = read(Full::new(Bytes::from_static(b"123456789")), LIMITS).await;
        assert_eq!(status(announced), StatusCode::PAYLOAD_TOO_LARGE);
        for (parts, fits) in [(["1234", "5678"], true), (["1234", "56789"], false)] {
            let result = read(
                Frames {
                    frames: parts.to_vec(),
                    stalls: false,
                },
                LIMITS,
            )
            .await;
            assert_eq!(result.is_ok(), fits);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_end_in_time_is_given_up() {
        let stalled = Frames {
            frames: vec!["1"],
            stalls: true,
        };
        let started = tokio::time::Instant::now();
        assert_eq!(status(read(stalled, LIMITS).await), StatusCode::REQUEST_TIMEOUT);
        assert!(started.elapsed() >= LIMITS.time);
    }

    /// Frames of unknown total length; after the last one the end, or nothing more for ever.
    struct Frames {
        frames: Vec<&'static str>,
        stalls: bool,
    }

    impl Body for Frames {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            let this = self.get_mut();
            match this.frames.pop() {
                Some(part) => Poll::Ready(Some(Ok(Frame::data(Bytes::from(part))))),
                None if this.stalls => Poll::Pending,
                None => Poll::Ready(None),
            }
        }
    }
}
