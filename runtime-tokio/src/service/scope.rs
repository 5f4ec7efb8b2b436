//! Names of a commissioning file and the tags that use them: `!ref`, `!sub` and `!merge`.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::Context;
use super::diagnostic::quoted;
use super::scalar;
use super::source::Span;
use super::value::{Data, Field, Reference, Reporter, Value, did_you_mean};
use super::yaml::{Content, Entry, MAX_DEPTH, MAX_VALUES, Node, Tag, text_weight};

/// Longest text that `!sub` may make.
const MAX_TEXT: usize = 1 << 16;

const SERVICE_ID: &str = "Cybus::ServiceId";
const MQTT_ROOT: &str = "Cybus::MqttRoot";
const MQTT_ROOT_DEFINITION: &str = "CYBUS_MQTT_ROOT";
const GLOBALS: [&str; 6] = [
    SERVICE_ID,
    MQTT_ROOT,
    "Cybus::MqttHost",
    "Cybus::MqttPort",
    "Cybus::MqttUser",
    "Cybus::MqttPassword",
];
const TAGS: [&str; 3] = ["!ref", "!sub", "!merge"];

/// Everything that a name can mean in one file.
pub(super) struct Scope<'s> {
    context: &'s Context,
    service_name: Option<Rc<Node>>,
    bindings: BTreeMap<String, Binding>,
    resources: BTreeSet<String>,
    /// Values that tags may still make.
    budget: usize,
    depth: usize,
}

/// A name whose value is worked out when it is first asked for.
enum Binding {
    Written(Rc<Node>),
    InProgress,
    Known(Rc<Known>),
}

/// A worked-out value with its measures, so that using it again costs no walk.
struct Known {
    value: Value,
    weight: usize,
    height: usize,
}

impl Known {
    fn new(value: Value) -> Self {
        let (weight, height) = measure(&value);
        Self {
            value,
            weight,
            height,
        }
    }
}

impl<'s> Scope<'s> {
    /// `service_name` is the node of `metadata.name`, which `Cybus::ServiceId` comes from.
    pub(super) fn new(context: &'s Context, service_name: Option<Rc<Node>>) -> Self {
        Self {
            context,
            service_name,
            bindings: BTreeMap::new(),
            resources: BTreeSet::new(),
            budget: MAX_VALUES,
            depth: 0,
        }
    }

    pub(super) fn bind_parameter(&mut self, name: &str, value: Value) {
        self.know(name, value);
    }

    /// Whether the name was free.
    pub(super) fn bind_definition(&mut self, name: &str, node: Rc<Node>) -> bool {
        let free = !self.bindings.contains_key(name);
        if free {
            self.bindings.insert(name.to_owned(), Binding::Written(node));
        }
        free
    }

    /// Whether the name was free.
    pub(super) fn bind_resource(&mut self, name: &str) -> bool {
        !self.bindings.contains_key(name) && self.resources.insert(name.to_owned())
    }

    /// The service's id; `None` when the name is missing or wrong, which has been reported then.
    pub(super) fn service_id(&mut self, reporter: &mut Reporter<'_>) -> Option<String> {
        match &self.global(SERVICE_ID, Span::default(), reporter)?.value.data {
            Data::String(id) => Some(id.clone()),
            _ => None,
        }
    }

    /// The topic root; `None` when it is wrong, which has been reported then.
    pub(super) fn mqtt_root(&mut self, reporter: &mut Reporter<'_>) -> Option<String> {
        match &self.global(MQTT_ROOT, Span::default(), reporter)?.value.data {
            Data::String(root) => Some(root.clone()),
            _ => None,
        }
    }

    /// Works a definition out even when nothing uses it, so that its mistakes are found.
    pub(super) fn check_definition(&mut self, name: &str, node: &Node, reporter: &mut Reporter<'_>) {
        self.lookup(name, node.span, reporter);
    }

    /// The value of a node with its tags carried out. What is wrong is reported and leaves [`Data::Invalid`].
    pub(super) fn expand(&mut self, node: &Node, reporter: &mut Reporter<'_>) -> Value {
        if self.depth >= MAX_DEPTH {
            reporter.error(
                node.span,
                format!("nested too deep, expected at most {MAX_DEPTH} levels"),
            );
            return Value::invalid(node.span);
        }
        self.depth += 1;
        let value = match node.tag.as_ref() {
            Some(tag) if !tag.name.starts_with("!!") => self.expand_tag(tag, node, reporter),
            tag => self.expand_plain(tag, node, reporter),
        };
        self.depth -= 1;
        value
    }

    fn expand_plain(&mut self, tag: Option<&Tag>, node: &Node, reporter: &mut Reporter<'_>) -> Value {
        let data = match &node.content {
            Content::Scalar { text, plain } => match scalar::resolve(text, *plain, tag.map(|tag| &*tag.name))
            {
                Ok(data) => data,
                Err(message) => {
                    reporter.error(node.span, message);
                    Data::Invalid
                }
            },
            content if tag.is_some_and(|tag| !fits_collection(&tag.name, content)) => {
                reporter.error(
                    node.span,
                    "found a collection that is not of the type that its tag names",
                );
                Data::Invalid
            }
            Content::Sequence(items) => {
                Data::Sequence(items.iter().map(|item| self.expand(item, reporter)).collect())
            }
            Content::Mapping(entries) => Data::Mapping(
                entries
                    .iter()
                    .map(|entry| self.expand_entry(entry, reporter))
                    .collect(),
            ),
        };
        Value {
            span: node.span,
            data,
        }
    }

    fn expand_entry(&mut self, entry: &Entry, reporter: &mut Reporter<'_>) -> Field {
        Field {
            key: entry.key.to_string(),
            key_span: entry.key_span,
            value: self.expand(&entry.value, reporter),
        }
    }

    fn expand_tag(&mut self, tag: &Tag, node: &Node, reporter: &mut Reporter<'_>) -> Value {
        let data = match (&*tag.name, &node.content) {
            ("!ref", Content::Scalar { text, .. }) if !text.is_empty() => {
                self.reference(text, node.span, reporter)
            }
            ("!sub", Content::Scalar { text, .. }) => {
                self.substitute(text, node.span, reporter).map(Data::String)
            }
            ("!merge", Content::Sequence(items)) => self.merge(items, reporter),
            ("!ref", _) => {
                reporter.error(
                    tag.span,
                    "`!ref` takes the name of a parameter, a definition or a resource",
                );
                None
            }
            ("!sub", _) => {
                reporter.error(tag.span, "`!sub` takes a text with `${name}` in it");
                None
            }
            ("!merge", _) => {
                reporter.error(tag.span, "`!merge` takes a list of mappings");
                None
            }
            (name, _) => {
                let help = reporter.nearest(name, TAGS).map(did_you_mean);
                let message = format!(
                    "unknown tag {}, expected `!ref`, `!sub` or `!merge`",
                    quoted(name)
                );
                reporter.error_with_help(tag.span, message, help);
                None
            }
        };
        Value {
            span: node.span,
            data: data.unwrap_or(Data::Invalid),
        }
    }

    fn reference(&mut self, text: &str, span: Span, reporter: &mut Reporter<'_>) -> Option<Data> {
        if self.resources.contains(text) {
            return Some(Data::Reference(Reference::Own(text.to_owned())));
        }
        if let Some((service, resource)) = text.split_once("::")
            && service != "Cybus"
        {
            let (service, resource) = (service.to_owned(), resource.to_owned());
            return Some(Data::Reference(Reference::Foreign { service, resource }));
        }
        let known = self.lookup(text, span, reporter)?;
        if self.depth + known.height > MAX_DEPTH {
            reporter.error(
                span,
                format!("nested too deep, expected at most {MAX_DEPTH} levels"),
            );
            return None;
        }
        self.spend(known.weight, span, reporter)?;
        reporter.origins.insert(span, (text.to_owned(), known.value.span));
        Some(known.value.data.clone())
    }

    fn merge(&mut self, items: &[Rc<Node>], reporter: &mut Reporter<'_>) -> Option<Data> {
        let mut merged: Vec<Field> = Vec::new();
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        let mut complete = true;
        for item in items {
            match self.expand(item, reporter).data {
                Data::Mapping(fields) => {
                    for field in fields {
                        match places.get(&field.key) {
                            Some(at) => merged[*at] = field,
                            None => {
                                places.insert(field.key.clone(), merged.len());
                                merged.push(field);
                            }
                        }
                    }
                }
                Data::Invalid => complete = false,
                data => {
                    let found = reporter.describe(&Value {
                        span: item.span,
                        data,
                    });
                    reporter.error(item.span, format!("`!merge`: found {found}, expected a mapping"));
                    complete = false;
                }
            }
        }
        complete.then_some(Data::Mapping(merged))
    }

    /// Replaces every `${name}` of `text`; `span` is the place of the text in the file.
    fn substitute(&mut self, text: &str, span: Span, reporter: &mut Reporter<'_>) -> Option<String> {
        let mut out = String::new();
        let mut rest = text;
        let mut complete = true;
        let mut searched = span.start;
        while let Some(at) = rest.find("${") {
            out.push_str(&rest[..at]);
            let Some(end) = rest[at..].find('}') else {
                reporter.error(span, "`!sub`: found `${` without `}`, expected `${name}`");
                return None;
            };
            let name = rest[at + 2..at + end].trim();
            let place = place_of(
                &rest[at..=at + end],
                Span::new(searched, span.end),
                span,
                reporter,
            );
            searched = if place == span { span.end } else { place.end };
            match self.text_of(name, place, reporter) {
                Some(value) => out.push_str(&value),
                None => complete = false,
            }
            if out.len() > MAX_TEXT {
                reporter.error(span, format!("`!sub` makes more than {MAX_TEXT} bytes"));
                return None;
            }
            rest = &rest[at + end + 1..];
        }
        out.push_str(rest);
        self.spend(text_weight(&out), span, reporter)?;
        complete.then_some(out)
    }

    /// A topic as written, with `${Cybus::MqttRoot}` replaced although no `!sub` asks for it: published files rely on it.
    pub(super) fn substitute_root(
        &mut self,
        text: &str,
        span: Span,
        reporter: &mut Reporter<'_>,
    ) -> Option<String> {
        let pattern = format!("${{{MQTT_ROOT}}}");
        if !text.contains(&pattern) {
            return Some(text.to_owned());
        }
        let place = place_of(&pattern, span, span, reporter);
        let root = self.text_of(MQTT_ROOT, place, reporter)?;
        Some(text.replace(&pattern, &root))
    }

    fn text_of(&mut self, name: &str, span: Span, reporter: &mut Reporter<'_>) -> Option<String> {
        if self.resources.contains(name) {
            let message = format!(
                "`!sub`: {} is a resource, expected a parameter or a definition",
                quoted(name)
            );
            reporter.error(span, message);
            return None;
        }
        let known = self.lookup(name, span, reporter)?;
        match &known.value.data {
            Data::String(text) => Some(text.clone()),
            Data::Bool(value) => Some(value.to_string()),
            Data::Integer(value) => Some(value.to_string()),
            Data::Float(value) => Some(value.to_string()),
            Data::Invalid => None,
            _ => {
                let found = reporter.describe(&known.value);
                reporter.error(
                    span,
                    format!("`!sub`: {} is {found}, expected a text or a number", quoted(name)),
                );
                None
            }
        }
    }

    /// The value of a parameter, a definition or a global; `None` after a report.
    fn lookup(&mut self, name: &str, span: Span, reporter: &mut Reporter<'_>) -> Option<Rc<Known>> {
        if name.starts_with("Cybus::") {
            return self.global(name, span, reporter);
        }
        let node = match self.bindings.get(name) {
            Some(Binding::Known(known)) => return Some(known.clone()),
            Some(Binding::Written(node)) => node.clone(),
            Some(Binding::InProgress) => {
                reporter.error(span, format!("{} refers to itself", quoted(name)));
                return None;
            }
            None => {
                self.report_unknown(name, span, reporter);
                return None;
            }
        };
        self.bindings.insert(name.to_owned(), Binding::InProgress);
        let value = self.expand(&node, reporter);
        Some(self.know(name, value))
    }

    fn report_unknown(&self, name: &str, span: Span, reporter: &mut Reporter<'_>) {
        let names = self
            .bindings
            .keys()
            .chain(&self.resources)
            .map(String::as_str)
            .chain(GLOBALS);
        let help = reporter.nearest(name, names).map(did_you_mean);
        let message = format!(
            "{} is not a parameter, a definition or a resource of this file",
            quoted(name)
        );
        reporter.error_with_help(span, message, help);
    }

    fn global(&mut self, name: &str, span: Span, reporter: &mut Reporter<'_>) -> Option<Rc<Known>> {
        if let Some(Binding::Known(known)) = self.bindings.get(name) {
            return Some(known.clone());
        }
        let (text, variable) = match name {
            SERVICE_ID | MQTT_ROOT => {
                let derived = match name {
                    SERVICE_ID => self.derive_service_id(span, reporter),
                    _ => self.derive_mqtt_root(span, reporter),
                };
                // A failure is kept as well: it has been reported, and whoever asks again must not report it again.
                let data = derived.map_or(Data::Invalid, Data::String);
                return Some(self.know(name, Value { span, data }));
            }
            "Cybus::MqttHost" => (self.context.mqtt_host.clone(), "CYBUS_MQTT_HOST"),
            "Cybus::MqttPort" => (
                self.context.mqtt_port.map(|port| port.to_string()),
                "CYBUS_MQTT_PORT",
            ),
            "Cybus::MqttUser" => (self.context.mqtt_user.clone(), "CYBUS_MQTT_USERNAME"),
            "Cybus::MqttPassword" => (
                self.context.mqtt_password.clone(),
                "CYBUS_PROTOCOL_MAPPER_PASSWORD",
            ),
            _ => {
                self.report_unknown(name, span, reporter);
                return None;
            }
        };
        let Some(text) = text else {
            reporter.error(span, format!("`{name}` has no value here: set {variable}"));
            return None;
        };
        let data = match text.parse() {
            Ok(port) if name == "Cybus::MqttPort" => Data::Integer(port),
            _ => Data::String(text),
        };
        Some(self.know(name, Value { span, data }))
    }

    fn know(&mut self, name: &str, value: Value) -> Rc<Known> {
        let known = Rc::new(Known::new(value));
        self.bindings
            .insert(name.to_owned(), Binding::Known(known.clone()));
        known
    }

    fn derive_service_id(&mut self, span: Span, reporter: &mut Reporter<'_>) -> Option<String> {
        let node = self.service_name.clone()?;
        if matches!(self.bindings.get(SERVICE_ID), Some(Binding::InProgress)) {
            reporter.error(span, "`metadata.name` refers to itself");
            return None;
        }
        self.bindings.insert(SERVICE_ID.to_owned(), Binding::InProgress);
        let value = self.expand(&node, reporter);
        service_id_of(&value, reporter)
    }

    fn derive_mqtt_root(&mut self, span: Span, reporter: &mut Reporter<'_>) -> Option<String> {
        if !self.bindings.contains_key(MQTT_ROOT_DEFINITION) {
            return Some(format!("services/{}", self.service_id(reporter)?));
        }
        let known = self.lookup(MQTT_ROOT_DEFINITION, span, reporter)?;
        reporter
            .text(MQTT_ROOT_DEFINITION, &known.value)
            .map(str::to_owned)
    }

    fn spend(&mut self, values: usize, span: Span, reporter: &mut Reporter<'_>) -> Option<()> {
        match self.budget.checked_sub(values) {
            Some(left) => {
                self.budget = left;
                Some(())
            }
            None => {
                let message =
                    format!("the file has more than {MAX_VALUES} values when `!ref` is carried out");
                reporter.error(span, message);
                None
            }
        }
    }
}

/// `metadata.name` without what a service id may not contain: letters and digits stay, in lower case.
fn service_id_of(name: &Value, reporter: &mut Reporter<'_>) -> Option<String> {
    const LONGEST: usize = 80;
    let text = reporter.text("metadata.name", name)?;
    let length = text.chars().count();
    if length > LONGEST {
        let message = format!("`metadata.name`: found {length} characters, expected at most {LONGEST}");
        reporter.error(name.span, message);
        return None;
    }
    let id: String = text.chars().filter(char::is_ascii_alphanumeric).collect();
    if id.is_empty() {
        let message = format!(
            "`metadata.name`: found {}, expected a letter or a digit in it",
            quoted(text)
        );
        reporter.error(name.span, message);
        return None;
    }
    Some(id.to_ascii_lowercase())
}

/// Where `needle` is written inside `within`; `otherwise` when escapes hide it.
fn place_of(needle: &str, within: Span, otherwise: Span, reporter: &Reporter<'_>) -> Span {
    match reporter.source.slice(within).find(needle) {
        Some(at) => Span::new(within.start + at, within.start + at + needle.len()),
        None => otherwise,
    }
}

fn fits_collection(tag: &str, content: &Content) -> bool {
    match content {
        Content::Sequence(_) => tag == "!!seq",
        Content::Mapping(_) => tag == "!!map",
        Content::Scalar { .. } => false,
    }
}

fn measure(value: &Value) -> (usize, usize) {
    let children: &mut dyn Iterator<Item = &Value> = match &value.data {
        Data::Sequence(items) => &mut items.iter(),
        Data::Mapping(fields) => &mut fields.iter().map(|field| &field.value),
        Data::String(text) => return (1 + text_weight(text), 0),
        _ => return (1, 0),
    };
    let (weight, height) = children.map(measure).fold((1, 0), |(weight, height), child| {
        (weight + child.0, height.max(child.1))
    });
    (weight, height + 1)
}
