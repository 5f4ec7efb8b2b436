//! Methods: the arguments of a Call become a value, and the value of a reply becomes outputs.

use bytes::Bytes;
use opcua::types::{StatusCode, Variant};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};

use super::failure::Failure;
use super::transaction::Transaction;
use super::value::Shape;
use crate::service::plan::ArgumentPlan;

/// One method.
#[derive(Debug)]
pub(crate) struct Method {
    input: Vec<Argument>,
    output: Vec<Argument>,
    transaction: Transaction,
}

#[derive(Debug)]
struct Argument {
    name: String,
    shape: Shape,
}

/// Why a Call is not made.
#[derive(Debug, PartialEq)]
pub(super) enum Refused {
    /// Too few or too many arguments.
    Count(StatusCode),
    /// One code for each argument.
    Types(Vec<StatusCode>),
}

impl Method {
    pub(crate) fn new(input: &[ArgumentPlan], output: &[ArgumentPlan], transaction: Transaction) -> Self {
        Self {
            input: arguments(input),
            output: arguments(output),
            transaction,
        }
    }

    /// The value of a treq: an object keyed by argument name.
    pub(super) fn value(&self, arguments: &[Variant]) -> Result<Box<RawValue>, Refused> {
        if arguments.len() < self.input.len() {
            return Err(Refused::Count(StatusCode::BadArgumentsMissing));
        }
        if arguments.len() > self.input.len() {
            return Err(Refused::Count(StatusCode::BadTooManyArguments));
        }
        let mut object = Map::new();
        let mut codes = Vec::new();
        for (argument, value) in self.input.iter().zip(arguments) {
            let json = argument.shape.json(value);
            codes.push(match json {
                Some(_) => StatusCode::Good,
                None => StatusCode::BadTypeMismatch,
            });
            object.insert(argument.name.clone(), json.unwrap_or_default());
        }
        match codes.iter().all(StatusCode::is_good) {
            true => Ok(raw(&Value::Object(object))),
            false => Err(Refused::Types(codes)),
        }
    }

    /// Holds a Call until its reply has come.
    pub(super) async fn call(&self, value: Box<RawValue>) -> Result<Vec<Variant>, Failure> {
        let reply = self.transaction.request(value).await?;
        outputs(&self.output, &reply)
    }
}

/// Outputs by name from an object, by position from a list, the only one from its value alone.
fn outputs(plan: &[Argument], reply: &Bytes) -> Result<Vec<Variant>, Failure> {
    let reply: Value = serde_json::from_slice(reply).unwrap_or_default();
    let by_name = || {
        let object = reply.as_object()?;
        plan.iter()
            .map(|output| output.shape.value(object.get(&output.name)?))
            .collect::<Option<Vec<Variant>>>()
    };
    let by_position = || {
        let items = reply.as_array().filter(|items| items.len() == plan.len())?;
        let outputs = plan.iter().zip(items);
        outputs.map(|(output, item)| output.shape.value(item)).collect()
    };
    let alone = || match plan {
        [] => Some(Vec::new()),
        [only] => Some(vec![only.shape.value(&reply)?]),
        _ => None,
    };
    by_name().or_else(by_position).or_else(alone).ok_or_else(|| {
        let names: Vec<&str> = plan.iter().map(|output| output.name.as_str()).collect();
        let text = format!(
            "the reply has no values of the right types for: {}",
            names.join(", ")
        );
        Failure::new(StatusCode::BadInternalError, text)
    })
}

fn arguments(plans: &[ArgumentPlan]) -> Vec<Argument> {
    let argument = |plan: &ArgumentPlan| Argument {
        name: plan.name.clone(),
        shape: Shape::new(plan.data_type, plan.value_rank),
    };
    plans.iter().map(argument).collect()
}

/// JSON as text.
pub(super) fn raw(json: &Value) -> Box<RawValue> {
    to_raw_value(json).expect("a JSON value is always writable as JSON")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::plan::DataType;

    fn output(name: &str, data_type: DataType, rank: i32) -> Argument {
        Argument {
            name: name.to_owned(),
            shape: Shape::new(data_type, rank),
        }
    }

    fn read(plan: &[Argument], reply: &'static str) -> Option<Vec<Variant>> {
        outputs(plan, &Bytes::from_static(reply.as_bytes())).ok()
    }

    #[test]
    fn outputs_come_by_name_by_position_or_alone() {
        let one = [output("job", DataType::String, -1)];
        let job = Some(vec![Variant::from("A1")]);
        for reply in [r#"{"job": "A1", "more": 1}"#, r#"["A1"]"#, r#""A1""#] {
            assert_eq!(read(&one, reply), job, "{reply}");
        }
        let two = [
            output("job", DataType::String, -1),
            output("line", DataType::Int16, -1),
        ];
        let both = Some(vec![Variant::from("A1"), Variant::Int16(2)]);
        for reply in [r#"{"line": 2, "job": "A1"}"#, r#"["A1", 2]"#] {
            assert_eq!(read(&two, reply), both, "{reply}");
        }
        for reply in [r#"{"job": "A1"}"#, r#"[2, "A1"]"#, r#"["A1"]"#, "1", "null"] {
            assert_eq!(read(&two, reply), None, "{reply}");
        }
        assert_eq!(read(&[], r#"{"anything": 1}"#), Some(Vec::new()));
    }

    #[test]
    fn the_only_output_may_itself_be_a_list_or_an_object() {
        let list = [output("counts", DataType::Int32, 1)];
        let counts = Some(vec![Variant::from(vec![1_i32, 2])]);
        for reply in [r#"{"counts": [1, 2]}"#, "[[1, 2]]", "[1, 2]"] {
            assert_eq!(read(&list, reply), counts, "{reply}");
        }
        let text = [output("text", DataType::LocalizedText, -1)];
        assert!(read(&text, r#"{"text": "Säge"}"#).is_some());
        assert!(read(&text, r#"{"locale": "de"}"#).is_some());
    }
}
