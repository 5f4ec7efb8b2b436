//! `syncline cert show`: what certificates say, and how long they hold.

use std::path::PathBuf;

use serde_json::json;
use syncline::config::{self, Environment};
use syncline::tls::{CertificateFacts, Moment, Validity, certificates_of};

use super::exit::Exit;
use super::{CertCommand, output};

pub(super) fn main(command: CertCommand, environment: &Environment) -> Exit {
    let CertCommand::Show {
        files,
        json,
        overrides,
    } = command;
    let files = match files.is_empty() {
        false => files,
        true => match config::load(&overrides.0, environment) {
            Ok(loaded) => vec![loaded.config.agent_cert],
            Err(error) => return output::configuration(&error),
        },
    };
    let mut shown = Vec::new();
    for file in files {
        match certificates_of(&file) {
            Ok(certificates) => shown.extend(certificates.into_iter().map(|facts| (file.clone(), facts))),
            Err(message) => {
                output::error(&format!("{}: {message}", file.display()));
                return Exit::Configuration;
            }
        }
    }
    let now = Moment::now();
    let written = match json {
        true => output::data(&format!("{:#}\n", as_json(&shown, now))),
        false => output::data(&as_text(&shown, now)),
    };
    let is_over = |facts: &CertificateFacts| !matches!(facts.validity(now), Validity::Current { .. });
    match written {
        Exit::Ok if shown.iter().any(|(_, facts)| is_over(facts)) => Exit::Failure,
        written => written,
    }
}

fn as_text(shown: &[(PathBuf, CertificateFacts)], now: Moment) -> String {
    let parts: Vec<String> = shown
        .iter()
        .map(|(file, facts)| {
            format!(
                "file         {}\n{facts}\nstate        {}\n",
                file.display(),
                facts.validity(now)
            )
        })
        .collect();
    parts.join("\n")
}

fn as_json(shown: &[(PathBuf, CertificateFacts)], now: Moment) -> serde_json::Value {
    let certificate = |(file, facts): &(PathBuf, CertificateFacts)| {
        let fingerprint: String = facts
            .fingerprint
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        json!({
            "file": file,
            "subject": facts.subject,
            "commonName": facts.common_name,
            "issuer": facts.issuer,
            "names": facts.names,
            "serial": facts.serial,
            "notBefore": facts.not_before.rfc3339(),
            "notAfter": facts.not_after.rfc3339(),
            "authority": facts.authority,
            "sha256": fingerprint,
            "state": facts.validity(now).to_string(),
        })
    };
    json!({ "schema": 1, "certificates": shown.iter().map(certificate).collect::<Vec<_>>() })
}
