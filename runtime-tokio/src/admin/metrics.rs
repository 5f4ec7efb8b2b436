//! The metrics: one list of names, help texts and kinds, filled from a snapshot.

use std::fmt::{self, Write as _};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use crate::status::{ConnectionStatus, EndpointStatus, MappingStatus, Snapshot};

/// The two text formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// OpenMetrics 1.0, for those who ask for it.
    OpenMetrics,
    /// The older one of Prometheus, which everything reads.
    Prometheus,
}

impl Format {
    /// The format for a client that accepts `accept`.
    pub(super) fn accepted(accept: &str) -> Self {
        match accept.contains("application/openmetrics-text") {
            true => Self::OpenMetrics,
            false => Self::Prometheus,
        }
    }

    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// The metrics of `snapshot`.
pub(super) fn text(snapshot: Snapshot, format: Format) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Metrics(snapshot)));
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry)?;
    match format {
        Format::OpenMetrics => Ok(text),
        Format::Prometheus => to_prometheus(&text),
    }
}

/// OpenMetrics names a counter without the ending of its samples, Prometheus with it, and has no end mark.
fn to_prometheus(open_metrics: &str) -> Result<String, fmt::Error> {
    let counters: Vec<&str> = open_metrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter"))
        .collect();
    let mut text = String::with_capacity(open_metrics.len());
    for line in open_metrics.lines().filter(|line| *line != "# EOF") {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some(kind @ ("HELP" | "TYPE")), Some(name), Some(rest))
                if counters.contains(&name) =>
            {
                writeln!(text, "# {kind} {name}_total {rest}")?;
            }
            _ => writeln!(text, "{line}")?,
        }
    }
    Ok(text)
}

/// One metric: its samples are labels and values.
struct Metric {
    name: &'static str,
    help: &'static str,
    kind: MetricType,
    samples: Vec<(Vec<(&'static str, String)>, f64)>,
}

#[derive(Debug)]
struct Metrics(Snapshot);

impl Collector for Metrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        for metric in metrics(&self.0) {
            let mut encoder = encoder.encode_descriptor(metric.name, metric.help, None, metric.kind)?;
            for (labels, value) in &metric.samples {
                match labels.is_empty() {
                    true => encode(*value, metric.kind, &mut encoder)?,
                    false => encode(*value, metric.kind, &mut encoder.encode_family(labels)?)?,
                }
            }
        }
        Ok(())
    }
}

fn encode(value: f64, kind: MetricType, encoder: &mut MetricEncoder<'_>) -> fmt::Result {
    match kind {
        MetricType::Counter => encoder.encode_counter::<NoLabelSet, _, u64>(&value, None),
        _ => encoder.encode_gauge(&value),
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a metric is a float; above 2^53 events the last digit is lost"
)]
fn metrics(snapshot: &Snapshot) -> Vec<Metric> {
    let gauge = |name, help, samples| Metric {
        name,
        help,
        kind: MetricType::Gauge,
        samples,
    };
    let counter = |name, help, samples| Metric {
        name,
        help,
        kind: MetricType::Counter,
        samples,
    };
    let plain = |value: f64| vec![(Vec::new(), value)];
    let labelled = |name: &'static str, values: &[(&str, u64)]| {
        let sample = |(label, value): &(&str, u64)| (vec![(name, (*label).to_owned())], *value as f64);
        values.iter().map(sample).collect::<Vec<_>>()
    };
    let of_nodes = |value: fn(&crate::status::NodeStatus) -> f64| {
        let samples = snapshot.nodes.iter().map(|node| {
            let labels = vec![("service", node.service.clone()), ("node", node.resource.clone())];
            (labels, value(node))
        });
        samples.collect::<Vec<_>>()
    };
    let totals = &snapshot.transactions;
    let mut metrics = vec![
        gauge(
            "syncline_build_info",
            "The running version.",
            vec![(vec![("version", snapshot.version.clone())], 1.0)],
        ),
        gauge(
            "syncline_ready",
            "Whether the agent accepts requests.",
            plain(f64::from(u8::from(snapshot.ready))),
        ),
        gauge(
            "syncline_mqtt_connected",
            "Whether there is a connection to the broker.",
            plain(f64::from(u8::from(snapshot.broker.connected))),
        ),
        counter(
            "syncline_mqtt_connections",
            "Connections to the broker that were accepted.",
            plain(snapshot.broker.connections as f64),
        ),
        gauge(
            "syncline_transactions_in_flight",
            "Requests that are held.",
            of_nodes(|node| node.in_flight as f64),
        ),
        gauge(
            "syncline_node_ready",
            "Whether the broker has confirmed the subscription to a node's replies.",
            of_nodes(|node| f64::from(u8::from(node.ready))),
        ),
        counter(
            "syncline_transactions",
            "Requests that have ended, by how they ended.",
            labelled(
                "outcome",
                &[
                    ("replied", totals.replied),
                    ("failed", totals.failed),
                    ("timed_out", totals.timed_out),
                    ("aborted", totals.aborted),
                    ("cancelled", totals.cancelled),
                    ("withdrawn", totals.withdrawn),
                    ("undeliverable", totals.undeliverable),
                ],
            ),
        ),
        counter(
            "syncline_replies_ignored",
            "Replies that changed nothing, by the reason.",
            labelled(
                "reason",
                &[
                    ("late", totals.late),
                    ("duplicate", totals.duplicate),
                    ("unknown", totals.unknown),
                    ("malformed", totals.malformed),
                    ("retained", totals.retained),
                ],
            ),
        ),
    ];
    let reloads = &snapshot.reloads;
    metrics.push(counter(
        "syncline_reloads",
        "Times that the commissioning files were taken up anew, by what came of it.",
        labelled(
            "outcome",
            &[("ok", reloads.succeeded), ("failed", reloads.failed)],
        ),
    ));
    let is_in_force = reloads.last.as_ref().is_none_or(|last| last.succeeded);
    metrics.push(gauge(
        "syncline_last_reload_successful",
        "Whether the commissioning files, as they were read last, are in force.",
        plain(f64::from(u8::from(is_in_force))),
    ));
    if let Some(last) = &reloads.last {
        metrics.push(gauge(
            "syncline_last_reload_timestamp_seconds",
            "When the commissioning files were read last.",
            plain(last.at_seconds as f64),
        ));
    }
    let rules = rule_samples(snapshot);
    if !rules.is_empty() {
        metrics.push(counter(
            "syncline_node_rule_messages",
            "Messages that came to the rules of nodes, by what became of them.",
            rules,
        ));
    }
    let misfits = misfit_samples(snapshot);
    if !misfits.is_empty() {
        metrics.push(counter(
            "syncline_opcua_misfits",
            "Messages and replies of another type than that of their OPC UA node.",
            misfits,
        ));
    }
    if let Some(opcua) = &snapshot.opcua {
        let gauges = [
            (
                "syncline_opcua_channels",
                "Connections to the OPC UA server with a secure channel.",
                opcua.channels as f64,
            ),
            (
                "syncline_opcua_sessions",
                "Sessions of the OPC UA server.",
                f64::from(opcua.sessions),
            ),
            (
                "syncline_opcua_held",
                "Writes and Calls that the OPC UA server holds.",
                opcua.held as f64,
            ),
        ];
        metrics.extend(gauges.map(|(name, help, value)| gauge(name, help, plain(value))));
        metrics.push(counter(
            "syncline_opcua_refused",
            "Writes and Calls that were one too many for a session or for the OPC UA server.",
            plain(opcua.refused as f64),
        ));
        metrics.push(counter(
            "syncline_opcua_refused_logins",
            "Logins to the OPC UA server whose password was nobody's.",
            labelled("server", &[(&opcua.resource, opcua.refused_logins)]),
        ));
    }
    if !snapshot.mappings.is_empty() {
        metrics.push(counter(
            "syncline_mapping_messages",
            "Messages of mappings, by what became of them.",
            mapping_samples(&snapshot.mappings),
        ));
    }
    if !snapshot.connections.is_empty() {
        let of_connections = |value: fn(&ConnectionStatus) -> f64| {
            let samples = snapshot.connections.iter().map(|connection| {
                let labels = vec![
                    ("service", connection.service.clone()),
                    ("connection", connection.resource.clone()),
                    ("protocol", connection.protocol.clone()),
                ];
                (labels, value(connection))
            });
            samples.collect::<Vec<_>>()
        };
        metrics.push(gauge(
            "syncline_connection_up",
            "Whether there is a connection to another system.",
            of_connections(|connection| f64::from(u8::from(connection.connected))),
        ));
        metrics.push(counter(
            "syncline_connection_established",
            "Connections to another system that came about.",
            of_connections(|connection| connection.connections as f64),
        ));
    }
    if !snapshot.endpoints.is_empty() {
        metrics.push(counter(
            "syncline_endpoint_requests",
            "What endpoints have asked of other systems, by how it ended.",
            endpoint_samples(&snapshot.endpoints, |endpoint| {
                let answered = ("answered", endpoint.answered);
                let failures = endpoint.failures.iter();
                std::iter::once(answered)
                    .chain(failures.map(|(cause, count)| (cause.as_str(), *count)))
                    .collect()
            }),
        ));
        metrics.push(counter(
            "syncline_endpoint_messages",
            "Messages of endpoints, by what became of them.",
            endpoint_samples(&snapshot.endpoints, |endpoint| {
                vec![
                    ("published", endpoint.published),
                    ("batched", endpoint.batched),
                    ("stopped", endpoint.stopped),
                    ("failed", endpoint.failed),
                    ("overloaded", endpoint.overloaded),
                    ("passed_over", endpoint.passed_over),
                ]
            }),
        ));
    }
    if let Some(central) = &snapshot.central {
        metrics.push(gauge(
            "syncline_central_version_matches",
            "Whether the version that the central tells goes with this agent's; if not, the agent stays offline.",
            vec![(
                vec![("version", central.version.clone())],
                f64::from(u8::from(central.matches)),
            )],
        ));
    }
    if let Some(certificate) = &snapshot.certificate {
        metrics.push(gauge(
            "syncline_certificate_not_after_timestamp_seconds",
            "Last moment of the certificate that is shown to the broker.",
            plain(certificate.not_after_seconds as f64),
        ));
    }
    metrics
}

#[expect(clippy::cast_precision_loss, reason = "as above")]
fn rule_samples(snapshot: &Snapshot) -> Vec<(Vec<(&'static str, String)>, f64)> {
    let nodes = snapshot.nodes.iter();
    let nodes = nodes.map(|node| (&node.service, &node.resource, &node.rules));
    let exchanges = snapshot.exchanges.iter();
    let exchanges = exchanges.map(|node| (&node.service, &node.resource, &node.rules));
    let ruled = nodes
        .chain(exchanges)
        .filter_map(|(service, resource, rules)| Some((service, resource, rules.as_ref()?)));
    let samples = ruled.flat_map(|(service, resource, rules)| {
        let outcomes = [
            ("passed", rules.passed),
            ("batched", rules.batched),
            ("stopped", rules.stopped),
            ("failed", rules.failed),
            ("overloaded", rules.overloaded),
        ];
        outcomes.map(|(outcome, count)| {
            let labels = vec![
                ("service", service.clone()),
                ("node", resource.clone()),
                ("outcome", outcome.to_owned()),
            ];
            (labels, count as f64)
        })
    });
    samples.collect()
}

#[expect(clippy::cast_precision_loss, reason = "as above")]
fn misfit_samples(snapshot: &Snapshot) -> Vec<(Vec<(&'static str, String)>, f64)> {
    let nodes = snapshot.nodes.iter();
    let nodes = nodes.map(|node| (&node.service, &node.resource, node.misfits));
    let exchanges = snapshot.exchanges.iter();
    let exchanges = exchanges.map(|node| (&node.service, &node.resource, node.misfits));
    let counted = nodes.chain(exchanges);
    let samples = counted.filter_map(|(service, resource, misfits)| {
        let labels = vec![("service", service.clone()), ("node", resource.clone())];
        Some((labels, misfits? as f64))
    });
    samples.collect()
}

#[expect(clippy::cast_precision_loss, reason = "as above")]
fn mapping_samples(mappings: &[MappingStatus]) -> Vec<(Vec<(&'static str, String)>, f64)> {
    let outcomes = |mapping: &MappingStatus| {
        [
            ("published", mapping.published),
            ("batched", mapping.batched),
            ("stopped", mapping.stopped),
            ("failed", mapping.failed),
            ("overloaded", mapping.overloaded),
        ]
    };
    let samples = mappings.iter().flat_map(|mapping| {
        outcomes(mapping).map(|(outcome, count)| {
            let labels = vec![
                ("service", mapping.service.clone()),
                ("mapping", mapping.resource.clone()),
                ("item", mapping.item.to_string()),
                ("outcome", outcome.to_owned()),
            ];
            (labels, count as f64)
        })
    });
    samples.collect()
}

#[expect(clippy::cast_precision_loss, reason = "as above")]
fn endpoint_samples(
    endpoints: &[EndpointStatus],
    outcomes: impl Fn(&EndpointStatus) -> Vec<(&str, u64)>,
) -> Vec<(Vec<(&'static str, String)>, f64)> {
    let samples = endpoints.iter().flat_map(|endpoint| {
        let of_endpoint = outcomes(endpoint).into_iter().map(|(outcome, count)| {
            let labels = vec![
                ("service", endpoint.service.clone()),
                ("endpoint", endpoint.resource.clone()),
                ("operation", endpoint.operation.clone()),
                ("outcome", outcome.to_owned()),
            ];
            (labels, count as f64)
        });
        of_endpoint.collect::<Vec<_>>()
    });
    samples.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_get_their_ending_in_the_older_format_and_nothing_else_changes() {
        let open_metrics = "# HELP a Help of a.\n# TYPE a counter\na_total{x=\"# TYPE b counter\"} 1\n# HELP b Help.\n\
                            # TYPE b gauge\nb 2\n# EOF\n";
        assert_eq!(
            to_prometheus(open_metrics).unwrap(),
            "# HELP a_total Help of a.\n# TYPE a_total counter\na_total{x=\"# TYPE b counter\"} 1\n# HELP b Help.\n\
             # TYPE b gauge\nb 2\n"
        );
    }

    #[test]
    fn the_format_follows_what_the_client_accepts() {
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3";
        assert_eq!(Format::accepted(prometheus), Format::OpenMetrics);
        for other in ["", "*/*", "text/plain"] {
            assert_eq!(Format::accepted(other), Format::Prometheus);
        }
    }
}
