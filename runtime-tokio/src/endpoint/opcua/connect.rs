//! One attempt to reach a server: its endpoints are asked for, one is chosen, its certificate judged, and a session opened.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt as _};
use opcua::client::transport::TransportPollResult;
use opcua::client::{
    AsyncSecureChannel, ClientBuilder, ClientConfig, IdentityToken, Session, SessionBuilder,
    SessionPollResult,
};
use opcua::core::ResponseMessage;
use opcua::crypto::SecurityPolicy as Policy;
use opcua::types::{
    ApplicationType, DateTime, EndpointDescription, Error, GetEndpointsRequest, RequestHeader, StatusCode,
    UserTokenPolicy, UserTokenType,
};
use tokio::time::timeout;

use super::trust::{self, Store, TrustError};
use super::wire::{Dialled, Source};
use crate::data::DataFolder;
use crate::opcua::{Identity, OpcuaError, library_mode, library_policy, limits};
use crate::service::plan::{OpcuaConnection, SecurityMode, SecurityPolicy};
use crate::transport::{DialError, Dialer, Endpoint};

/// Time for one step: the list of endpoints, and again the session.
const STEP_TIME: Duration = Duration::from_secs(15);
/// Time for a request that no endpoint makes: those of the library for itself, and those that lead to a node.
pub(super) const OWN_REQUEST_TIME: Duration = Duration::from_secs(10);
/// Time between two looks whether the server is there.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);
/// Time that a server keeps a session of which it hears nothing, in milliseconds: sessions are few on small machines.
const SESSION_TIME: u32 = 60_000;
/// Lifetime of a channel's keys, in milliseconds.
const KEY_LIFETIME: u32 = 60 * 60 * 1000;
/// Time that a request to publish may wait at the server.
const PUBLISH_TIME: Duration = Duration::from_secs(60);

/// What happens to a session, for as long as it is looked at: nothing moves without that.
pub(super) type Events = Pin<Box<dyn Stream<Item = Result<SessionPollResult, StatusCode>> + Send>>;

/// What a connection is made by.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) plan: OpcuaConnection,
    /// Its folder, and its session at the server.
    pub(super) name: String,
    /// Name of this agent.
    pub(super) agent: Arc<str>,
    /// Absent where nothing is kept.
    pub(super) folder: Option<Arc<DataFolder>>,
}

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    #[error("cannot be reached: {0}")]
    Dial(#[from] DialError),
    #[error("has not answered within {} s", STEP_TIME.as_secs())]
    Silent,
    #[error("does not speak OPC UA as it should: {0}")]
    Discovery(StatusCode),
    #[error(
        "does not offer the policy {} with the mode {}, but {offered}; write one of these as `securityPolicy` and `securityMode`",
        .policy.name(), .mode.name()
    )]
    NotOffered {
        policy: SecurityPolicy,
        mode: SecurityMode,
        offered: String,
    },
    #[error("takes no {whom} there: {cure}")]
    NoLogin { whom: &'static str, cure: &'static str },
    #[error("{0}")]
    Trust(#[from] TrustError),
    #[error("{0}")]
    Own(#[from] OpcuaError),
    #[error("has refused the session: {status}{cure}")]
    Refused { status: StatusCode, cure: String },
}

/// Opens a session: the session, and what happens to it from then on.
pub(super) async fn connect(settings: &Arc<Settings>) -> Result<(Arc<Session>, Events), ConnectError> {
    let plan = &settings.plan;
    let identity = match plan.mode {
        SecurityMode::None => None,
        SecurityMode::Sign | SecurityMode::SignAndEncrypt => Some(identity(settings).await?),
    };
    let uri = match &identity {
        Some(identity) => identity.application_uri()?,
        None => application_uri(&settings.agent),
    };
    let configuration = configuration(settings, &uri);
    let offered = timeout(STEP_TIME, discover(settings, &configuration)).await;
    let endpoint = choose(plan, offered.map_err(|_| ConnectError::Silent)??)?;
    let store = match &identity {
        None => trust::no_store(),
        Some(identity) => trust::store(
            identity,
            &settings.name,
            &endpoint.server_certificate,
            plan.trust_all_certificates,
        )?,
    };
    let opened = timeout(STEP_TIME, open(settings, &configuration, endpoint, store)).await;
    opened.map_err(|_| ConnectError::Silent)?
}

/// `urn:syncline:` and the agent's name.
fn application_uri(agent: &str) -> String {
    format!("urn:syncline:{agent}")
}

async fn identity(settings: &Arc<Settings>) -> Result<Identity, ConnectError> {
    let settings = Arc::clone(settings);
    // A key pair is computed for a second or more.
    let made = tokio::task::spawn_blocking(move || {
        let folder = settings.folder.as_deref().ok_or(OpcuaError::NoDataFolder)?;
        let hosts = crate::host_name().into_iter().collect();
        Identity::ensure(folder.path(), &application_uri(&settings.agent), hosts)
    });
    match made.await {
        Ok(made) => Ok(made?),
        Err(_) => Err(ConnectError::Own(OpcuaError::Configuration(
            "making a key pair has failed".to_owned(),
        ))),
    }
}

fn configuration(settings: &Settings, uri: &str) -> ClientConfig {
    ClientBuilder::new()
        .application_name("Syncline")
        .application_uri(uri)
        .product_uri("urn:syncline")
        .session_name(format!("Syncline {}", settings.name))
        .session_timeout(SESSION_TIME)
        .channel_lifetime(KEY_LIFETIME)
        // Who has lost a session begins anew, here.
        .session_retry_limit(0)
        .recreate_subscriptions(false)
        .keep_alive_interval(LOOK_INTERVAL)
        .request_timeout(OWN_REQUEST_TIME)
        .publish_timeout(PUBLISH_TIME)
        .min_publish_interval(Duration::from_millis(10))
        // Machines without a battery begin in 1970.
        .ignore_clock_skew(true)
        .max_message_size(limits::MESSAGE)
        .max_chunk_count(limits::CHUNKS)
        .max_chunk_size(limits::CHUNK)
        .max_incoming_chunk_size(limits::CHUNK)
        .max_string_length(limits::TEXT)
        .max_byte_string_length(limits::TEXT)
        .max_array_length(limits::ARRAY)
        .into_config()
}

async fn dial(plan: &OpcuaConnection) -> Result<Dialled, DialError> {
    let endpoint = Endpoint {
        host: plan.host.clone(),
        port: plan.port,
    };
    let stream = Dialer::from(endpoint).dial().await?;
    Ok(Dialled::new(stream, plan.url()))
}

/// The endpoints that the server has.
async fn discover(
    settings: &Settings,
    configuration: &ClientConfig,
) -> Result<Vec<EndpointDescription>, ConnectError> {
    let plan = &settings.plan;
    let dialled = dial(plan).await?;
    let channel = SessionBuilder::new(configuration)
        .connect_to_endpoint_directly(plan.url().as_str())
        .and_then(|builder| builder.build_channel(trust::no_store()));
    let found = match channel {
        Ok(channel) => ask_for_endpoints(&channel, &dialled, &plan.url()).await,
        Err(error) => Err(error),
    };
    found.map_err(|error| ConnectError::Discovery(error.status()))
}

async fn ask_for_endpoints(
    channel: &AsyncSecureChannel,
    dialled: &Dialled,
    url: &str,
) -> Result<Vec<EndpointDescription>, Error> {
    let mut events = channel.connect_no_retry(dialled).await?;
    let request = GetEndpointsRequest {
        request_header: RequestHeader {
            timestamp: DateTime::now(),
            request_handle: channel.request_handle(),
            ..RequestHeader::default()
        },
        endpoint_url: url.into(),
        locale_ids: None,
        profile_uris: None,
    };
    let answer = channel.send(request, OWN_REQUEST_TIME);
    tokio::pin!(answer);
    let answer = loop {
        tokio::select! {
            answer = &mut answer => break answer?,
            moved = events.poll() => if let TransportPollResult::Closed(status) = moved {
                return Err(Error::new(status, "closed"));
            },
        }
    };
    channel.close_channel().await;
    // What closes it leaves with the next move; that the server has it matters to nobody.
    let _ = timeout(Duration::from_secs(1), events.poll()).await;
    match answer {
        ResponseMessage::GetEndpoints(response) => Ok(response.endpoints.unwrap_or_default()),
        ResponseMessage::ServiceFault(fault) => {
            Err(Error::new(fault.response_header.service_result, "refused"))
        }
        _ => Err(Error::new(StatusCode::BadUnknownResponse, "another answer")),
    }
}

/// The endpoint that the plan means, at the address that the plan has: servers name one that others may not reach.
fn choose(
    plan: &OpcuaConnection,
    offered: Vec<EndpointDescription>,
) -> Result<EndpointDescription, ConnectError> {
    let over_tcp: Vec<EndpointDescription> = offered
        .into_iter()
        .filter(|endpoint| {
            let kind = endpoint.server.application_type;
            endpoint
                .endpoint_url
                .as_ref()
                .starts_with(OpcuaConnection::SCHEME)
                && kind != ApplicationType::DiscoveryServer
        })
        .collect();
    let fits = |endpoint: &EndpointDescription| {
        Policy::from_uri(endpoint.security_policy_uri.as_ref()) == library_policy(plan.policy)
            && endpoint.security_mode == library_mode(plan.mode)
    };
    let path_of = |endpoint: &EndpointDescription| path(endpoint.endpoint_url.as_ref()).to_owned();
    let (fitting, others): (Vec<_>, Vec<_>) = over_tcp.into_iter().partition(fits);
    let same_path = fitting.iter().position(|endpoint| path_of(endpoint) == plan.path);
    let chosen = fitting.into_iter().nth(same_path.unwrap_or(0));
    let Some(mut endpoint) = chosen else {
        return Err(ConnectError::NotOffered {
            policy: plan.policy,
            mode: plan.mode,
            offered: names(&others),
        });
    };
    endpoint.endpoint_url = format!("{}{}", plan.origin(), path_of(&endpoint)).into();
    let wanted = match plan.login {
        Some(_) => UserTokenType::UserName,
        None => UserTokenType::Anonymous,
    };
    let tokens = endpoint.user_identity_tokens.take().unwrap_or_default();
    let tokens: Vec<UserTokenPolicy> = tokens
        .into_iter()
        .filter(|token| token.token_type == wanted && is_safe(token, plan))
        .collect();
    if tokens.is_empty() {
        return Err(match plan.login {
            None => ConnectError::NoLogin {
                whom: "clients without a login",
                cure: "give `username` and `password`",
            },
            Some(_) => ConnectError::NoLogin {
                whom: "login by name and encrypted password",
                cure: "leave `username` and `password` out, or choose another `securityMode`",
            },
        });
    }
    endpoint.user_identity_tokens = Some(tokens);
    Ok(endpoint)
}

/// Whether a login by it shows the password to nobody else.
fn is_safe(token: &UserTokenPolicy, plan: &OpcuaConnection) -> bool {
    if plan.login.is_none() {
        return true;
    }
    match token.security_policy_uri.as_ref() {
        // The channel's own policy is taken.
        "" => true,
        uri => match Policy::from_uri(uri) {
            Policy::Unknown => false,
            Policy::None => plan.mode == SecurityMode::SignAndEncrypt,
            _ => true,
        },
    }
}

fn path(url: &str) -> &str {
    let behind = url.find("://").map_or(0, |at| at + 3);
    url[behind..].find('/').map_or("", |at| &url[behind + at..])
}

/// Policies and modes, each once, as a file writes them.
fn names(endpoints: &[EndpointDescription]) -> String {
    let mut names: Vec<String> = Vec::new();
    for endpoint in endpoints {
        let policy = SecurityPolicy::NAMES.iter().find(|(_, policy)| {
            library_policy(*policy) == Policy::from_uri(endpoint.security_policy_uri.as_ref())
        });
        let mode = SecurityMode::NAMES
            .iter()
            .find(|(_, mode)| library_mode(*mode) == endpoint.security_mode);
        if let (Some((policy, _)), Some((mode, _))) = (policy, mode) {
            let name = format!("{policy} with {mode}");
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    match names.is_empty() {
        true => "none that this agent knows".to_owned(),
        false => names.join(", "),
    }
}

async fn open(
    settings: &Settings,
    configuration: &ClientConfig,
    endpoint: EndpointDescription,
    store: Store,
) -> Result<(Arc<Session>, Events), ConnectError> {
    let dialled = dial(&settings.plan).await?;
    let login = match &settings.plan.login {
        Some(login) => IdentityToken::UserName(login.username.clone(), login.password.expose().into()),
        None => IdentityToken::Anonymous,
    };
    let built = SessionBuilder::new(configuration)
        .connect_to_endpoint_directly(endpoint)
        .and_then(|builder| {
            let builder = builder.user_identity_token(login);
            builder.with_connector(Source::from(dialled)).build(store)
        });
    let refused = |status| refused(settings, status);
    let (session, events) = built.map_err(|error| refused(error.status()))?;
    let mut events: Events = Box::pin(events.enter());
    loop {
        match events.next().await {
            Some(Ok(SessionPollResult::Reconnected(_))) => return Ok((session, events)),
            Some(Ok(SessionPollResult::ReconnectFailed(status)) | Err(status)) => {
                return Err(refused(status));
            }
            Some(Ok(_)) => {}
            None => return Err(refused(StatusCode::BadConnectionClosed)),
        }
    }
}

fn refused(settings: &Settings, status: StatusCode) -> ConnectError {
    let cure = match status {
        StatusCode::BadIdentityTokenRejected
        | StatusCode::BadIdentityTokenInvalid
        | StatusCode::BadUserAccessDenied => "; check `username` and `password` of the connection".to_owned(),
        StatusCode::BadCertificateUntrusted
        | StatusCode::BadSecurityChecksFailed
        | StatusCode::BadCertificateInvalid
        | StatusCode::BadCertificateUriInvalid
        | StatusCode::BadConnectionClosed
        | StatusCode::BadCommunicationError
            if settings.plan.mode != SecurityMode::None =>
        {
            match &settings.folder {
                Some(folder) => format!(
                    "; the server may have to trust {} first",
                    Identity::certificate_in(folder.path()).display()
                ),
                None => String::new(),
            }
        }
        StatusCode::BadTooManySessions => "; it has no place for another one".to_owned(),
        _ => String::new(),
    };
    ConnectError::Refused { status, cure }
}

#[cfg(test)]
mod tests {
    use opcua::types::MessageSecurityMode;

    use super::*;
    use crate::service::plan::{OpcuaLogin, Secret};

    fn plan(policy: SecurityPolicy, mode: SecurityMode, has_login: bool) -> OpcuaConnection {
        OpcuaConnection {
            host: "plc".to_owned(),
            port: 4841,
            path: String::new(),
            policy,
            mode,
            login: has_login.then(|| OpcuaLogin {
                username: "u".to_owned(),
                password: Secret::new("p"),
            }),
            trust_all_certificates: false,
        }
    }

    fn token(kind: UserTokenType, policy: &str) -> UserTokenPolicy {
        UserTokenPolicy {
            token_type: kind,
            security_policy_uri: policy.into(),
            ..UserTokenPolicy::default()
        }
    }

    fn endpoint(
        url: &str,
        policy: Policy,
        mode: MessageSecurityMode,
        tokens: Vec<UserTokenPolicy>,
    ) -> EndpointDescription {
        EndpointDescription::from((url, policy.to_uri(), mode, tokens))
    }

    #[test]
    fn the_endpoint_with_the_plans_security_is_taken_at_the_plans_address() {
        let anonymous = || vec![token(UserTokenType::Anonymous, "")];
        let offered = || {
            vec![
                endpoint(
                    "opc.tcp://inside:1/a",
                    Policy::Basic256Sha256,
                    MessageSecurityMode::Sign,
                    anonymous(),
                ),
                endpoint(
                    "opc.tcp://inside:1/a",
                    Policy::None,
                    MessageSecurityMode::None,
                    anonymous(),
                ),
                endpoint(
                    "opc.tcp://inside:1/b",
                    Policy::None,
                    MessageSecurityMode::None,
                    anonymous(),
                ),
            ]
        };
        let mut wanted = plan(SecurityPolicy::None, SecurityMode::None, false);
        let chosen = choose(&wanted, offered()).unwrap();
        assert_eq!(chosen.endpoint_url.as_ref(), "opc.tcp://plc:4841/a");
        wanted.path = "/b".to_owned();
        let chosen = choose(&wanted, offered()).unwrap();
        assert_eq!(chosen.endpoint_url.as_ref(), "opc.tcp://plc:4841/b");
        wanted = plan(
            SecurityPolicy::Basic256Sha256,
            SecurityMode::SignAndEncrypt,
            false,
        );
        let error = choose(&wanted, offered()).unwrap_err().to_string();
        assert!(
            error.contains("but Basic256Sha256 with Sign, None with None;"),
            "{error}"
        );
    }

    #[test]
    fn a_password_is_only_given_where_nobody_else_can_read_it() {
        let none = Policy::None.to_uri();
        for (mode, library, policy, is_taken) in [
            (SecurityMode::Sign, MessageSecurityMode::Sign, none, false),
            (SecurityMode::Sign, MessageSecurityMode::Sign, "", true),
            (
                SecurityMode::Sign,
                MessageSecurityMode::Sign,
                "urn:unknown",
                false,
            ),
            (
                SecurityMode::SignAndEncrypt,
                MessageSecurityMode::SignAndEncrypt,
                none,
                true,
            ),
        ] {
            let wanted = plan(SecurityPolicy::Basic256Sha256, mode, true);
            let tokens = vec![token(UserTokenType::UserName, policy)];
            let offered = vec![endpoint("opc.tcp://a:1", Policy::Basic256Sha256, library, tokens)];
            assert_eq!(choose(&wanted, offered).is_ok(), is_taken, "{mode:?} {policy}");
        }
        let wanted = plan(SecurityPolicy::None, SecurityMode::None, false);
        let tokens = vec![token(UserTokenType::UserName, "")];
        let offered = vec![endpoint(
            "opc.tcp://a:1",
            Policy::None,
            MessageSecurityMode::None,
            tokens,
        )];
        let error = choose(&wanted, offered).unwrap_err().to_string();
        assert!(error.contains("give `username` and `password`"), "{error}");
    }
}
