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
use opcua::types::{DateTime, EndpointDescription, Error, GetEndpointsRequest, RequestHeader, StatusCode};
use tokio::time::timeout;

use super::offer::{OfferError, choose};
use super::trust::{self, Store, TrustError};
use super::wire::{Dialled, Source};
use crate::data::DataFolder;
use crate::opcua::{Identity, OpcuaError, limits};
use crate::service::plan::{OpcuaConnection, SecurityMode};
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
    #[error("does not speak OPC UA as it should: {status}{cure}")]
    Discovery { status: StatusCode, cure: &'static str },
    #[error("{0}")]
    Offer(#[from] OfferError),
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
        // To ignore how far clocks differ, it would change every time in every value by that.
        .ignore_clock_skew(false)
        .max_message_size(limits::MESSAGE)
        .max_chunk_count(limits::CHUNKS)
        .max_chunk_size(limits::CHUNK)
        .max_incoming_chunk_size(limits::CHUNK)
        .max_string_length(limits::MESSAGE)
        .max_byte_string_length(limits::MESSAGE)
        .max_array_length(limits::SERVERS_ARRAY)
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
    found.map_err(|error| ConnectError::Discovery {
        status: error.status(),
        cure: match error.status() {
            StatusCode::BadConnectionClosed | StatusCode::BadTcpEndpointUrlInvalid
                if plan.path.is_empty() =>
            {
                "; where its URL has a path, give that by `endpointUrl`"
            }
            _ => "",
        },
    })
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
