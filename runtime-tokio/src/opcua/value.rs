//! Values of OPC UA as JSON and back: what each data type looks like in messages, and what a node takes.
//!
//! | type | JSON |
//! |---|---|
//! | Boolean | `true`, `false` |
//! | integers of up to 32 bits, `StatusCode` | number |
//! | Int64, UInt64 | text of decimal digits; a number is read as well |
//! | Float, Double | number; `"NaN"`, `"Infinity"`, `"-Infinity"` |
//! | String, `XmlElement` | text, or `null` |
//! | `ByteString` | text in base64, or `null` |
//! | `DateTime`, Guid, `NodeId`, `ExpandedNodeId`, `QualifiedName` | text, see [`text`](super::text) |
//! | `LocalizedText` | `{"locale": …, "text": …}`; a text is read as well |
//! | Variant | `{"dataType": …, "value": …}`; other JSON is read as the nearest type |
//! | `DataValue` | `{"value": <as Variant>, "status": …, "sourceTimestamp": …, …}` |
//! | arrays | lists, nested as often as there are dimensions |

use std::fmt;

use opcua::types::{Array, DataTypeId, NodeId, Variant, VariantScalarTypeId};
use serde_json::{Value, json};

use super::scalar;
use crate::service::plan::DataType;

/// Lists within lists that are read; more dimensions than any node has.
const MAX_DIMENSIONS: usize = 8;

/// Type and rank of a variable or an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Shape {
    data_type: DataType,
    /// -1 for a scalar, else how many dimensions: 1 to 3, or 0 for any number of them.
    rank: i32,
}

impl Shape {
    pub(crate) fn new(data_type: DataType, rank: i32) -> Self {
        Self { data_type, rank }
    }

    /// The `NodeId` of the data type.
    pub(super) fn data_type_id(self) -> NodeId {
        data_type_id(self.data_type).into()
    }

    pub(super) fn rank(self) -> i32 {
        self.rank
    }

    /// The JSON of a value that is of this type and rank; `None` for every other.
    pub(super) fn json(self, value: &Variant) -> Option<Value> {
        match value {
            Variant::Array(array) => {
                let dimensions = array
                    .dimensions
                    .as_deref()
                    .filter(|dimensions| !dimensions.is_empty());
                let depth = dimensions.map_or(1, <[u32]>::len);
                let fits = match self.rank {
                    0 => true,
                    // It comes without dimensions.
                    1.. if array.values.is_empty() => true,
                    rank => usize::try_from(rank).is_ok_and(|rank| rank == depth),
                };
                if !fits {
                    return None;
                }
                match self.data_type {
                    DataType::Variant if array.value_type != VariantScalarTypeId::Variant => tagged(value),
                    data_type => list(array, data_type),
                }
            }
            // An array of bytes may come as what it also is (Part 4, §5.11.4).
            Variant::ByteString(bytes) if self.data_type == DataType::Byte && self.rank == 1 => {
                Some(bytes.as_ref().iter().copied().collect())
            }
            scalar if self.rank == -1 => scalar::json(scalar, self.data_type),
            _ => None,
        }
    }

    /// The value that JSON stands for; `None` where it is none of this type and rank.
    pub(crate) fn value(self, json: &Value) -> Option<Variant> {
        if self.data_type == DataType::Variant && (json.is_object() || json.is_null()) {
            return untagged(json).filter(|value| self.json(value).is_some());
        }
        if self.rank == -1 {
            return match self.data_type {
                DataType::Variant if json.is_array() => None,
                data_type => scalar::value(json, data_type),
            };
        }
        let mut nested = Nested::of(json, usize::try_from(self.rank).ok().filter(|rank| *rank > 0))?;
        match self.data_type {
            DataType::Variant => nested.natural_array(),
            data_type => nested.array(data_type),
        }
    }

    /// What a client is shown of a value that it wrote: the same, of the type that the node has.
    pub(super) fn stored(self, value: &Variant) -> Variant {
        match value {
            Variant::ByteString(_) if self.data_type == DataType::Byte && self.rank == 1 => {
                value.to_byte_array().unwrap_or_default()
            }
            Variant::Array(array) if array.values.is_empty() => {
                let type_id = match self.data_type {
                    DataType::Variant => array.value_type,
                    data_type => type_id(data_type),
                };
                without_elements(type_id)
            }
            value => value.clone(),
        }
    }
}

/// An array without elements. It has no dimensions, which are sent only where each is greater than zero (Part 6, §5.2.2.16); the
/// library loses its place in a message after an array whose dimensions are zero, or none.
fn without_elements(value_type: VariantScalarTypeId) -> Variant {
    Variant::Array(Box::new(Array {
        value_type,
        values: Vec::new(),
        dimensions: None,
    }))
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.data_type.name();
        match self.rank {
            -1 => f.write_str(name),
            0 => write!(f, "lists of {name} in any dimensions"),
            1 => write!(f, "a list of {name}"),
            rank => write!(f, "lists of {name} in {rank} dimensions"),
        }
    }
}

/// The JSON of a value as its own type has it; `None` for those that JSON does not carry.
pub(crate) fn own_json(value: &Variant) -> Option<Value> {
    match value {
        Variant::Empty => Some(Value::Null),
        Variant::Variant(inner) => own_json(inner),
        Variant::Array(array) => list(array, data_type(array.value_type)?),
        scalar => scalar::json(scalar, data_type(scalar.scalar_type_id()?)?),
    }
}

/// A value with its type, for a place where any may stand; `None` for those that JSON does not carry.
pub(super) fn tagged(value: &Variant) -> Option<Value> {
    let (type_id, json) = match value {
        Variant::Empty => return Some(Value::Null),
        Variant::Variant(inner) => return tagged(inner),
        Variant::Array(array) => {
            let data_type = data_type(array.value_type)?;
            (array.value_type, list(array, data_type)?)
        }
        scalar => {
            let type_id = scalar.scalar_type_id()?;
            (type_id, scalar::json(scalar, data_type(type_id)?)?)
        }
    };
    Some(json!({ "dataType": data_type(type_id)?.name(), "value": json }))
}

/// Reads what [`tagged`] writes; other JSON becomes the nearest type.
pub(super) fn untagged(json: &Value) -> Option<Variant> {
    match json {
        Value::Object(object) => {
            let name = object.get("dataType")?.as_str()?;
            let (_, data_type) = DataType::NAMES.iter().find(|(known, _)| *known == name)?;
            let value = object.get("value")?;
            match (data_type, value) {
                (_, Value::Array(_)) => Nested::of(value, None)?.array(*data_type),
                (DataType::Variant, value) => untagged(value),
                (data_type, value) => scalar::value(value, *data_type),
            }
        }
        Value::Array(_) => Nested::of(json, None)?.natural_array(),
        scalar => scalar::natural(scalar),
    }
}

fn list(array: &Array, data_type: DataType) -> Option<Value> {
    let items: Option<Vec<Value>> = array
        .values
        .iter()
        .map(|value| scalar::json(value, data_type))
        .collect();
    let mut items = items?;
    // From the innermost dimension out, the items become lists of lists; the outermost is the list itself. Without items, the
    // dimensions are not followed: they are any numbers that a client likes.
    let dimensions = array.dimensions.as_deref().filter(|_| !items.is_empty());
    for dimension in dimensions.unwrap_or_default().iter().skip(1).rev() {
        let length = usize::try_from(*dimension).ok().filter(|length| *length > 0)?;
        items = items.chunks(length).map(|chunk| chunk.to_vec().into()).collect();
    }
    Some(Value::Array(items))
}

/// A list of lists, laid out in one row.
struct Nested<'a> {
    items: Vec<&'a Value>,
    dimensions: Vec<u32>,
}

impl<'a> Nested<'a> {
    /// `None` for what is no list, has another depth than `rank`, or has rows of unequal length.
    fn of(json: &'a Value, rank: Option<usize>) -> Option<Self> {
        let mut dimensions = Vec::new();
        let mut level = json;
        while let Value::Array(items) = level {
            if dimensions.len() == rank.unwrap_or(MAX_DIMENSIONS) {
                break;
            }
            dimensions.push(u32::try_from(items.len()).ok()?);
            match items.first() {
                Some(first) => level = first,
                None => break,
            }
        }
        if dimensions.is_empty() {
            return None;
        }
        // Of an empty list, nobody knows what its items would have been.
        if dimensions.ends_with(&[0]) {
            dimensions.resize(rank.unwrap_or(dimensions.len()), 0);
        }
        if rank.is_some_and(|rank| rank != dimensions.len()) {
            return None;
        }
        let mut items = vec![json];
        for length in &dimensions {
            let mut below = Vec::new();
            for item in items {
                let row = item
                    .as_array()
                    .filter(|row| u32::try_from(row.len()) == Ok(*length))?;
                below.extend(row);
            }
            items = below;
        }
        Some(Self { items, dimensions })
    }

    fn array(&mut self, data_type: DataType) -> Option<Variant> {
        let values: Option<Vec<Variant>> = self
            .items
            .iter()
            .map(|item| scalar::value(item, data_type).map(|value| scalar::element(value, data_type)))
            .collect();
        self.build(type_id(data_type), values?)
    }

    /// An array of the nearest type of all items, or of Variants where there is not one.
    fn natural_array(&mut self) -> Option<Variant> {
        let values: Vec<Variant> = self
            .items
            .iter()
            .map(|item| untagged(item))
            .collect::<Option<_>>()?;
        let first = values.first().and_then(Variant::scalar_type_id);
        match first {
            Some(type_id) if values.iter().all(|value| value.scalar_type_id() == Some(type_id)) => {
                self.build(type_id, values)
            }
            _ => {
                let values = values
                    .into_iter()
                    .map(|value| Variant::Variant(Box::new(value)))
                    .collect();
                self.build(VariantScalarTypeId::Variant, values)
            }
        }
    }

    fn build(&mut self, type_id: VariantScalarTypeId, values: Vec<Variant>) -> Option<Variant> {
        if values.is_empty() {
            return Some(without_elements(type_id));
        }
        let dimensions = std::mem::take(&mut self.dimensions);
        let array = match dimensions.len() {
            1 => Array::new(type_id, values),
            _ => Array::new_multi(type_id, values, dimensions),
        };
        Some(Variant::Array(Box::new(array.ok()?)))
    }
}

/// The type that this node of OPC UA's own namespace stands for.
pub(crate) fn built_in(node: &NodeId) -> Option<DataType> {
    let mut types = DataType::NAMES.iter().map(|(_, data_type)| *data_type);
    types.find(|data_type| *node == data_type_id(*data_type))
}

/// Types with their ids as scalars, and as nodes of OPC UA's own namespace.
macro_rules! types {
    ($($name:ident => $node:ident),+ $(,)?) => {
        pub(super) fn type_id(data_type: DataType) -> VariantScalarTypeId {
            match data_type {
                $(DataType::$name => VariantScalarTypeId::$name,)+
            }
        }

        /// The type of a scalar, or of an array's elements.
        pub(crate) fn data_type(type_id: VariantScalarTypeId) -> Option<DataType> {
            match type_id {
                $(VariantScalarTypeId::$name => Some(DataType::$name),)+
                VariantScalarTypeId::ExtensionObject | VariantScalarTypeId::DiagnosticInfo => None,
            }
        }

        fn data_type_id(data_type: DataType) -> DataTypeId {
            match data_type {
                $(DataType::$name => DataTypeId::$node,)+
            }
        }
    };
}

types! {
    Boolean => Boolean,
    SByte => SByte,
    Byte => Byte,
    Int16 => Int16,
    UInt16 => UInt16,
    Int32 => Int32,
    UInt32 => UInt32,
    Int64 => Int64,
    UInt64 => UInt64,
    Float => Float,
    Double => Double,
    String => String,
    DateTime => DateTime,
    Guid => Guid,
    ByteString => ByteString,
    XmlElement => XmlElement,
    NodeId => NodeId,
    ExpandedNodeId => ExpandedNodeId,
    StatusCode => StatusCode,
    QualifiedName => QualifiedName,
    LocalizedText => LocalizedText,
    Variant => BaseDataType,
    DataValue => DataValue,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fits(json: &Value, data_type: DataType, rank: i32) -> bool {
        Shape::new(data_type, rank).value(json).is_some()
    }

    /// There and back again.
    fn returned(json: &Value, data_type: DataType, rank: i32) -> Value {
        let shape = Shape::new(data_type, rank);
        let value = shape
            .value(json)
            .unwrap_or_else(|| panic!("{json} {}", data_type.name()));
        shape.json(&value).unwrap_or_else(|| panic!("{value:?}"))
    }

    #[test]
    fn numbers_fit_within_the_range_of_their_type() {
        for (value, data_type, expected) in [
            (json!(127), DataType::SByte, true),
            (json!(128), DataType::SByte, false),
            (json!(-1), DataType::Byte, false),
            (json!(3.0), DataType::Byte, true),
            (json!(u64::MAX), DataType::UInt64, true),
            (json!(u64::MAX), DataType::Int64, false),
            (json!("18446744073709551615"), DataType::UInt64, true),
            (json!("18446744073709551616"), DataType::UInt64, false),
            (json!("x"), DataType::UInt64, false),
            (json!(0), DataType::Double, true),
            (json!("NaN"), DataType::Double, true),
            (json!("nan"), DataType::Double, false),
            (json!(1e39), DataType::Float, false),
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
        assert!(fits(&json!([]), DataType::Int32, 1) && fits(&json!([]), DataType::Int32, 3));
        assert!(
            !fits(&json!([[1], [2, 3]]), DataType::Int32, 2),
            "its rows differ in length"
        );
        assert!(!fits(&json!(["x"]), DataType::Int32, 1));
        assert!(!fits(&json!([[[1]]]), DataType::Int32, 2));
    }

    #[test]
    fn texts_fit_the_types_that_are_written_as_text() {
        let time = json!("2026-11-22T02:00:00Z");
        assert!(fits(&time, DataType::DateTime, -1) && !fits(&json!("yesterday"), DataType::DateTime, -1));
        let guid = json!("30b9a356-0000-4000-8000-000000000000");
        assert!(fits(&guid, DataType::Guid, -1) && !fits(&json!("30b9"), DataType::Guid, -1));
        assert!(fits(&json!(true), DataType::Boolean, -1) && !fits(&json!("true"), DataType::Boolean, -1));
        assert!(fits(&json!("i=85"), DataType::NodeId, -1) && !fits(&json!("85"), DataType::NodeId, -1));
        assert!(
            fits(&json!("AAEC"), DataType::ByteString, -1) && !fits(&json!("#"), DataType::ByteString, -1)
        );
    }

    #[test]
    fn values_come_back_as_they_went() {
        for (value, data_type, rank) in [
            (json!("-9223372036854775808"), DataType::Int64, -1),
            (json!("18446744073709551615"), DataType::UInt64, -1),
            (json!(0.1), DataType::Float, -1),
            (json!(1e-320), DataType::Double, -1),
            (json!("-Infinity"), DataType::Float, -1),
            (json!(null), DataType::String, -1),
            (json!(null), DataType::ByteString, -1),
            (json!(null), DataType::XmlElement, -1),
            (
                json!({"locale": "de", "text": "Säge"}),
                DataType::LocalizedText,
                -1,
            ),
            (json!(0x803C_0000_u32), DataType::StatusCode, -1),
            (json!([[[1, 2], [3, 4]], [[5, 6], [7, 8]]]), DataType::Int16, 3),
            (json!([]), DataType::String, 1),
            (
                json!([{"dataType": "Byte", "value": 1}, null]),
                DataType::Variant,
                1,
            ),
            (json!({"dataType": "Int64", "value": "5"}), DataType::Variant, -1),
            (
                json!({"dataType": "Int64", "value": [["5"], ["6"]]}),
                DataType::Variant,
                2,
            ),
            (
                json!({
                    "value": {"dataType": "String", "value": "x"},
                    "status": 0,
                    "sourceTimestamp": "2026-11-22T02:00:00.1234567Z",
                    "serverPicoseconds": 7,
                }),
                DataType::DataValue,
                -1,
            ),
        ] {
            assert_eq!(returned(&value, data_type, rank), value, "{}", data_type.name());
        }
    }

    #[test]
    fn plain_json_is_the_nearest_type_where_any_may_stand() {
        for (plain, data_type, value) in [
            (json!(true), "Boolean", json!(true)),
            (json!(5), "Int64", json!("5")),
            (json!(u64::MAX), "UInt64", json!(u64::MAX.to_string())),
            (json!(0.5), "Double", json!(0.5)),
            (json!("x"), "String", json!("x")),
        ] {
            let expected = json!({ "dataType": data_type, "value": value });
            assert_eq!(returned(&plain, DataType::Variant, -1), expected);
            assert_eq!(
                returned(&plain, DataType::DataValue, -1),
                json!({ "value": expected })
            );
        }
        assert!(!fits(
            &json!({"dataType": "Int32", "value": [1]}),
            DataType::Variant,
            -1
        ));
        assert!(!fits(
            &json!({"dataType": "Int23", "value": 1}),
            DataType::Variant,
            -1
        ));
        assert!(!fits(&json!([1]), DataType::Variant, -1));
    }

    #[test]
    fn a_value_of_another_type_or_rank_has_no_json() {
        let shape = Shape::new(DataType::Double, -1);
        for value in [
            Variant::Float(1.0),
            Variant::Int32(1),
            Variant::Empty,
            Variant::from(vec![1.0_f64]),
        ] {
            assert_eq!(shape.json(&value), None, "{value:?}");
        }
        assert_eq!(
            Shape::new(DataType::Double, 2).json(&Variant::from(vec![1.0_f64])),
            None
        );
    }

    #[test]
    fn dimensions_without_values_are_not_followed() {
        let array = Array {
            value_type: VariantScalarTypeId::Int32,
            values: Vec::new(),
            dimensions: Some(vec![u32::MAX, 0]),
        };
        let shape = Shape::new(DataType::Int32, 2);
        assert_eq!(shape.json(&Variant::Array(Box::new(array))), Some(json!([])));
    }

    #[test]
    fn an_array_without_elements_has_no_dimensions_and_fits_every_rank() {
        for rank in [0, 1, 2, 3] {
            for data_type in [DataType::Int32, DataType::Variant] {
                let shape = Shape::new(data_type, rank);
                for json in [json!([]), json!([[]]), json!([[], []])] {
                    if let Some(Variant::Array(array)) = shape.value(&json) {
                        assert_eq!(array.dimensions, None, "{json} of rank {rank}");
                    }
                }
                let read = shape.value(&json!([])).expect("an empty list");
                // As the library reads one, and as others have it.
                for dimensions in [None, Some(Vec::new()), Some(vec![0, 0])] {
                    let Variant::Array(mut written) = read.clone() else {
                        panic!("{read:?}")
                    };
                    written.dimensions = dimensions;
                    let written = Variant::Array(written);
                    assert!(shape.json(&written).is_some(), "{written:?} of rank {rank}");
                    assert_eq!(shape.stored(&written), read);
                }
            }
        }
        assert_eq!(
            Shape::new(DataType::Int32, -1).json(&without_elements(VariantScalarTypeId::Int32)),
            None
        );
    }

    #[test]
    fn a_byte_string_is_an_array_of_bytes_as_well() {
        let shape = Shape::new(DataType::Byte, 1);
        let written = Variant::ByteString(vec![1, 2].into());
        assert_eq!(shape.json(&written), Some(json!([1, 2])));
        assert_eq!(shape.stored(&written), Variant::from(vec![1_u8, 2]));
    }
}
