//! One running agent: its link to the broker and its HTTP listener, from start to orderly stop.

mod broker_tls;
mod error;
mod front;
mod inventory;
mod listener;
mod login;
mod logins;
mod opcua;
mod reload;
mod resources;
mod running;
mod settings;
mod subscribed;
mod watch;

use std::collections::BTreeSet;
use std::sync::Arc;

use syncline_core::registration::{self, Login};

pub(crate) use self::broker_tls::BrokerTls;
use self::broker_tls::BrokerTrial;
pub use self::error::{NodeFault, RunError};
use self::front::Front;
pub(crate) use self::inventory::ExchangeNode;
pub(crate) use self::inventory::Inventory;
pub use self::inventory::{ServedMethod, ServedNode};
use self::listener::listen;
pub(crate) use self::login::login;
use self::logins::Logins;
use self::opcua::OpcuaFront;
pub use self::resources::Changes;
use self::resources::Resources;
pub use self::running::RunningAgent;
pub use self::settings::{OpcuaListen, RegistrationSettings, Settings};
pub use self::watch::Watch;
use crate::admin::{self, Door};
use crate::current::Current;
use crate::data::DataFolder;
use crate::driver::{Driver, Enrolment};
use crate::endpoint::Means;
use crate::http::{Admission, Protection};
use crate::opcua::Content;
use crate::presence::Presence;
use crate::service::plan::Plan;
use crate::status::{Observer, Status, View};
use crate::task::Task;
use crate::tls;
use crate::transport::Dialer;

/// Runs `plan` until `shutdown` completes, then stops in order. Meanwhile it takes up what `watch` finds of other plans.
///
/// # Errors
/// [`RunError`] when the agent cannot start, or ends by itself.
pub async fn run(
    settings: Settings,
    plan: &Plan,
    mut watch: Watch,
    shutdown: impl Future<Output = ()>,
) -> Result<(), RunError> {
    let interval = settings.services_look_interval;
    let mut running = start(settings, plan).await?;
    let mut shutdown = std::pin::pin!(shutdown);
    let failure = loop {
        let found = tokio::select! {
            () = &mut shutdown => break None,
            failure = running.ended() => break Some(failure),
            found = watch.next(interval) => found,
        };
        // Once begun it is not given up, and takes a moment only.
        let is_in_force = running.take_up(found).await;
        watch.settle(is_in_force);
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
    let logins = Logins::new(&settings);
    let mut front = Front::new(&settings, &logins);
    let opened = front.prepare(plan)?;
    let mut opcua = OpcuaFront::new(&settings, &logins);
    let served = opcua.prepare(plan).await?;
    let admin = settings
        .admin_listen
        .map(|address| listen("SYNCLINE_ADMIN_LISTEN", address))
        .transpose()?;
    let admin_protection = match &admin {
        Some(_) => admin_protection(&settings)?,
        None => Protection::default(),
    };

    let presence = settings
        .presence_of
        .as_ref()
        .map(|name| Presence::new(name, plan.service_ids()));
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

    let agent = driver.handle();
    let mut resources = Resources::new(Means {
        agent: agent.clone(),
        name: name.as_str().into(),
        tls: Arc::new(settings.outgoing_tls),
        evaluators: None,
        folder: folder.clone(),
        drain_time: settings.drain_time,
    });
    let mut change = resources.prepare(plan, served.site())?;
    let (removed, added) = resources.places(&mut change);
    let places = driver.change_nodes(&removed, added)?;
    // There are none yet that could end.
    let (gate, _) = resources.adopt_flows(&mut change);
    let router = resources.adopt_nodes(&mut change, places).await;
    drop(gate);
    front.adopt(plan, router, opened);
    opcua.adopt(served).await;
    change.tell(plan, &front.base(), opcua.content().map(Content::url));
    resources.adopt(change).await;

    let driver = tokio::spawn(driver.run());
    let inventory = Current::default();
    let view = View {
        status: status.clone(),
        agent: agent.clone(),
        inventory: inventory.clone(),
        tls: tls.client.clone(),
    };
    let admin_access = admin_protection.access.clone();
    let admin = admin.map(|(listener, address)| {
        let scheme = if admin_protection.tls.is_some() {
            "https"
        } else {
            "http"
        };
        tracing::info!("status page at {scheme}://{address}/");
        let looks = admin_protection.keep_up_to_date(settings.tls_look_interval);
        let view = view.clone();
        Task::start(async move {
            // They end with the listener.
            let _looks = looks;
            admin::serve(Door::Listener(listener, admin_protection), view).await;
        })
    });
    let socket = folder
        .as_ref()
        .and_then(|folder| admin::open_socket(folder.path(), view));
    let tls = tls.keep_up_to_date(trial, settings.tls_look_interval);
    let mut running = RunningAgent {
        resources,
        front,
        opcua,
        inventory,
        shown: Arc::default(),
        agent,
        driver,
        status,
        failure: None,
        admin,
        admin_access,
        socket,
        drain_time: settings.drain_time,
        tls,
        folder,
        subscribed: BTreeSet::new(),
    };
    running.show(plan);
    running.end_left_subscriptions().await;
    Ok(running)
}

/// What protects the admin listener.
fn admin_protection(settings: &Settings) -> Result<Protection, RunError> {
    let admission = |file| Admission::open(file, "SYNCLINE_ADMIN_AUTH").map(Arc::new);
    Ok(Protection {
        tls: settings
            .admin_tls
            .clone()
            .map(tls::ServerTls::new)
            .transpose()?
            .map(Arc::new),
        access: settings.admin_access.clone().map(admission).transpose()?,
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
