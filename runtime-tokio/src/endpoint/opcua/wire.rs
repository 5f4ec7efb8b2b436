//! The library's transport over a connection that was dialled as all of the agent's are: every address, bounded time, no delay.

use std::future::ready;
use std::sync::{Arc, Mutex, PoisonError};

use opcua::client::ConnectionSource;
use opcua::client::transport::{
    Connector, RequestRecv, SecureChannelState, StreamConnection, StreamConnector, StreamTransport,
    TransportConfiguration,
};
use opcua::core::comms::tcp_codec::TcpCodec;
use opcua::types::{DecodingOptions, EndpointDescription, Error, StatusCode};
use tokio::io::{ReadHalf, WriteHalf, split};
use tokio_util::codec::FramedRead;

use crate::transport::Transport;

type Connection = StreamConnection<ReadHalf<Transport>, WriteHalf<Transport>>;

/// An open connection, for one secure channel.
pub(super) struct Dialled {
    stream: Mutex<Option<Transport>>,
    /// What the server is told of where it was found.
    url: String,
}

/// Hands a connection to the library, once.
pub(super) struct Source(Mutex<Option<Dialled>>);

impl Dialled {
    pub(super) fn new(stream: Transport, url: String) -> Self {
        Self {
            stream: Mutex::new(Some(stream)),
            url,
        }
    }

    fn open(&self, url: String, options: DecodingOptions) -> Result<Connection, Error> {
        let stream = take(&self.stream)?;
        let (reader, writer) = split(stream);
        let reader = FramedRead::new(reader, TcpCodec::new(options));
        Ok(StreamConnection::new(reader, writer, url))
    }
}

impl From<Dialled> for Source {
    fn from(dialled: Dialled) -> Self {
        Self(Mutex::new(Some(dialled)))
    }
}

impl Connector for Dialled {
    type Transport = StreamTransport<ReadHalf<Transport>, WriteHalf<Transport>>;

    async fn connect(
        &self,
        channel: Arc<SecureChannelState>,
        outgoing: RequestRecv,
        configuration: TransportConfiguration,
    ) -> Result<Self::Transport, Error> {
        let open = |url, options| ready(self.open(url, options));
        let connector = StreamConnector::new(open, self.url.clone());
        connector.connect(channel, outgoing, configuration).await
    }

    fn default_endpoint(&self) -> EndpointDescription {
        EndpointDescription::from(self.url.as_str())
    }
}

impl ConnectionSource for Source {
    type Builder = Dialled;

    fn get_connector(&self, _endpoint: &EndpointDescription) -> Result<Dialled, Error> {
        take(&self.0)
    }
}

/// What can be had once: who has lost a connection dials anew.
fn take<T>(slot: &Mutex<Option<T>>) -> Result<T, Error> {
    let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
    slot.take()
        .ok_or_else(|| Error::new(StatusCode::BadConnectionClosed, "the connection was lost"))
}
