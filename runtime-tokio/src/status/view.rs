//! What is asked about a running agent, answered from its status, its driver and its nodes.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::snapshot::{
    BrokerStatus, CentralStatus, CertificateStatus, ConnectionStatus, EndpointStatus, ExchangeStatus,
    MappingStatus, NodeStatus, OpcuaStatus, RegistrationStatus, RuleStatus, Snapshot, TransactionTotals,
};
use super::{Link, Status};
use crate::current::Current;
use crate::driver::{AgentHandle, Report};
use crate::endpoint::{Cause, WatchedConnection, WatchedEndpoint};
use crate::mapping::MappedFlow;
use crate::opcua::{Activity, Content, Misfits};
use crate::presence::rfc3339;
use crate::rules::Counters;
use crate::run::{ExchangeNode, Inventory, ServedNode};
use crate::tls;

/// Time for the driver to answer: a turn of its loop, many times over.
const ANSWER_TIME: Duration = Duration::from_secs(1);

/// Everything that can be asked about a running agent.
#[derive(Debug, Clone)]
pub(crate) struct View {
    pub(crate) status: Status,
    pub(crate) agent: AgentHandle,
    pub(crate) inventory: Current<Inventory>,
    pub(crate) tls: Option<Arc<tls::Client>>,
}

impl View {
    /// Asks the driver, which answers between two awaits; `None` when it does not, and so serves nobody.
    pub(crate) async fn report(&self) -> Option<Report> {
        timeout(ANSWER_TIME, self.agent.report()).await.ok().flatten()
    }

    /// Why the agent takes no requests; empty when it does.
    pub(crate) async fn obstacles(&self) -> Vec<String> {
        let report = self.report().await;
        self.obstacles_with(report.as_ref(), &self.status.link().clone())
    }

    fn obstacles_with(&self, report: Option<&Report>, link: &Link) -> Vec<String> {
        let mut obstacles = Vec::new();
        if self.status.is_stopping() {
            obstacles.push("the agent is stopping".to_owned());
        }
        if report.is_none() {
            obstacles.push("the link's task does not answer".to_owned());
        }
        if let Some((_, Some(mismatch))) = &link.central {
            obstacles.push(mismatch.clone());
        } else if let Some((obstacle, _)) = &link.obstacle {
            obstacles.push(format!("not registered: {obstacle}"));
        } else if link.connected.is_none() {
            let broker = &self.status.0.broker;
            obstacles.push(match &link.last_end {
                Some(why) => format!("not connected to {broker}: {why}"),
                None => format!("not connected to {broker} yet"),
            });
        } else {
            let inventory = self.inventory.load();
            let waiting = inventory.nodes.iter().filter(|served| !served.node.is_ready());
            obstacles.extend(waiting.map(|served| {
                format!(
                    "node {} of service {}: the broker has not confirmed the subscription to {}/tres",
                    served.resource, served.service, served.topic
                )
            }));
            let unsubscribed = report.iter().flat_map(|report| &report.waiting);
            obstacles.extend(
                unsubscribed
                    .map(|filter| format!("the broker has not confirmed the subscription to {filter}")),
            );
        }
        obstacles
    }

    /// The whole state at this moment.
    pub(crate) async fn snapshot(&self) -> Snapshot {
        let report = self.report().await;
        let link = self.status.link().clone();
        let reasons = self.obstacles_with(report.as_ref(), &link);
        let in_flight = |served: &ServedNode| {
            let report = report.as_ref()?;
            report.in_flight.get(&served.node.id()).copied()
        };
        let inventory = self.inventory.load();
        let (protocol, since) = link.connected.unzip();
        Snapshot {
            schema: Snapshot::SCHEMA,
            agent: self.status.0.agent.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            hostname: crate::host_name().unwrap_or_default(),
            pid: std::process::id(),
            started_at: rfc3339(self.status.0.started),
            ready: reasons.is_empty(),
            reasons,
            broker: BrokerStatus {
                address: self.status.0.broker.clone(),
                connected: protocol.is_some(),
                protocol,
                since: since.map(rfc3339),
                connections: link.connections,
                last_end: link.last_end,
            },
            central: link.central.map(|(version, mismatch)| CentralStatus {
                version,
                matches: mismatch.is_none(),
            }),
            registration: link
                .obstacle
                .map(|(obstacle, pairing_id)| RegistrationStatus { obstacle, pairing_id }),
            certificate: self.certificate(),
            nodes: inventory
                .nodes
                .iter()
                .map(|served| NodeStatus {
                    service: served.service.clone(),
                    resource: served.resource.clone(),
                    method: served.method.to_string(),
                    url: served.url.clone(),
                    topic: served.topic.clone(),
                    ready: served.node.is_ready(),
                    in_flight: in_flight(served).unwrap_or_default(),
                    rules: served.rules.as_deref().map(rules),
                    misfits: served.misfits.as_deref().map(Misfits::count),
                })
                .collect(),
            exchanges: inventory
                .exchanges
                .iter()
                .map(|node| self.exchange(node))
                .collect(),
            opcua: inventory.opcua.as_ref().map(opcua),
            mappings: inventory.flows.iter().map(mapping).collect(),
            connections: inventory.connections.iter().map(connection).collect(),
            endpoints: inventory
                .connections
                .iter()
                .flat_map(|connection| connection.endpoints.iter().map(|at| endpoint(connection, at)))
                .collect(),
            transactions: report.as_ref().map(totals).unwrap_or_default(),
            reloads: self.status.reloads().status(),
        }
    }

    fn exchange(&self, node: &ExchangeNode) -> ExchangeStatus {
        ExchangeStatus {
            service: node.service.clone(),
            resource: node.resource.clone(),
            operation: node.operation.to_owned(),
            method: node.method.clone(),
            url: node.url.clone(),
            topic: node.topic.clone(),
            ready: match &node.provider {
                Some(provider) => provider.is_ready(),
                None => self.agent.is_online(),
            },
            rules: node.rules.as_deref().map(rules),
            misfits: node.misfits.as_deref().map(Misfits::count),
        }
    }

    fn certificate(&self) -> Option<CertificateStatus> {
        let identity = self.tls.as_ref()?.identity()?;
        let facts = identity.facts;
        Some(CertificateStatus {
            subject: facts.subject,
            serial: facts.serial,
            not_after: facts.not_after.rfc3339(),
            not_after_seconds: facts.not_after.unix_seconds(),
        })
    }
}

fn rules(counters: &Counters) -> RuleStatus {
    RuleStatus {
        received: counters.received(),
        passed: counters.passed(),
        batched: counters.batched(),
        stopped: counters.stopped(),
        failed: counters.failed(),
        overloaded: counters.overloaded(),
    }
}

fn opcua(content: &Content) -> OpcuaStatus {
    let Activity {
        channels,
        sessions,
        held,
        refused,
        refused_logins,
    } = content.activity();
    OpcuaStatus {
        resource: content.resource().to_owned(),
        url: content.url().to_owned(),
        channels,
        sessions,
        held,
        refused,
        refused_logins,
    }
}

fn mapping(flow: &MappedFlow) -> MappingStatus {
    let counters = &flow.counters;
    MappingStatus {
        service: flow.service.clone(),
        resource: flow.resource.clone(),
        item: flow.item,
        subscribes: flow.subscribes.clone(),
        publishes: flow.publishes.clone(),
        received: counters.received(),
        published: counters.passed(),
        batched: counters.batched(),
        stopped: counters.stopped(),
        failed: counters.failed(),
        overloaded: counters.overloaded(),
    }
}

fn connection(connection: &WatchedConnection) -> ConnectionStatus {
    let state = &connection.state;
    let known = state.known();
    ConnectionStatus {
        service: connection.service.clone(),
        resource: connection.resource.clone(),
        protocol: connection.protocol.to_owned(),
        address: state.address().to_owned(),
        connected: known.connected,
        since: Some(rfc3339(known.since)),
        connections: known.connections,
        last_end: known.last_end,
    }
}

fn endpoint(connection: &WatchedConnection, endpoint: &WatchedEndpoint) -> EndpointStatus {
    let tally = &endpoint.tally;
    let messages = tally.messages();
    let failures = Cause::ALL.map(|cause| (cause.name().to_owned(), tally.failed(cause)));
    EndpointStatus {
        service: endpoint.service.clone(),
        resource: endpoint.resource.clone(),
        connection: format!("{}::{}", connection.service, connection.resource),
        operation: endpoint.operation.to_owned(),
        subscribes: endpoint.subscribes.clone(),
        publishes: endpoint.publishes.clone(),
        requests: tally.requests(),
        answered: tally.answered(),
        failures: failures.into(),
        passed_over: tally.passed_over(),
        received: messages.received(),
        published: messages.passed(),
        batched: messages.batched(),
        stopped: messages.stopped(),
        failed: messages.failed(),
        overloaded: messages.overloaded(),
    }
}

fn totals(report: &Report) -> TransactionTotals {
    let counters = &report.counters;
    TransactionTotals {
        open: u64::try_from(report.open).unwrap_or(u64::MAX),
        begun: counters.begun,
        replied: counters.replied,
        failed: counters.failed,
        timed_out: counters.timed_out,
        aborted: counters.aborted,
        cancelled: counters.cancelled.saturating_sub(report.withdrawn),
        withdrawn: report.withdrawn,
        undeliverable: counters.undeliverable,
        late: counters.late,
        duplicate: counters.duplicate,
        unknown: counters.unknown,
        malformed: counters.malformed,
        retained: counters.retained,
    }
}
