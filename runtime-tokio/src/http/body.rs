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

/// Reads the whole body.
///
/// # Errors
/// 413 as soon as the announced or the actual length is beyond the limit, 408 when it does not end in time, 400 when it
/// breaks HTTP's rules.
pub(super) async fn read<B>(body: B, limits: ReadLimits) -> Result<Vec<u8>, Failure>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Error,
{
    if body.size_hint().lower() > limits.size as u64 {
        return Err(too_large(limits.size));
    }
    if body.is_end_stream() {
        return Ok(Vec::new());
    }
    match tokio::time::timeout(limits.time, collect(body, limits.size)).await {
        Ok(result) => result,
        Err(_) => Err(Failure::new(
            StatusCode::REQUEST_TIMEOUT,
            "the body did not end in time",
        )),
    }
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
                format!("the body breaks HTTP's rules: {cause}"),
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
