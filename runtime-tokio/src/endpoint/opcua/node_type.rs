//! What a node takes: the type and the rank that its server says of it, and the value that JSON stands for there.

use std::sync::{Mutex, PoisonError};

use opcua::types::{DataTypeId, DataValue, NodeId, StatusCode, Variant, VariantScalarTypeId};
use serde_json::Value;

use super::live::{Failure, Live};
use crate::endpoint::tally::Cause;
use crate::opcua::{Shape, built_in, data_type as of_scalar};
use crate::service::plan::{DataType, OpcuaNode};

/// Types above a type that are looked at; more than any has.
const MAX_SUPERTYPES: usize = 16;

/// A node at its server: found once in each session.
#[derive(Debug)]
pub(super) struct Target {
    node: OpcuaNode,
    known: Mutex<Option<Known>>,
}

/// What is known of a node, in the session with this number.
#[derive(Debug, Clone)]
struct Known {
    session: u64,
    id: NodeId,
    /// Absent where nobody has written yet.
    kind: Option<NodeType>,
}

/// Type and rank of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NodeType {
    base: Base,
    /// As the attribute has it: -3 for a scalar or a row, -2 for anything.
    rank: i32,
}

/// What a data type comes down to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Base {
    BuiltIn(DataType),
    /// Numbers, or everything: the value at hand says which one is meant.
    Any,
}

/// What a node takes just now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Taken {
    /// Absent where any may be meant, and the node has no value.
    data_type: Option<DataType>,
    /// Whether a message may name another one.
    is_open: bool,
    rank: i32,
}

impl Target {
    pub(super) fn new(node: OpcuaNode) -> Self {
        Self {
            node,
            known: Mutex::new(None),
        }
    }

    /// Where it is in this session.
    pub(super) async fn find(&self, live: &Live) -> Result<NodeId, Failure> {
        if let Some(known) = self.known(live) {
            return Ok(known.id);
        }
        let id = live.find(&self.node).await?;
        self.note(Known {
            session: live.number(),
            id: id.clone(),
            kind: None,
        });
        Ok(id)
    }

    /// Gives it the value that `json` stands for.
    pub(super) async fn write(&self, live: &Live, json: &Value) -> Result<(), Failure> {
        let id = self.find(live).await?;
        let known = self.known(live).and_then(|known| known.kind);
        let kind = match known {
            Some(kind) => kind,
            None => {
                let kind = NodeType::ask(live, &id).await?;
                self.note(Known {
                    session: live.number(),
                    id: id.clone(),
                    kind: Some(kind),
                });
                kind
            }
        };
        let taken = kind.taken(live, &id).await?;
        let value = taken.value(json).ok_or_else(|| {
            let text = format!("{} {}", self.node.text(), taken.refusal());
            Failure::new(Cause::Malformed, StatusCode::BadTypeMismatch, text)
        })?;
        let written = live.write(&id, value).await;
        if written.is_err() {
            // It may have become another one, or have moved.
            self.forget();
        }
        written
    }

    /// The value that it has.
    pub(super) async fn read(&self, live: &Live) -> Result<Variant, Failure> {
        let id = self.find(live).await?;
        let value = live.read(&id).await;
        if value.is_err() {
            self.forget();
        }
        value
    }

    fn known(&self, live: &Live) -> Option<Known> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.clone().filter(|known| known.session == live.number())
    }

    fn note(&self, known: Known) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(known);
    }

    /// Has it looked for again.
    pub(super) fn forget(&self) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl NodeType {
    /// Asks the server what `node` is.
    async fn ask(live: &Live, node: &NodeId) -> Result<Self, Failure> {
        let [data_type, rank] = live.describe(node).await?;
        let Variant::NodeId(data_type) = live.sound(data_type)? else {
            return Err(live.refused(StatusCode::BadUnknownResponse));
        };
        // A server that does not tell the rank tells it by the value.
        let rank = match live.sound(rank) {
            Ok(Variant::Int32(rank)) => rank,
            _ => ANY,
        };
        let base = base(live, *data_type).await?;
        Ok(Self { base, rank })
    }

    /// What `node`, which is of this type, takes just now: where it takes any, that is what it has, which others may have changed.
    async fn taken(self, live: &Live, node: &NodeId) -> Result<Taken, Failure> {
        let (data_type, is_open) = match self.base {
            Base::BuiltIn(data_type) => (Some(data_type), false),
            Base::Any => (scalar_type(&live.value(node).await?).and_then(of_scalar), true),
        };
        Ok(Taken {
            data_type,
            is_open,
            rank: self.rank,
        })
    }
}

impl Taken {
    /// The value that JSON stands for; `None` where it is none of this type.
    fn value(self, json: &Value) -> Option<Variant> {
        let tagged = json.get("dataType").and_then(|_| json.get("value"));
        let tagged = tagged.filter(|_| self.is_open);
        let data_type = match tagged {
            Some(_) => DataType::Variant,
            None => self.data_type.unwrap_or(DataType::Variant),
        };
        let is_list = tagged.unwrap_or(json).is_array();
        let rank = match self.rank {
            SCALAR_OR_ROW if is_list => 1,
            ANY if is_list => 0,
            SCALAR_OR_ROW | ANY => -1,
            rank => rank,
        };
        Shape::new(data_type, rank).value(json)
    }

    /// What is told where a value is none of it.
    fn refusal(self) -> String {
        let name = self.data_type.map_or("any type", DataType::name);
        let taken = match self.rank {
            -1 => format!("one value of the type {name}"),
            SCALAR_OR_ROW | ANY => format!("values of the type {name}"),
            _ => format!("lists of values of the type {name}"),
        };
        let cure = match (self.is_open, self.data_type) {
            (true, Some(_)) => {
                "; the type is that of the value that it has, give another one as {\"dataType\": …, \"value\": …}"
            }
            _ => "",
        };
        format!("takes {taken}, which the value of the message is not{cure}")
    }
}

/// A rank that says nothing (Part 3, §5.6.2).
const ANY: i32 = -2;
const SCALAR_OR_ROW: i32 = -3;

/// Goes up from a type to the one that values are encoded by.
async fn base(live: &Live, mut node: NodeId) -> Result<Base, Failure> {
    let abstract_types = [
        DataTypeId::BaseDataType,
        DataTypeId::Number,
        DataTypeId::Integer,
        DataTypeId::UInteger,
    ];
    for _ in 0..MAX_SUPERTYPES {
        if abstract_types.iter().any(|id| node == *id) {
            return Ok(Base::Any);
        }
        // Above it is BaseDataType, as above all.
        if node == DataTypeId::Structure {
            break;
        }
        // The values of enumerations are Int32 (Part 6, §5.2.4).
        if node == DataTypeId::Enumeration {
            return Ok(Base::BuiltIn(DataType::Int32));
        }
        if let Some(built_in) = built_in(&node) {
            return Ok(Base::BuiltIn(built_in));
        }
        match live.supertype(&node).await? {
            Some(above) => node = above,
            None => break,
        }
    }
    Err(Failure::new(
        Cause::Refused,
        StatusCode::BadDataTypeIdUnknown,
        "the node has a structure, or a type that the server does not explain: such values are not written",
    ))
}

fn scalar_type(value: &DataValue) -> Option<VariantScalarTypeId> {
    match value.value.as_ref()? {
        Variant::Array(array) => Some(array.value_type),
        scalar => scalar.scalar_type_id(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_is_of_the_nodes_own_type_and_rank() {
        let int = |rank| Taken {
            data_type: Some(DataType::Int16),
            is_open: false,
            rank,
        };
        assert_eq!(int(-1).value(&json!(5)), Some(Variant::Int16(5)));
        assert_eq!(int(-1).value(&json!([5])), None);
        assert_eq!(int(-1).value(&json!(40000)), None);
        assert_eq!(int(1).value(&json!(5)), None);
        for rank in [1, SCALAR_OR_ROW, ANY] {
            let row = int(rank).value(&json!([5, 6]));
            assert_eq!(row, Some(Variant::from(vec![5i16, 6])), "{rank}");
        }
        for rank in [SCALAR_OR_ROW, ANY] {
            assert_eq!(int(rank).value(&json!(5)), Some(Variant::Int16(5)), "{rank}");
        }
        assert_eq!(int(SCALAR_OR_ROW).value(&json!([[5]])), None);
        let wide = Taken {
            data_type: Some(DataType::UInt64),
            is_open: false,
            rank: -1,
        };
        assert_eq!(
            wide.value(&json!("18446744073709551615")),
            Some(Variant::UInt64(u64::MAX))
        );
        let tagged = json!({"dataType": "Int16", "value": 5});
        assert_eq!(int(-1).value(&tagged), None, "the node has a type of its own");
    }

    #[test]
    fn where_any_type_may_stand_it_is_the_messages_then_that_of_the_value_then_the_nearest() {
        let open = |data_type, rank| Taken {
            data_type,
            is_open: true,
            rank,
        };
        let float = open(Some(DataType::Float), -1);
        assert_eq!(float.value(&json!(5)), Some(Variant::Float(5.0)));
        assert_eq!(float.value(&json!("5")), None);
        assert_eq!(
            float.value(&json!({"dataType": "Int16", "value": 5})),
            Some(Variant::Int16(5))
        );
        assert_eq!(float.value(&json!({"dataType": "Int16", "value": [5]})), None);
        let row = json!({"dataType": "Int16", "value": [5]});
        for rank in [1, SCALAR_OR_ROW, ANY] {
            let value = open(Some(DataType::Float), rank).value(&row);
            assert_eq!(value, Some(Variant::from(vec![5i16])), "{rank}");
        }
        let none = open(None, ANY);
        assert_eq!(none.value(&json!(5)), Some(Variant::Int64(5)));
        assert_eq!(none.value(&json!(0.5)), Some(Variant::Double(0.5)));
        assert_eq!(none.value(&json!("x")), Some(Variant::from("x")));
        assert_eq!(none.value(&json!([true])), Some(Variant::from(vec![true])));
        assert_eq!(none.value(&json!({"a": 1})), None);
        assert!(float.refusal().contains("give another one as"));
    }
}
