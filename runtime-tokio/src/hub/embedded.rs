//! The embedded broker as the hub runs it: logins and rights from the directory, deleted users thrown out.

use std::collections::{BTreeMap, BTreeSet};
use std::future::{Future, ready};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use mqtt5::broker::auth::{AuthProvider, AuthResult};
use mqtt5::broker::config::TlsConfig;
use mqtt5::broker::{BrokerEventHandler, ClientConnectEvent, ClientDisconnectEvent};
use mqtt5::packet::connect::ConnectPacket;
use mqtt5::protocol::v5::reason_codes::ReasonCode;

use super::directory::Directory;
use crate::broker::{BrokerError, EmbeddedBroker, config};

/// Connections that the broker takes.
const MAX_CLIENTS: usize = 10_000;
/// Largest packet in bytes.
const MAX_PACKET: usize = 4 << 20;

/// Where the embedded broker listens.
#[derive(Debug, Clone)]
pub(super) struct Listen {
    pub(super) plain: SocketAddr,
    pub(super) tls: Option<TlsFiles>,
}

/// A listener with TLS.
#[derive(Debug, Clone)]
pub(super) struct TlsFiles {
    pub(super) address: SocketAddr,
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

/// The running broker, and who is connected to it.
pub(super) struct Embedded {
    broker: EmbeddedBroker,
    connected: Arc<Connected>,
}

impl Embedded {
    pub(super) async fn start(listen: Listen, directory: Arc<Directory>) -> Result<Self, BrokerError> {
        let connected = Arc::new(Connected::default());
        let mut config = config()
            .with_bind_address(listen.plain)
            .with_max_clients(MAX_CLIENTS)
            .with_max_packet_size(MAX_PACKET)
            .with_event_handler(Arc::clone(&connected) as Arc<dyn BrokerEventHandler>);
        if let Some(tls) = listen.tls {
            config = config.with_tls(TlsConfig::new(tls.certificate, tls.key).with_bind_address(tls.address));
        }
        let broker = EmbeddedBroker::start_with(config, Some(Arc::new(Gate(directory)))).await?;
        Ok(Self { broker, connected })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.broker.address()
    }

    pub(super) fn tls_address(&self) -> Option<SocketAddr> {
        self.broker.tls_address()
    }

    /// Closes the connections of a user, whose next CONNECT is judged anew. Its subscriptions end with them.
    pub(super) async fn throw_out(&self, username: &str) {
        let router = self.broker.router();
        for client in self.connected.clients_of(username) {
            router.unregister_client(&client).await;
        }
    }

    pub(super) async fn stop(self) {
        self.broker.stop().await;
    }
}

/// Client Identifiers of each user that is connected.
#[derive(Debug, Default)]
struct Connected(Mutex<BTreeMap<String, BTreeSet<String>>>);

impl Connected {
    fn clients_of(&self, username: &str) -> Vec<String> {
        let connected = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        connected.get(username).into_iter().flatten().cloned().collect()
    }
}

impl BrokerEventHandler for Connected {
    fn on_client_connect<'a>(
        &'a self,
        event: ClientConnectEvent,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        if let Some(user) = event.user_id {
            let mut connected = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let clients = connected.entry(user.to_string()).or_default();
            clients.insert(event.client_id.to_string());
        }
        Box::pin(ready(()))
    }

    fn on_client_disconnect<'a>(
        &'a self,
        event: ClientDisconnectEvent,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        if let Some(user) = event.user_id {
            let mut connected = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(clients) = connected.get_mut(&*user) {
                clients.remove(&*event.client_id);
                if clients.is_empty() {
                    connected.remove(&*user);
                }
            }
        }
        Box::pin(ready(()))
    }
}

/// The broker's questions to the directory.
struct Gate(Arc<Directory>);

impl AuthProvider for Gate {
    fn authenticate<'a>(
        &'a self,
        connect: &'a ConnectPacket,
        client: SocketAddr,
    ) -> Pin<Box<dyn Future<Output = mqtt5::Result<AuthResult>> + Send + 'a>> {
        Box::pin(async move {
            let (Some(username), Some(password)) = (&connect.username, &connect.password) else {
                return Ok(AuthResult::fail(ReasonCode::NotAuthorized));
            };
            // The password first: who has none learns nothing about names.
            let result = match self.0.login(username, password, client.ip()).await {
                false => AuthResult::fail(ReasonCode::BadUsernameOrPassword),
                true if self.0.is_of_another(username, &connect.client_id) => {
                    AuthResult::fail(ReasonCode::ClientIdentifierNotValid)
                }
                true => AuthResult::success_with_user(username.as_str()),
            };
            Ok(result)
        })
    }

    fn authorize_publish<'a>(
        &'a self,
        _client_id: &str,
        user: Option<&'a str>,
        topic: &'a str,
    ) -> Pin<Box<dyn Future<Output = bool> + Send + 'a>> {
        let allowed = user.is_some_and(|user| self.0.may_publish(user, topic));
        Box::pin(ready(allowed))
    }

    fn authorize_subscribe<'a>(
        &'a self,
        _client_id: &str,
        user: Option<&'a str>,
        filter: &'a str,
    ) -> Pin<Box<dyn Future<Output = bool> + Send + 'a>> {
        let allowed = user.is_some_and(|user| self.0.may_subscribe(user, filter));
        Box::pin(ready(allowed))
    }
}
