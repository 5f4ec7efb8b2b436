//! Messages that would come back to where they were sent from: endpoints of other brokers that feed themselves.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use syncline_core::topic::{TopicFilter, TopicName};

use super::super::diagnostic::{Diagnostic, quoted};
use super::super::document::Document;
use super::super::plan::{
    ConnectionProtocol, EndpointOperation, EndpointPlan, EndpointTarget, MqttConnection,
};
use super::super::source::Span;
use super::Builder;

/// Where a broker listens, the same for all spellings of it that can be told to be the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    host: String,
    port: u16,
}

impl Address {
    pub(super) fn new(host: &str, port: u16) -> Self {
        let name = host.trim_end_matches('.').to_ascii_lowercase();
        let loopback = [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()];
        let host = match name.parse::<IpAddr>() {
            Ok(address) if loopback.contains(&address) => "localhost".to_owned(),
            Ok(address) => address.to_string(),
            Err(_) => name,
        };
        Self { host, port }
    }
}

/// An endpoint of another broker, and its place.
pub(super) struct End<'d> {
    document: &'d Document,
    span: Span,
    resource: String,
    broker: Address,
    has_rules: bool,
    way: Way,
}

/// Which way an endpoint's messages go.
enum Way {
    /// From that broker to the agent's.
    In { filter: TopicFilter, publish: TopicName },
    /// From the agent's broker to that one.
    Out { set: TopicName, topic: TopicName },
}

impl<'d> End<'d> {
    /// `None` for an endpoint of another protocol.
    pub(super) fn of(
        document: &'d Document,
        span: Span,
        protocol: &ConnectionProtocol,
        plan: &EndpointPlan,
    ) -> Option<Self> {
        let ConnectionProtocol::Mqtt(connection) = protocol else {
            return None;
        };
        let MqttConnection { host, port, .. } = &**connection;
        let way = match (&plan.target, &plan.operation) {
            (EndpointTarget::MqttSubscribe { filter, .. }, EndpointOperation::Subscribe { publish }) => {
                Way::In {
                    filter: filter.clone(),
                    publish: publish.clone(),
                }
            }
            (EndpointTarget::MqttPublish { topic, .. }, EndpointOperation::Write { set, .. }) => Way::Out {
                set: set.clone(),
                topic: topic.clone(),
            },
            _ => return None,
        };
        Some(Self {
            document,
            span,
            resource: plan.resource.clone(),
            broker: Address::new(host, *port),
            has_rules: !plan.rules.is_empty(),
            way,
        })
    }

    /// How its messages come back to it, if they do; `own` is the agent's broker.
    fn cycle(&self, own: Option<&Address>, all: &[End<'_>]) -> Option<String> {
        let is_own = own == Some(&self.broker);
        match &self.way {
            Way::In { filter, publish } => {
                if is_own && filter.matches(publish.as_str()) {
                    return Some(format!(
                        "its broker is the agent's own, and what it publishes on {} is what it subscribes to",
                        quoted(publish.as_str())
                    ));
                }
                let back = all.iter().find(|other| match &other.way {
                    Way::Out { set, topic } => {
                        other.broker == self.broker && set == publish && filter.matches(topic.as_str())
                    }
                    Way::In { .. } => false,
                })?;
                Some(format!(
                    "what it publishes on {} is written back by {} to what it subscribes to",
                    quoted(publish.as_str()),
                    quoted(&back.resource)
                ))
            }
            Way::Out { set, topic } => (is_own && set == topic).then(|| {
                format!(
                    "its broker is the agent's own, and it writes to {}, from where its messages come",
                    quoted(topic.as_str())
                )
            }),
        }
    }
}

impl Builder<'_, '_> {
    /// Reports each of `ends` that feeds itself: as a warning where its rules may put an end to that.
    pub(super) fn cycles(&mut self, own: Option<&Address>, ends: &[End<'_>]) {
        for end in ends {
            let Some(how) = end.cycle(own, ends) else { continue };
            let message = format!(
                "messages of {} would go round for ever: {how}",
                quoted(&end.resource)
            );
            let source = &end.document.source;
            let may_end = end.has_rules && matches!(end.way, Way::In { .. });
            let diagnostic = match may_end {
                true => Diagnostic::warning(source, end.span, message)
                    .help("see that a rule stops what has come from here"),
                false => Diagnostic::error(source, end.span, message)
                    .help("give one of the two another topic, or use a mapping within one broker"),
            };
            self.report.push(diagnostic);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_broker_is_the_same_however_it_is_written() {
        let same = [
            ("localhost", "127.0.0.1"),
            ("LOCALHOST", "::1"),
            ("Broker.", "broker"),
            ("::ffff", "::FFFF"),
        ];
        for (one, other) in same {
            assert_eq!(Address::new(one, 1), Address::new(other, 1), "{one} {other}");
        }
        assert_ne!(Address::new("a", 1), Address::new("a", 2));
        assert_ne!(Address::new("a", 1), Address::new("b", 1));
    }
}
