//! The topic that a mapping publishes on, with its variables filled in.

use std::collections::BTreeMap;

use syncline_core::topic::{TopicError, TopicName};

use crate::rules::Json;
use crate::service::plan::{TopicPart, TopicTemplate};

/// Why there is no topic for a message. Values of variables may come from the message and are not shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum TemplateError {
    #[error("the topic's variable `{0}` is not set")]
    Unset(String),
    #[error("the topic's variable `{0}` is no text, number or boolean")]
    NoText(String),
    #[error("the topic's variable `{0}` is empty")]
    Empty(String),
    #[error("the topic's variable `{0}` is a number beyond 1.8e308")]
    Infinite(String),
    #[error("its variables make no topic: {0}")]
    Topic(TopicError),
}

/// The topic that `template` makes of `vars`.
pub(super) fn name(
    template: &TopicTemplate,
    vars: &BTreeMap<String, Json>,
) -> Result<TopicName, TemplateError> {
    let mut topic = String::new();
    for part in &template.0 {
        match part {
            TopicPart::Text(text) => topic.push_str(text),
            TopicPart::Variable(name) => topic.push_str(&text(name, vars)?),
        }
    }
    TopicName::new(topic).map_err(TemplateError::Topic)
}

fn text(name: &str, vars: &BTreeMap<String, Json>) -> Result<String, TemplateError> {
    let value = vars
        .get(name)
        .ok_or_else(|| TemplateError::Unset(name.to_owned()))?;
    if let Some(text) = value.as_string() {
        return match text.is_empty() {
            true => Err(TemplateError::Empty(name.to_owned())),
            false => Ok(text),
        };
    }
    match value.as_str() {
        text if text.starts_with(['{', '[', 'n']) => Err(TemplateError::NoText(name.to_owned())),
        text => digits(text).ok_or_else(|| TemplateError::Infinite(name.to_owned())),
    }
}

/// A number as a topic can have it: in digits where its exponent has a `+`, which is a wildcard.
fn digits(text: &str) -> Option<String> {
    if !text.contains('+') {
        return Some(text.to_owned());
    }
    let number: f64 = text.parse().ok()?;
    number.is_finite().then(|| number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(value: &'static str) -> Result<String, TemplateError> {
        let template = TopicTemplate(vec![
            TopicPart::Text("a/".to_owned()),
            TopicPart::Variable("x".to_owned()),
            TopicPart::Text("/b".to_owned()),
        ]);
        let json = Json::new(value.as_bytes().into()).expect("JSON");
        name(&template, &BTreeMap::from([("x".to_owned(), json)])).map(|name| name.as_str().to_owned())
    }

    #[test]
    fn texts_numbers_and_booleans_fill_a_topic() {
        for (value, topic) in [
            ("\"line 1\"", "a/line 1/b"),
            ("\"x/y\"", "a/x/y/b"),
            ("9007199254740993", "a/9007199254740993/b"),
            ("true", "a/true/b"),
            ("1e+21", "a/1000000000000000000000/b"),
            ("-2.5E+3", "a/-2500/b"),
            ("1e21", "a/1e21/b"),
            ("1.5e-7", "a/1.5e-7/b"),
        ] {
            assert_eq!(filled(value).as_deref(), Ok(topic));
        }
    }

    #[test]
    fn what_makes_no_topic_is_an_error_that_shows_no_value() {
        let name = || "x".to_owned();
        for (value, error) in [
            ("{}", TemplateError::NoText(name())),
            ("[\"s3cret\"]", TemplateError::NoText(name())),
            ("null", TemplateError::NoText(name())),
            ("\"\"", TemplateError::Empty(name())),
            ("1e+400", TemplateError::Infinite(name())),
        ] {
            assert_eq!(filled(value), Err(error));
        }
        for value in ["\"s3cret#\"", "\"s3cret+\"", "\"s3cret\\u0000\""] {
            let error = filled(value).unwrap_err();
            assert!(matches!(error, TemplateError::Topic(_)));
            assert!(!error.to_string().contains("s3cret"));
        }
        let template = TopicTemplate(vec![TopicPart::Variable("x".to_owned())]);
        assert_eq!(
            super::name(&template, &BTreeMap::new()),
            Err(TemplateError::Unset(name()))
        );
    }
}
