//! `syncline check --live`: the way to broker and registry, a line a step.

use syncline::config::{self, Environment};
use syncline::live_check::{self, Blame, Step};
use syncline::transport::Endpoint;

use super::exit::Exit;
use super::flags::Overrides;
use super::{mqtt, output, progress, run};

/// Port of HTTPS.
const HTTPS: u16 = 443;

pub(super) fn main(overrides: &Overrides, environment: &Environment) -> Exit {
    let visit = match mqtt::visit(overrides, environment) {
        Ok(visit) => visit,
        Err(exit) => return exit,
    };
    let registry = registry(overrides, environment);
    let steps = run::one_shot(async {
        let broker = progress::shown("on the way to the broker", live_check::broker(&visit)).await;
        let registry = match &registry {
            Some(registry) => {
                let way = live_check::server(registry, "SYNCLINE_REGISTRY_URL");
                Some((
                    registry.to_string(),
                    progress::shown("on the way to the registry", way).await,
                ))
            }
            None => None,
        };
        (broker, registry)
    });
    let (broker, registry) = match steps {
        Ok(steps) => steps,
        Err(exit) => return exit,
    };
    let address = visit.dialer.endpoint.to_string();
    let mut rows = vec![["SERVER", "STEP", "TIME", "RESULT"].map(str::to_owned)];
    let mut exit = add(&mut rows, &format!("broker {address}"), &broker);
    if let Some((address, steps)) = registry
        && add(&mut rows, &format!("registry {address}"), &steps) != Exit::Ok
        && exit == Exit::Refused
    {
        // Whom the broker refuses has to register, and cannot.
        exit = Exit::Unreachable;
    }
    match output::data(&output::table(&rows)) {
        Exit::Ok => exit,
        unwritten => unwritten,
    }
}

fn add(rows: &mut Vec<[String; 4]>, server: &str, steps: &[Step]) -> Exit {
    let mut exit = Exit::Ok;
    for step in steps {
        let result = match &step.outcome {
            Ok(found) => format!("ok: {found}"),
            Err(obstacle) => {
                exit = match obstacle.blame {
                    Blame::Network => Exit::Unreachable,
                    Blame::Server => Exit::Refused,
                };
                format!("FAILED: {}", obstacle.message)
            }
        };
        let time = format!("{} ms", step.time.as_millis());
        rows.push([server.to_owned(), step.name.to_owned(), time, result]);
    }
    exit
}

/// Where the registry is; `None` where the agent does not register, or not there.
fn registry(overrides: &Overrides, environment: &Environment) -> Option<Endpoint> {
    let loaded = config::load(&overrides.0, environment).ok()?;
    let value = |name: &str| {
        let resolved = loaded
            .settings
            .iter()
            .find(|resolved| resolved.variable.name == name)?;
        Some(resolved.setting.as_ref()?.shown().to_owned())
    };
    if matches!(value("SYNCLINE_REGISTRATION").as_deref(), Some("off" | "mqtt")) {
        return None;
    }
    let url: http::Uri = value("SYNCLINE_REGISTRY_URL")?.parse().ok()?;
    let host = url.host()?.trim_matches(['[', ']']).to_owned();
    let port = url.port_u16().unwrap_or(match url.scheme_str() {
        Some("http") => 80,
        _ => HTTPS,
    });
    Some(Endpoint { host, port })
}
