//! An OPC UA session that is little more than its socket: the security policy None, one chunk a message, many Writes at once.

use std::io::Cursor;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use bytes::{Buf as _, BufMut as _, BytesMut};
use opcua::types::{
    ActivateSessionRequest, ActivateSessionResponse, AnonymousIdentityToken, AttributeId, BinaryDecodable,
    BinaryEncodable, ByteString, CloseSessionRequest, CloseSessionResponse, ContextOwned,
    CreateSessionRequest, CreateSessionResponse, DataValue, DateTime, ExtensionObject, MessageInfo,
    MessageSecurityMode, NodeId, ObjectId, OpenSecureChannelRequest, OpenSecureChannelResponse, ReadRequest,
    ReadResponse, ReadValueId, RequestHeader, ResponseHeader, SecurityTokenRequestType, StatusCode, UAString,
    UserTokenType, Variant, WriteRequest, WriteResponse, WriteValue,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use uuid::Uuid;

/// How long one answer may take; every server gives up after 10 s.
const PATIENCE: Duration = Duration::from_secs(15);
/// What neither side needs more of, in bytes of a chunk.
const CHUNK: u32 = 64 * 1024;
/// How long a session and its channel are to last, in milliseconds: longer than a run.
const LIFETIME: u32 = 60 * 60 * 1000;
const POLICY_NONE: &str = "http://opcfoundation.org/UA/SecurityPolicy#None";
/// Bytes before the body of a message: its head, the token, the sequence number and the number of the request.
const HEAD: usize = 12 + 4 + 8;

/// A session of its own on a connection of its own.
pub(crate) struct Session {
    stream: TcpStream,
    context: ContextOwned,
    received: BytesMut,
    to_send: BytesMut,
    channel: u32,
    token: u32,
    /// Sequence number of the last message sent, and the number of its request.
    last: u32,
    authentication: NodeId,
    node: NodeId,
}

/// A message that came.
struct Answer {
    request: u32,
    body: BytesMut,
}

impl Session {
    /// Opens a session without a name; its Writes and Reads are of `node`.
    ///
    /// # Errors
    /// The server cannot be reached, or does not let it in.
    pub(crate) async fn open(port: u16, url: &str, node: &NodeId) -> Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        stream.set_nodelay(true)?;
        let mut session = Self {
            stream,
            context: ContextOwned::default(),
            received: BytesMut::with_capacity(4096),
            to_send: BytesMut::with_capacity(4096),
            channel: 0,
            token: 0,
            last: 0,
            authentication: NodeId::null(),
            node: node.clone(),
        };
        session.open_channel(url).await?;
        session.log_in(url).await?;
        Ok(session)
    }

    /// Writes a value and waits for it.
    ///
    /// # Errors
    /// Unless the status of the Write is Good.
    pub(crate) async fn write(&mut self, value: f64) -> Result<()> {
        let request = self.begin_write(value)?;
        let answer = self.answer_to(request).await?;
        self.written(&answer)
    }

    /// The value that the node has.
    ///
    /// # Errors
    /// It has none that is a Double.
    pub(crate) async fn read(&mut self) -> Result<f64> {
        let node_to_read = ReadValueId {
            node_id: self.node.clone(),
            attribute_id: AttributeId::Value as u32,
            ..ReadValueId::default()
        };
        let request = ReadRequest {
            request_header: self.header(),
            nodes_to_read: Some(vec![node_to_read]),
            ..ReadRequest::default()
        };
        let request = self.message(*b"MSG", &request)?;
        let answer = self.answer_to(request).await?;
        let response: ReadResponse = self.decode(&answer)?;
        match response.results.as_deref() {
            Some(
                [
                    DataValue {
                        value: Some(Variant::Double(value)),
                        ..
                    },
                ],
            ) => Ok(*value),
            other => bail!("read {other:?}"),
        }
    }

    /// Keeps `in_flight` Writes under way for `time`, and waits for the last of them; how long each took.
    ///
    /// # Errors
    /// As [`Session::write`].
    pub(crate) async fn keep_writing(&mut self, in_flight: usize, time: Duration) -> Result<Vec<Duration>> {
        let begin = Instant::now();
        let mut under_way = Vec::with_capacity(in_flight);
        let mut latencies = Vec::new();
        let mut value = 0.0;
        loop {
            while under_way.len() < in_flight && begin.elapsed() < time {
                value += 1.0;
                under_way.push((self.begin_write(value)?, Instant::now()));
            }
            if under_way.is_empty() {
                return Ok(latencies);
            }
            self.flush().await?;
            let mut answer = Some(self.answer().await?);
            // All that came at once goes out again at once.
            while let Some(one) = answer {
                let at = under_way.iter().position(|(request, _)| *request == one.request);
                let at = at
                    .with_context(|| format!("an answer to request {}, which waits for none", one.request))?;
                latencies.push(under_way.swap_remove(at).1.elapsed());
                self.written(&one)?;
                answer = self.take()?;
            }
        }
    }

    /// Sends `count` Writes, and then waits for all of them.
    ///
    /// # Errors
    /// As [`Session::write`].
    pub(crate) async fn write_at_once(&mut self, count: usize) -> Result<()> {
        for _ in 0..count {
            self.begin_write(1.0)?;
        }
        self.flush().await?;
        for _ in 0..count {
            let answer = self.answer().await?;
            self.written(&answer)?;
        }
        Ok(())
    }

    /// Ends it, for a server keeps a session for a while whose connection alone has ended.
    ///
    /// # Errors
    /// Unless the server has ended it.
    pub(crate) async fn close(mut self) -> Result<()> {
        let request = CloseSessionRequest {
            request_header: self.header(),
            delete_subscriptions: true,
        };
        let request = self.message(*b"MSG", &request)?;
        let answer = self.answer_to(request).await?;
        let _: CloseSessionResponse = self.decode(&answer)?;
        Ok(())
    }

    /// Adds a Write to what is to be sent; its number.
    fn begin_write(&mut self, value: f64) -> Result<u32> {
        let node_to_write = WriteValue {
            node_id: self.node.clone(),
            attribute_id: AttributeId::Value as u32,
            value: DataValue::value_only(value),
            ..WriteValue::default()
        };
        let request = WriteRequest {
            request_header: self.header(),
            nodes_to_write: Some(vec![node_to_write]),
        };
        self.message(*b"MSG", &request)
    }

    fn written(&self, answer: &Answer) -> Result<()> {
        let response: WriteResponse = self.decode(answer)?;
        ensure!(
            response.results.as_deref() == Some(&[StatusCode::Good]),
            "a Write was answered {:?}",
            response.results
        );
        Ok(())
    }

    /// Hello, and a channel without protection.
    async fn open_channel(&mut self, url: &str) -> Result<()> {
        self.to_send.put_slice(b"HELF");
        self.to_send.put_u32_le(8 + 5 * 4 + 4 + u32::try_from(url.len())?);
        for number in [0, CHUNK, CHUNK, 0, 0] {
            self.to_send.put_u32_le(number);
        }
        self.to_send.put_u32_le(u32::try_from(url.len())?);
        self.to_send.put_slice(url.as_bytes());
        self.flush().await?;
        let acknowledge = self.packet().await?;
        ensure!(acknowledge.starts_with(b"ACKF"), "no acknowledge after the hello");
        let request = OpenSecureChannelRequest {
            request_header: self.header(),
            client_protocol_version: 0,
            request_type: SecurityTokenRequestType::Issue,
            security_mode: MessageSecurityMode::None,
            client_nonce: ByteString::null(),
            requested_lifetime: LIFETIME,
        };
        let request = self.message(*b"OPN", &request)?;
        let answer = self.answer_to(request).await?;
        let response: OpenSecureChannelResponse = self.decode(&answer)?;
        self.channel = response.security_token.channel_id;
        self.token = response.security_token.token_id;
        Ok(())
    }

    async fn log_in(&mut self, url: &str) -> Result<()> {
        let request = CreateSessionRequest {
            request_header: self.header(),
            endpoint_url: UAString::from(url),
            session_name: UAString::from("load"),
            client_nonce: nonce(),
            requested_session_timeout: f64::from(LIFETIME),
            ..CreateSessionRequest::default()
        };
        let request = self.message(*b"MSG", &request)?;
        let answer = self.answer_to(request).await?;
        let response: CreateSessionResponse = self.decode(&answer)?;
        self.authentication = response.authentication_token;
        let endpoints = response.server_endpoints.unwrap_or_default();
        let policy_id = endpoints
            .iter()
            .filter(|endpoint| endpoint.security_mode == MessageSecurityMode::None)
            .flat_map(|endpoint| endpoint.user_identity_tokens.iter().flatten())
            .find(|policy| policy.token_type == UserTokenType::Anonymous)
            .map(|policy| policy.policy_id.clone())
            .context("the server lets in nobody without a name")?;
        let token = AnonymousIdentityToken { policy_id };
        let request = ActivateSessionRequest {
            request_header: self.header(),
            user_identity_token: ExtensionObject::from_message(token),
            ..ActivateSessionRequest::default()
        };
        let request = self.message(*b"MSG", &request)?;
        let answer = self.answer_to(request).await?;
        let _: ActivateSessionResponse = self.decode(&answer)?;
        Ok(())
    }

    fn header(&self) -> RequestHeader {
        RequestHeader::new(&self.authentication, &DateTime::now(), self.last + 1)
    }

    /// Adds a message to what is to be sent (Part 6, §6.7.2); the number of its request.
    fn message(&mut self, kind: [u8; 3], request: &(impl BinaryEncodable + MessageInfo)) -> Result<u32> {
        self.last += 1;
        let begin = self.to_send.len();
        self.to_send.put_slice(&kind);
        self.to_send.put_u8(b'F');
        self.to_send.put_u32_le(0);
        self.to_send.put_u32_le(self.channel);
        let context = self.context.context();
        let mut writer = (&mut self.to_send).writer();
        if kind == *b"OPN" {
            BinaryEncodable::encode(&UAString::from(POLICY_NONE), &mut writer, &context)?;
            BinaryEncodable::encode(&ByteString::null(), &mut writer, &context)?;
            BinaryEncodable::encode(&ByteString::null(), &mut writer, &context)?;
        } else {
            BinaryEncodable::encode(&self.token, &mut writer, &context)?;
        }
        BinaryEncodable::encode(&self.last, &mut writer, &context)?;
        BinaryEncodable::encode(&self.last, &mut writer, &context)?;
        BinaryEncodable::encode(&NodeId::from(request.type_id()), &mut writer, &context)?;
        request.encode(&mut writer, &context)?;
        let size = u32::try_from(self.to_send.len() - begin)?;
        self.to_send[begin + 4..begin + 8].copy_from_slice(&size.to_le_bytes());
        Ok(self.last)
    }

    async fn flush(&mut self) -> Result<()> {
        self.stream.write_all(&self.to_send).await?;
        self.to_send.clear();
        Ok(())
    }

    /// The answer to the only request under way.
    async fn answer_to(&mut self, request: u32) -> Result<Answer> {
        self.flush().await?;
        let answer = self.answer().await?;
        ensure!(
            answer.request == request,
            "request {request} got the answer to request {}",
            answer.request
        );
        Ok(answer)
    }

    async fn answer(&mut self) -> Result<Answer> {
        let packet = tokio::time::timeout(PATIENCE, self.packet());
        split(packet.await.context("no answer within 15 s")??)
    }

    /// The next answer, where it is there already.
    fn take(&mut self) -> Result<Option<Answer>> {
        next_packet(&mut self.received).map(split).transpose()
    }

    async fn packet(&mut self) -> Result<BytesMut> {
        loop {
            if let Some(packet) = next_packet(&mut self.received) {
                return Ok(packet);
            }
            if self.stream.read_buf(&mut self.received).await? == 0 {
                bail!("the server closed the connection");
            }
        }
    }

    fn decode<T: BinaryDecodable>(&self, answer: &Answer) -> Result<T> {
        let context = self.context.context();
        let mut body = Cursor::new(&answer.body[..]);
        let kind: NodeId = BinaryDecodable::decode(&mut body, &context)?;
        if kind == ObjectId::ServiceFault_Encoding_DefaultBinary {
            let header: ResponseHeader = BinaryDecodable::decode(&mut body, &context)?;
            bail!("the server answers {}", header.service_result);
        }
        Ok(T::decode(&mut body, &context)?)
    }
}

/// Thirty-two bytes that no session has sent before, which node-opcua looks after.
fn nonce() -> ByteString {
    let halves = [Uuid::new_v4(), Uuid::new_v4()];
    ByteString::from(halves.map(Uuid::into_bytes).concat())
}

/// Takes the first packet off what was received, once it is whole.
fn next_packet(received: &mut BytesMut) -> Option<BytesMut> {
    let size = received.get(4..8)?.try_into().map(u32::from_le_bytes).ok()?;
    let size = usize::try_from(size).ok()?;
    (received.len() >= size).then(|| received.split_to(size))
}

/// The body of a message of one chunk, and which request it answers.
fn split(mut packet: BytesMut) -> Result<Answer> {
    let head = match packet.get(..4) {
        Some(b"MSGF") => HEAD,
        // In place of the token: the policy, and no certificates.
        Some(b"OPNF") => HEAD - 4 + 4 + POLICY_NONE.len() + 4 + 4,
        Some(kind) => bail!("the server sends {:?}", String::from_utf8_lossy(kind)),
        None => bail!("the server sends an empty packet"),
    };
    ensure!(
        packet.len() >= head,
        "the server sends a packet that is too short"
    );
    packet.advance(head - 4);
    let request = packet.get_u32_le();
    Ok(Answer {
        request,
        body: packet,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(kind: &[u8], body: &[u8]) -> BytesMut {
        let mut packet = BytesMut::from(kind);
        packet.put_u32_le(u32::try_from(kind.len() + 4 + body.len()).unwrap());
        packet.put_slice(body);
        packet
    }

    #[test]
    fn a_packet_is_taken_once_it_is_whole() {
        let whole = packet(b"MSGF", &[1; 30]);
        for end in 0..whole.len() {
            assert!(next_packet(&mut BytesMut::from(&whole[..end])).is_none());
        }
        let mut received = whole.clone();
        received.put_slice(b"MSG");
        assert_eq!(next_packet(&mut received).unwrap(), whole);
        assert_eq!(&received[..], b"MSG");
    }

    #[test]
    fn the_number_of_a_request_stands_before_the_body() {
        let mut content = vec![0; 12];
        content.extend([9, 0, 0, 0, 1, 2, 3]);
        let answer = split(packet(b"MSGF", &content)).unwrap();
        assert_eq!((answer.request, &answer.body[..]), (9, &[1, 2, 3][..]));
        assert!(split(packet(b"ERRF", &content)).is_err());
        assert!(split(packet(b"MSGF", &content[..8])).is_err());
    }
}
