//! One running agent: its link to the broker and its HTTP listener, from start to orderly stop.

mod broker_tls;
mod error;
mod flows;
mod listener;
mod login;
mod nodes;
mod rules;
mod running;
mod settings;

use std::sync::Arc;

use syncline_core::registration::{self, Login};
use tokio::sync::watch;

pub(crate) use self::broker_tls::BrokerTls;
use self::broker_tls::BrokerTrial;
pub use self::error::{NodeFault, RunError};
use self::flows::{start_evaluators, start_flows};
use self::listener::listen;
pub(crate) use self::login::login;
pub use self::nodes::ServedNode;
use self::nodes::add_nodes;
pub use self::running::RunningAgent;
pub use self::settings::{RegistrationSettings, Settings};
use crate::admin::{self, Door};
use crate::data::DataFolder;
use crate::driver::{Driver, Enrolment};
use crate::endpoint::Means;
use crate::http::{Access, Protection, openapi, serve};
use crate::presence::Presence;
use crate::service::plan::Plan;
use crate::status::{Observer, Status, View};
use crate::tls;
use crate::transport::Dialer;

/// Runs `plan` until `shutdown` completes, then stops in order.
///
/// # Errors
/// [`RunError`] when the agent cannot start, or ends by itself.
pub async fn run(
    settings: Settings,
    plan: &Plan,
    shutdown: impl Future<Output = ()>,
) -> Result<(), RunError> {
    let mut running = start(settings, plan).await?;
    let failure = tokio::select! {
        () = shutdown => None,
        failure = running.ended() => Some(failure),
    };
    running.stop().await;
    failure.map_or(Ok(()), Err)
}

/// Starts the agent's tasks: from now on its URLs answer, with 503 until the broker has been reached.
///
/// # Errors
/// [`RunError`] when the agent cannot start.
pub async fn start(mut settings: Settings, plan: &Plan) -> Result<RunningAgent, RunError> {
    let folder = settings.data_dir.as_deref().map(DataFolder::open).transpose()?;
    let folder = folder.map(Arc::new);
    let login = settings
        .registration
        .as_ref()
        .map(|registration| login(registration, folder.as_deref(), &settings))
        .transpose()?;
    let tls = BrokerTls::new(&settings)?;
    let has_http = plan
        .services
        .iter()
        .any(|service| !service.http_servers.is_empty());
    let listener = has_http
        .then(|| listen("SYNCLINE_HTTP_LISTEN", settings.http_listen))
        .transpose()?;
    let http_tls = match &settings.http_tls {
        Some(files) if has_http => Some(Arc::new(tls::ServerTls::new(files.clone())?)),
        _ => None,
    };
    let http_access = match &settings.http_access {
        Some(file) if has_http => Some(Access::read(file, "SYNCLINE_HTTP_AUTH")?),
        _ => None,
    };
    let address = listener
        .as_ref()
        .map_or(settings.http_listen, |(_, address)| *address);
    let admin = settings
        .admin_listen
        .map(|address| listen("SYNCLINE_ADMIN_LISTEN", address))
        .transpose()?;
    let admin_protection = match &admin {
        Some(_) => Protection {
            tls: settings
                .admin_tls
                .clone()
                .map(tls::ServerTls::new)
                .transpose()?
                .map(Arc::new),
            access: settings
                .admin_access
                .as_deref()
                .map(|file| Access::read(file, "SYNCLINE_ADMIN_AUTH"))
                .transpose()?,
        },
        None => Protection::default(),
    };

    let services = plan.services.iter().map(|service| service.id.clone()).collect();
    let presence = settings
        .presence_of
        .as_ref()
        .map(|name| Presence::new(name, services));
    settings.session.will = presence.as_ref().map(Presence::will);
    let status = Status::new(settings.session.client_id.clone(), settings.broker.to_string());
    let name = settings.session.client_id.clone();
    let trial = BrokerTrial::new(&settings, login.as_ref());
    let dialer = Dialer {
        endpoint: settings.broker,
        tls: tls.client.clone(),
    };
    let mut driver = match folder.as_deref().and_then(DataFolder::session) {
        Some(stored) => Driver::restore(dialer, settings.session, stored)?,
        None => Driver::new(dialer, settings.session)?,
    };
    if let (Some(settings), Some(login)) = (settings.registration, login) {
        enrol(&mut driver, settings, login, &tls, folder.clone())?;
    }
    if let Some((likeness, registry)) = settings.version_check {
        driver.check_version_with(registry, likeness);
    }
    driver.react_with(Box::new(Observer::new(status.clone(), presence)));
    let evaluators = start_evaluators(plan)?;
    let means = Means {
        agent: &driver.handle(),
        name: &name,
        tls: &settings.outgoing_tls,
        evaluators: evaluators.as_ref(),
        folder: folder.as_deref(),
    };
    let flows = start_flows(&means, plan)?;
    let (mut router, served) = add_nodes(
        &mut driver,
        plan,
        address,
        http_tls.is_some(),
        evaluators.as_ref(),
    )?;

    let agent = driver.handle();
    let (stop_http, stop) = watch::channel(false);
    router.describe(openapi(plan, http_access.is_some()));
    let protection = Protection {
        tls: http_tls.clone(),
        access: http_access,
    };
    let http = listener
        .map(|(listener, _)| tokio::spawn(serve(listener, router, protection, settings.http_limits, stop)));
    let http_tls = http_tls.map(|server| {
        let interval = settings.tls_look_interval;
        tokio::spawn(async move { server.keep_up_to_date(interval).await })
    });
    let driver = tokio::spawn(driver.run());
    let view = View {
        status: status.clone(),
        agent: agent.clone(),
        nodes: served.clone().into(),
        flows: flows.mappings.into(),
        connections: flows
            .connections
            .iter()
            .map(|connection| connection.watched.clone())
            .collect(),
        tls: tls.client.clone(),
    };
    let admin = admin.map(|(listener, address)| {
        let scheme = if admin_protection.tls.is_some() {
            "https"
        } else {
            "http"
        };
        tracing::info!("status page at {scheme}://{address}/");
        let interval = settings.tls_look_interval;
        let view = view.clone();
        tokio::spawn(async move {
            let certificate = admin_protection.tls.clone();
            let serving = admin::serve(Door::Listener(listener, admin_protection), view);
            match certificate {
                // It ends with the listener.
                Some(certificate) => tokio::select! {
                    () = serving => {}
                    () = certificate.keep_up_to_date(interval) => {}
                },
                None => serving.await,
            }
        })
    });
    let socket = folder
        .as_ref()
        .and_then(|folder| admin::open_socket(folder.path(), view));
    let tls = tls.keep_up_to_date(trial, settings.tls_look_interval);
    Ok(RunningAgent {
        served,
        agent,
        driver,
        status,
        connections: flows.connections,
        http,
        http_tls,
        admin,
        socket,
        stop_http,
        drain_time: settings.drain_time,
        tls,
        folder,
    })
}

/// Has the driver's agent register as `login`, and keep its credentials in `folder`.
pub(crate) fn enrol(
    driver: &mut Driver,
    settings: RegistrationSettings,
    login: Login,
    tls: &BrokerTls,
    folder: Option<Arc<DataFolder>>,
) -> Result<(), registration::ConfigError> {
    let mut enrolment = Enrolment::new(settings.registry, settings.username, folder);
    if let Some(install) = tls.install() {
        enrolment = enrolment.installing(install);
    }
    let config = registration::Config {
        mode: settings.mode,
        login,
        csr: tls.csr.clone(),
    };
    driver.register_with(config, enrolment)
}
