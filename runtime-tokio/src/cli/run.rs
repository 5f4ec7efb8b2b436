//! `syncline run`: configuration and commissioning files first, then the agent.

use std::sync::Arc;

use syncline::config::{self, Environment, RunConfig};
#[cfg(feature = "demo")]
use syncline::demo::DemoError;
use syncline::run::{RunError, Settings, Watch};
use syncline::service::{Files, Origin, Plan, Planned};
use tokio::runtime::Builder;
use tokio::sync::Notify;

use super::exit::Exit;
use super::output;
use super::signal::{self, StopSignals};
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
    context.values = run.values;
    let services_dir = loaded.config.services.clone();
    let config = match loaded.config.run() {
        Ok(config) => config,
        Err(error) => return output::configuration(&error),
    };
    let origin = match run.service.is_empty() {
        true => Origin::Folder(services_dir),
        false => Origin::Files(run.service),
    };
    let files = Files::new(origin, context);
    let reading = files.read();
    let hangup = Arc::default();
    let watch = Watch::new(files, &reading, Arc::clone(&hangup));
    match reading.outcome {
        Ok(Planned { plan, warnings }) => {
            for warning in warnings.diagnostics() {
                tracing::warn!("{}", warning.line());
            }
            if plan.is_empty() {
                tracing::warn!(
                    "the commissioning files have nothing to run on this agent, see `syncline check`"
                );
            }
            start(config, &plan, watch, hangup)
        }
        Err(report) => {
            match report.diagnostics() {
                [folder] if folder.file() == "SYNCLINE_SERVICES" => {
                    output::error(&folder.line());
                    output::diagnostics("next: syncline run --service FILE\n");
                }
                _ => {
                    output::diagnostics(&report.render(output::paint()));
                    output::diagnostics(&check::summary(&report));
                }
            }
            Exit::Configuration
        }
    }
}

fn start(config: RunConfig, plan: &Plan, watch: Watch, hangup: Arc<Notify>) -> Exit {
    tracing::info!("starting in distributed (edge) mode");
    // Whoever holds a request, and the link to the broker, take turns: on two threads each would have to wake the other.
    until_signalled(Builder::new_current_thread(), async |signals| {
        let received = signals.received();
        if let Err(error) = signal::on_hangup(hangup) {
            return failed(&format!("cannot catch signals: {error}"));
        }
        match syncline::run::run(Settings::from(&config), plan, watch, signals.first()).await {
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
