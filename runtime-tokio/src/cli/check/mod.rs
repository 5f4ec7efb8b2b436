//! `syncline check`: the plan as a table or as JSON, or every mistake.

mod json;
mod table;

use syncline::config::{self, Environment};
use syncline::service::{self, Planned, Report};

use super::exit::Exit;
use super::{live, output};

pub(super) fn main(check: super::Check, environment: &Environment) -> Exit {
    if check.live {
        return live::main(&check.overrides, environment);
    }
    let (mut context, listen) = match config::load(&check.overrides.0, environment) {
        Ok(loaded) => {
            output::warnings(&loaded.warnings);
            (loaded.config.service_context(), loaded.config.opcua_listen())
        }
        Err(error) => return output::configuration(&error),
    };
    context.parameters = check
        .set
        .into_iter()
        .map(|parameter| (parameter.name, parameter.value))
        .collect();
    context.values.clone_from(&check.values);
    let outcome = service::plan_files(&check.files, &context);
    if check.json {
        let (document, exit) = match &outcome {
            Ok(planned) => (json::document(Some(&planned.plan), &planned.warnings), Exit::Ok),
            Err(report) => (json::document(None, report), Exit::Configuration),
        };
        return match output::data(&format!("{document:#}\n")) {
            Exit::Ok => exit,
            unwritten => unwritten,
        };
    }
    match outcome {
        Ok(Planned { plan, warnings }) => {
            output::diagnostics(&warnings.render(output::paint()));
            let written = output::data(&table::text(&plan, listen));
            if !plan.is_empty() {
                let files: Vec<String> = check
                    .files
                    .iter()
                    .map(|file| format!("--service {}", file.display()))
                    .collect();
                let values = check.values.as_ref();
                let values = values.map(|file| format!(" --values {}", file.display()));
                let values = values.unwrap_or_default();
                output::diagnostics(&format!("next: syncline run {}{values}\n", files.join(" ")));
            }
            written
        }
        Err(report) => {
            output::diagnostics(&report.render(output::paint()));
            output::diagnostics(&summary(&report));
            Exit::Configuration
        }
    }
}

/// The last line of a failed check or start.
pub(super) fn summary(report: &Report) -> String {
    match report.errors() {
        1 => "1 error\n".to_owned(),
        errors => format!("{errors} errors\n"),
    }
}
