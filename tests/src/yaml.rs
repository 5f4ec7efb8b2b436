//! YAML for tests that read what others will: every scalar is a text, and anchors are not needed.

use granit_parser::{Event, Parser};
use serde_json::{Map, Value};

/// What is open while a document is read: a sequence, or a mapping with the key that waits for its value.
enum Open {
    Sequence(Vec<Value>),
    Mapping(Map<String, Value>, Option<String>),
}

/// The documents of a text.
///
/// # Panics
/// When it is not YAML.
#[must_use]
pub fn documents(text: &str) -> Vec<Value> {
    let (mut documents, mut open) = (Vec::new(), Vec::new());
    for event in Parser::new_from_str(text) {
        let (event, _) = event.unwrap_or_else(|error| panic!("not YAML: {error}"));
        let ended = match event {
            Event::SequenceStart(..) => {
                open.push(Open::Sequence(Vec::new()));
                continue;
            }
            Event::MappingStart(..) => {
                open.push(Open::Mapping(Map::new(), None));
                continue;
            }
            Event::Scalar(text, ..) => Value::from(text.into_owned()),
            Event::SequenceEnd | Event::MappingEnd => match open.pop().expect("a collection") {
                Open::Sequence(items) => Value::from(items),
                Open::Mapping(entries, _) => Value::from(entries),
            },
            _ => continue,
        };
        match open.last_mut() {
            None => documents.push(ended),
            Some(Open::Sequence(items)) => items.push(ended),
            Some(Open::Mapping(entries, key)) => match key.take() {
                None => *key = ended.as_str().map(str::to_owned),
                Some(key) => {
                    entries.insert(key, ended);
                }
            },
        }
    }
    documents
}
