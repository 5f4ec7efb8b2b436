//! Single values of OPC UA as JSON and back.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use opcua::types::{
    ByteString, DataValue, DateTime, LocalizedText, QualifiedName, StatusCode, UAString, UaNullable as _,
    Variant,
};
use serde_json::{Map, Number, Value, json};

use super::{text, value};
use crate::service::plan::DataType;

/// The JSON of a value of this type; `None` for every other value.
pub(super) fn json(value: &Variant, data_type: DataType) -> Option<Value> {
    if data_type == DataType::Variant {
        return match value {
            Variant::Array(_) => None,
            value => value::tagged(value),
        };
    }
    if value.scalar_type_id()? != value::type_id(data_type) {
        return None;
    }
    Some(match value {
        Variant::Boolean(value) => (*value).into(),
        Variant::SByte(value) => (*value).into(),
        Variant::Byte(value) => (*value).into(),
        Variant::Int16(value) => (*value).into(),
        Variant::UInt16(value) => (*value).into(),
        Variant::Int32(value) => (*value).into(),
        Variant::UInt32(value) => (*value).into(),
        Variant::Int64(value) => value.to_string().into(),
        Variant::UInt64(value) => value.to_string().into(),
        // Its own shortest digits, not those of the double that it is equal to.
        Variant::Float(value) if value.is_finite() => value.to_string().parse::<f64>().ok()?.into(),
        Variant::Float(value) => not_finite(f64::from(*value)),
        Variant::Double(value) if value.is_finite() => (*value).into(),
        Variant::Double(value) => not_finite(*value),
        Variant::String(text) => string(text),
        Variant::XmlElement(element) if element.is_ua_null() => Value::Null,
        Variant::XmlElement(element) => element.to_string().into(),
        Variant::ByteString(bytes) => bytes.value.as_ref().map(|bytes| BASE64.encode(bytes)).into(),
        Variant::DateTime(time) => text::date_time(time).into(),
        Variant::Guid(guid) => guid.to_string().into(),
        Variant::StatusCode(status) => status.bits().into(),
        Variant::QualifiedName(name) => text::qualified_name(name).into(),
        Variant::LocalizedText(text) => json!({ "locale": string(&text.locale), "text": string(&text.text) }),
        Variant::NodeId(id) => text::node_id(id).into(),
        Variant::ExpandedNodeId(id) => text::expanded_node_id(id).into(),
        Variant::DataValue(value) => data_value_json(value)?,
        _ => return None,
    })
}

/// The value of this type that JSON stands for.
pub(super) fn value(json: &Value, data_type: DataType) -> Option<Variant> {
    Some(match data_type {
        DataType::Boolean => Variant::Boolean(json.as_bool()?),
        DataType::SByte => Variant::SByte(integer(json)?),
        DataType::Byte => Variant::Byte(integer(json)?),
        DataType::Int16 => Variant::Int16(integer(json)?),
        DataType::UInt16 => Variant::UInt16(integer(json)?),
        DataType::Int32 => Variant::Int32(integer(json)?),
        DataType::UInt32 => Variant::UInt32(integer(json)?),
        DataType::Int64 => Variant::Int64(wide_integer(json)?),
        DataType::UInt64 => Variant::UInt64(wide_integer(json)?),
        DataType::Float => Variant::Float(match json {
            // By its digits: by way of a double it could be rounded twice.
            Value::Number(number) => number
                .to_string()
                .parse::<f32>()
                .ok()
                .filter(|value| value.is_finite())?,
            #[expect(clippy::cast_possible_truncation, reason = "an infinity or no number at all")]
            json => finite_not(json)? as f32,
        }),
        DataType::Double => Variant::Double(json.as_f64().or_else(|| finite_not(json))?),
        DataType::String => Variant::String(parse_string(json)?),
        DataType::XmlElement => Variant::XmlElement(parse_string(json)?.into()),
        DataType::ByteString => Variant::ByteString(match json {
            Value::Null => ByteString::null(),
            json => ByteString::from(BASE64.decode(json.as_str()?).ok()?),
        }),
        DataType::DateTime => Variant::DateTime(Box::new(text::parse_date_time(json.as_str()?)?)),
        DataType::Guid => Variant::Guid(Box::new(text::parse_guid(json.as_str()?)?)),
        DataType::StatusCode => Variant::StatusCode(status(json)?),
        DataType::QualifiedName => Variant::QualifiedName(Box::new(match json {
            Value::Null => QualifiedName::null(),
            json => text::parse_qualified_name(json.as_str()?),
        })),
        DataType::LocalizedText => Variant::LocalizedText(Box::new(localized_text(json)?)),
        DataType::NodeId => Variant::NodeId(Box::new(text::parse_node_id(json.as_str()?)?)),
        DataType::ExpandedNodeId => {
            Variant::ExpandedNodeId(Box::new(text::parse_expanded_node_id(json.as_str()?)?))
        }
        DataType::Variant => value::untagged(json)?,
        DataType::DataValue => Variant::DataValue(Box::new(data_value(json)?)),
    })
}

/// A value as it stands in an array of `data_type`.
pub(super) fn element(value: Variant, data_type: DataType) -> Variant {
    match data_type {
        DataType::Variant => Variant::Variant(Box::new(value)),
        _ => value,
    }
}

/// The nearest type to a JSON value that is neither list nor object.
pub(super) fn natural(json: &Value) -> Option<Variant> {
    Some(match json {
        Value::Null => Variant::Empty,
        Value::Bool(value) => Variant::Boolean(*value),
        Value::String(text) => Variant::String(text.as_str().into()),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(value), _) => Variant::Int64(value),
            (None, Some(value)) => Variant::UInt64(value),
            (None, None) => Variant::Double(number.as_f64()?),
        },
        Value::Array(_) | Value::Object(_) => return None,
    })
}

fn integer<T: TryFrom<i128>>(json: &Value) -> Option<T> {
    /// Up to here every integer is a double.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let number = json.as_number()?;
    let integer = number
        .as_i64()
        .map(i128::from)
        .or_else(|| number.as_u64().map(i128::from))
        .or_else(|| {
            // Many script languages write 3 as 3.0.
            let float = number.as_f64()?;
            #[expect(
                clippy::cast_possible_truncation,
                reason = "integral and within 2^53, so exact"
            )]
            (float % 1.0 == 0.0 && float.abs() <= EXACT).then_some(float as i128)
        })?;
    T::try_from(integer).ok()
}

/// As text, too: in JSON a number of 64 bits may have lost its last digits on the way.
fn wide_integer<T: TryFrom<i128>>(json: &Value) -> Option<T> {
    match json {
        Value::String(text) => T::try_from(text.parse::<i128>().ok()?).ok(),
        json => integer(json),
    }
}

fn not_finite(value: f64) -> Value {
    match value {
        f64::INFINITY => "Infinity".into(),
        f64::NEG_INFINITY => "-Infinity".into(),
        _ => "NaN".into(),
    }
}

fn finite_not(json: &Value) -> Option<f64> {
    Some(match json.as_str()? {
        "Infinity" => f64::INFINITY,
        "-Infinity" => f64::NEG_INFINITY,
        "NaN" => f64::NAN,
        _ => return None,
    })
}

fn string(text: &UAString) -> Value {
    text.value().clone().into()
}

fn parse_string(json: &Value) -> Option<UAString> {
    match json {
        Value::Null => Some(UAString::null()),
        json => json.as_str().map(UAString::from),
    }
}

fn status(json: &Value) -> Option<StatusCode> {
    match json {
        Value::String(name) => text::status_by_name(name),
        json => integer::<u32>(json).map(StatusCode::from),
    }
}

fn localized_text(json: &Value) -> Option<LocalizedText> {
    let Value::Object(object) = json else {
        return Some(LocalizedText {
            locale: UAString::null(),
            text: parse_string(json)?,
        });
    };
    let member = |name: &str| object.get(name).map_or(Some(UAString::null()), parse_string);
    Some(LocalizedText {
        locale: member("locale")?,
        text: member("text")?,
    })
}

fn data_value_json(value: &DataValue) -> Option<Value> {
    let mut object = Map::new();
    if let Some(value) = &value.value {
        object.insert("value".to_owned(), value::tagged(value)?);
    }
    let time = |time: &Option<DateTime>| time.as_ref().map(|time| Value::from(text::date_time(time)));
    let parts = |parts: Option<u16>| parts.map(|parts| Value::Number(Number::from(parts)));
    for (name, member) in [
        ("status", value.status.map(|status| status.bits().into())),
        ("sourceTimestamp", time(&value.source_timestamp)),
        ("sourcePicoseconds", parts(value.source_picoseconds)),
        ("serverTimestamp", time(&value.server_timestamp)),
        ("serverPicoseconds", parts(value.server_picoseconds)),
    ] {
        if let Some(member) = member {
            object.insert(name.to_owned(), member);
        }
    }
    Some(Value::Object(object))
}

/// A value alone, or an object that has at most the members that are written.
fn data_value(json: &Value) -> Option<DataValue> {
    let object = match json {
        Value::Object(object) if !object.contains_key("dataType") => object,
        json => {
            return Some(DataValue {
                value: Some(value::untagged(json)?),
                ..DataValue::null()
            });
        }
    };
    let mut value = DataValue::null();
    for (name, member) in object {
        match name.as_str() {
            "value" => value.value = Some(value::untagged(member)?),
            "status" => value.status = Some(status(member)?),
            "sourceTimestamp" => value.source_timestamp = Some(text::parse_date_time(member.as_str()?)?),
            "serverTimestamp" => value.server_timestamp = Some(text::parse_date_time(member.as_str()?)?),
            "sourcePicoseconds" => value.source_picoseconds = Some(integer(member)?),
            "serverPicoseconds" => value.server_picoseconds = Some(integer(member)?),
            _ => return None,
        }
    }
    Some(value)
}
