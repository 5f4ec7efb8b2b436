//! The state of an agent at one moment, as `syncline status` shows it: JSON with a version; `text.rs` has the text for people.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};

use super::text::InBatches;

/// Version of the JSON; a field is never removed or given another meaning within one.
const SCHEMA: u32 = 1;

/// The state of an agent at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// Version of this JSON.
    pub schema: u32,
    /// Name of the agent.
    pub agent: String,
    /// Version of the agent.
    pub version: String,
    /// The machine.
    pub hostname: String,
    /// Process id.
    pub pid: u32,
    /// When the agent started, RFC 3339.
    pub started_at: String,
    /// Whether it accepts requests.
    pub ready: bool,
    /// Why not, with the cure where there is one.
    pub reasons: Vec<String>,
    /// The link to the broker.
    pub broker: BrokerStatus,
    /// The central, where it has told its version.
    pub central: Option<CentralStatus>,
    /// What stands in the way of the registration.
    pub registration: Option<RegistrationStatus>,
    /// The certificate that the agent shows to the broker.
    pub certificate: Option<CertificateStatus>,
    /// Transaction nodes, in the order of the plan.
    pub nodes: Vec<NodeStatus>,
    /// Nodes that receive or provide, in the order of the plan.
    #[serde(default)]
    pub exchanges: Vec<ExchangeStatus>,
    /// The OPC UA server, where there is one.
    #[serde(default)]
    pub opcua: Option<OpcuaStatus>,
    /// Items of mappings, in the order of the plan.
    #[serde(default)]
    pub mappings: Vec<MappingStatus>,
    /// Connections to other systems, in the order of the plan.
    #[serde(default)]
    pub connections: Vec<ConnectionStatus>,
    /// Endpoints, in the order of the plan.
    #[serde(default)]
    pub endpoints: Vec<EndpointStatus>,
    /// Transactions since the start.
    pub transactions: TransactionTotals,
    /// How often the commissioning files were taken up anew.
    #[serde(default)]
    pub reloads: ReloadStatus,
}

/// The link to the broker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BrokerStatus {
    /// Host and port.
    pub address: String,
    /// Whether there is a connection.
    pub connected: bool,
    /// Version of MQTT, while there is a connection.
    pub protocol: Option<String>,
    /// Since when there is a connection, RFC 3339.
    pub since: Option<String>,
    /// Connections since the start.
    pub connections: u64,
    /// Why the last connection or attempt ended.
    pub last_end: Option<String>,
}

/// The central.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CentralStatus {
    /// Its version, as it told last.
    pub version: String,
    /// Whether that goes with the agent's; if not, the agent stays offline.
    pub matches: bool,
}

/// A registration that is not through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RegistrationStatus {
    /// What stands in the way, and how to mend it.
    pub obstacle: String,
    /// What both sides show of the credentials.
    pub pairing_id: Option<String>,
}

/// A certificate in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CertificateStatus {
    /// Whose it is.
    pub subject: String,
    /// Serial number, hexadecimal.
    pub serial: String,
    /// Its last moment.
    pub not_after: String,
    /// Its last moment in seconds since 1970.
    pub not_after_seconds: i64,
}

/// A transaction node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeStatus {
    /// `serviceId`.
    pub service: String,
    /// Resource id.
    pub resource: String,
    /// Request method; `Write` or `Call` of an OPC UA node.
    pub method: String,
    /// Absolute URL; of an OPC UA node that of its server, and its id.
    pub url: String,
    /// Topic that `treq` and `tres` are appended to.
    pub topic: String,
    /// Whether the broker has confirmed the subscription to its replies.
    pub ready: bool,
    /// Requests that are held.
    pub in_flight: usize,
    /// What its rules have made of messages; `None` where it has none.
    #[serde(default)]
    pub rules: Option<RuleStatus>,
    /// Replies since the start that did not fit the method; `None` of other nodes.
    #[serde(default)]
    pub misfits: Option<u64>,
}

/// A node that receives or provides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExchangeStatus {
    /// `serviceId`.
    pub service: String,
    /// Resource id.
    pub resource: String,
    /// `receive` or `provide`; an OPC UA variable may do both, `provide, receive`.
    pub operation: String,
    /// How clients ask it.
    pub method: String,
    /// Absolute URL; of an OPC UA node that of its server, and its id.
    pub url: String,
    /// The topic.
    pub topic: String,
    /// Whether there is a broker to publish to, and whether it has confirmed the subscription of an HTTP node that provides.
    pub ready: bool,
    /// What its rules have made of messages; `None` where it has none.
    pub rules: Option<RuleStatus>,
    /// Messages since the start that did not fit the OPC UA variable; `None` of nodes that take none.
    #[serde(default)]
    pub misfits: Option<u64>,
}

/// What the rules of a node have made of messages since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleStatus {
    /// Messages that came.
    pub received: u64,
    /// Messages that went on; a batch of `burst` is one.
    pub passed: u64,
    /// Messages that `burst` has kept for a batch; the one that completes a batch goes on as that.
    #[serde(default)]
    pub batched: u64,
    /// Messages that a rule stopped as it should.
    pub stopped: u64,
    /// Messages for which a rule failed, or that could not be published.
    pub failed: u64,
    /// Messages that were dropped because they came faster than they were handled.
    pub overloaded: u64,
}

impl fmt::Display for RuleStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            received,
            passed,
            batched,
            stopped,
            failed,
            overloaded,
        } = self;
        let batched = InBatches(*batched);
        write!(
            f,
            "{received} received, {passed} passed, {batched}{stopped} stopped, {failed} failed, {overloaded} dropped"
        )
    }
}

/// The OPC UA server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OpcuaStatus {
    /// Resource id.
    #[serde(default)]
    pub resource: String,
    /// Where clients connect to.
    pub url: String,
    /// Connections with a secure channel.
    pub channels: usize,
    /// Sessions that are open.
    pub sessions: u32,
    /// Writes and Calls that are held.
    pub held: usize,
    /// Writes and Calls since its start that were one too many for a session or for all.
    pub refused: u64,
    /// Logins since its start whose password was nobody's.
    #[serde(default)]
    pub refused_logins: u64,
}

/// One item of a mapping: how its messages have fared since the start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MappingStatus {
    /// `serviceId`.
    pub service: String,
    /// Resource id.
    pub resource: String,
    /// Which item, counted from 1.
    pub item: usize,
    /// The filters that it subscribes to.
    #[serde(default)]
    pub subscribes: Vec<String>,
    /// The topic that it publishes on, with the names of its variables.
    #[serde(default)]
    pub publishes: String,
    /// Messages that came.
    pub received: u64,
    /// Messages that were published.
    pub published: u64,
    /// Messages that `burst` has kept for a batch; the one that completes a batch goes on as that.
    #[serde(default)]
    pub batched: u64,
    /// Messages that a rule stopped as it should.
    pub stopped: u64,
    /// Messages for which a rule failed, or that could not be published.
    pub failed: u64,
    /// Messages that were dropped because they came faster than they were handled.
    pub overloaded: u64,
}

/// A connection to another system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionStatus {
    /// `serviceId`.
    pub service: String,
    /// Resource id.
    pub resource: String,
    /// `Http` or `Mqtt`.
    pub protocol: String,
    /// `scheme://host:port`.
    pub address: String,
    /// Whether there is a connection; of an HTTP server, whether it has answered when it was last asked.
    pub connected: bool,
    /// Since when that is so, RFC 3339.
    #[serde(default)]
    pub since: Option<String>,
    /// How often there came to be one.
    pub connections: u64,
    /// Why the last connection or attempt ended.
    pub last_end: Option<String>,
}

impl ConnectionStatus {
    /// Whether there is a connection, since when, and why not.
    pub(crate) fn state_told(&self) -> String {
        let since = self.since.as_ref().map(|since| format!(" since {since}"));
        let since = since.unwrap_or_default();
        match (self.connected, &self.last_end) {
            (true, _) => format!("connected{since}"),
            (false, Some(why)) => format!("not connected{since}: {why}"),
            (false, None) => "not connected yet".to_owned(),
        }
    }
}

/// An endpoint: how its requests and messages have fared since the start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EndpointStatus {
    /// `serviceId` of the file that declares it.
    pub service: String,
    /// Resource id.
    pub resource: String,
    /// Its connection: `serviceId::resource`.
    pub connection: String,
    /// `subscribe`, `read` or `write`.
    pub operation: String,
    /// The topic that it listens to; `None` of one that listens to none.
    #[serde(default)]
    pub subscribes: Option<String>,
    /// The topic that it publishes on.
    #[serde(default)]
    pub publishes: String,
    /// What it has asked of the other system: polls, reads or writes.
    pub requests: u64,
    /// Requests that have succeeded.
    pub answered: u64,
    /// Requests that have failed, by their cause.
    pub failures: BTreeMap<String, u64>,
    /// Messages without a payload, which ask a `write` for nothing.
    #[serde(default)]
    pub passed_over: u64,
    /// Messages that came to its rules.
    pub received: u64,
    /// Messages that were published.
    pub published: u64,
    /// Messages that `burst` has kept for a batch; the one that completes a batch goes on as that.
    #[serde(default)]
    pub batched: u64,
    /// Messages that a rule stopped as it should.
    pub stopped: u64,
    /// Messages for which a rule failed, or that could not be published.
    pub failed: u64,
    /// Messages that were dropped because they came faster than they were handled.
    pub overloaded: u64,
}

impl EndpointStatus {
    /// Its requests in words; `None` where it makes none.
    pub(crate) fn requests_told(&self) -> Option<String> {
        if self.requests == 0 && self.passed_over == 0 {
            return None;
        }
        let mut text = format!("{} requests, {} answered", self.requests, self.answered);
        let failures = self.failures.iter().filter(|(_, count)| **count > 0);
        for (cause, count) in failures {
            // A string takes everything.
            _ = write!(text, ", {count} {}", cause.replace('_', " "));
        }
        if self.passed_over > 0 {
            _ = write!(text, ", {} without a payload passed over", self.passed_over);
        }
        Some(text)
    }
}

/// How often the commissioning files were taken up anew, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReloadStatus {
    /// Reloads since the start after which another plan, or the same, was in force.
    pub succeeded: u64,
    /// Reloads since the start after which the plan before stayed in force.
    pub failed: u64,
    /// The last one.
    pub last: Option<LastReload>,
}

/// What came of the last reload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LastReload {
    /// When, RFC 3339.
    pub at: String,
    /// When, in seconds since 1970.
    pub at_seconds: u64,
    /// Whether it succeeded. If not, the plan before is in force, and nothing of it was changed.
    pub succeeded: bool,
    /// Resources that were not there before.
    pub added: usize,
    /// Resources that were started anew.
    pub changed: usize,
    /// Resources that are gone.
    pub removed: usize,
    /// Resources that were left alone.
    pub unchanged: usize,
    /// Why it failed: file, line and column of each mistake.
    pub errors: Vec<String>,
}

/// How transactions ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "`syncline_core::flowsync` has the table of these")]
pub struct TransactionTotals {
    pub open: u64,
    pub begun: u64,
    pub replied: u64,
    pub failed: u64,
    pub timed_out: u64,
    pub aborted: u64,
    pub cancelled: u64,
    /// Given up with their node, which was changed or removed, or with the agent; answered with 503.
    #[serde(default)]
    pub withdrawn: u64,
    pub undeliverable: u64,
    pub late: u64,
    pub duplicate: u64,
    pub unknown: u64,
    pub malformed: u64,
    pub retained: u64,
}

impl Snapshot {
    pub(super) const SCHEMA: u32 = SCHEMA;
}

impl fmt::Display for LastReload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            at,
            added,
            changed,
            removed,
            unchanged,
            ..
        } = self;
        match self.succeeded {
            true => write!(
                f,
                "{at}: {added} added, {changed} changed, {removed} removed, {unchanged} unchanged"
            ),
            false => {
                let first = self.errors.first().map_or("", String::as_str);
                write!(f, "failed {at}, the plan before is in force: {first}")
            }
        }
    }
}
