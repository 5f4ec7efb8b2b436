//! Service commissioning files: from YAML text to the plan of what this agent runs.
//!
//! ```text
//! Source ─ yaml ─▶ Node ─ scope ─▶ Value ─ resource, record ─▶ Document ─ build ─▶ Plan
//!          tree with places,  tags carried out,  types checked,        references followed, collisions
//!          tags and bounds    still with places  one file by itself    found, over all files
//! ```
//! Every stage reports what is wrong and goes on with the rest, so that one run names all mistakes of all files.

mod build;
mod connection;
mod diagnostic;
mod document;
mod endpoint;
mod files;
mod http;
mod mapping;
mod mqtt;
mod opcua;
mod opcua_client;
mod parameters;
pub mod plan;
mod record;
mod resource;
mod rule_list;
mod scalar;
mod scope;
mod source;
mod topic;
mod transaction;
mod value;
mod values;
mod yaml;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use diagnostic::{Diagnostic, Paint, Report, Severity};
pub(crate) use files::Stamp;
pub use files::{Files, Origin, Reading};
pub use plan::Plan;
pub use source::{Position, Source};

use self::values::Values;
use crate::regular_file;

/// What a commissioning file can learn about the agent that runs it.
#[derive(Clone, Default)]
pub struct Context {
    /// This agent's name. Without one nothing is left out on account of `agentName`.
    pub agent_name: Option<String>,
    /// `Cybus::MqttHost`.
    pub mqtt_host: Option<String>,
    /// `Cybus::MqttPort`.
    pub mqtt_port: Option<u16>,
    /// `Cybus::MqttUser`.
    pub mqtt_user: Option<String>,
    /// `Cybus::MqttPassword`.
    pub mqtt_password: Option<String>,
    /// Values for `parameters`; each goes to every file that declares its name.
    pub parameters: BTreeMap<String, String>,
    /// A file with further values: YAML, by the names of parameters. It is read with the files.
    pub values: Option<PathBuf>,
}

/// A plan, and what was left out of it.
#[derive(Debug)]
pub struct Planned {
    /// What this agent runs.
    pub plan: Plan,
    /// What it does not run, and why: warnings only.
    pub warnings: Report,
}

/// Plans the given texts together.
///
/// # Errors
/// Every mistake of every text, with the warnings among them.
pub fn plan_sources(sources: Vec<Source>, context: &Context) -> Result<Planned, Report> {
    plan_readable(sources, None, context, &BTreeSet::new(), Report::default()).0
}

/// Reads the given files and plans them together.
///
/// # Errors
/// Every mistake of every file, with the warnings among them; a file that cannot be read is a mistake too.
pub fn plan_files(paths: &[PathBuf], context: &Context) -> Result<Planned, Report> {
    let mut report = Report::default();
    let mut sources = Vec::new();
    for path in paths {
        match read(path) {
            Ok(source) => sources.push(source),
            Err(message) => report.push(Diagnostic::unreadable(path.display().to_string(), message)),
        }
    }
    let values = context.values.as_deref().and_then(|path| match read(path) {
        Ok(source) => Some(source),
        Err(message) => {
            report.push(Diagnostic::unreadable(path.display().to_string(), message));
            None
        }
    });
    plan_readable(sources, values, context, &BTreeSet::new(), report).0
}

/// Plans what could be read, and tells which parameters it declares. A value of one that was declared `once`, and is no more, is no
/// mistake.
fn plan_readable(
    sources: Vec<Source>,
    values: Option<Source>,
    context: &Context,
    once: &BTreeSet<String>,
    mut report: Report,
) -> (Result<Planned, Report>, BTreeSet<String>) {
    let values = Values::read(context, values, &mut report);
    let mut documents = Vec::new();
    let mut unread = false;
    for source in sources {
        match document::read(&Arc::new(source), context, &values, &mut report) {
            Some(document) => documents.push(document),
            None => unread = true,
        }
    }
    let plan = build::build(&documents, !unread, context, &mut report);
    let declared = documents.iter().flat_map(|document| &document.parameters);
    let declared: BTreeSet<String> = declared.cloned().collect();
    // A file that could not be read may be the one that declares a name.
    if !unread {
        values.report_unknown(&declared, once, &mut report);
    }
    report.sort();
    let planned = if report.errors() > 0 {
        Err(report)
    } else {
        Ok(Planned {
            plan,
            warnings: report,
        })
    };
    (planned, declared)
}

/// Reads a file, but never more of it than a commissioning file may have.
fn read(path: &Path) -> Result<Source, String> {
    let text = regular_file::read_text(path, yaml::MAX_FILE_BYTES)?;
    Ok(Source::new(path.display().to_string(), text))
}
