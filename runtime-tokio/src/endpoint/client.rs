//! An HTTP client of one server: connections that are kept, TLS as the agent has it, bounded time and size.

use std::error::Error as _;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::time::timeout;
use tower_service::Service;

use crate::driver::StartError;
use crate::opcua::OpcuaError;
use crate::service::plan::{HttpConnection, HttpRequest, HttpScheme, Secret};
use crate::tls::{self, Trust};
use crate::transport::{DialError, Dialer, Endpoint, Transport};

/// Longest wait for a whole answer.
const ANSWER_TIME: Duration = Duration::from_secs(30);
/// Longest body of an answer.
const MAX_ANSWER: usize = 1 << 20;
/// Time that a connection without requests is kept.
const IDLE_TIME: Duration = Duration::from_secs(30);
/// Connections without requests that are kept.
const IDLE_CONNECTIONS: usize = 16;

const AGENT: &str = concat!("syncline/", env!("CARGO_PKG_VERSION"));

/// Makes requests of one HTTP server.
#[derive(Debug)]
pub(crate) struct Client {
    inner: legacy::Client<Connector, Full<Bytes>>,
    /// `scheme://host:port`, for messages as well.
    origin: String,
    prefix: String,
    query: Vec<(String, Secret)>,
    headers: HeaderMap,
}

/// Why there can be no client of a server.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The files for TLS cannot be used.
    #[error(transparent)]
    Tls(#[from] tls::LoadError),
    /// The connection shows a certificate that the agent does not have.
    #[error(
        "`mutualAuthentication` needs the agent's own certificate: set USE_MUTUAL_TLS, AGENT_CERT and AGENT_KEY"
    )]
    NoIdentity,
    /// The same for a broker, for which a file may hold one.
    #[error(
        "`mutualAuthentication` needs a certificate: give `clientCert` and `clientPrivateKey`, or set USE_MUTUAL_TLS, AGENT_CERT \
         and AGENT_KEY for the agent's own"
    )]
    NoCertificate,
    /// The session with another broker cannot be.
    #[error(transparent)]
    Session(#[from] StartError),
    /// What OPC UA needs of the data folder is not there.
    #[error(transparent)]
    Opcua(#[from] OpcuaError),
    /// A header that HTTP does not know.
    #[error("the header `{0}` is no header of HTTP")]
    Header(String),
}

/// The answer to a request.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) content_type: Option<String>,
    pub(super) body: Bytes,
}

/// Why there is no answer. It shows no credential: those are in headers and in the query.
#[derive(Debug, thiserror::Error)]
pub(super) enum RequestError {
    #[error("the request cannot be made: {0}")]
    Invalid(http::Error),
    #[error("{origin} cannot be reached: {cause}")]
    Unreachable { origin: String, cause: String },
    #[error("{origin} has not answered within {} s", time.as_secs_f64())]
    Timeout { origin: String, time: Duration },
    #[error("{origin} has answered with more than {MAX_ANSWER} bytes")]
    TooLong { origin: String },
}

impl Client {
    /// A client of the server of `plan`; of `tls` it takes the authorities and, where it shall, the certificate.
    pub(super) fn new(plan: &HttpConnection, tls: &tls::Settings) -> Result<Self, ClientError> {
        let endpoint = Endpoint {
            host: plan.host.clone(),
            port: plan.port,
        };
        let scheme = match plan.scheme {
            HttpScheme::Http => "http",
            HttpScheme::Https => "https",
        };
        let origin = format!("{scheme}://{endpoint}");
        let tls = match plan.scheme {
            HttpScheme::Http => None,
            HttpScheme::Https => Some(Arc::new(tls_client(plan, tls)?)),
        };
        let connector = Connector(Dialer { endpoint, tls });
        let mut headers = headers(&plan.headers)?;
        headers
            .entry(USER_AGENT)
            .or_insert(HeaderValue::from_static(AGENT));
        if let Some(auth) = &plan.auth {
            let text = format!("{}:{}", auth.username, auth.password.expose());
            let basic = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(text)));
            // Base64 is text that a header may have.
            if let Ok(mut basic) = basic {
                basic.set_sensitive(true);
                headers.insert(AUTHORIZATION, basic);
            }
        }
        Ok(Self {
            inner: legacy::Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(IDLE_TIME)
                .pool_max_idle_per_host(IDLE_CONNECTIONS)
                .build(connector),
            origin,
            prefix: plan.prefix.clone(),
            query: plan.query.clone(),
            headers,
        })
    }

    /// `scheme://host:port`.
    pub(super) fn origin(&self) -> &str {
        &self.origin
    }

    /// Makes the request of an endpoint with `body`, and waits for its answer.
    pub(super) async fn request(
        &self,
        plan: &HttpRequest,
        body: Option<Body>,
    ) -> Result<Answer, RequestError> {
        let own = headers(&plan.headers).unwrap_or_default();
        self.ask(&plan.method, &plan.path, &plan.query, own, body, ANSWER_TIME)
            .await
    }

    /// Makes a request without a body, and waits for its answer at most `time`.
    pub(super) async fn probe(
        &self,
        method: &Method,
        path: &str,
        time: Duration,
    ) -> Result<Answer, RequestError> {
        self.ask(method, path, &[], HeaderMap::new(), None, time).await
    }

    async fn ask(
        &self,
        method: &Method,
        path: &str,
        query: &[(String, Secret)],
        own: HeaderMap,
        body: Option<Body>,
        time: Duration,
    ) -> Result<Answer, RequestError> {
        let mut request = Request::builder()
            .method(method)
            .uri(self.uri(path, query).map_err(RequestError::Invalid)?)
            .body(Full::default())
            .map_err(RequestError::Invalid)?;
        *request.headers_mut() = self.headers.clone();
        for (name, value) in &own {
            request.headers_mut().insert(name, value.clone());
        }
        if let Some(body) = body {
            let as_json = HeaderValue::from_static("application/json");
            let content_type = request.headers_mut().entry(CONTENT_TYPE).or_insert(as_json);
            let is_json = content_type.as_bytes().windows(4).any(|part| part == b"json");
            *request.body_mut() = Full::new(body.bytes(is_json));
        }
        // Whose method lets a server expect content is told that there is none: RFC 9110, section 8.6.
        let expects_content = [Method::POST, Method::PUT, Method::PATCH].contains(method);
        if expects_content && request.body().is_end_stream() {
            let headers = request.headers_mut();
            headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        match timeout(time, self.exchange(request)).await {
            Ok(answer) => answer,
            Err(_) => Err(RequestError::Timeout {
                origin: self.origin.clone(),
                time,
            }),
        }
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Answer, RequestError> {
        let response = self
            .inner
            .request(request)
            .await
            .map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        let content_type = response.headers().get(CONTENT_TYPE);
        let content_type = content_type
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned);
        let body = self.read(response.into_body()).await?;
        Ok(Answer {
            status,
            content_type,
            body,
        })
    }

    async fn read(&self, mut body: Incoming) -> Result<Bytes, RequestError> {
        let mut bytes = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| RequestError::Unreachable {
                origin: self.origin.clone(),
                cause: format!("the answer breaks off: {error}"),
            })?;
            if let Some(data) = frame.data_ref() {
                bytes.extend_from_slice(data);
            }
            if bytes.len() > MAX_ANSWER {
                return Err(RequestError::TooLong {
                    origin: self.origin.clone(),
                });
            }
        }
        Ok(bytes.freeze())
    }

    fn uri(&self, path: &str, query: &[(String, Secret)]) -> Result<Uri, http::Error> {
        let mut uri = format!("{}{}{path}", self.origin, self.prefix);
        let pairs: Vec<_> = self.query.iter().chain(query).collect();
        if !pairs.is_empty() {
            let pairs = pairs.iter().map(|(name, value)| (name, value.expose()));
            uri.push(if path.contains('?') { '&' } else { '?' });
            uri.push_str(
                &form_urlencoded::Serializer::new(String::new())
                    .extend_pairs(pairs)
                    .finish(),
            );
        }
        Uri::try_from(uri).map_err(http::Error::from)
    }

    fn unreachable(&self, error: &legacy::Error) -> RequestError {
        let dial = error
            .source()
            .and_then(|source| source.downcast_ref::<DialError>());
        RequestError::Unreachable {
            origin: self.origin.clone(),
            cause: match (dial, error.source()) {
                (Some(dial), _) => dial.to_string(),
                (None, Some(source)) => source.to_string(),
                (None, None) => error.to_string(),
            },
        }
    }
}

/// What is sent with a request: a JSON text, and what it says where it is a string.
#[derive(Debug, Clone)]
pub(super) struct Body {
    pub(super) json: Bytes,
    pub(super) text: Option<String>,
}

impl Body {
    /// A string goes as it is where the header says that it is no JSON.
    pub(super) fn bytes(self, is_json: bool) -> Bytes {
        match self.text {
            Some(text) if !is_json => text.into(),
            _ => self.json,
        }
    }
}

fn headers(pairs: &[(String, Secret)]) -> Result<HeaderMap, ClientError> {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let wrong = || ClientError::Header(name.clone());
        let key = HeaderName::try_from(name.as_str()).map_err(|_| wrong())?;
        let mut value = HeaderValue::try_from(value.expose()).map_err(|_| wrong())?;
        value.set_sensitive(true);
        headers.append(key, value);
    }
    Ok(headers)
}

fn tls_client(plan: &HttpConnection, own: &tls::Settings) -> Result<tls::Client, ClientError> {
    let identity = match (plan.mutual_authentication, &own.identity) {
        (false, _) => None,
        (true, None) => return Err(ClientError::NoIdentity),
        (true, identity) => identity.clone(),
    };
    let trust = match plan.trust_all_certificates {
        true => Trust::Anyone,
        false => own.trust.clone(),
    };
    let settings = tls::Settings { trust, identity };
    let snapshot = settings.read()?;
    let client = tls::Client::new(&plan.host, &settings, &snapshot, tls::Moment::now())?;
    Ok(client.of(tls::Peer::Connected))
}

/// Opens connections the way all of the agent's are opened.
#[derive(Debug, Clone)]
struct Connector(Dialer);

impl Service<Uri> for Connector {
    type Response = TokioIo<Transport>;
    type Error = DialError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, DialError>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), DialError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _uri: Uri) -> Self::Future {
        let dialer = self.0.clone();
        Box::pin(async move { dialer.dial().await.map(TokioIo::new) })
    }
}

impl Connection for Transport {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl fmt::Display for Answer {
    /// The status, never the body.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status)
    }
}
