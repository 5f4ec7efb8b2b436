//! The state of an agent as text for people.

use std::fmt;

use super::snapshot::{
    CentralStatus, ConnectionStatus, EndpointStatus, MappingStatus, RegistrationStatus, RuleStatus, Snapshot,
};

/// Aligned lines; begins with the answer to the question that is asked most.
impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}  {}",
            self.agent,
            if self.ready { "ready" } else { "not ready" }
        )?;
        for reason in &self.reasons {
            writeln!(f, "  because  {reason}")?;
        }
        writeln!(
            f,
            "version    {}, process {} on {} since {}",
            self.version, self.pid, self.hostname, self.started_at
        )?;
        let broker = &self.broker;
        match (&broker.protocol, &broker.since) {
            (Some(protocol), Some(since)) if broker.connected => {
                writeln!(f, "broker     {}, MQTT {protocol} since {since}", broker.address)?;
            }
            _ => writeln!(f, "broker     {}, not connected", broker.address)?,
        }
        if let Some(CentralStatus { version, matches }) = &self.central {
            let state = if *matches {
                ""
            } else {
                ", which does not go with this agent's"
            };
            writeln!(f, "central    version {version}{state}")?;
        }
        if let Some(RegistrationStatus { obstacle, pairing_id }) = &self.registration {
            writeln!(f, "register   {obstacle}")?;
            if let Some(pairing_id) = pairing_id {
                writeln!(f, "pairing    {pairing_id}")?;
            }
        }
        if let Some(certificate) = &self.certificate {
            writeln!(
                f,
                "login      {}, until {}",
                certificate.subject, certificate.not_after
            )?;
        }
        let totals = &self.transactions;
        writeln!(
            f,
            "requests   {} held, {} answered, {} refused, {} timed out, {} withdrawn",
            totals.open, totals.replied, totals.failed, totals.timed_out, totals.withdrawn
        )?;
        if let Some(last) = &self.reloads.last {
            writeln!(f, "reload     {last}")?;
        }
        for node in &self.nodes {
            let state = if node.ready { "ready" } else { "waits " };
            writeln!(
                f,
                "node       {state}  {} {}  {}",
                node.method, node.url, node.topic
            )?;
            rules(f, node.rules.as_ref())?;
            misfits(f, node.misfits)?;
        }
        for node in &self.exchanges {
            let state = if node.ready { "ready" } else { "waits " };
            // The column is no wider.
            let operation = match node.operation.as_str() {
                "provide, receive" => "exchange",
                one => one,
            };
            writeln!(
                f,
                "{operation:<10} {state}  {} {}  {}",
                node.method, node.url, node.topic
            )?;
            rules(f, node.rules.as_ref())?;
            misfits(f, node.misfits)?;
        }
        if let Some(opcua) = &self.opcua {
            writeln!(
                f,
                "opc ua     {}  {} sessions, {} held, {} refused, {} logins refused",
                opcua.url, opcua.sessions, opcua.held, opcua.refused, opcua.refused_logins
            )?;
        }
        for mapping in &self.mappings {
            let MappingStatus {
                service,
                resource,
                item,
                publishes,
                ..
            } = mapping;
            let subscribes = mapping.subscribes.join(", ");
            writeln!(
                f,
                "mapping    {service}::{resource} {item}  {subscribes} to {publishes}  {} received, {} published, {}{} stopped, {} failed, {} dropped",
                mapping.received,
                mapping.published,
                InBatches(mapping.batched),
                mapping.stopped,
                mapping.failed,
                mapping.overloaded
            )?;
        }
        for connection in &self.connections {
            let ConnectionStatus {
                service,
                resource,
                address,
                ..
            } = connection;
            writeln!(
                f,
                "connection {service}::{resource}  {address}  {}",
                connection.state_told()
            )?;
        }
        for endpoint in &self.endpoints {
            let EndpointStatus {
                service,
                resource,
                operation,
                publishes,
                ..
            } = endpoint;
            let from = endpoint.subscribes.as_ref().map(|topic| format!("{topic} "));
            let from = from.unwrap_or_default();
            let requests = endpoint.requests_told().map(|told| format!("{told}; "));
            writeln!(
                f,
                "endpoint   {service}::{resource} {operation}  {from}to {publishes}  {}{} received, {} published, {}{} stopped, {} failed, {} dropped",
                requests.unwrap_or_default(),
                endpoint.received,
                endpoint.published,
                InBatches(endpoint.batched),
                endpoint.stopped,
                endpoint.failed,
                endpoint.overloaded
            )?;
        }
        Ok(())
    }
}

/// How many messages a batch has taken in, where there are any.
pub(crate) struct InBatches(pub(crate) u64);

impl fmt::Display for InBatches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            count => write!(f, "{count} in batches, "),
        }
    }
}

/// What the rules of a node have done, where it has any.
fn rules(f: &mut fmt::Formatter<'_>, rules: Option<&RuleStatus>) -> fmt::Result {
    rules.map_or(Ok(()), |rules| writeln!(f, "  rules    {rules}"))
}

/// How many messages did not fit a node, where there were any.
fn misfits(f: &mut fmt::Formatter<'_>, misfits: Option<u64>) -> fmt::Result {
    let some = misfits.filter(|count| *count > 0);
    some.map_or(Ok(()), |count| {
        writeln!(f, "  misfits  {count} messages of another type than the node's")
    })
}
