//! What MQTT 5.0 says beside the JSON of a request: where the answer goes, what joins the two, and how long that is worth it.
//!
//! A treq is an MQTT 5.0 request (§4.10) as well: an answer that goes to its Response Topic with its Correlation Data arrives,
//! whether its sender knows FlowSync's topics or not. The JSON alone is enough all the same, and over 3.1.1 there is no more.

use bytes::Bytes;

use super::trace::TRACEPARENT;
use super::{TraceParent, TransactionId, tres_topic};
use crate::codec::{Properties, Property, PropertyBuf, PropertyId};
use crate::time::Duration;
use crate::topic::TopicName;

/// Content Type of treq and tres.
pub const CONTENT_TYPE: &str = "application/json";

/// Bytes of properties beside Response Topic and `traceparent`.
const ROOM: usize = 96;

/// The properties of a treq: Content Type, Response Topic, the id as Correlation Data, and the `traceparent` as User Property.
#[must_use]
pub fn treq_properties(
    transaction: TransactionId,
    tres: &TopicName,
    trace: Option<&TraceParent>,
) -> PropertyBuf {
    let traced = trace.map_or(0, |trace| TRACEPARENT.len() + trace.as_str().len() + 5);
    let mut properties = PropertyBuf::with_capacity(ROOM + tres.as_str().len() + traced);
    let mut text = uuid::Uuid::encode_buffer();
    let id = transaction.0.hyphenated().encode_lower(&mut text);
    let pushed = [
        Property::ContentType(CONTENT_TYPE),
        Property::ResponseTopic(tres.as_str()),
        Property::CorrelationData(id.as_bytes()),
    ];
    for property in pushed {
        // Each is short, and there once.
        let _ = properties.push(property);
    }
    if let Some(trace) = trace {
        let _ = properties.push(Property::UserProperty(TRACEPARENT, trace.as_str()));
    }
    properties
}

/// The transaction that the Correlation Data of a reply names: the id as text, as a treq has it, or as its 16 bytes.
#[must_use]
pub fn correlated(properties: &Properties<'_>) -> Option<TransactionId> {
    let Some(Property::CorrelationData(data)) = properties.find(PropertyId::CorrelationData) else {
        return None;
    };
    match <[u8; 16]>::try_from(data) {
        Ok(bytes) => Some(TransactionId::from_bytes(bytes)),
        Err(_) => core::str::from_utf8(data).ok()?.parse().ok(),
    }
}

/// What the properties of a received treq say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Where the answer goes: the Response Topic, else the request's topic with `/tres` for `/treq`.
    pub reply_to: TopicName,
    /// What the answer has to carry as Correlation Data.
    pub correlation: Option<Bytes>,
    /// How long an answer is worth sending.
    pub expiry: Option<Duration>,
    /// Who asked, where the request has a valid `traceparent`.
    pub trace: Option<TraceParent>,
}

impl Asked {
    /// Reads them; `None` where nothing says where the answer goes.
    #[must_use]
    pub fn read(topic: &str, properties: &Properties<'_>) -> Option<Self> {
        let reply_to = match properties.find(PropertyId::ResponseTopic) {
            Some(Property::ResponseTopic(topic)) => TopicName::try_from(topic).ok()?,
            _ => TopicName::new(tres_topic(topic)?).ok()?,
        };
        let correlation = match properties.find(PropertyId::CorrelationData) {
            Some(Property::CorrelationData(data)) => Some(Bytes::copy_from_slice(data)),
            _ => None,
        };
        let expiry = match properties.find(PropertyId::MessageExpiryInterval) {
            Some(Property::MessageExpiryInterval(seconds)) => Some(Duration::from_secs(seconds.into())),
            _ => None,
        };
        let trace = properties.iter().find_map(|property| match property {
            Property::UserProperty(TRACEPARENT, text) => text.parse().ok(),
            _ => None,
        });
        Some(Self {
            reply_to,
            correlation,
            expiry,
            trace,
        })
    }

    /// The properties of the answer.
    #[must_use]
    pub fn tres_properties(&self) -> PropertyBuf {
        let mut properties = PropertyBuf::new();
        // Each is as long as it came, and there once.
        let _ = properties.push(Property::ContentType(CONTENT_TYPE));
        if let Some(data) = &self.correlation {
            let _ = properties.push(Property::CorrelationData(data));
        }
        properties
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn id() -> TransactionId {
        TransactionId::from_bytes([7; 16])
    }

    #[test]
    fn what_a_treq_says_is_read_by_who_answers() {
        let tres = TopicName::try_from("a/tres").unwrap();
        let trace: TraceParent = TRACE.parse().unwrap();
        let mut properties = treq_properties(id(), &tres, Some(&trace));
        properties.push(Property::MessageExpiryInterval(3)).unwrap();
        let asked = Asked::read("elsewhere", &properties.as_properties()).unwrap();
        assert_eq!(asked.reply_to, tres);
        assert_eq!(asked.expiry, Some(Duration::from_secs(3)));
        assert_eq!(asked.trace, Some(trace));
        let answer = asked.tres_properties();
        assert_eq!(correlated(&answer.as_properties()), Some(id()));
        assert_eq!(
            answer.as_properties().find(PropertyId::ContentType),
            Some(Property::ContentType(CONTENT_TYPE))
        );
    }

    #[test]
    fn without_properties_the_topic_says_where_the_answer_goes() {
        let asked = Asked::read("a/treq", &Properties::EMPTY).unwrap();
        assert_eq!(asked.reply_to.as_str(), "a/tres");
        assert_eq!((asked.correlation, asked.expiry, asked.trace), (None, None, None));
        assert_eq!(Asked::read("a/b", &Properties::EMPTY), None);
    }

    #[test]
    fn correlation_data_names_a_transaction_as_text_or_as_bytes() {
        let with = |data: &[u8]| {
            let mut properties = PropertyBuf::new();
            properties.push(Property::CorrelationData(data)).unwrap();
            correlated(&properties.as_properties())
        };
        assert_eq!(with(&[7; 16]), Some(id()));
        assert_eq!(
            with(alloc::string::ToString::to_string(&id()).as_bytes()),
            Some(id())
        );
        for data in [&b""[..], b"x", &[7; 15], &[0xFF; 36]] {
            assert_eq!(with(data), None);
        }
        assert_eq!(correlated(&Properties::EMPTY), None);
    }

    #[test]
    fn a_trace_parent_that_is_none_is_left_out() {
        let mut properties = PropertyBuf::new();
        properties
            .push(Property::UserProperty("traceparent", "x"))
            .unwrap();
        properties.push(Property::UserProperty("other", TRACE)).unwrap();
        let asked = Asked::read("a/treq", &properties.as_properties()).unwrap();
        assert_eq!(asked.trace, None);
    }
}
