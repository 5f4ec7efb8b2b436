//! The vectors of `tests/vectors`, which the tests of C and Python read as well, against the core.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::num::NonZeroU16;

use syncline_core::codec::{
    DecodeError, Packet, PacketId, PacketType, Properties, PropertyBuf, Publish, ReasonCode,
    SubscribeOptions, Version, peek,
};
use syncline_core::error::Blame;
use syncline_core::limits::MAX_PACKET_SIZE;
use syncline_core::session::{
    AckMode, AckToken, Completion, Config, Disconnect, DisconnectReason, Filter, Loss, Output, Publication,
    Reasons, Session, SessionLost, SubmitError, VersionPolicy,
};
use syncline_core::time::{Duration, Instant};
use syncline_core::topic::{TopicFilter, TopicName};
use syncline_tests::vector_file::{Line, vectors};

fn written_hex(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "-".to_owned();
    }
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a text grows");
        text
    })
}

#[test]
fn packets_are_framed_read_and_written_as_the_vectors_say() {
    for (_, lines) in vectors("packet-") {
        let mut version = Version::V5;
        let mut limit = MAX_PACKET_SIZE;
        let mut packet = Vec::new();
        for line in lines {
            let found = match line.keyword() {
                "version" => {
                    version = match line.words[1].as_str() {
                        "4" => Version::V3_1_1,
                        _ => Version::V5,
                    };
                    continue;
                }
                "limit" => {
                    limit = line.number(&line.words[1]);
                    continue;
                }
                "packet" => {
                    packet = line.bytes();
                    continue;
                }
                "frame" => frame(&packet, version, limit),
                "publish" => publish(&packet, version),
                other => panic!("{}: unknown line `{other}`", line.place),
            };
            assert_eq!(found, line.text, "{}", line.place);
        }
    }
}

fn frame(bytes: &[u8], version: Version, limit: u32) -> String {
    match peek(bytes, version, limit) {
        Ok(None) => "frame incomplete".to_owned(),
        Ok(Some(header)) => format!(
            "frame type={} len={}",
            header.packet_type as u8,
            header.packet_len()
        ),
        Err(error) => format!("frame refused={}", family(&error)),
    }
}

fn publish(bytes: &[u8], version: Version) -> String {
    let header = peek(bytes, version, MAX_PACKET_SIZE)
        .expect("a frame")
        .expect("a whole header");
    assert_eq!(header.packet_type, PacketType::Publish);
    let publish = match Publish::decode(header, bytes, version) {
        Ok(publish) => publish,
        Err(error) => return format!("publish refused={}", family(&error)),
    };
    if publish.properties == Properties::EMPTY {
        let mut again = Vec::new();
        Packet::Publish(publish)
            .encode(version, &mut again)
            .expect("what was read can be written");
        assert_eq!(again, bytes);
    }
    format!(
        "publish topic={} payload={} qos={} dup={} retain={} id={}",
        publish.topic,
        written_hex(publish.payload),
        publish.qos as u8,
        u8::from(publish.dup),
        u8::from(publish.retain),
        publish.packet_id.map_or(0, PacketId::get),
    )
}

fn family(error: &DecodeError) -> &'static str {
    match error.reason_code() {
        ReasonCode::MALFORMED_PACKET => "malformed",
        ReasonCode::PACKET_TOO_LARGE => "too-large",
        _ => "protocol",
    }
}

#[test]
fn sessions_go_as_the_vectors_say_however_what_they_receive_is_cut() {
    for (name, lines) in vectors("session-") {
        for piece in [usize::MAX, 1] {
            println!("{name}, received {piece} bytes at a time");
            run(&lines, piece);
        }
    }
}

/// A session in the hands of a vector.
struct Script {
    session: Session,
    now: Instant,
    /// Outputs that no line has named yet.
    outputs: VecDeque<String>,
    last_message: AckToken,
    refused: Option<Blame>,
    /// Most bytes received at a time.
    piece: usize,
}

fn run(lines: &[Line], piece: usize) {
    let inputs = lines.iter().position(|line| !is_configuration(line));
    let (configuration, steps) = lines.split_at(inputs.unwrap_or(lines.len()));
    let mut config = Config::new("vector");
    for line in configuration {
        configure(&mut config, line);
    }
    let mut script = Script {
        session: Session::new(config, [0; 32]).expect("a valid configuration"),
        now: Instant::ZERO,
        outputs: VecDeque::new(),
        last_message: AckToken::from_u64(u64::MAX),
        refused: None,
        piece,
    };
    for line in steps {
        if !script.expects(line) {
            script.must_be_settled(&line.place);
            script.input(line);
            script.drain();
        }
    }
    script.must_be_settled("the end");
}

fn is_configuration(line: &Line) -> bool {
    matches!(line.keyword(), "version" | "set" | "credentials")
}

fn configure(config: &mut Config, line: &Line) {
    match line.keyword() {
        "version" => {
            config.version = match line.words[1].as_str() {
                "0" => VersionPolicy::Auto,
                "4" => VersionPolicy::V3_1_1,
                _ => VersionPolicy::V5,
            };
        }
        "credentials" => {
            config.username = Some(line.field("username").to_owned());
            config.password = Some(line.hex(line.field("password")).into());
        }
        _ => {
            let (name, value) = line.fields.first_key_value().expect("a setting");
            match name.as_str() {
                "clean-start" => config.clean_start = value == "1",
                "keep-alive-seconds" => config.keep_alive = Duration::from_secs(line.number(value)),
                "manual-acks" if value == "1" => config.acks = AckMode::Manual,
                "receive-maximum" => {
                    config.receive_maximum = NonZeroU16::new(line.number(value)).expect("1 or more");
                }
                "session-lost" if value == "1" => config.on_session_lost = SessionLost::Report,
                "topic-alias-maximum" => config.topic_alias_maximum = line.number(value),
                "topic-aliases" => config.topic_aliases = line.number(value),
                _ => panic!("{}: unknown setting {name}={value}", line.place),
            }
        }
    }
}

impl Script {
    fn must_be_settled(&self, place: &str) {
        let unnamed: Vec<_> = self.outputs.iter().collect();
        assert!(
            unnamed.is_empty(),
            "{place}: outputs were not named: {unnamed:#?}"
        );
        let unwritten = self.unwritten();
        assert!(
            unwritten.is_empty(),
            "{place}: `tx {}` is missing",
            spaced(&unwritten)
        );
        assert_eq!(self.refused, None, "{place}: the command before was refused");
    }

    /// Whether the line is an expectation, which is met then.
    fn expects(&mut self, line: &Line) -> bool {
        match line.keyword() {
            "output" => {
                let found = self.outputs.pop_front().unwrap_or_default();
                assert_eq!(found, line.text, "{}", line.place);
            }
            "tx" => {
                let unwritten = self.unwritten();
                let found = format!("tx {}", spaced(&unwritten));
                assert_eq!(found, line.text, "{}", line.place);
                self.session.tx_advance(self.now, unwritten.len());
                self.drain();
            }
            "refused" => {
                let blame = self.refused.take();
                let found = match blame {
                    Some(Blame::Misuse) => "misuse",
                    Some(Blame::Limit) => "limit",
                    Some(Blame::Incompatible) => "incompatible",
                    _ => "not at all",
                };
                assert_eq!(format!("refused {found}"), line.text, "{}", line.place);
            }
            "deadline" => {
                let found = time(self.session.poll_timeout());
                assert_eq!(format!("deadline {found}"), line.text, "{}", line.place);
            }
            _ => return false,
        }
        true
    }

    fn input(&mut self, line: &Line) {
        let (session, now) = (&mut self.session, self.now);
        let topic = |name| TopicName::new(line.field(name).to_owned()).expect("a Topic Name");
        let filter = || TopicFilter::new(line.field("filter").to_owned()).expect("a Topic Filter");
        let result = match line.keyword() {
            "connect" => {
                session.connect(now);
                Ok(())
            }
            "disconnect" => session.disconnect(now, Disconnect::default()),
            "transport-open" => {
                session.handle_transport_open(now);
                Ok(())
            }
            "transport-closed" => {
                session.handle_transport_closed(now);
                Ok(())
            }
            "at" => {
                self.now = Instant::from_micros(line.number(&line.words[1]));
                session.handle_timeout(self.now);
                Ok(())
            }
            "rx" => {
                self.receive(&line.bytes());
                Ok(())
            }
            "publish" => {
                let mut publication =
                    Publication::new(topic("topic"), line.hex(line.field("payload"))).qos(line.qos());
                publication.retain = line.flag("retain");
                session
                    .publish(now, publication)
                    .map(drop)
                    .map_err(|refused| refused.reason)
            }
            "subscribe" => {
                let filter = Filter {
                    filter: filter(),
                    options: SubscribeOptions::at_qos(line.qos()),
                };
                session.subscribe(&[filter], &PropertyBuf::new()).map(drop)
            }
            "unsubscribe" => session.unsubscribe(&[filter()], &PropertyBuf::new()).map(drop),
            "acknowledge" => session.acknowledge(self.last_message),
            other => panic!("{}: unknown line `{other}`", line.place),
        };
        self.refused = result.err().as_ref().map(SubmitError::blame);
    }

    fn receive(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(self.piece.min(bytes.len())) {
            assert_eq!(
                self.session.rx_extend(piece),
                piece.len(),
                "there is room for a vector"
            );
            self.drain();
        }
    }

    fn unwritten(&self) -> Vec<u8> {
        self.session.transmit().runs().flatten().copied().collect()
    }

    fn drain(&mut self) {
        while let Some(output) = self.session.poll(self.now) {
            if let Output::Message(message) = &output
                && let Some(token) = message.ack_token()
            {
                self.last_message = token;
            }
            self.outputs.push_back(format!("output {}", shown(&output)));
        }
    }
}

fn spaced(bytes: &[u8]) -> String {
    let pairs: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    pairs.join(" ")
}

fn time(at: Option<Instant>) -> String {
    at.map_or("none".to_owned(), |at| at.as_micros().to_string())
}

/// An output as the vectors write it.
fn shown(output: &Output) -> String {
    match output {
        Output::OpenTransport => "open-transport".to_owned(),
        Output::CloseTransport => "close-transport".to_owned(),
        Output::Connected(connected) => {
            let version = match connected.version {
                Version::V3_1_1 => 4,
                Version::V5 => 5,
            };
            let present = u8::from(connected.session_present);
            format!("connected version={version} present={present}")
        }
        Output::Disconnected(end) => {
            let (reason, code) = reason(&end.reason);
            let retry = time(end.retry_at);
            format!("disconnected reason={reason} code={code:02x} retry={retry}")
        }
        Output::Message(message) => format!(
            "message topic={} payload={} qos={} retain={} dup={} ack={}",
            message.topic(),
            written_hex(message.payload()),
            message.qos() as u8,
            u8::from(message.retain()),
            u8::from(message.dup()),
            u8::from(message.ack_token().is_some()),
        ),
        Output::Completed(op, completion) => completed(op.to_u64(), completion),
        Output::Store(_) | Output::AuthChallenge(_) => {
            panic!("no vector has a store or authentication")
        }
    }
}

fn completed(op: u64, completion: &Completion) -> String {
    let codes = |reasons: &Reasons| {
        let codes: Vec<_> = reasons.iter().map(|code| code.0).collect();
        written_hex(&codes)
    };
    match completion {
        Completion::Published { reason, .. } => format!("published op={op} code={:02x}", reason.0),
        Completion::Subscribed(reasons) => format!("subscribed op={op} codes={}", codes(reasons)),
        Completion::Unsubscribed(reasons) => format!("unsubscribed op={op} codes={}", codes(reasons)),
        Completion::Lost(loss) => {
            let loss = match loss {
                Loss::LinkLost => "link-lost",
                Loss::SessionLost => "session-lost",
                Loss::Expired => "expired",
                Loss::Dropped => "dropped",
                Loss::Closed => "closed",
                Loss::NotAccepted(_) => "not-accepted",
                other => panic!("the vectors have no word for {other:?}"),
            };
            format!("lost op={op} loss={loss}")
        }
        Completion::Authenticated(_) => panic!("no vector authenticates"),
    }
}

fn reason(reason: &DisconnectReason) -> (&'static str, u8) {
    match reason {
        DisconnectReason::TransportFailed => ("transport-failed", 0),
        DisconnectReason::ConnectTimeout => ("connect-timeout", 0),
        DisconnectReason::ConnackTimeout => ("connack-timeout", 0),
        DisconnectReason::Refused(code) => ("refused", code.0),
        DisconnectReason::ByServer(code) => ("by-server", code.0),
        DisconnectReason::TransportClosed => ("transport-closed", 0),
        DisconnectReason::PingTimeout => ("ping-timeout", 0),
        DisconnectReason::Malformed(error) => ("malformed", error.reason_code().0),
        DisconnectReason::Violation(violation) => ("violation", violation.reason.0),
        DisconnectReason::Requested => ("requested", 0),
        other => panic!("the vectors have no word for {other:?}"),
    }
}
