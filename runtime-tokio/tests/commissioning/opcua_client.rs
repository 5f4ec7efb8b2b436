//! Connections to OPC UA servers and their endpoints: what is planned of them, and what is refused.

use std::time::Duration;

use syncline::service::plan::{
    ConnectionPlan, ConnectionProtocol, EndpointTarget, OpcuaConnection, OpcuaItem, SecurityMode,
    SecurityPolicy,
};
use syncline::service::{Planned, Severity};

use super::{Case, assert_reported, messages, plan};

#[rustfmt::skip]
const CASES: &[Case] = &[
    ("no address", r"metadata: {name: t}
resources:
  c: {type: 'Cybus::Connection', properties: {protocol: Opcua, connection: {}}}
", &[
        r"3:76 connection: expected `host`, found none",
    ]),
    ("a URL of another transport, or with a password in it", r"metadata: {name: t}
resources:
  c: {type: 'Cybus::Connection', properties: {protocol: Opcua, connection: {endpointUrl: 'opc.https://a'}}}
  d: {type: 'Cybus::Connection', properties: {protocol: Opcua, connection: {endpointUrl: 'opc.tcp://u:s3cret@a:1'}}}
", &[
        r"3:90 `endpointUrl`: expected `opc.tcp://host:port`, maybe with a path; user name and password are properties of their own",
        r"4:90 `endpointUrl`: expected `opc.tcp://host:port`, maybe with a path; user name and password are properties of their own",
    ]),
    ("a password in the clear", r"metadata: {name: t}
resources:
  c: {type: 'Cybus::Connection', properties: {protocol: Opcua, connection: {host: a, securityMode: None, username: u, password: p}}}
", &[
        r"3:119 `password`: found it with `securityMode: None`, where everybody on the network could read it; write `securityMode: SignAndEncrypt`",
    ]),
    ("half a login", r"metadata: {name: t}
resources:
  c: {type: 'Cybus::Connection', properties: {protocol: Opcua, connection: {host: a, username: u}}}
  d: {type: 'Cybus::Connection', properties: {protocol: Opcua, connection: {host: a, password: p}}}
", &[
        r"3:86 `username`: found it without `password`, expected both or neither",
        r"4:86 `password`: found it without `username`, expected both or neither",
    ]),
    ("a mode and a policy that do not go together", r"metadata: {name: t}
resources:
  c: {type: 'Cybus::Connection', properties: {protocol: Opcua, connection: {host: a, securityPolicy: None, securityMode: Sign}}}
  d: {type: 'Cybus::Connection', properties: {protocol: Opcua, connection: {host: a, securityPolicy: Basic256Sha256, securityMode: None}}}
", &[
        r"3:86 `securityPolicy`: found `None` with `securityMode: Sign`",
        r"4:118 `securityMode`: found `None` with `securityPolicy: Basic256Sha256`",
    ]),
    ("a node by no name, by two, or by half a path", r"metadata: {name: t}
resources:
  c: {type: 'Cybus::Connection', properties: {protocol: Opcua, connection: {host: a}}}
  e: {type: 'Cybus::Endpoint', properties: {protocol: Opcua, connection: !ref c, read: {}}}
  f: {type: 'Cybus::Endpoint', properties: {protocol: Opcua, connection: !ref c, read: {nodeId: 'i=1', browsePath: '0:A'}}}
  g: {type: 'Cybus::Endpoint', properties: {protocol: Opcua, connection: !ref c, read: {browsePath: '2:A//B'}}}
  h: {type: 'Cybus::Endpoint', properties: {protocol: Opcua, connection: !ref c, read: {nodeId: 'ns=1'}}}
", &[
        r"4:88 expected one of `nodeId` and `browsePath`, found none",
        r"5:104 expected one of `nodeId` and `browsePath`, found both",
        r"6:101 `browsePath`: found the text `2:A//B`, expected at most 32 names with their namespaces, such as `2:Devices/2:Press/2:Speed`",
        r"7:97 `nodeId`: found the text `ns=1`, expected a `NodeId` such as `ns=1;s=name` or `ns=1;i=17`",
    ]),
    ("methods and events", r"metadata: {name: t}
resources:
  c: {type: 'Cybus::Connection', properties: {protocol: Opcua, connection: {host: a}}}
  e: {type: 'Cybus::Endpoint', properties: {protocol: Opcua, connection: !ref c, write: {nodeId: 'i=1', nodeType: Method}}}
  f: {type: 'Cybus::Endpoint', properties: {protocol: Opcua, connection: !ref c, subscribe: {nodeId: 'i=1', eventTypes: ['i=2041'], fields: [Message]}}}
", &[
        r"4:105 `nodeType`: found `Method`, but endpoints of this version call no methods",
        r"5:109 `eventTypes`: endpoints of this version are told of values, not of events",
        r"5:133 `fields`: endpoints of this version are told of values, not of events",
    ]),
    ("an interval of nothing", r"metadata: {name: t}
resources:
  c: {type: 'Cybus::Connection', properties: {protocol: Opcua, connection: {host: a}}}
  e: {type: 'Cybus::Endpoint', properties: {protocol: Opcua, connection: !ref c, subscribe: {nodeId: 'i=1', publishInterval: 0}}}
", &[
        r"4:126 `publishInterval`: found the number 0, expected an integer from 1 to 86400000",
    ]),
];

#[test]
fn wrong_connections_to_opc_ua_servers_are_reported_at_their_place() {
    assert_reported(CASES);
}

/// The connection with these properties and these endpoints.
fn connected(properties: &str, endpoints: &[&str]) -> (ConnectionPlan, Vec<String>) {
    let mut text = format!(
        "metadata: {{name: t}}\nresources:\n  c: {{type: 'Cybus::Connection', properties: {{protocol: Opcua, connection: {{{properties}}}}}}}\n"
    );
    for (at, endpoint) in endpoints.iter().enumerate() {
        text += &format!(
            "  e{at}: {{type: 'Cybus::Endpoint', properties: {{protocol: Opcua, connection: !ref c, {endpoint}}}}}\n"
        );
    }
    let Planned { mut plan, warnings } = plan(&text).unwrap_or_else(|report| panic!("{report}"));
    let connection = plan.services[0].connections.remove(0);
    (connection, messages(&warnings, Severity::Warning))
}

fn opcua(properties: &str) -> OpcuaConnection {
    match connected(properties, &[]).0.protocol {
        ConnectionProtocol::Opcua(opcua) => *opcua,
        other => panic!("expected OPC UA, found {}", other.name()),
    }
}

fn items(endpoints: &[&str]) -> (Vec<OpcuaItem>, Vec<String>) {
    let (connection, warnings) = connected("host: a", endpoints);
    let items = connection
        .endpoints
        .into_iter()
        .map(|endpoint| match endpoint.target {
            EndpointTarget::Opcua(item) => *item,
            other => panic!("expected OPC UA, found {other:?}"),
        });
    (items.collect(), warnings)
}

#[test]
fn a_server_is_named_by_its_host_and_port_or_by_its_url() {
    for (properties, url) in [
        ("host: plc", "opc.tcp://plc:4840"),
        ("host: '::1', port: 4841", "opc.tcp://[::1]:4841"),
        (
            "endpointUrl: 'opc.tcp://plc:4841/UA/x'",
            "opc.tcp://plc:4841/UA/x",
        ),
    ] {
        assert_eq!(opcua(properties).url(), url);
    }
}

#[test]
fn security_that_a_file_leaves_out_follows_from_what_it_says() {
    let login = ", username: u, password: p";
    for (properties, policy, mode) in [
        ("host: a", SecurityPolicy::None, SecurityMode::None),
        (
            &format!("host: a{login}"),
            SecurityPolicy::Basic256Sha256,
            SecurityMode::SignAndEncrypt,
        ),
        (
            &format!("host: a, securityMode: Sign{login}"),
            SecurityPolicy::Basic256Sha256,
            SecurityMode::Sign,
        ),
        (
            "host: a, securityPolicy: Aes256_Sha256_RsaPss",
            SecurityPolicy::Aes256Sha256RsaPss,
            SecurityMode::SignAndEncrypt,
        ),
    ] {
        let opcua = opcua(properties);
        assert_eq!((opcua.policy, opcua.mode), (policy, mode), "{properties}");
    }
    let shown = format!("{:?}", opcua("host: a, username: u, password: s3cret"));
    assert!(!shown.contains("s3cret"), "{shown}");
}

#[test]
fn an_endpoint_has_a_node_and_intervals() {
    let (items, warnings) = items(&[
        "read: {nodeId: 'ns=2;s=a', nodeType: Variable}",
        "write: {browsePath: '2:Press/Speed', browsePathPrefix: '2:Line'}",
        "subscribe: {nodeId: 'i=2258'}",
        "subscribe: {nodeId: 'i=2258', publishInterval: 200, samplingInterval: 0}",
    ]);
    assert!(warnings.is_empty(), "{warnings:?}");
    let nodes: Vec<String> = items.iter().map(|item| item.node.text()).collect();
    assert_eq!(nodes, ["ns=2;s=a", "2:Line/2:Press/Speed", "i=2258", "i=2258"]);
    let intervals = |item: &OpcuaItem| (item.publish_interval, item.sampling_interval);
    assert_eq!(intervals(&items[2]), (Duration::from_secs(1), None));
    assert_eq!(
        intervals(&items[3]),
        (Duration::from_millis(200), Some(Duration::ZERO))
    );
}

#[test]
fn what_has_no_effect_is_told_and_the_interval_of_other_protocols_is_taken() {
    let (items, warnings) = items(&[
        "subscribe: {nodeId: 'i=1', interval: 2000}",
        "write: {nodeId: 'i=1', samplingInterval: 5}",
    ]);
    assert_eq!(items[0].publish_interval, Duration::from_secs(2));
    assert_eq!(
        warnings,
        [
            "4:110 `interval` is taken as `publishInterval`, which is its name for OPC UA",
            "5:106 `samplingInterval` has no effect: only `subscribe` is told of values",
        ]
    );
    let (_, warnings) = connected(
        "endpointUrl: 'opc.tcp://a:1', port: 2, trustAllCertificates: true, securityPolicy: None",
        &[],
    );
    assert_eq!(
        warnings,
        [
            "3:107 `port` has no effect beside `endpointUrl`",
            "3:116 `trustAllCertificates` has no effect with `securityMode: None`, which shows no certificate",
        ]
    );
}
