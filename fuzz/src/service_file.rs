//! Commissioning files of any content: refused with the place of each mistake, or a plan that holds together.

use syncline::http::openapi;
use syncline::service::{Context, Paint, Planned, Report, Source, plan_sources};

/// Takes `data` for the texts of files with a NUL between them; and asserts that planning them gives the same twice, points at places
/// that exist, and never plans and refuses at once.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let texts: Vec<&str> = text.split('\0').take(3).collect();
    match (planned(&texts), planned(&texts)) {
        (Ok(first), Ok(second)) => {
            assert!(first.plan == second.plan, "the same files give another plan");
            assert_eq!(first.warnings.errors(), 0, "a plan in spite of a mistake");
            check_report(&first.warnings, &texts);
            let document = openapi(&first.plan, true);
            let _: serde_json::Value = serde_json::from_slice(&document).expect("a description in JSON");
        }
        (Err(first), Err(second)) => {
            assert!(first.errors() > 0, "no plan, and no mistake either");
            check_report(&first, &texts);
            assert_eq!(
                first.render(Paint::Plain),
                second.render(Paint::Plain),
                "the same files have other mistakes"
            );
        }
        _ => panic!("the same files are refused and planned"),
    }
}

fn planned(texts: &[&str]) -> Result<Planned, Report> {
    let names = ["a.yml", "b.yml", "c.yml"];
    let sources = texts
        .iter()
        .zip(names)
        .map(|(text, name)| Source::new(name, *text))
        .collect();
    plan_sources(sources, &Context::default())
}

/// Every place that is named exists.
fn check_report(report: &Report, texts: &[&str]) {
    for diagnostic in report.diagnostics() {
        let Some(position) = diagnostic.position() else {
            continue;
        };
        let number = match diagnostic.file() {
            "a.yml" => 0,
            "b.yml" => 1,
            _ => 2,
        };
        let lines = texts[number].split(['\n', '\r']).count();
        assert!(
            (1..=lines + 1).contains(&position.line) && position.column >= 1,
            "a mistake in line {} of {lines}",
            position.line
        );
    }
}
