//! The session with another broker: made by what the file says, kept up until its handle is dropped.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use syncline_core::agent::{Agent, Output};
use syncline_core::session::{Config, DisconnectReason, OnRefusal, Reconnect, Will};
use syncline_core::time::{Instant, UnixMillis};
use tokio::task::JoinHandle;
use tokio::time::{Instant as Deadline, timeout_at};

use crate::client_identifier;
use crate::data::DataFolder;
use crate::driver::{AgentHandle, Driver, GaveUp, Naming, Reactor, StartError};
use crate::endpoint::state::LinkState;
use crate::endpoint::{ClientError, Means};
use crate::service::plan::{ConnectionPlan, MqttConnection, MqttScheme, RetryStrategy};
use crate::status::ShortConnections;
use crate::tls::{self, Texts};
use crate::transport::{DialError, Dialer, Endpoint};

/// Pause before a broker is tried again that has given this client's place to another: both would throw each other out.
const TAKEN_OVER_PAUSE: Duration = Duration::from_secs(60);
/// Time for the orderly end of a session, which has its own bound below this.
const STOP_TIME: Duration = Duration::from_secs(5);

const LOGIN_CURE: &str = "; check `username` and `password` of the connection";

/// A session with another broker. Dropping it disconnects.
#[derive(Debug)]
pub(crate) struct Link {
    other: Other,
    /// Absent until it was begun.
    driver: Option<JoinHandle<Result<(), GaveUp>>>,
}

/// A session with another broker that can be: nothing of it is there yet.
pub(crate) struct PreparedLink {
    dialer: Dialer,
    config: Config,
    address: String,
    /// Where a session is kept: service and resource of its connection.
    kept_as: Option<(String, String)>,
}

impl PreparedLink {
    /// A session with the broker of `plan`, where all that may be wrong with its settings is right.
    pub(in crate::endpoint) fn new(
        means: &Means,
        service: &str,
        connection: &ConnectionPlan,
        plan: &MqttConnection,
    ) -> Result<Self, ClientError> {
        let resource = &connection.resource;
        let endpoint = Endpoint {
            host: plan.host.clone(),
            port: plan.port,
        };
        let address = format!("{}://{endpoint}", plan.scheme.name());
        let owner = format!("connection {resource} of service {service}");
        let tls = match plan.scheme {
            MqttScheme::Mqtt => None,
            MqttScheme::Mqtts => Some(Arc::new(tls_client(plan, &means.tls, &owner)?)),
        };
        let config = session(plan, connection.strategy, || {
            client_identifier::of_connection(&means.name, service, resource)
        });
        config.validate().map_err(StartError::Config)?;
        Ok(Self {
            dialer: Dialer { endpoint, tls },
            config,
            address,
            kept_as: (!plan.clean_session).then(|| (service.to_owned(), resource.clone())),
        })
    }

    /// The session, for the connection that the log calls `owner`, and what drives it. A session that is kept in `folder` is taken up.
    pub(in crate::endpoint) fn open(
        self,
        folder: Option<&DataFolder>,
        owner: &str,
    ) -> Result<(Link, Driver), ClientError> {
        let Self {
            dialer,
            config,
            address,
            kept_as,
        } = self;
        let stored = folder
            .zip(kept_as)
            .and_then(|(folder, (service, resource))| folder.session_of_connection(&service, &resource));
        let mut driver = match stored {
            Some(stored) => Driver::restore(dialer, config, stored)?,
            None => Driver::new(dialer, config)?,
        };
        driver.call(Naming {
            prefix: format!("{owner}: ").into(),
            login_cure: LOGIN_CURE,
        });
        driver.try_again_after(TAKEN_OVER_PAUSE);
        let state = Arc::new(LinkState::new(address));
        driver.react_with(Box::new(Watcher {
            owner: owner.to_owned(),
            state: Arc::clone(&state),
            short_connections: ShortConnections::default(),
            dial_failure: None,
        }));
        let other = Other {
            agent: driver.handle(),
            state,
        };
        let link = Link { other, driver: None };
        Ok((link, driver))
    }
}

/// What endpoints need of a session with another broker.
#[derive(Debug, Clone)]
pub(crate) struct Other {
    /// The session, to subscribe and to publish with.
    pub(in crate::endpoint) agent: AgentHandle,
    /// What is known of it.
    pub(in crate::endpoint) state: Arc<LinkState>,
}

impl Link {
    /// Connects. Who has subscribed before misses nothing of what a kept Session brings.
    pub(in crate::endpoint) fn begin(&mut self, driver: Driver) {
        self.driver = Some(tokio::spawn(driver.run()));
    }

    /// What endpoints need of it.
    pub(in crate::endpoint) fn other(&self) -> &Other {
        &self.other
    }

    /// Disconnects, and waits until that is done, by `deadline` at the latest.
    pub(crate) async fn stop(mut self, deadline: Deadline) {
        self.other.agent.stop();
        if let Some(driver) = self.driver.take() {
            let abort = driver.abort_handle();
            let until = deadline.min(Deadline::now() + STOP_TIME);
            if timeout_at(until, driver).await.is_err() {
                abort.abort();
            }
        }
    }
}

impl Drop for Link {
    /// Not by force: the other broker would publish the will.
    fn drop(&mut self) {
        self.other.agent.stop();
    }
}

/// Notes what happens to the session.
struct Watcher {
    /// What the log calls the connection.
    owner: String,
    state: Arc<LinkState>,
    short_connections: ShortConnections,
    /// Why no connection came about, until the session has told of that.
    dial_failure: Option<String>,
}

impl Reactor for Watcher {
    fn handle(&mut self, now: Instant, _wall: UnixMillis, output: &Output, agent: &mut Agent) {
        match output {
            Output::Connected(_) => {
                self.short_connections.began(now);
                self.state.connected();
            }
            Output::Disconnected(disconnected) => {
                let reason = &disconnected.reason;
                let by_peer = matches!(
                    reason,
                    DisconnectReason::TransportClosed | DisconnectReason::ByServer(_)
                );
                if self.short_connections.ended(now) && by_peer {
                    tracing::warn!(
                        "{}: the broker has ended several connections in a row soon after they began; another client may use \
                         the name `{}`, and both throw each other out: give each its own `clientId`",
                        self.owner,
                        agent.session().client_id()
                    );
                }
                let why = self.dial_failure.take();
                self.state.disconnected(why.unwrap_or_else(|| reason.to_string()));
            }
            _ => {}
        }
    }

    fn dial_failed(&mut self, error: &DialError) {
        self.dial_failure = Some(error.to_string());
    }
}

fn session(plan: &MqttConnection, strategy: RetryStrategy, derived: impl FnOnce() -> String) -> Config {
    let mut config = Config::new(plan.client_id.clone().unwrap_or_else(derived));
    config.clean_start = plan.clean_session;
    // What is kept is kept without an end, as in 3.1.1.
    config.session_expiry = if plan.clean_session { 0 } else { u32::MAX };
    config.keep_alive = plan.keep_alive;
    config.username.clone_from(&plan.username);
    let password = plan.password.as_ref();
    config.password = password.map(|password| Bytes::copy_from_slice(password.expose().as_bytes()));
    config.will = plan.will.as_ref().map(|will| Will {
        topic: will.topic.clone(),
        payload: will.payload.clone(),
        qos: will.qos,
        retain: will.retain,
        properties: syncline_core::codec::PropertyBuf::new(),
    });
    config.reconnect = reconnect(strategy);
    config
}

/// The waits of `strategy`. Refused credentials are tried again as well: who mends them is at the other broker.
fn reconnect(strategy: RetryStrategy) -> Reconnect {
    let RetryStrategy {
        initial_delay,
        increment_factor,
        max_delay,
    } = strategy;
    let defaults = Reconnect::default();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the plan bounds the factor by 1 and 1000"
    )]
    let growth = (increment_factor.clamp(1.0, 1000.0) * 100.0) as u32;
    Reconnect {
        first: initial_delay.min(max_delay),
        longest: max_delay,
        shortest: defaults.shortest.min(initial_delay).min(max_delay),
        growth,
        on_refusal: OnRefusal::Retry,
        ..defaults
    }
}

fn tls_client(plan: &MqttConnection, own: &tls::Settings, owner: &str) -> Result<tls::Client, ClientError> {
    let material = &plan.tls;
    if material.mutual_authentication && material.identity.is_none() && own.identity.is_none() {
        return Err(ClientError::NoCertificate);
    }
    let texts = Texts {
        trust_all: material.trust_all_certificates,
        authorities: material.authorities.as_deref(),
        shows_identity: material.mutual_authentication,
        identity: material
            .identity
            .as_ref()
            .map(|identity| (identity.certificate.as_str(), identity.key.expose())),
    };
    let now = tls::Moment::now();
    let client = tls::Client::with_texts(&plan.host, &texts, own, now)?;
    if let Some(identity) = client.identity().filter(|_| texts.identity.is_some())
        && identity.warning(now).is_some()
    {
        let (validity, until) = (identity.facts.validity(now), identity.facts.not_after);
        tracing::warn!(
            "{owner}: the certificate in `clientCert` is {validity}, until {until}: have it renewed"
        );
    }
    Ok(client)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strategy_of_the_file_is_that_of_the_session() {
        let strategy = |initial, factor, max| RetryStrategy {
            initial_delay: Duration::from_millis(initial),
            increment_factor: factor,
            max_delay: Duration::from_millis(max),
        };
        let waits = |strategy| {
            let reconnect = reconnect(strategy);
            let millis = |wait: Duration| wait.as_millis();
            (
                millis(reconnect.shortest),
                millis(reconnect.first),
                reconnect.growth,
                millis(reconnect.longest),
            )
        };
        assert_eq!(waits(strategy(1000, 2.0, 30_000)), (128, 1000, 200, 30_000));
        assert_eq!(waits(strategy(50, 1.5, 60)), (50, 50, 150, 60));
        assert_eq!(waits(strategy(1, 1000.0, 1)), (1, 1, 100_000, 1));
    }
}
