//! The HTTP listener: open while the plan has an HTTP server, over every change of plan.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::listener::listen;
use super::logins::{Logins, OpenLogins};
use super::{RunError, Settings};
use crate::http::{Limits, Patience, Protection, Router, Routes, openapi, serve};
use crate::service::plan::Plan;
use crate::task::Task;
use crate::tls::{ServerFiles, ServerTls};

/// The HTTP listener, where there is one, and what it takes to open it.
#[derive(Debug)]
pub(super) struct Front {
    address: SocketAddr,
    tls: Option<ServerFiles>,
    logins: Logins,
    limits: Limits,
    look_interval: Duration,
    open: Option<Open>,
    /// Those that take no more connections, and have requests to answer.
    closing: Vec<Open>,
}

/// A listener at work.
#[derive(Debug)]
struct Open {
    address: SocketAddr,
    routes: Routes,
    /// Those who may come in.
    logins: Option<Arc<OpenLogins>>,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
    /// Keeps the certificate up to date.
    _look: Option<Task>,
}

/// A listener that takes connections, and answers none yet.
pub(super) struct Opened {
    listener: TcpListener,
    address: SocketAddr,
    protection: Protection,
    logins: Option<Arc<OpenLogins>>,
}

impl Front {
    /// As `settings` say, for those of `logins`; closed.
    pub(super) fn new(settings: &Settings, logins: &Logins) -> Self {
        Self {
            address: settings.http_listen,
            tls: settings.http_tls.clone(),
            logins: logins.clone(),
            limits: settings.http_limits.clone(),
            look_interval: settings.tls_look_interval,
            open: None,
            closing: Vec::new(),
        }
    }

    /// Opens a listener where `plan` needs one and there is none.
    ///
    /// # Errors
    /// When the address cannot be listened on, or what protects the listener cannot be used.
    pub(super) fn prepare(&self, plan: &Plan) -> Result<Option<Opened>, RunError> {
        if self.open.is_some() || !is_needed(plan) {
            return Ok(None);
        }
        let (listener, address) = listen("SYNCLINE_HTTP_LISTEN", self.address)?;
        let logins = self.logins.open()?;
        Ok(Some(Opened {
            listener,
            address,
            protection: Protection {
                tls: self.tls.clone().map(ServerTls::new).transpose()?.map(Arc::new),
                access: logins.as_ref().map(|logins| Arc::clone(&logins.admission)),
            },
            logins,
        }))
    }

    /// Has requests go by `router` from now on, on the listener that there is or on the one that was `opened` for it; where `plan`
    /// needs none it is closed.
    pub(super) fn adopt(&mut self, plan: &Plan, mut router: Router, opened: Option<Opened>) {
        router.describe(openapi(plan, self.logins.are_asked_for()));
        if let Some(opened) = opened {
            self.open = Some(self.start(opened, router));
        } else if let Some(open) = &self.open {
            open.routes.replace(router);
        }
        if !is_needed(plan)
            && let Some(open) = self.open.take()
        {
            tracing::info!(
                "closing the HTTP listener at {}: no service has an HTTP server",
                open.address
            );
            open.stop.send_replace(true);
            self.closing.push(open);
        }
        self.closing.retain(|open| !open.serving.is_finished());
    }

    fn start(&self, opened: Opened, router: Router) -> Open {
        let Opened {
            listener,
            address,
            protection,
            logins,
        } = opened;
        let look = protection.keep_certificate_up_to_date(self.look_interval);
        let routes = Routes::new(router);
        let (stop, stopped) = watch::channel(false);
        let serving = serve(listener, routes.clone(), protection, self.limits.clone(), stopped);
        Open {
            address,
            routes,
            logins,
            stop,
            serving: tokio::spawn(serving),
            _look: look,
        }
    }

    /// Scheme and address that URLs begin with.
    pub(super) fn base(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let address = self.open.as_ref().map_or(self.address, |open| open.address);
        format!("{scheme}://{address}")
    }

    /// Looks at once whether those who may call are others now.
    pub(super) async fn look(&self) {
        if let Some(logins) = self.open.as_ref().and_then(|open| open.logins.as_ref()) {
            logins.admission.look(Patience::AtOnce).await;
        }
    }

    /// Waits for an end that nobody has asked for; for ever while there is no listener.
    pub(super) async fn ended(&mut self) {
        match &mut self.open {
            Some(open) => drop((&mut open.serving).await),
            None => std::future::pending().await,
        }
    }

    /// Takes no more connections, and waits until all requests are answered. Cancel safe.
    pub(super) async fn close(&mut self) {
        if let Some(open) = self.open.take() {
            open.stop.send_replace(true);
            self.closing.push(open);
        }
        while let Some(open) = self.closing.last_mut() {
            if !open.serving.is_finished() {
                let _ = (&mut open.serving).await;
            }
            self.closing.pop();
        }
    }

    /// How many requests wait for the broker to confirm their message.
    pub(super) fn publishing(&self) -> usize {
        let listeners = self.open.iter().chain(&self.closing);
        listeners.map(|open| open.routes.publishing()).sum()
    }

    /// Has those requests answered that wait for the broker.
    pub(super) fn give_up(&self) {
        for open in self.open.iter().chain(&self.closing) {
            open.routes.give_up();
        }
    }

    /// Closes all connections at once.
    pub(super) fn abort(&mut self) {
        for open in self.open.take().into_iter().chain(self.closing.drain(..)) {
            open.serving.abort();
        }
    }
}

fn is_needed(plan: &Plan) -> bool {
    plan.services
        .iter()
        .any(|service| !service.http_servers.is_empty())
}
