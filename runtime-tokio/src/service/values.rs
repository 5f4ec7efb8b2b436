//! Values for `parameters`: those of flags, and those of a file that has one by its name on each line, or more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::diagnostic::{Diagnostic, Report, quoted};
use super::source::{Source, Span};
use super::value::did_you_mean;
use super::yaml::{self, Content, Node};
use super::{Context, scalar};
use crate::nearest::nearest;

/// Values by the names of parameters.
pub(super) struct Values(BTreeMap<String, Given>);

/// A value that the operator gives.
pub(super) struct Given {
    /// As it would follow `--set NAME=`.
    pub(super) text: String,
    /// Where the file has it; `None` for a flag.
    place: Option<(Arc<Source>, Span)>,
}

impl Values {
    /// Those of `context`, and of `file` where they leave some open.
    pub(super) fn read(context: &Context, file: Option<Source>, report: &mut Report) -> Self {
        let mut values = BTreeMap::new();
        if let Some(file) = file {
            let source = Arc::new(file);
            let mut own = Report::default();
            if let Some(root) = yaml::parse(&source, &mut own) {
                read_file(&source, &root, &mut values, &mut own);
            }
            for diagnostic in own.diagnostics() {
                // Its line may have a secret in it.
                report.push(diagnostic.clone().without_line());
            }
        }
        for (name, text) in &context.parameters {
            let given = Given {
                text: text.clone(),
                place: None,
            };
            values.insert(name.clone(), given);
        }
        Self(values)
    }

    pub(super) fn get(&self, name: &str) -> Option<&Given> {
        self.0.get(name)
    }

    /// Reports the names that are not among those that are `declared`: those that once were only as warnings.
    pub(super) fn report_unknown(
        &self,
        declared: &BTreeSet<String>,
        once: &BTreeSet<String>,
        report: &mut Report,
    ) {
        for (name, given) in &self.0 {
            if declared.contains(name) {
                continue;
            }
            if once.contains(name) {
                let message = format!("no file declares the parameter {} any more", quoted(name));
                let diagnostic = match &given.place {
                    Some((source, span)) => Diagnostic::warning(source, *span, message).without_line(),
                    None => Diagnostic::notice("--set", message),
                };
                report.push(diagnostic.help("take its value out before the agent starts the next time"));
                continue;
            }
            let help = nearest(name, declared.iter().map(String::as_str)).map(did_you_mean);
            let message = format!("no file declares the parameter {}", quoted(name));
            let diagnostic = match &given.place {
                Some((source, span)) => Diagnostic::error(source, *span, message).without_line(),
                None => Diagnostic::unreadable("--set", message),
            };
            report.push(diagnostic.maybe_help(help));
        }
    }
}

impl Given {
    /// What to do about a wrong value of the parameter `name`, and where it is.
    pub(super) fn blame(&self, diagnostic: Diagnostic, name: &str) -> Diagnostic {
        match &self.place {
            // Its line may have a secret in it.
            Some((source, span)) => diagnostic.maybe_help(Some(format!(
                "change the value at {}",
                Diagnostic::place_of(source, *span)
            ))),
            None => diagnostic.maybe_help(Some(format!("change `--set {name}=…`"))),
        }
    }
}

fn read_file(source: &Arc<Source>, root: &Node, values: &mut BTreeMap<String, Given>, report: &mut Report) {
    let entries = match (&root.content, &root.tag) {
        (Content::Mapping(entries), None) => entries,
        _ => {
            let message = "expected a mapping of parameters to their values";
            report.push(Diagnostic::error(source, root.span, message.to_owned()));
            return;
        }
    };
    for entry in entries {
        match text(&entry.value) {
            Ok(text) => {
                let place = Some((Arc::clone(source), entry.value.span));
                values.insert(entry.key.to_string(), Given { text, place });
            }
            Err((span, message)) => {
                report.push(Diagnostic::error(source, span, message));
            }
        }
    }
}

/// The value as text: a scalar as it is written, a collection as flow of the same YAML.
fn text(node: &Node) -> Result<String, (Span, String)> {
    match &node.content {
        Content::Scalar { text, .. } if node.tag.is_none() => Ok(text.to_string()),
        _ => flow(node),
    }
}

fn flow(node: &Node) -> Result<String, (Span, String)> {
    if let Some(tag) = node.tag.as_ref().filter(|tag| !tag.name.starts_with("!!")) {
        let message = format!("{} is not possible in a file of values", quoted(&tag.name));
        return Err((tag.span, message));
    }
    Ok(match &node.content {
        Content::Scalar { text, plain } => {
            let tag = node.tag.as_ref().map(|tag| &*tag.name);
            match scalar::resolve(text, *plain, tag).map_err(|message| (node.span, message))? {
                super::value::Data::String(text) => serde_json::Value::from(text).to_string(),
                _ => text.to_string(),
            }
        }
        Content::Sequence(items) => {
            let items: Result<Vec<String>, _> = items.iter().map(|item| flow(item)).collect();
            format!("[{}]", items?.join(", "))
        }
        Content::Mapping(entries) => {
            let entries: Result<Vec<String>, _> = entries
                .iter()
                .map(|entry| {
                    let key = serde_json::Value::from(&*entry.key);
                    Ok(format!("{key}: {}", flow(&entry.value)?))
                })
                .collect();
            format!("{{{}}}", entries?.join(", "))
        }
    })
}
