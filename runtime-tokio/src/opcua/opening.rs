//! How clients open secure channels and renew their keys: by the policies that the server offers, and a channel only by its own. By None,
//! where that is not offered, they may ask what is, and no more.
//!
//! The library decrypts an OpenSecureChannel request by every policy that it knows, and renews a channel by any of them, None included
//! (decision 0024). Policy and certificate stand unencrypted at the beginning of each (Part 6, §6.7.2), where they are seen before the
//! library has all of it.

use std::fmt;
use std::sync::Arc;

use opcua::crypto::SecurityPolicy as Policy;
use opcua::types::StatusCode;

use super::heads::{HEADER, Heads, size};
use super::refusals::Refusals;
use super::unfit::Unfit;
use crate::tls::Moment;

/// Bytes up to the end of a service's number, in a message that is not encrypted: after the header the numbers of channel and token,
/// sequence and request, then the type of what is asked (Part 6, §6.7.2 and §5.2.2.9).
const ASKED: usize = HEADER + 4 * 4 + 4;
/// The requests FindServers, GetEndpoints and FindServersOnNetwork, as they are written.
const DISCOVERY: [[u8; 4]; 3] = [numbered(422), numbered(428), numbered(12208)];
/// Bytes up to the end of the channel's number, which follows the header.
const NUMBERED: usize = HEADER + 4;
/// Bytes of a policy's URI (Part 6, §6.7.2.3).
const MAX_URI: usize = 255;
/// Bytes of a client's certificate with those that vouch for it.
const MAX_CERTIFICATE: usize = 32 * 1024;

/// What a server offers, and what its clients have wanted otherwise.
#[derive(Debug)]
pub(super) struct Offer {
    policies: Vec<&'static str>,
    /// Whether None is for sessions as well.
    takes_sessions_by_none: bool,
    refusals: Refusals,
    unfit: Refusals,
}

/// The requests of one connection.
#[derive(Debug)]
pub(super) struct Openings {
    offer: Arc<Offer>,
    heads: Heads,
    /// By what its channel was opened.
    opened: Option<Opening>,
}

/// What an OpenSecureChannel request begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Opening {
    policy: Vec<u8>,
    certificate: Vec<u8>,
}

/// Why a connection is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// The server does not offer this policy.
    Policy,
    /// By the policy None, which the server offers for nothing else, more than what it offers.
    Unprotected,
    /// Another policy or certificate than that of the channel.
    Changed,
    /// No client sends this.
    Malformed,
}

impl Offer {
    /// These policies; and None, by which every server tells what it offers (Part 4, §5.5.1).
    pub(super) fn new(policies: impl Iterator<Item = Policy>) -> Self {
        let mut policies: Vec<&str> = policies.map(|policy| policy.to_uri()).collect();
        let takes_sessions_by_none = policies.contains(&Policy::None.to_uri());
        policies.push(Policy::None.to_uri());
        Self {
            policies,
            takes_sessions_by_none,
            refusals: Refusals::new("OPC UA connections"),
            unfit: Refusals::new("OPC UA clients for their certificates"),
        }
    }
}

impl Openings {
    pub(super) fn new(offer: Arc<Offer>) -> Self {
        Self {
            offer,
            heads: Heads::default(),
            opened: None,
        }
    }

    /// Looks at the next bytes of the client, before the server gets them.
    ///
    /// # Errors
    /// When the connection is to end; the log has heard of it.
    pub(super) fn look(&mut self, mut bytes: &[u8]) -> Result<(), Refused> {
        loop {
            let is_for_discovery = self.is_for_discovery();
            let Some(head) = self.heads.next(&mut bytes, |head| wanted(head, is_for_discovery)) else {
                return Ok(());
            };
            let looked = match (size(head), head) {
                (None | Some(..HEADER), _) => Err(Refused::Malformed),
                (Some(_), [b'O', b'P', b'N', ..]) => judge(&self.offer, &mut self.opened, head),
                (Some(_), [b'M', b'S', b'G', ..]) if is_for_discovery => judge_asked(head),
                (Some(_), _) => Ok(()),
            };
            if let Err(refused) = looked {
                self.offer.refusals.note(&refused);
                return Err(refused);
            }
        }
    }

    /// Whether the channel is only for asking what the server offers: a session on it could never be activated, and would take a place.
    fn is_for_discovery(&self) -> bool {
        let opened = self.opened.as_ref();
        let is_none = opened.is_some_and(|opened| opened.policy == Policy::None.to_uri().as_bytes());
        is_none && !self.offer.takes_sessions_by_none
    }
}

/// The type of a request with this number, as encoders write it.
const fn numbered(id: u16) -> [u8; 4] {
    let [low, high] = id.to_le_bytes();
    [1, 0, low, high]
}

/// What is asked in one message that is not encrypted; nothing of this kind needs more than one chunk.
fn judge_asked(head: &[u8]) -> Result<(), Refused> {
    let asked = head.get(ASKED - 4..ASKED);
    let is_whole = head.get(3) == Some(&b'F');
    match asked.is_some_and(|asked| is_whole && DISCOVERY.iter().any(|known| known == asked)) {
        true => Ok(()),
        false => Err(Refused::Unprotected),
    }
}

/// How much of a message is to be seen: of an OpenSecureChannel request all up to the end of the certificate, of others on a channel for
/// discovery what they ask for.
fn wanted(head: &[u8], is_for_discovery: bool) -> usize {
    match head {
        [b'O', b'P', b'N', ..] => {}
        [b'M', b'S', b'G', ..] if is_for_discovery => return ASKED,
        _ => return HEADER,
    }
    match field(head, NUMBERED, MAX_URI) {
        Field::Is { end, .. } => match field(head, end, MAX_CERTIFICATE) {
            Field::Is { end, .. } | Field::Wants(end) => end,
            Field::TooLong => head.len(),
        },
        Field::Wants(end) => end,
        Field::TooLong => head.len(),
    }
}

fn judge(offer: &Offer, opened: &mut Option<Opening>, head: &[u8]) -> Result<(), Refused> {
    let Field::Is { content: policy, end } = field(head, NUMBERED, MAX_URI) else {
        return Err(Refused::Malformed);
    };
    let Field::Is {
        content: certificate, ..
    } = field(head, end, MAX_CERTIFICATE)
    else {
        return Err(Refused::Malformed);
    };
    if !offer.policies.iter().any(|offered| offered.as_bytes() == policy) {
        return Err(Refused::Policy);
    }
    let opening = Opening {
        policy: policy.to_vec(),
        certificate: certificate.to_vec(),
    };
    match opened {
        Some(opened) if *opened != opening => Err(Refused::Changed),
        Some(_) => Ok(()),
        None => {
            // The library refuses its session, and tells nobody else.
            if let Some(unfit) = Unfit::find(certificate, policy, Moment::now()) {
                offer.unfit.note(&unfit);
            }
            *opened = Some(opening);
            Ok(())
        }
    }
}

/// A text or byte string: its length, -1 for none, and its bytes (Part 6, §5.2.2.4).
enum Field<'h> {
    /// All of it is there.
    Is {
        content: &'h [u8],
        end: usize,
    },
    /// It is there when the head is so long.
    Wants(usize),
    TooLong,
}

fn field(head: &[u8], at: usize, most: usize) -> Field<'_> {
    let begin = at + 4;
    let Some(length) = head.get(at..begin).and_then(|length| length.try_into().ok()) else {
        return Field::Wants(begin);
    };
    let length = usize::try_from(i32::from_le_bytes(length)).unwrap_or(0);
    if length > most {
        return Field::TooLong;
    }
    let end = begin + length;
    match head.get(begin..end) {
        Some(content) => Field::Is { content, end },
        None => Field::Wants(end),
    }
}

impl Refused {
    /// What the client is told.
    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::Policy | Self::Unprotected => StatusCode::BadSecurityPolicyRejected,
            Self::Changed => StatusCode::BadSecurityChecksFailed,
            Self::Malformed => StatusCode::BadDecodingError,
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Policy => "this server does not offer the security policy",
            Self::Unprotected => "this server takes no sessions by the security policy None",
            Self::Changed => {
                "a channel is renewed by the security policy and the certificate that it was opened by"
            }
            Self::Malformed => "this is not OPC UA",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(content: &[u8]) -> Vec<u8> {
        [&i32::try_from(content.len()).unwrap().to_le_bytes()[..], content].concat()
    }

    fn request(policy: &str, certificate: &[u8]) -> Vec<u8> {
        let content = [
            &[0; 4][..],
            &text(policy.as_bytes()),
            &text(certificate),
            &[7; 300],
        ]
        .concat();
        message(b"OPNF", &content)
    }

    fn message(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
        let size = u32::try_from(HEADER + content.len()).unwrap();
        [kind, &size.to_le_bytes()[..], content].concat()
    }

    /// What becomes of what a client sends, which is the same however its bytes come.
    fn sent(messages: &[Vec<u8>]) -> Result<(), Refused> {
        let offer = Arc::new(Offer::new(
            [Policy::Basic256Sha256, Policy::Aes256Sha256RsaPss].into_iter(),
        ));
        let bytes = [&[message(b"HELF", &[1; 30])], messages].concat().concat();
        let outcome = |size: usize| {
            let mut openings = Openings::new(Arc::clone(&offer));
            bytes.chunks(size).try_for_each(|bytes| openings.look(bytes))
        };
        let whole = outcome(bytes.len());
        for size in (1..40).chain([100, 255, 256, 300]) {
            assert_eq!(outcome(size), whole, "{size} bytes at a time");
        }
        whole
    }

    const SIGNED: &str = "http://opcfoundation.org/UA/SecurityPolicy#Basic256Sha256";
    const PSS: &str = "http://opcfoundation.org/UA/SecurityPolicy#Aes256_Sha256_RsaPss";
    const OLD: &str = "http://opcfoundation.org/UA/SecurityPolicy#Basic128Rsa15";
    const NONE: &str = "http://opcfoundation.org/UA/SecurityPolicy#None";

    #[test]
    fn by_a_policy_that_is_for_discovery_alone_nothing_else_is_asked() {
        let asks =
            |kind: &[u8; 4], number: [u8; 4]| message(kind, &[&[3; 16], &number[..], &[9; 60]].concat());
        let opened = request(NONE, b"");
        for number in DISCOVERY {
            let messages = [opened.clone(), asks(b"MSGF", number), message(b"CLOF", &[1; 40])];
            assert_eq!(sent(&messages), Ok(()), "{number:?}");
        }
        // CreateSession, and what would hide it: more than one chunk, another encoding of its number, too little of it.
        let create = numbered(461);
        for refused in [
            asks(b"MSGF", create),
            asks(b"MSGC", DISCOVERY[0]),
            asks(b"MSGF", [2, 0, 0, 205]),
            message(b"MSGF", &[3; 10]),
        ] {
            let messages = [opened.clone(), asks(b"MSGF", DISCOVERY[1]), refused];
            assert_eq!(sent(&messages), Err(Refused::Unprotected));
        }
        let protected = [request(SIGNED, b"me"), asks(b"MSGF", create)];
        assert_eq!(sent(&protected), Ok(()));
        let offer = Arc::new(Offer::new([Policy::None].into_iter()));
        let mut openings = Openings::new(offer);
        let messages = [opened, asks(b"MSGF", create)].concat();
        assert_eq!(openings.look(&messages), Ok(()));
    }

    #[test]
    fn a_channel_is_opened_by_what_is_offered_and_renewed_by_the_same() {
        let other = message(b"MSGF", &[3; 5000]);
        assert_eq!(
            sent(&[request(SIGNED, b"me"), other.clone(), request(SIGNED, b"me")]),
            Ok(())
        );
        assert_eq!(sent(&[request(NONE, b""), request(NONE, b"")]), Ok(()));
        assert_eq!(sent(&[request(PSS, &[5; 1200])]), Ok(()));
    }

    #[test]
    fn a_policy_that_is_not_offered_opens_nothing() {
        for policy in [
            OLD,
            "",
            "http://opcfoundation.org/UA/SecurityPolicy#Basic256Sha256 ",
        ] {
            assert_eq!(sent(&[request(policy, b"me")]), Err(Refused::Policy), "{policy}");
        }
    }

    #[test]
    fn a_channel_is_not_renewed_by_another_policy_or_certificate() {
        let other = message(b"MSGF", &[3; 50]);
        for renewal in [
            request(NONE, b""),
            request(NONE, b"me"),
            request(PSS, b"me"),
            request(SIGNED, b"you"),
        ] {
            let messages = [request(SIGNED, b"me"), other.clone(), renewal];
            assert_eq!(sent(&messages), Err(Refused::Changed));
        }
        assert_eq!(
            sent(&[request(NONE, b""), request(SIGNED, b"me")]),
            Err(Refused::Changed)
        );
    }

    #[test]
    fn lengths_beyond_a_message_or_a_bound_are_refused() {
        let long = [&[0; 4][..], &i32::MAX.to_le_bytes(), &[1; 500]].concat();
        assert_eq!(sent(&[message(b"OPNF", &long)]), Err(Refused::Malformed));
        let cut = [&[0; 4][..], &200_i32.to_le_bytes(), &[1; 100]].concat();
        assert_eq!(
            sent(&[message(b"OPNF", &cut), message(b"MSGF", &[1; 300])]),
            Err(Refused::Malformed)
        );
        assert_eq!(sent(&[message(b"OPNF", b"")]), Err(Refused::Malformed));
        let absent = [&[0; 4][..], &(-1_i32).to_le_bytes(), &(-1_i32).to_le_bytes()].concat();
        assert_eq!(sent(&[message(b"OPNF", &absent)]), Err(Refused::Policy));
        let certificate = [
            &[0; 4][..],
            &text(SIGNED.as_bytes()),
            &40_000_i32.to_le_bytes(),
            &[1; 40],
        ]
        .concat();
        assert_eq!(sent(&[message(b"OPNF", &certificate)]), Err(Refused::Malformed));
        assert_eq!(
            sent(&[b"MSGF\x07\0\0\0".to_vec(), request(OLD, b"")]),
            Err(Refused::Malformed)
        );
    }
}
