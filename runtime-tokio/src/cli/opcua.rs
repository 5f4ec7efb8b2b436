//! `syncline opcua`: which other applications of OPC UA the agent trusts.

use std::time::SystemTime;

use clap::Subcommand;
use serde_json::json;
use syncline::config::{self, Environment};
use syncline::opcua::{Certificate, Certificates, TrustError};
use syncline::tls::Moment;

use super::exit::Exit;
use super::flags::Overrides;
use super::{TEMPLATE, output};

/// List the certificates of other OPC UA applications, and trust them
#[derive(Debug, clap::Args)]
#[command(
    help_template = TEMPLATE,
    before_help = "Examples:
  syncline opcua certificates
  syncline opcua trust 5a0c2c7d
  syncline opcua trust client.der --data-dir /var/lib/syncline"
)]
pub(super) struct Opcua {
    #[command(subcommand)]
    pub(super) command: OpcuaCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum OpcuaCommand {
    /// List the certificates of those that wanted to come in and were rejected, and of those that are trusted
    Certificates {
        /// Print them as JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        overrides: Overrides,
    },
    /// Trust the application with this certificate: it may come in from its next connection on
    Trust {
        /// Thumbprint, or 8 digits of it at least; or a file in DER or PEM
        #[arg(value_name = "CERTIFICATE")]
        which: String,
        #[command(flatten)]
        overrides: Overrides,
    },
}

pub(super) fn main(command: OpcuaCommand, environment: &Environment) -> Exit {
    let (OpcuaCommand::Certificates { overrides, .. } | OpcuaCommand::Trust { overrides, .. }) = &command;
    let certificates = match config::load(&overrides.0, environment) {
        Ok(loaded) => Certificates::of(&loaded.config.data_dir),
        Err(error) => return output::configuration(&error),
    };
    match command {
        OpcuaCommand::Certificates { json, .. } => match certificates.all() {
            Ok(all) if json => output::data(&format!("{:#}\n", as_json(&all))),
            Ok(all) => output::data(&as_text(&all)),
            Err(error) => failed(&error),
        },
        OpcuaCommand::Trust { which, .. } => match certificates.trust(&which) {
            Ok(certificate) => output::data(&one_as_text(&certificate)),
            Err(error) => failed(&error),
        },
    }
}

fn failed(error: &TrustError) -> Exit {
    output::error(&error.to_string());
    match error {
        TrustError::Folder { .. } => Exit::InputOutput,
        _ => Exit::Usage,
    }
}

fn as_text(all: &[Certificate]) -> String {
    match all {
        [] => "no certificates: no other application has shown one yet\n".to_owned(),
        all => all.iter().map(one_as_text).collect::<Vec<_>>().join("\n"),
    }
}

fn one_as_text(certificate: &Certificate) -> String {
    format!(
        "thumbprint   {}\nstanding     {} since {}\n{}\nstate        {}\n",
        certificate.thumbprint,
        certificate.standing,
        Moment::from(certificate.since),
        certificate.facts,
        certificate.facts.validity(SystemTime::now().into()),
    )
}

fn as_json(all: &[Certificate]) -> serde_json::Value {
    let now = Moment::now();
    let certificate = |certificate: &Certificate| {
        let facts = &certificate.facts;
        json!({
            "thumbprint": certificate.thumbprint,
            "standing": certificate.standing.to_string(),
            "since": Moment::from(certificate.since).rfc3339(),
            "file": certificate.file,
            "subject": facts.subject,
            "names": facts.names,
            "notBefore": facts.not_before.rfc3339(),
            "notAfter": facts.not_after.rfc3339(),
            "state": facts.validity(now).to_string(),
        })
    };
    json!({ "schema": 1, "certificates": all.iter().map(certificate).collect::<Vec<_>>() })
}
