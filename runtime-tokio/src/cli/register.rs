//! `syncline register`: has this agent let in, in the foreground, before it ever runs.

use serde_json::json;
use syncline::config::{self, Environment};
use syncline::register::{Outcome, Patience, RegisterError, Report};
use syncline::run::RunError;
use syncline_core::registration::Remedy;
use tokio::runtime::Builder;

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
                  one and `syncline run` go on with the same pairing ID.\n\n\
                  With --json each line on stdout is an object that says how it stands: one as soon as an administrator \
                  has to act (unless --no-wait is given), one at the end. `schema` is 1; `outcome` is known, registered, \
                  pending, refused, unreachable or misconfigured; `username`, `pairingId` and `reason` are texts or null; \
                  `broker` is HOST:PORT."
)]
pub(super) struct Register {
    /// Longest wait to be let in
    #[arg(long, value_name = "TIME", default_value = "10m", conflicts_with = "no_wait")]
    timeout: humantime::Duration,
    /// Ask once, and end with the answer: 75 while an administrator has to act
    #[arg(long)]
    no_wait: bool,
    /// Print how it stands as JSON, an object a line
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
    until_signalled(Builder::new_current_thread(), async |signals| {
        let received = signals.received();
        let announce = |report: &Report| {
            // Who cannot be told now is told at the end, by the exit code too.
            _ = output::data(&announcement(report, options));
        };
        let registration = syncline::register::register(&config, patience, announce);
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

/// What an administrator needs to know while this command waits.
fn announcement(report: &Report, options: &Register) -> String {
    match options.json {
        true => state(report),
        false => format!(
            "{}waiting {} for an administrator: unlock the client registry, compare the pairing ID and grant the request, \
             under \"User Management → Client Registry\" in the web interface\n",
            sentence(report),
            options.timeout
        ),
    }
}

/// How it stands as a line of JSON.
fn state(report: &Report) -> String {
    let state = json!({
        "schema": 1,
        "outcome": standing(&report.outcome).1,
        "username": report.username,
        "pairingId": report.pairing_id,
        "broker": report.broker,
        "reason": reason(&report.outcome),
    });
    format!("{state}\n")
}

fn standing(outcome: &Outcome) -> (Exit, &'static str) {
    match outcome {
        Outcome::Known => (Exit::Ok, "known"),
        Outcome::Registered => (Exit::Ok, "registered"),
        Outcome::Outside { remedy, .. } => match remedy {
            Remedy::Approval => (Exit::Temporary, "pending"),
            Remedy::Decision => (Exit::Refused, "refused"),
            Remedy::Service => (Exit::Unreachable, "unreachable"),
            Remedy::Configuration => (Exit::Configuration, "misconfigured"),
        },
    }
}

fn reason(outcome: &Outcome) -> Option<&str> {
    match outcome {
        Outcome::Outside { reason, .. } => Some(reason),
        Outcome::Known | Outcome::Registered => None,
    }
}

/// Tells how it stands at the end; the exit code says it, too.
fn tell(report: &Report, as_json: bool) -> Exit {
    let (exit, _) = standing(&report.outcome);
    let written = match as_json {
        true => output::data(&state(report)),
        false => output::data(&sentence(report)),
    };
    if let Some(reason) = reason(&report.outcome) {
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
