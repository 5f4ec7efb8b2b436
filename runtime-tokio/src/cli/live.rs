//! `syncline check --live`: the way to broker and registry, a line a step.

use syncline::config::{self, Environment, Loaded, LogFormat, LogLevel, Origin};
use syncline::live_check::{self, Blame, Step};
use syncline_core::registration::Mode;

use super::exit::Exit;
use super::flags::Overrides;
use super::{logging, mqtt, output, progress, run};

pub(super) fn main(overrides: &Overrides, environment: &Environment) -> Exit {
    let Loaded {
        config,
        settings,
        warnings,
    } = match config::load(&overrides.0, environment) {
        Ok(loaded) => loaded,
        Err(error) => return output::configuration(&error),
    };
    output::warnings(&warnings);
    logging::start(LogLevel::Warn, LogFormat::Text);
    let config = match config.run() {
        Ok(config) => config,
        Err(error) => return output::configuration(&error),
    };
    let visit = match mqtt::visit_of(&config) {
        Ok(visit) => visit,
        Err(exit) => return exit,
    };
    let mode = config.registration.mode;
    let registry = &config.registration.registry;
    let steps = run::one_shot(async {
        let broker = progress::shown("on the way to the broker", live_check::broker(&visit)).await;
        let registry = match mode {
            Mode::Off | Mode::Mqtt => Vec::new(),
            Mode::Auto | Mode::Rest => {
                let way = live_check::registry(registry, config.version_check);
                progress::shown("on the way to the registry", way).await
            }
        };
        (broker, registry)
    });
    let (broker, registry_steps) = match steps {
        Ok(steps) => steps,
        Err(exit) => return exit,
    };
    let at_broker = exit(&broker);
    // Whom the broker lets in needs no registry, unless the operator has named one.
    let is_named = settings.iter().any(|resolved| {
        let is_set = |setting: &config::Setting| *setting.origin() != Origin::Default;
        resolved.variable.name == "SYNCLINE_REGISTRY_URL" && resolved.setting.as_ref().is_some_and(is_set)
    });
    let is_needed = is_named || mode == Mode::Rest || at_broker != Exit::Ok;

    let mut rows = vec![["SERVER", "STEP", "TIME", "RESULT"].map(str::to_owned)];
    let address = visit.dialer.endpoint.to_string();
    rows.extend(
        broker
            .iter()
            .map(|step| row(&format!("broker {address}"), step, "FAILED")),
    );
    let failed = if is_needed { "FAILED" } else { "none, nor needed" };
    rows.extend(
        registry_steps
            .iter()
            .map(|step| row(&format!("registry {}", registry.url()), step, failed)),
    );
    let at_registry = match is_needed {
        true => exit(&registry_steps),
        false => Exit::Ok,
    };
    let exit = match (at_broker, at_registry) {
        // Whom the broker refuses has to register, and cannot.
        (Exit::Ok | Exit::Refused, failed) if failed != Exit::Ok => failed,
        (at_broker, _) => at_broker,
    };
    match output::data(&output::table(&rows)) {
        Exit::Ok => exit,
        unwritten => unwritten,
    }
}

fn row(server: &str, step: &Step, failed: &str) -> [String; 4] {
    let result = match &step.outcome {
        Ok(found) => format!("ok: {found}"),
        Err(obstacle) => format!("{failed}: {}", obstacle.message),
    };
    let time = format!("{} ms", step.time.as_millis());
    [server.to_owned(), step.name.to_owned(), time, result]
}

/// What the way's last step says.
fn exit(steps: &[Step]) -> Exit {
    match steps.last().map(|step| &step.outcome) {
        None | Some(Ok(_)) => Exit::Ok,
        Some(Err(obstacle)) => match obstacle.blame {
            Blame::Network => Exit::Unreachable,
            Blame::Server => Exit::Refused,
            Blame::Configuration => Exit::Configuration,
        },
    }
}
