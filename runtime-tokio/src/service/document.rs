//! The whole of one commissioning file: its sections, its names and its resources.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use super::Context;
use super::diagnostic::{Diagnostic, Report, quoted};
use super::parameters;
use super::resource::{self, Resource};
use super::scope::Scope;
use super::source::{Source, Span};
use super::value::{Reporter, did_you_mean, one_of};
use super::values::Values;
use super::yaml::{self, Content, Entry, Node};

const SECTIONS: [&str; 6] = [
    "version",
    "description",
    "metadata",
    "parameters",
    "definitions",
    "resources",
];
/// Resources of one file.
const MAX_RESOURCES: usize = 10_000;
const METADATA: [&str; 5] = ["name", "version", "icon", "provider", "homepage"];

/// One file, read and checked by itself; how its resources fit together is the plan's part.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) source: Arc<Source>,
    pub(super) id: String,
    pub(super) name_span: Span,
    pub(super) mqtt_root: String,
    pub(super) resources: Vec<Resource>,
    /// Where each of them is, by id.
    positions: HashMap<String, usize>,
    /// Names that `parameters` declares.
    pub(super) parameters: Vec<String>,
}

impl Document {
    /// The resource with this id.
    pub(super) fn resource(&self, id: &str) -> Option<&Resource> {
        self.positions.get(id).map(|position| &self.resources[*position])
    }
}

/// Reads a file. `None` when it has no service id or no topic root, which has been reported then; every other mistake
/// is reported and what is left is returned.
pub(super) fn read(
    source: &Arc<Source>,
    context: &Context,
    values: &Values,
    report: &mut Report,
) -> Option<Document> {
    let root = yaml::parse(source, report)?;
    let mut reporter = Reporter {
        source: source.clone(),
        report,
        origins: HashMap::new(),
    };
    let sections = Sections::read(&root, &mut reporter)?;
    let name = service_name(&sections, &mut reporter);
    let name_span = name.as_ref().map_or(root.span, |name| name.span);
    let mut scope = Scope::new(context, name);

    let declared = sections.entries("parameters", &mut reporter);
    parameters::bind(declared, values, &mut scope, &mut reporter);
    let definitions = sections.entries("definitions", &mut reporter);
    for entry in definitions {
        if !scope.bind_definition(&entry.key, entry.value.clone()) {
            taken(entry, "a parameter", &mut reporter);
        }
    }
    let mut resources = sections.entries("resources", &mut reporter);
    if let Some(beyond) = resources.get(MAX_RESOURCES) {
        let message = format!(
            "the file has {} resources, expected at most {MAX_RESOURCES}",
            resources.len()
        );
        reporter.error_with_help(
            beyond.key_span,
            message,
            Some("make several files of it".to_owned()),
        );
        resources = &resources[..MAX_RESOURCES];
    }
    for entry in resources {
        check_resource_id(entry, &mut reporter);
        if !scope.bind_resource(&entry.key) {
            taken(entry, "a parameter or a definition", &mut reporter);
        }
    }

    let id = scope.service_id(&mut reporter);
    let mqtt_root = scope.mqtt_root(&mut reporter);
    for entry in definitions {
        scope.check_definition(&entry.key, &entry.value, &mut reporter);
    }
    let resources: Vec<Resource> = resources
        .iter()
        .map(|entry| resource::read(entry, &mut scope, context, &mut reporter))
        .collect();
    Some(Document {
        source: source.clone(),
        id: id?,
        name_span,
        mqtt_root: mqtt_root?,
        positions: resources
            .iter()
            .enumerate()
            .map(|(position, resource)| (resource.id.clone(), position))
            .collect(),
        resources,
        parameters: declared.iter().map(|entry| entry.key.to_string()).collect(),
    })
}

/// The top level, still with its tags.
struct Sections(Rc<Node>);

impl Sections {
    fn read(root: &Rc<Node>, reporter: &mut Reporter<'_>) -> Option<Self> {
        let (Content::Mapping(entries), None) = (&root.content, &root.tag) else {
            reporter.error(root.span, format!("expected a mapping with {}", one_of(SECTIONS)));
            return None;
        };
        let sections = Self(root.clone());
        report_unknown_keys("the top level", entries, &SECTIONS, reporter);
        for required in ["metadata", "resources"] {
            if sections.find(required).is_none() {
                let names = entries
                    .iter()
                    .map(|entry| &*entry.key)
                    .filter(|key| !SECTIONS.contains(key));
                let help = reporter
                    .nearest(required, names)
                    .map(|found| format!("is `{found}` meant to be `{required}`?"));
                let message = format!("the top level: expected `{required}`, found none");
                reporter.error_with_help(root.span, message, help);
            }
        }
        Some(sections)
    }

    fn find(&self, section: &str) -> Option<&Entry> {
        match &self.0.content {
            Content::Mapping(entries) => entries.iter().find(|entry| &*entry.key == section),
            _ => None,
        }
    }

    /// The pairs of a section; none when it is absent or left empty.
    fn entries(&self, section: &'static str, reporter: &mut Reporter<'_>) -> &[Entry] {
        let Some(entry) = self.find(section) else {
            return &[];
        };
        match (&entry.value.content, &entry.value.tag) {
            (Content::Mapping(entries), None) => entries,
            (Content::Scalar { text, plain: true }, None) if text.is_empty() => &[],
            (_, Some(tag)) => {
                reporter.error(
                    tag.span,
                    format!("`{section}`: found a tag, expected a mapping without one"),
                );
                &[]
            }
            _ => {
                reporter.error(entry.value.span, format!("`{section}`: expected a mapping"));
                &[]
            }
        }
    }
}

fn service_name(sections: &Sections, reporter: &mut Reporter<'_>) -> Option<Rc<Node>> {
    let section = sections.find("metadata")?;
    let entries = sections.entries("metadata", reporter);
    report_unknown_keys("metadata", entries, &METADATA, reporter);
    let name = entries
        .iter()
        .find(|entry| &*entry.key == "name")
        .map(|entry| entry.value.clone());
    if name.is_none() {
        reporter.error(section.key_span, "metadata: expected `name`, found none");
    }
    name
}

fn report_unknown_keys(owner: &str, entries: &[Entry], known: &[&str], reporter: &mut Reporter<'_>) {
    for entry in entries.iter().filter(|entry| !known.contains(&&*entry.key)) {
        let help = reporter
            .nearest(&entry.key, known.iter().copied())
            .map(did_you_mean);
        let message = format!(
            "{owner}: unknown key {}, expected {}",
            quoted(&entry.key),
            one_of(known.iter().copied())
        );
        reporter.error_with_help(entry.key_span, message, help);
    }
}

fn check_resource_id(entry: &Entry, reporter: &mut Reporter<'_>) {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    let wrong = entry
        .key
        .char_indices()
        .find(|(at, c)| !allowed(*c) || (*at == 0 && !c.is_ascii_alphanumeric()));
    if entry.key.is_empty() || wrong.is_some() {
        let message = format!(
            "resource id {}: expected a letter or digit, then letters, digits, `_` and `.`",
            quoted(&entry.key)
        );
        reporter.error(entry.key_span, message);
    }
}

fn taken(entry: &Entry, by: &str, reporter: &mut Reporter<'_>) {
    let message = format!(
        "the name {} is already that of {by}, expected another name",
        quoted(&entry.key)
    );
    reporter
        .report
        .push(Diagnostic::error(&reporter.source, entry.key_span, message));
}
