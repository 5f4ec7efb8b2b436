//! Which type a scalar has: the core schema of YAML 1.2 (§10.3).

use super::diagnostic::quoted;
use super::value::Data;

/// The value of a scalar. Only a plain one can be anything but a text, unless a tag such as `!!int` says so.
///
/// # Errors
/// A message when the text is not of the type that the tag names.
pub(super) fn resolve(text: &str, plain: bool, tag: Option<&str>) -> Result<Data, String> {
    let data = match tag {
        None if plain => core_schema(text),
        None | Some("!!str") => Data::String(text.to_owned()),
        Some(_) => core_schema(text),
    };
    let fits = match tag {
        None | Some("!!str") => true,
        Some("!!null") => matches!(data, Data::Null),
        Some("!!bool") => matches!(data, Data::Bool(_)),
        Some("!!int") => matches!(data, Data::Integer(_)),
        Some("!!float") => matches!(data, Data::Float(_) | Data::Integer(_)),
        Some(_) => false,
    };
    match (fits, tag) {
        (false, Some(tag)) => Err(format!(
            "found {}, expected a value of the type `{tag}`",
            quoted(text)
        )),
        _ => Ok(data),
    }
}

fn core_schema(text: &str) -> Data {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Data::Null,
        "true" | "True" | "TRUE" => return Data::Bool(true),
        "false" | "False" | "FALSE" => return Data::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Data::Float(f64::NAN),
        _ => {}
    }
    integer(text)
        .map(Data::Integer)
        .or_else(|| float(text).map(Data::Float))
        .unwrap_or_else(|| Data::String(text.to_owned()))
}

fn integer(text: &str) -> Option<i128> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if let Some(hex) = text.strip_prefix("0x") {
        return unsigned(hex, 16);
    }
    if let Some(octal) = text.strip_prefix("0o") {
        return unsigned(octal, 8);
    }
    let number = unsigned(digits, 10)?;
    Some(if text.starts_with('-') { -number } else { number })
}

fn unsigned(digits: &str, radix: u32) -> Option<i128> {
    (!digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix)))
        .then(|| i128::from_str_radix(digits, radix).ok())
        .flatten()
}

fn float(text: &str) -> Option<f64> {
    let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(digits, ".inf" | ".Inf" | ".INF") {
        return Some(sign * f64::INFINITY);
    }
    let numeric = digits
        .bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'));
    let begins = digits
        .trim_start_matches('.')
        .starts_with(|first: char| first.is_ascii_digit());
    (numeric && begins)
        .then(|| digits.parse().ok())
        .flatten()
        .map(|number: f64| sign * number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> String {
        format!("{:?}", resolve(text, true, None).unwrap())
    }

    #[test]
    fn plain_scalars_follow_the_core_schema() {
        for (text, expected) in [
            ("", "Null"),
            ("~", "Null"),
            ("True", "Bool(true)"),
            ("yes", "String(\"yes\")"),
            ("0", "Integer(0)"),
            ("-12", "Integer(-12)"),
            ("+7", "Integer(7)"),
            ("007", "Integer(7)"),
            ("0x1F", "Integer(31)"),
            ("0o17", "Integer(15)"),
            ("18446744073709551615", "Integer(18446744073709551615)"),
            ("1.5", "Float(1.5)"),
            ("-.5e3", "Float(-500.0)"),
            ("6.", "Float(6.0)"),
            ("-.inf", "Float(-inf)"),
            (".nan", "Float(NaN)"),
            ("1.0.0", "String(\"1.0.0\")"),
            ("1_000", "String(\"1_000\")"),
            ("0x", "String(\"0x\")"),
            ("-", "String(\"-\")"),
            ("+-1", "String(\"+-1\")"),
            ("e5", "String(\"e5\")"),
            ("inf", "String(\"inf\")"),
            ("12:30", "String(\"12:30\")"),
        ] {
            assert_eq!(plain(text), expected, "{text}");
        }
    }

    #[test]
    fn quotes_and_the_str_tag_make_texts() {
        assert!(matches!(resolve("5", false, None), Ok(Data::String(text)) if text == "5"));
        assert!(matches!(resolve("5", true, Some("!!str")), Ok(Data::String(text)) if text == "5"));
        assert!(matches!(resolve("5", false, Some("!!int")), Ok(Data::Integer(5))));
        assert!(resolve("x", true, Some("!!int")).is_err());
        assert!(resolve("x", true, Some("!!set")).is_err());
    }
}
