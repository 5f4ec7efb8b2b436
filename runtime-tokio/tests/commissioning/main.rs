//! Commissioning files from text to plan: what is accepted, what is refused and where, and what a hostile text costs.

mod accepted;
mod connections;
mod examples;
mod hostile;
mod loops;
mod mappings;
mod names;
mod opcua;
mod opcua_client;
mod planned;
mod reference;
mod resources;
mod rules;
mod services;
mod syntax;
mod values;

use syncline::service::{Context, Diagnostic, Planned, Report, Severity, Source, plan_sources};

/// What is wrong with a text, the text, and all errors that it must give: `line:column message`.
type Case = (&'static str, &'static str, &'static [&'static str]);

fn plan(text: &str) -> Result<Planned, Report> {
    plan_with(text, &Context::default())
}

fn plan_with(text: &str, context: &Context) -> Result<Planned, Report> {
    plan_sources(vec![Source::new("case.yml", text)], context)
}

/// The errors or warnings of a report as `line:column message`.
fn messages(report: &Report, severity: Severity) -> Vec<String> {
    let of_severity = report
        .diagnostics()
        .iter()
        .filter(|diagnostic| diagnostic.severity() == severity);
    of_severity
        .map(|diagnostic| match diagnostic.position() {
            Some(position) => format!("{position} {}", diagnostic.message()),
            None => diagnostic.message().to_owned(),
        })
        .collect()
}

fn assert_reported(cases: &[Case]) {
    for (name, text, expected) in cases {
        let report = plan(text).expect_err(name);
        assert_eq!(messages(&report, Severity::Error), *expected, "{name}:\n{text}");
    }
}
