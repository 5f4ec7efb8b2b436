//! `syncline run`: configuration and commissioning files first, then the agent.

use std::path::{Path, PathBuf};

use syncline::config::{self, Environment, RunConfig};
#[cfg(feature = "demo")]
use syncline::demo::DemoError;
use syncline::run::{RunError, Settings};
use syncline::service::{self, Plan, Planned};
use tokio::runtime::Builder;

use super::exit::Exit;
use super::output;
use super::signal::StopSignals;
use super::{check, logging};

pub(super) fn main(run: super::Run, environment: &Environment) -> Exit {
    let loaded = match config::load(&run.overrides.0, environment) {
        Ok(loaded) => loaded,
        Err(error) => return output::configuration(&error),
    };
    logging::start(loaded.config.log_level, loaded.config.log_format);
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    let mut context = loaded.config.service_context();
    context.parameters = run
        .set
        .into_iter()
        .map(|parameter| (parameter.name, parameter.value))
        .collect();
    let services_dir = loaded.config.services.clone();
    let config = match loaded.config.run() {
        Ok(config) => config,
        Err(error) => return output::configuration(&error),
    };
    let files = match run.service.is_empty() {
        false => run.service,
        true => match commissioning_files(&services_dir) {
            Ok(files) => files,
            Err(message) => {
                output::error(&message);
                output::diagnostics("next: syncline run --service FILE\n");
                return Exit::Configuration;
            }
        },
    };
    match service::plan_files(&files, &context) {
        Ok(Planned { plan, warnings }) => {
            for warning in warnings.diagnostics() {
                tracing::warn!("{}", warning.line());
            }
            if plan.is_empty() {
                tracing::warn!(
                    "the commissioning files have nothing to run on this agent, see `syncline check`"
                );
            }
            start(config, plan)
        }
        Err(report) => {
            output::diagnostics(&report.render(output::paint()));
            output::diagnostics(&check::summary(&report));
            Exit::Configuration
        }
    }
}

/// The commissioning files of a folder, in the order of their names.
fn commissioning_files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let shown = folder.display();
    let entries = std::fs::read_dir(folder)
        .map_err(|error| format!("SYNCLINE_SERVICES: cannot read the folder {shown}: {error}"))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry
            .map_err(|error| format!("SYNCLINE_SERVICES: cannot read the folder {shown}: {error}"))?
            .path();
        let yaml = path
            .extension()
            .is_some_and(|extension| extension == "yml" || extension == "yaml");
        if yaml && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    match files.is_empty() {
        true => Err(format!(
            "SYNCLINE_SERVICES: found no file `*.yml` or `*.yaml` in {shown}"
        )),
        false => Ok(files),
    }
}

fn start(config: RunConfig, plan: Plan) -> Exit {
    tracing::info!("starting in distributed (edge) mode");
    // Whoever holds a request, and the link to the broker, take turns: on two threads each would have to wake the other.
    until_signalled(Builder::new_current_thread(), async |signals| {
        let received = signals.received();
        match syncline::run::run(Settings::from(&config), &plan, signals.first()).await {
            Ok(()) => received.exit(),
            Err(error) => ended(&error),
        }
    })
}

/// Tells why an agent ended, or never began.
pub(super) fn ended(error: &RunError) -> Exit {
    output::error(&error.to_string());
    match error {
        error if error.is_configuration() => Exit::Configuration,
        RunError::GaveUp(_) => Exit::Refused,
        RunError::DataFolder(_) => Exit::Temporary,
        RunError::Credentials(_) => Exit::InputOutput,
        _ => Exit::Software,
    }
}

#[cfg(feature = "demo")]
pub(super) fn demo(once: bool) -> Exit {
    logging::start(config::LogLevel::Warn, config::LogFormat::Text);
    until_signalled(Builder::new_multi_thread(), async |signals| {
        match syncline::demo::run(once, &mut std::io::stdout(), signals.first()).await {
            Ok(()) => Exit::Ok,
            // Who reads no further, as `head` does, has seen enough.
            Err(DemoError::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => Exit::Ok,
            Err(error) => failed(&error.to_string()),
        }
    })
}

/// Runs `agent` in a runtime of its own, with what catches the signals to stop.
pub(super) fn until_signalled(mut runtime: Builder, agent: impl AsyncFnOnce(StopSignals) -> Exit) -> Exit {
    let runtime = match runtime.enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&format!("cannot start the runtime: {error}")),
    };
    runtime.block_on(async {
        match StopSignals::catch() {
            Ok(signals) => agent(signals).await,
            Err(error) => failed(&format!("cannot catch signals: {error}")),
        }
    })
}

/// Runs what is done once, with the usual effect of signals.
pub(super) fn one_shot<T>(work: impl Future<Output = T>) -> Result<T, Exit> {
    match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => Ok(runtime.block_on(work)),
        Err(error) => Err(failed(&format!("cannot start the runtime: {error}"))),
    }
}

pub(super) fn failed(message: &str) -> Exit {
    output::error(message);
    Exit::Software
}
