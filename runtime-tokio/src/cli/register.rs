//! `syncline register`: has this agent let in, in the foreground, before it ever runs.

use serde_json::json;
use syncline::config::{self, Environment};
use syncline::register::{Outcome, Patience, RegisterError, Report};
use syncline::run::RunError;
use syncline_core::registration::Remedy;

use super::exit::Exit;
use super::flags::Overrides;
use super::run::until_signalled;
use super::{TEMPLATE, logging, output, progress, run};

/// Register this agent and wait until it is let in, without running anything
#[derive(Debug, clap::Args)]
#[command(
    help_template = TEMPLATE,
    before_help = "Examples:
  syncline register
  syncline register --timeout 1h && systemctl start syncline
  syncline register --no-wait --json | jq -r .pairingId",
    after_help = "An administrator compares the pairing ID with what the client registry shows, and grants the request. \
                  Credentials are stored in the data folder before anybody is asked: whatever ends this command, the next \
                  one and `syncline run` go on with the same pairing ID."
)]
pub(super) struct Register {
    /// Longest wait to be let in
    #[arg(long, value_name = "TIME", default_value = "10m", conflicts_with = "no_wait")]
    timeout: humantime::Duration,
    /// Ask once, and end with the answer: 75 while an administrator has to act
    #[arg(long)]
    no_wait: bool,
    /// Print how it stands as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    overrides: Overrides,
}

pub(super) fn main(options: &Register, environment: &Environment) -> Exit {
    let loaded = match config::load(&options.overrides.0, environment) {
        Ok(loaded) => loaded,
        Err(error) => return output::configuration(&error),
    };
    logging::start(loaded.config.log_level, loaded.config.log_format);
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    let config = match loaded.config.run() {
        Ok(config) => config,
        Err(error) => return output::configuration(&error),
    };
    let patience = match options.no_wait {
        true => Patience::Answer,
        false => Patience::Grant(options.timeout.into()),
    };
    until_signalled(async |signals| {
        let received = signals.received();
        let registration = syncline::register::register(&config, patience);
        tokio::select! {
            ended = progress::shown("waiting to be let in", registration) => match ended {
                Ok(report) => tell(&report, options.json),
                Err(error) => failed(&error),
            },
            () = signals.first() => {
                output::diagnostics("next: syncline register, or syncline run: both go on with the same pairing ID\n");
                received.exit()
            }
        }
    })
}

/// Tells how it stands; the exit code says it, too.
fn tell(report: &Report, as_json: bool) -> Exit {
    let (exit, name) = match &report.outcome {
        Outcome::Known => (Exit::Ok, "known"),
        Outcome::Registered => (Exit::Ok, "registered"),
        Outcome::Outside { remedy, .. } => match remedy {
            Remedy::Approval => (Exit::Temporary, "pending"),
            Remedy::Decision => (Exit::Refused, "refused"),
            Remedy::Service => (Exit::Unreachable, "unreachable"),
            Remedy::Configuration => (Exit::Configuration, "misconfigured"),
        },
    };
    let reason = match &report.outcome {
        Outcome::Outside { reason, .. } => Some(reason),
        Outcome::Known | Outcome::Registered => None,
    };
    let written = match as_json {
        true => {
            let state = json!({
                "schema": 1,
                "outcome": name,
                "username": report.username,
                "pairingId": report.pairing_id,
                "broker": report.broker,
                "reason": reason,
            });
            output::data(&format!("{state}\n"))
        }
        false => output::data(&sentence(report)),
    };
    if let Some(reason) = reason {
        output::error(&format!("not let in: {reason}"));
    }
    if exit == Exit::Temporary {
        output::diagnostics(
            "next: syncline register, or syncline run: both go on with the same pairing ID\n",
        );
    }
    match written {
        Exit::Ok => exit,
        unwritten => unwritten,
    }
}

fn sentence(report: &Report) -> String {
    let broker = &report.broker;
    let who = match &report.username {
        Some(username) => format!(" as {username}"),
        None => String::new(),
    };
    match (&report.outcome, &report.username, &report.pairing_id) {
        (Outcome::Known, Some(username), _) => {
            format!("{username} is registered already: broker {broker} lets it in\n")
        }
        (Outcome::Known, None, _) => format!("no registration needed: broker {broker} lets this agent in\n"),
        (Outcome::Registered, ..) => format!("registered: broker {broker} lets this agent in{who}\n"),
        (Outcome::Outside { .. }, Some(username), Some(pairing_id)) => {
            format!("Username: {username}, pairing ID: {pairing_id}\n")
        }
        (Outcome::Outside { .. }, ..) => String::new(),
    }
}

fn failed(error: &RegisterError) -> Exit {
    match error {
        RegisterError::Run(error) => {
            let exit = run::ended(error);
            if let RunError::DataFolder(_) = error {
                // An agent that runs registers by itself.
                output::diagnostics("next: syncline status\n");
            }
            exit
        }
        error => {
            output::error(&error.to_string());
            Exit::InputOutput
        }
    }
}
