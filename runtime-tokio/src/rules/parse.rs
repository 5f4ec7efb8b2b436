//! The rule `parse`: from the bytes of a payload to a value.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use bytes::Bytes;

use super::chain::Payload;
use super::json::Json;

/// What the bytes of a payload are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// JSON text.
    Json,
    /// UTF-8 text.
    Utf8,
    /// ISO 8859-1 text.
    Latin1,
    /// ASCII text. An integer in it becomes a number.
    Ascii,
    /// A byte: zero is false.
    Boolean,
    /// A signed byte.
    Int8,
    /// Two bytes, signed, big endian.
    Int16Be,
    /// Two bytes, signed, little endian.
    Int16Le,
    /// Four bytes, signed, big endian.
    Int32Be,
    /// Four bytes, signed, little endian.
    Int32Le,
    /// An unsigned byte.
    Uint8,
    /// Two bytes, unsigned, big endian.
    Uint16Be,
    /// Two bytes, unsigned, little endian.
    Uint16Le,
    /// Four bytes, unsigned, big endian.
    Uint32Be,
    /// Four bytes, unsigned, little endian.
    Uint32Le,
    /// Four bytes, IEEE 754, big endian.
    FloatBe,
    /// Four bytes, IEEE 754, little endian.
    FloatLe,
    /// Eight bytes, IEEE 754, big endian.
    DoubleBe,
    /// Eight bytes, IEEE 754, little endian.
    DoubleLe,
    /// Any bytes, which become Base64 text.
    ToBase64,
    /// Base64 text, which becomes the bytes that it stands for.
    FromBase64,
}

/// Why bytes are not of a format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// Not JSON.
    #[error("the payload is not JSON")]
    NotJson,
    /// Not UTF-8.
    #[error("the payload is not UTF-8 text; `latin1` takes any bytes")]
    NotUtf8,
    /// Not ASCII.
    #[error("the payload is not ASCII text; try `utf8` or `latin1`")]
    NotAscii,
    /// Not Base64.
    #[error("the payload is not Base64 text")]
    NotBase64,
    /// Too short for its format.
    #[error("the payload has {found} bytes, expected at least {expected}")]
    TooShort {
        /// Bytes that are there.
        found: usize,
        /// Bytes that the format reads.
        expected: usize,
    },
    /// NaN or infinite.
    #[error("the payload is a number that JSON does not have: NaN or infinite")]
    NotFinite,
}

impl Format {
    /// All formats with their names in commissioning files.
    pub const ALL: [(&str, Self); 21] = [
        ("json", Self::Json),
        ("utf8", Self::Utf8),
        ("latin1", Self::Latin1),
        ("ascii", Self::Ascii),
        ("boolean", Self::Boolean),
        ("int8", Self::Int8),
        ("int16BE", Self::Int16Be),
        ("int16LE", Self::Int16Le),
        ("int32BE", Self::Int32Be),
        ("int32LE", Self::Int32Le),
        ("uint8", Self::Uint8),
        ("uint16BE", Self::Uint16Be),
        ("uint16LE", Self::Uint16Le),
        ("uint32BE", Self::Uint32Be),
        ("uint32LE", Self::Uint32Le),
        ("floatBE", Self::FloatBe),
        ("floatLE", Self::FloatLe),
        ("doubleBE", Self::DoubleBe),
        ("doubleLE", Self::DoubleLe),
        ("toBase64", Self::ToBase64),
        ("fromBase64", Self::FromBase64),
    ];

    /// What `bytes` are in this format. Numbers are read from the first bytes; what follows is left alone.
    pub(super) fn read(self, bytes: &Bytes) -> Result<Payload, ParseError> {
        let number = |value: f64| Json::number(value).ok_or(ParseError::NotFinite);
        let json = match self {
            Self::Json => Json::new(bytes.clone()).ok_or(ParseError::NotJson)?,
            Self::Utf8 => Json::string(std::str::from_utf8(bytes).map_err(|_| ParseError::NotUtf8)?),
            Self::Latin1 => {
                let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
                Json::string(&text)
            }
            Self::Ascii => ascii(bytes)?,
            Self::Boolean => Json::boolean(first::<1>(bytes)? != [0]),
            Self::Int8 => Json::integer(i8::from_be_bytes(first(bytes)?).into()),
            Self::Int16Be => Json::integer(i16::from_be_bytes(first(bytes)?).into()),
            Self::Int16Le => Json::integer(i16::from_le_bytes(first(bytes)?).into()),
            Self::Int32Be => Json::integer(i32::from_be_bytes(first(bytes)?).into()),
            Self::Int32Le => Json::integer(i32::from_le_bytes(first(bytes)?).into()),
            Self::Uint8 => Json::integer(u8::from_be_bytes(first(bytes)?).into()),
            Self::Uint16Be => Json::integer(u16::from_be_bytes(first(bytes)?).into()),
            Self::Uint16Le => Json::integer(u16::from_le_bytes(first(bytes)?).into()),
            Self::Uint32Be => Json::integer(u32::from_be_bytes(first(bytes)?).into()),
            Self::Uint32Le => Json::integer(u32::from_le_bytes(first(bytes)?).into()),
            Self::FloatBe => number(f32::from_be_bytes(first(bytes)?).into())?,
            Self::FloatLe => number(f32::from_le_bytes(first(bytes)?).into())?,
            Self::DoubleBe => number(f64::from_be_bytes(first(bytes)?))?,
            Self::DoubleLe => number(f64::from_le_bytes(first(bytes)?))?,
            Self::ToBase64 => Json::string(&STANDARD.encode(bytes)),
            Self::FromBase64 => return from_base64(bytes).map(Payload::Bytes),
        };
        Ok(Payload::Json(json))
    }
}

fn first<const N: usize>(bytes: &Bytes) -> Result<[u8; N], ParseError> {
    bytes.first_chunk().copied().ok_or(ParseError::TooShort {
        found: bytes.len(),
        expected: N,
    })
}

/// Text of ASCII; an integer alone, white space around it left away, is a number.
fn ascii(bytes: &Bytes) -> Result<Json, ParseError> {
    if !bytes.is_ascii() {
        return Err(ParseError::NotAscii);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| ParseError::NotAscii)?;
    let digits = text.trim();
    let magnitude = digits.strip_prefix('-').unwrap_or(digits);
    let is_integer = !magnitude.is_empty() && magnitude.bytes().all(|byte| byte.is_ascii_digit());
    let number = is_integer.then(|| Json::new(Bytes::copy_from_slice(digits.as_bytes())));
    // `007` is text: JSON has no such number.
    Ok(number.flatten().unwrap_or_else(|| Json::string(text)))
}

fn from_base64(bytes: &Bytes) -> Result<Bytes, ParseError> {
    let text: Vec<u8> = bytes
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    STANDARD
        .decode(&text)
        .or_else(|_| STANDARD_NO_PAD.decode(&text))
        .map(Bytes::from)
        .map_err(|_| ParseError::NotBase64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, bytes: &'static [u8]) -> Result<String, ParseError> {
        let (_, format) = Format::ALL
            .into_iter()
            .find(|(known, _)| *known == name)
            .expect(name);
        format
            .read(&Bytes::from_static(bytes))
            .map(|payload| match payload {
                Payload::Json(json) => json.as_str().to_owned(),
                Payload::Bytes(bytes) => format!("{bytes:?}"),
            })
    }

    #[test]
    fn each_format_reads_its_bytes() {
        for (format, bytes, value) in [
            (
                "json",
                &b" {\"a\": 9007199254740993} "[..],
                "{\"a\": 9007199254740993}",
            ),
            ("utf8", "grün \"x\"".as_bytes(), "\"grün \\\"x\\\"\""),
            ("latin1", b"gr\xfcn", "\"grün\""),
            ("ascii", b"on", "\"on\""),
            ("ascii", b" -42\r\n", "-42"),
            ("ascii", b"007", "\"007\""),
            ("ascii", b"-", "\"-\""),
            ("boolean", b"\x00", "false"),
            ("boolean", b"\x02", "true"),
            ("int8", b"\xff", "-1"),
            ("int16BE", b"\xff\xfe", "-2"),
            ("int16LE", b"\xfe\xff", "-2"),
            ("int32BE", b"\x80\x00\x00\x00", "-2147483648"),
            ("int32LE", b"\x00\x00\x00\x80", "-2147483648"),
            ("uint8", b"\xff", "255"),
            ("uint16BE", b"\x01\x02", "258"),
            ("uint16LE", b"\x01\x02", "513"),
            ("uint32BE", b"\xff\xff\xff\xff", "4294967295"),
            ("uint32LE", b"\x01\x00\x00\x00", "1"),
            ("floatBE", b"\x3f\xc0\x00\x00", "1.5"),
            ("floatLE", b"\x00\x00\xc0\x3f", "1.5"),
            ("doubleBE", b"\xc0\x04\x00\x00\x00\x00\x00\x00", "-2.5"),
            ("doubleLE", b"\x00\x00\x00\x00\x00\x00\x04\xc0", "-2.5"),
            ("toBase64", b"\x00\xff", "\"AP8=\""),
            ("fromBase64", b"AP8=\n", "b\"\\0\\xff\""),
            ("fromBase64", b"AP8", "b\"\\0\\xff\""),
        ] {
            assert_eq!(read(format, bytes).as_deref(), Ok(value), "{format}");
        }
    }

    #[test]
    fn numbers_are_read_from_the_first_bytes() {
        assert_eq!(read("int16BE", b"\x00\x07rest").as_deref(), Ok("7"));
    }

    #[test]
    fn what_is_not_of_the_format_is_an_error_that_shows_no_payload() {
        let short = |found, expected| ParseError::TooShort { found, expected };
        for (format, bytes, error) in [
            ("json", &b"s3cret"[..], ParseError::NotJson),
            ("utf8", b"\xff", ParseError::NotUtf8),
            ("ascii", b"\x80", ParseError::NotAscii),
            ("boolean", b"", short(0, 1)),
            ("int8", b"", short(0, 1)),
            ("uint16LE", b"\x01", short(1, 2)),
            ("int32BE", b"abc", short(3, 4)),
            ("doubleLE", b"\x00\x00\x00\x00\x00\x00\xf8", short(7, 8)),
            (
                "doubleBE",
                b"\x7f\xf8\x00\x00\x00\x00\x00\x00",
                ParseError::NotFinite,
            ),
            ("floatBE", b"\x7f\x80\x00\x00", ParseError::NotFinite),
            ("fromBase64", b"A*", ParseError::NotBase64),
        ] {
            let found = read(format, bytes);
            assert_eq!(found, Err(error), "{format}");
            assert!(!error.to_string().contains("s3cret"));
        }
    }
}
