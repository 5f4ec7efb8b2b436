//! Whether a JSON value of a commissioning file fits an OPC UA type.

use serde_json::Value;

use super::plan::DataType;

/// Whether `value` is one of `data_type`, or for another rank than -1 a list of such values, nested as often as it says.
pub(super) fn fits(value: &Value, data_type: DataType, value_rank: i32) -> bool {
    match value_rank {
        ..0 => scalar(value, data_type),
        // Any number of dimensions.
        0 => list(value, |item| {
            scalar(item, data_type) || (item.is_array() && fits(item, data_type, 0))
        }),
        1 => list(value, |item| scalar(item, data_type)),
        rank => list(value, |item| fits(item, data_type, rank - 1)),
    }
}

fn list(value: &Value, item: impl Fn(&Value) -> bool) -> bool {
    value.as_array().is_some_and(|items| items.iter().all(item))
}

fn scalar(value: &Value, data_type: DataType) -> bool {
    match data_type {
        DataType::Boolean => value.is_boolean(),
        DataType::SByte => within::<i8>(value),
        DataType::Byte => within::<u8>(value),
        DataType::Int16 => within::<i16>(value),
        DataType::UInt16 => within::<u16>(value),
        DataType::Int32 => within::<i32>(value),
        DataType::UInt32 | DataType::StatusCode => within::<u32>(value),
        // As text, too: in JSON a number of 64 bits may have lost its last digits on the way.
        DataType::Int64 => within::<i64>(value) || parses::<i64>(value),
        DataType::UInt64 => within::<u64>(value) || parses::<u64>(value),
        DataType::Float | DataType::Double => value.is_number(),
        DataType::Guid => value
            .as_str()
            .is_some_and(|text| uuid::Uuid::try_parse(text).is_ok()),
        DataType::DateTime => value
            .as_str()
            .is_some_and(|text| humantime::parse_rfc3339_weak(text).is_ok()),
        DataType::String
        | DataType::ByteString
        | DataType::XmlElement
        | DataType::NodeId
        | DataType::ExpandedNodeId
        | DataType::QualifiedName
        | DataType::LocalizedText => value.is_string(),
        DataType::Variant | DataType::DataValue => true,
    }
}

fn within<T: TryFrom<i128>>(value: &Value) -> bool {
    value
        .as_i64()
        .map(i128::from)
        .or_else(|| value.as_u64().map(i128::from))
        .is_some_and(|number| T::try_from(number).is_ok())
}

fn parses<T: std::str::FromStr>(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.parse::<T>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_fit_within_the_range_of_their_type() {
        for (value, data_type, expected) in [
            (json!(127), DataType::SByte, true),
            (json!(128), DataType::SByte, false),
            (json!(-1), DataType::Byte, false),
            (json!(u64::MAX), DataType::UInt64, true),
            (json!(u64::MAX), DataType::Int64, false),
            (json!("18446744073709551615"), DataType::UInt64, true),
            (json!("x"), DataType::UInt64, false),
            (json!(0), DataType::Double, true),
            (json!(1.5), DataType::Int32, false),
            (json!("1"), DataType::Int32, false),
        ] {
            assert_eq!(
                fits(&value, data_type, -1),
                expected,
                "{value} {}",
                data_type.name()
            );
        }
    }

    #[test]
    fn a_list_fits_the_rank_that_it_has() {
        let flat = json!([1, 2]);
        let nested = json!([[1], [2]]);
        assert!(fits(&flat, DataType::Int32, 1) && fits(&nested, DataType::Int32, 2));
        assert!(!fits(&flat, DataType::Int32, -1) && !fits(&nested, DataType::Int32, 1));
        assert!(fits(&flat, DataType::Int32, 0) && fits(&nested, DataType::Int32, 0));
        assert!(!fits(&json!(["x"]), DataType::Int32, 1));
    }

    #[test]
    fn texts_fit_the_types_that_are_written_as_text() {
        assert!(fits(&json!("2026-11-22T02:00:00Z"), DataType::DateTime, -1));
        assert!(!fits(&json!("yesterday"), DataType::DateTime, -1));
        assert!(fits(
            &json!("30b9a356-0000-4000-8000-000000000000"),
            DataType::Guid,
            -1
        ));
        assert!(!fits(&json!("30b9"), DataType::Guid, -1));
        assert!(fits(&json!(true), DataType::Boolean, -1) && !fits(&json!("true"), DataType::Boolean, -1));
    }
}
