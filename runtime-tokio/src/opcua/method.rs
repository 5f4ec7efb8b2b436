//! Methods: the arguments of a Call become a value, and the value of a reply becomes outputs.

use bytes::Bytes;
use opcua::types::{StatusCode, Variant};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};

use super::failure::Failure;
use super::misfit::{Complaints, Found, Misfit};
use super::transaction::Transaction;
use super::value::Shape;
use crate::service::plan::ArgumentPlan;

/// One method.
#[derive(Debug)]
pub(crate) struct Method {
    input: Vec<Argument>,
    output: Vec<Argument>,
    transaction: Transaction,
    complaints: Complaints,
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
    /// Replies that do not fit are told to `complaints`.
    pub(crate) fn new(
        input: &[ArgumentPlan],
        output: &[ArgumentPlan],
        transaction: Transaction,
        complaints: Complaints,
    ) -> Self {
        Self {
            input: arguments(input),
            output: arguments(output),
            transaction,
            complaints,
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
        outputs(&self.output, &reply).map_err(|misfit| {
            self.complaints.note(
                &misfit,
                "a Call ends with BadInternalError, for its reply does not fit",
            );
            let text = format!("the reply does not fit: {misfit}");
            Failure::new(StatusCode::BadInternalError, text)
        })
    }
}

/// Outputs by name from an object, by position from a list, the only one from its value alone.
fn outputs(plan: &[Argument], reply: &Bytes) -> Result<Vec<Variant>, Misfit> {
    if plan.is_empty() {
        return Ok(Vec::new());
    }
    let reply: Value = serde_json::from_slice(reply).map_err(|_| Misfit::Unreadable)?;
    let by_name = |object: &Map<String, Value>| {
        let outputs = plan.iter();
        outputs
            .map(|output| output.value(object.get(&output.name)))
            .collect()
    };
    let by_position = |items: &[Value]| {
        let outputs = plan.iter().zip(items);
        outputs.map(|(output, item)| output.value(Some(item))).collect()
    };
    let told: Result<Vec<Variant>, Misfit> = match &reply {
        Value::Object(object) => by_name(object),
        Value::Array(items) if items.len() == plan.len() => by_position(items),
        other => Err(Misfit::Outputs {
            expected: plan.len(),
            found: Found::from(other),
        }),
    };
    told.or_else(|misfit| match plan {
        [only] => match (only.value(Some(&reply)), misfit) {
            (Ok(value), _) => Ok(vec![value]),
            // It was there, by its name or at its place.
            (Err(_), misfit @ Misfit::Output { .. }) => Err(misfit),
            (Err(alone), _) => Err(alone),
        },
        _ => Err(misfit),
    })
}

impl Argument {
    /// The output that a reply has for this one.
    fn value(&self, json: Option<&Value>) -> Result<Variant, Misfit> {
        let (output, expected) = (&self.name, self.shape);
        let json = json.ok_or_else(|| Misfit::Missing {
            output: output.clone(),
            expected,
        })?;
        expected.value(json).ok_or_else(|| Misfit::Output {
            output: output.clone(),
            expected,
            found: Found::from(json),
        })
    }
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
    fn a_reply_that_does_not_fit_says_which_output_it_fails() {
        let one = [output("job", DataType::String, -1)];
        let two = [
            output("job", DataType::String, -1),
            output("line", DataType::Int16, -1),
        ];
        let reason = |plan: &[Argument], reply: &'static str| {
            outputs(plan, &Bytes::from_static(reply.as_bytes()))
                .unwrap_err()
                .to_string()
        };
        for (plan, reply, expected) in [
            (
                &one[..],
                r#"{"job": 7}"#,
                "the output `job`: expected String, found a number that is none",
            ),
            (
                &one,
                "7",
                "the output `job`: expected String, found a number that is none",
            ),
            (
                &one,
                r#"{"jobs": "A1"}"#,
                "the output `job`: expected String, found an object that is none",
            ),
            (
                &two,
                r#"{"job": "A1"}"#,
                "the output `line`: expected Int16, found none",
            ),
            (
                &two,
                r#"["A1", 1e9]"#,
                "the output `line`: expected Int16, found a number that is none",
            ),
            (
                &two,
                r#"["A1"]"#,
                "`value`: expected an object or a list of 2 outputs, found a list that is none",
            ),
            (
                &two,
                "null",
                "`value`: expected an object or a list of 2 outputs, found null that is none",
            ),
        ] {
            assert_eq!(reason(plan, reply), expected, "{reply}");
        }
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
