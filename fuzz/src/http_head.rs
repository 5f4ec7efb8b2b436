//! The framing check of the HTTP servers against the parser that comes after it.

use syncline::http::{follow, follow_at_once};

/// Most fields that the check lets pass.
const FIELDS: usize = 64;

/// Asserts that `data` is judged the same in any pieces, and that each request which passes is read by `httparse` as one that begins
/// and ends where the check says. Returns how many requests passed, and the status of the refusal, if any.
pub fn check(data: &[u8]) -> (usize, Option<u16>) {
    let followed = follow(data);
    for count in [2, 3, 7, 64, usize::MAX] {
        let (heads, refused) = follow_at_once(data, count);
        assert_eq!(
            (heads, refused),
            (followed.heads.len() as u64, followed.refused),
            "in pieces of {count} bytes"
        );
    }
    for (index, range) in followed.heads.iter().enumerate() {
        let length = body_length(&data[range.clone()]);
        let body = &data[range.end..];
        let next = followed.heads.get(index + 1).map(|next| next.start - range.end);
        let end = match length {
            Length::Known(length) => Some(length),
            Length::Chunked => end_of_chunks(body),
        };
        match (end, next) {
            // Empty lines may come between.
            (Some(end), Some(next)) => {
                assert!(end <= next, "a head within the body before it");
                assert!(
                    body[end..next].iter().all(|byte| b"\r\n".contains(byte)),
                    "bytes of nobody"
                );
            }
            (None, Some(_)) => panic!("a head after a body that does not end"),
            (_, None) => {}
        }
    }
    (followed.heads.len(), followed.refused.map(|(status, _)| status))
}

enum Length {
    Known(usize),
    Chunked,
}

/// What `httparse` makes of a head: the whole of it, one host, and one length.
fn body_length(head: &[u8]) -> Length {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS];
    let mut request = httparse::Request::new(&mut fields);
    let read = request.parse(head).expect("what passes can be read");
    assert_eq!(
        read,
        httparse::Status::Complete(head.len()),
        "the head ends elsewhere"
    );
    let values = |name: &str| -> Vec<&[u8]> {
        let named = request
            .headers
            .iter()
            .filter(|field| field.name.eq_ignore_ascii_case(name));
        named.map(|field| field.value.trim_ascii()).collect()
    };
    let hosts = values("host").len();
    assert!(
        hosts == 1 || (hosts == 0 && request.version == Some(0)),
        "{hosts} hosts"
    );
    match (
        values("content-length").as_slice(),
        values("transfer-encoding").as_slice(),
    ) {
        ([], []) => Length::Known(0),
        ([length], []) => {
            let length = std::str::from_utf8(length).expect("digits");
            assert!(length.bytes().all(|byte| byte.is_ascii_digit()), "{length}");
            Length::Known(length.parse().expect("a length that is taken"))
        }
        ([], [coding]) if coding.eq_ignore_ascii_case(b"chunked") => Length::Chunked,
        (lengths, codings) => panic!("{} lengths, {} codings", lengths.len(), codings.len()),
    }
}

/// Where a chunked body ends with its trailer, as `httparse` reads it; `None` where it does not.
fn end_of_chunks(body: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let httparse::Status::Complete((line, size)) = httparse::parse_chunk_size(&body[at..]).ok()? else {
            return None;
        };
        at += line;
        if size == 0 {
            break;
        }
        at = at.checked_add(usize::try_from(size).ok()?)?.checked_add(2)?;
        body.get(at..)?;
    }
    let mut fields = [httparse::EMPTY_HEADER; FIELDS];
    match httparse::parse_headers(&body[at..], &mut fields) {
        Ok(httparse::Status::Complete((trailer, _))) => Some(at + trailer),
        _ => None,
    }
}
