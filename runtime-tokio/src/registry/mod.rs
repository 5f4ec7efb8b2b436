//! The client registry as the agent asks it: one request, one connection, one bounded answer.

mod url;

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use syncline_core::limits::MAX_REGISTRY_ANSWER;
use syncline_core::registration::{Answer, Failure, Request};

pub use url::RegistryUrl;

use crate::tls::{self, Trust};
use crate::transport::{DialError, Dialer};

const AGENT: &str = concat!("syncline/", env!("CARGO_PKG_VERSION"));

/// A client registry.
#[derive(Debug, Clone)]
pub struct Registry {
    url: RegistryUrl,
    trust: Trust,
}

/// What came of a request, as the core takes it in by [`Reply::answer`].
#[derive(Debug)]
pub(crate) enum Reply {
    Response {
        status: u16,
        retry_after: Option<String>,
        body: Bytes,
    },
    Failed(Failure),
}

impl Reply {
    pub(crate) fn answer(&self) -> Answer<'_> {
        match self {
            Self::Response {
                status,
                retry_after,
                body,
            } => Answer::Response {
                status: *status,
                retry_after: retry_after.as_deref(),
                body,
            },
            Self::Failed(failure) => Answer::Failed(*failure),
        }
    }
}

impl Registry {
    /// The registry at `url`, whose certificate `trust` judges.
    #[must_use]
    pub fn new(url: RegistryUrl, trust: Trust) -> Self {
        Self { url, trust }
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> &RegistryUrl {
        &self.url
    }

    /// Makes a request. How long that may take is the core's to say: dropping the future ends it.
    pub(crate) async fn ask(&self, request: Request) -> Reply {
        match self.exchange(request).await {
            Ok(reply) => reply,
            Err((failure, detail)) => {
                tracing::debug!(registry = %self.url, detail, "the client registry did not answer");
                Reply::Failed(failure)
            }
        }
    }

    /// How it is reached, with TLS as the files are now.
    pub(crate) async fn dialer(&self) -> Result<Dialer, String> {
        let tls = match self.url.is_secure() {
            true => Some(Arc::new(self.tls().await?)),
            false => None,
        };
        Ok(Dialer {
            endpoint: self.url.endpoint().clone(),
            tls,
        })
    }

    /// As [`Registry::ask`], with a failure in words.
    pub(crate) async fn exchange(&self, request: Request) -> Result<Reply, (Failure, String)> {
        let dialer = self.dialer().await.map_err(|detail| {
            tracing::warn!("the client registry cannot be asked with TLS: {detail}");
            (Failure::Untrusted, detail)
        })?;
        let transport = dialer.dial().await.map_err(|error| {
            let failure = match error {
                DialError::Resolve(_) | DialError::Connect(_) => Failure::Unreachable,
                DialError::Tls(_) => Failure::Untrusted,
            };
            (failure, error.to_string())
        })?;
        let lost = |error: hyper::Error| {
            let failure = match error.is_parse() {
                true => Failure::NotHttp,
                false => Failure::Unreachable,
            };
            (failure, error.to_string())
        };
        let (mut sender, connection) = http1::handshake(TokioIo::new(transport)).await.map_err(lost)?;
        let posted = http::Request::builder()
            .method(request.method)
            .uri(self.url.target(request.path))
            .header(HOST, self.url.authority())
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, AGENT)
            .header(CONNECTION, "close")
            .body(Full::new(request.body))
            .map_err(|error| (Failure::Unreachable, error.to_string()))?;
        let exchange = async {
            let response = sender.send_request(posted).await.map_err(lost)?;
            let status = response.status().as_u16();
            let retry_after = response.headers().get(RETRY_AFTER);
            let retry_after = retry_after
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned);
            let body = read(response.into_body()).await.map_err(lost)?;
            Ok(Reply::Response {
                status,
                retry_after,
                body,
            })
        };
        let mut connection = std::pin::pin!(connection);
        let mut exchange = std::pin::pin!(exchange);
        tokio::select! {
            reply = exchange.as_mut() => reply,
            // The connection is over; what it brought is still to be read.
            _ = connection.as_mut() => exchange.await,
        }
    }

    /// Whoever waits for a grant may be given the right authority meanwhile.
    async fn tls(&self) -> Result<tls::Client, String> {
        let settings = tls::Settings {
            trust: self.trust.clone(),
            identity: None,
        };
        let host = self.url.endpoint().host.clone();
        let load = move || {
            let snapshot = settings.read()?;
            tls::Client::new(&host, &settings, &snapshot, tls::Moment::now())
        };
        tokio::task::spawn_blocking(load)
            .await
            .map_err(|error| error.to_string())?
            .map(tls::Client::of_registry)
            .map_err(|error| error.to_string())
    }
}

/// The body, or as much of it as shows that it is too long.
async fn read(mut body: Incoming) -> Result<Bytes, hyper::Error> {
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        if let Some(data) = frame?.data_ref() {
            bytes.extend_from_slice(data);
        }
        if bytes.len() > MAX_REGISTRY_ANSWER {
            bytes.truncate(MAX_REGISTRY_ANSWER + 1);
            break;
        }
    }
    Ok(bytes.freeze())
}
