//! Wrong OPC UA servers and nodes, and nodes of several services under one server.

use syncline::service::plan::OpcuaOperation;
use syncline::service::{Context, Severity, Source, plan_sources};

use super::{Case, assert_reported, messages};

#[rustfmt::skip]
const CASES: &[Case] = &[
    ("an unknown security policy", r"metadata: {name: t}
resources:
  s: {type: 'Cybus::Server::Opcua', properties: {securityPolicies: [Basic256Sha265]}}
", &[
        r"3:69 `securityPolicies`: found the text `Basic256Sha265`, expected `None`, `Basic128Rsa15`, `Basic256`, `Basic256Sha256`, `Aes128_Sha256_RsaOaep` or `Aes256_Sha256_RsaPss`",
    ]),
    ("a security policy list that is empty", r"metadata: {name: t}
resources:
  s: {type: 'Cybus::Server::Opcua', properties: {securityPolicies: []}}
", &[
        r"3:68 `securityPolicies`: found an empty list, expected one name at least",
    ]),
    ("mode None without the policy", r"metadata: {name: t}
resources:
  s: {type: 'Cybus::Server::Opcua', properties: {securityModes: [None]}}
", &[
        r"3:50 `securityModes`: found `None`, which no policy but `None` has",
    ]),
    ("policy None alone with a mode that signs", r"metadata: {name: t}
resources:
  s: {type: 'Cybus::Server::Opcua', properties: {securityPolicies: [None]}}
", &[
        r"3:50 `securityPolicies`: found `None` alone, which has no mode but `None`, and without `securityModes` the mode is `SignAndEncrypt`",
    ]),
    ("policy None alone with a mode that signs, as the file says", r"metadata: {name: t}
resources:
  s: {type: 'Cybus::Server::Opcua', properties: {securityPolicies: [None], securityModes: [None, Sign]}}
", &[
        r"3:50 `securityPolicies`: found no policy for the modes `Sign` and `SignAndEncrypt`",
    ]),
    ("a code for a timeout that has no such name", r"metadata: {name: t}
resources:
  s: {type: 'Cybus::Server::Opcua'}
  n: {type: 'Cybus::Node::Opcua', properties: {parent: !ref s, nodeType: Variable, dataType: Int32, operation: transaction, transaction: {timeoutErrorCode: BadTimout}}}
", &[
        r"4:157 `timeoutErrorCode`: found the text `BadTimout`, expected a StatusCode of the severity Bad by its name, or its number without quotes",
    ]),
    ("a code for a timeout whose name is not Bad", r"metadata: {name: t}
resources:
  s: {type: 'Cybus::Server::Opcua'}
  n: {type: 'Cybus::Node::Opcua', properties: {parent: !ref s, nodeType: Variable, dataType: Int32, operation: transaction, transaction: {timeoutErrorCode: Good}}}
", &[
        r"4:157 `timeoutErrorCode`: found the text `Good`, expected a StatusCode of the severity Bad by its name, or its number without quotes",
    ]),
    ("a port beyond the range", r"metadata: {name: t}
resources:
  s: {type: 'Cybus::Server::Opcua', properties: {port: 65536}}
", &[
        r"3:56 `port`: found the number 65536, expected an integer from 1 to 65535",
    ]),
    ("a second server", r"metadata: {name: t}
resources:
  s: {type: 'Cybus::Server::Opcua'}
  s2: {type: 'Cybus::Server::Opcua'}
", &[
        r"4:3 found a second `Cybus::Server::Opcua`, expected one for an agent",
    ]),
    ("a node without its properties", r"metadata: {name: t}
resources:
  s: {type: 'Cybus::Server::Opcua'}
  n: {type: 'Cybus::Node::Opcua'}
", &[
        r"4:3 properties of `n`: expected `parent`, found none",
        r"4:3 properties of `n`: expected `nodeType`, found none",
    ]),
    ("an unknown node type", r"metadata: {name: t}
resources:
  s: {type: 'Cybus::Server::Opcua'}
  n: {type: 'Cybus::Node::Opcua', properties: {parent: !ref s, nodeType: Variabel, dataType: Int32}}
", &[
        r"4:74 `nodeType`: found the text `Variabel`, expected `Object`, `Variable` or `Method`",
    ]),
    ("a variable without data type", r"metadata: {name: t}
resources:
  s: {type: 'Cybus::Server::Opcua'}
  root: {type: 'Cybus::Node::Opcua', properties: {parent: !ref s, nodeType: Object}}
  n: {type: 'Cybus::Node::Opcua', properties: {parent: !ref root, nodeType: Variable}}
", &[
        r"5:3 properties of `n`: expected `dataType`, found none",
    ]),
    ("an unknown data type", r"metadata: {name: t}
resources:
  s: {type: 'Cybus::Server::Opcua'}
  root: {type: 'Cybus::Node::Opcua', properties: {parent: !ref s, nodeType: Object}}
  n: {type: 'Cybus::Node::Opcua', properties: {parent: !ref root, nodeType: Variable, dataType: Doubel}}
", &[
        r"5:97 `dataType`: found the text `Doubel`, expected `Boolean`, `SByte`, `Byte`, `Int16`, `UInt16`, `Int32`, `UInt32`, `Int64`, `UInt64`, `Float`, `Double`, `String`, `DateTime`, `Guid`, `ByteString`, `XmlElement`, `NodeId`, `ExpandedNodeId`, `StatusCode`, `QualifiedName`, `LocalizedText`, `Variant` or `DataValue`",
    ]),
    ("an initial value of another type", r"metadata: {name: t}
resources:
  s: {type: 'Cybus::Server::Opcua'}
  root: {type: 'Cybus::Node::Opcua', properties: {parent: !ref s, nodeType: Object}}
  n: {type: 'Cybus::Node::Opcua', properties: {parent: !ref root, nodeType: Variable, dataType: Int32, initialValue: 1.5}}
", &[
        r"5:118 `initialValue`: found the number 1.5, expected a value of the type `Int32`",
    ]),
    ("a scalar as the initial value of a list", r"metadata: {name: t}
resources:
  s: {type: 'Cybus::Server::Opcua'}
  root: {type: 'Cybus::Node::Opcua', properties: {parent: !ref s, nodeType: Object}}
  n: {type: 'Cybus::Node::Opcua', properties: {parent: !ref root, nodeType: Variable, dataType: Int32, valueRank: 1, initialValue: 1}}
", &[
        r"5:132 `initialValue`: found the number 1, expected a list of values of the type `Int32`",
    ]),
    ("a node id in another form", r"metadata: {name: t}
resources:
  s: {type: 'Cybus::Server::Opcua'}
  root: {type: 'Cybus::Node::Opcua', properties: {parent: !ref s, nodeType: Object}}
  n: {type: 'Cybus::Node::Opcua', properties: {parent: !ref root, nodeType: Variable, dataType: Int32, nodeId: 'ns=1,s=x'}}
", &[
        r"5:112 `nodeId`: found the text `ns=1,s=x`, expected a `NodeId` such as `ns=1;s=name` or `ns=1;i=17`",
    ]),
    ("a node id of OPC UA's own namespace", r"metadata: {name: t}
resources:
  s: {type: 'Cybus::Server::Opcua'}
  root: {type: 'Cybus::Node::Opcua', properties: {parent: !ref s, nodeType: Object, nodeId: i=85}}
", &[
        r"4:93 `nodeId`: found the text `i=85`, expected a `NodeId` such as `ns=1;s=name` or `ns=1;i=17`",
    ]),
    ("two nodes with one node id", r"metadata: {name: t}
resources:
  s: {type: 'Cybus::Server::Opcua'}
  root: {type: 'Cybus::Node::Opcua', properties: {parent: !ref s, nodeType: Object}}
  n: {type: 'Cybus::Node::Opcua', properties: {parent: !ref root, nodeType: Variable, dataType: Int32, nodeId: ns=1;s=root}}
", &[
        r"5:112 the node id `ns=1;s=root` is already that of another node",
    ]),
    ("a second root node", r"metadata: {name: t}
resources:
  s: {type: 'Cybus::Server::Opcua'}
  root: {type: 'Cybus::Node::Opcua', properties: {parent: !ref s, nodeType: Object}}
  n: {type: 'Cybus::Node::Opcua', properties: {parent: !ref s, nodeType: Object}}
", &[
        r"5:61 the server `s` has a root node already",
    ]),
    ("a parent that is a variable", r"metadata: {name: t}
resources:
  s: {type: 'Cybus::Server::Opcua'}
  root: {type: 'Cybus::Node::Opcua', properties: {parent: !ref s, nodeType: Object}}
  n: {type: 'Cybus::Node::Opcua', properties: {parent: !ref root, nodeType: Variable, dataType: Int32}}
  o: {type: 'Cybus::Node::Opcua', properties: {parent: !ref n, nodeType: Object}}
", &[
        r"6:61 `parent`: found the node `n`, expected an `Object`, which alone holds other nodes",
    ]),
    ("a parent of another kind", r"metadata: {name: t}
resources:
  h: {type: 'Cybus::Server::Http'}
  n: {type: 'Cybus::Node::Opcua', properties: {parent: !ref h, nodeType: Object}}
", &[
        r"4:61 `parent`: found the resource `h`, expected a `Cybus::Server::Opcua` or a `Cybus::Node::Opcua`",
    ]),
    ("parents in a circle", r"metadata: {name: t}
resources:
  s: {type: 'Cybus::Server::Opcua'}
  a: {type: 'Cybus::Node::Opcua', properties: {parent: !ref b, nodeType: Object}}
  b: {type: 'Cybus::Node::Opcua', properties: {parent: !ref a, nodeType: Object}}
", &[
        r"4:61 the parents of `a` go in a circle",
        r"5:61 the parents of `b` go in a circle",
    ]),
    ("an object with an operation", r"metadata: {name: t}
resources:
  s: {type: 'Cybus::Server::Opcua'}
  root: {type: 'Cybus::Node::Opcua', properties: {parent: !ref s, nodeType: Object}}
  n: {type: 'Cybus::Node::Opcua', properties: {parent: !ref root, nodeType: Object, operation: serverProvides}}
", &[
        r"5:85 `operation`: an object has no value, expected none",
    ]),
    ("a method that provides", r"metadata: {name: t}
resources:
  s: {type: 'Cybus::Server::Opcua'}
  root: {type: 'Cybus::Node::Opcua', properties: {parent: !ref s, nodeType: Object}}
  n: {type: 'Cybus::Node::Opcua', properties: {parent: !ref root, nodeType: Method, operation: serverProvides}}
", &[
        r"5:85 `operation`: a method is called and has no value",
    ]),
    ("a transaction block without the operation", r"metadata: {name: t}
resources:
  s: {type: 'Cybus::Server::Opcua'}
  root: {type: 'Cybus::Node::Opcua', properties: {parent: !ref s, nodeType: Object}}
  n: {type: 'Cybus::Node::Opcua', properties: {parent: !ref root, nodeType: Variable, dataType: Int32, operation: serverProvides, transaction: {timeout: 5}}}
", &[
        r"5:131 `transaction`: expected only with `operation: transaction`",
    ]),
    ("a property of another node type", r"metadata: {name: t}
resources:
  s: {type: 'Cybus::Server::Opcua'}
  root: {type: 'Cybus::Node::Opcua', properties: {parent: !ref s, nodeType: Object}}
  n: {type: 'Cybus::Node::Opcua', properties: {parent: !ref root, nodeType: Method, dataType: Int32}}
", &[
        r"5:85 properties of `n`: unknown key `dataType`, expected `parent`, `nodeType`, `browseName`, `nodeId`, `topic`, `transaction`, `operation`, `qos`, `rules`, `inputArguments`, `outputArguments`, `targetState` or `agentName`",
    ]),
    ("an argument without type", r"metadata: {name: t}
resources:
  s: {type: 'Cybus::Server::Opcua'}
  root: {type: 'Cybus::Node::Opcua', properties: {parent: !ref s, nodeType: Object}}
  n: {type: 'Cybus::Node::Opcua', properties: {parent: !ref root, nodeType: Method, inputArguments: [{name: a}]}}
", &[
        r"5:102 argument: expected `dataType`, found none",
    ]),
    ("two arguments with one name", r"metadata: {name: t}
resources:
  s: {type: 'Cybus::Server::Opcua'}
  root: {type: 'Cybus::Node::Opcua', properties: {parent: !ref s, nodeType: Object}}
  n: {type: 'Cybus::Node::Opcua', properties: {parent: !ref root, nodeType: Method, inputArguments: [{name: a, dataType: Byte}, {name: a, dataType: Byte}]}}
", &[
        r"5:129 `inputArguments`: found two arguments with the name `a`",
    ]),
    ("two transactions on one topic", r"metadata: {name: t}
resources:
  s: {type: 'Cybus::Server::Opcua'}
  root: {type: 'Cybus::Node::Opcua', properties: {parent: !ref s, nodeType: Object}}
  n: {type: 'Cybus::Node::Opcua', properties: {parent: !ref root, nodeType: Variable, dataType: Int32, operation: transaction, topic: x}}
  o: {type: 'Cybus::Node::Opcua', properties: {parent: !ref root, nodeType: Variable, dataType: Int32, operation: transaction, topic: x}}
", &[
        r"6:135 the topic `services/t/x` is already that of another node",
    ]),
];

#[test]
fn wrong_opcua_resources_are_reported_at_their_place() {
    assert_reported(CASES);
}

const SERVER: &str = "metadata: {name: one}
resources:
  s: {type: 'Cybus::Server::Opcua', properties: {allowAnonymous: true}}
  root: {type: 'Cybus::Node::Opcua', properties: {parent: !ref s, nodeType: Object}}
  own: {type: 'Cybus::Node::Opcua', properties: {parent: !ref root, nodeType: Variable, dataType: Int32}}
";

#[test]
fn nodes_of_several_services_stand_under_one_server() {
    let guest = "metadata: {name: two}
resources:
  leaf: {type: 'Cybus::Node::Opcua', properties: {parent: !ref branch, nodeType: Variable, dataType: Int32, operation: transaction}}
  branch: {type: 'Cybus::Node::Opcua', properties: {parent: !ref one::root, nodeType: Object}}
";
    // Whichever file comes first.
    for files in [[SERVER, guest], [guest, SERVER]] {
        let sources = files.map(|text| Source::new("case.yml", text));
        let plan = plan_sources(sources.into(), &Context::default()).unwrap().plan;
        let servers = plan.services.iter().flat_map(|service| &service.opcua_servers);
        let nodes: Vec<_> = servers.flat_map(|server| &server.nodes).collect();
        let shown = nodes.iter().map(|node| {
            let parent = node.parent.as_ref();
            (
                (node.service.as_str(), node.resource.as_str()),
                parent.map(|parent| (parent.service.as_str(), parent.resource.as_str())),
            )
        });
        let mut shown: Vec<_> = shown.collect();
        assert_eq!(shown.first(), Some(&(("one", "root"), None)));
        assert_eq!(shown.last(), Some(&(("two", "leaf"), Some(("two", "branch")))));
        shown[1..3].sort_unstable();
        assert_eq!(
            shown[1..3],
            [
                (("one", "own"), Some(("one", "root"))),
                (("two", "branch"), Some(("one", "root")))
            ]
        );
        assert_eq!(
            nodes[3].operation().map(|operation| operation.topic().as_str()),
            Some("services/two/leaf")
        );
    }
}

#[test]
fn what_is_wrong_between_services_is_reported_in_the_file_that_refers() {
    for (parent, expected) in [
        (
            "one::own",
            "3:63 `parent`: found the node `own`, expected an `Object`, which alone holds other nodes",
        ),
        ("one::rot", "3:63 the service `one` has no resource `rot`"),
        ("three::root", "3:63 no file has the service id `three`"),
        ("one::s", "3:63 the server `s` has a root node already"),
    ] {
        let guest = format!(
            "metadata: {{name: two}}\nresources:\n  own: {{type: 'Cybus::Node::Opcua', properties: {{parent: !ref '{parent}', \
             nodeType: Object, nodeId: ns=1;s=two}}}}\n"
        );
        let sources = vec![Source::new("one.yml", SERVER), Source::new("two.yml", &guest)];
        let report = plan_sources(sources, &Context::default()).unwrap_err();
        assert_eq!(messages(&report, Severity::Error), [expected], "{parent}");
    }
    let guest = "metadata: {name: two}
resources:
  own: {type: 'Cybus::Node::Opcua', properties: {parent: !ref one::root, nodeType: Object}}
";
    let sources = vec![Source::new("one.yml", SERVER), Source::new("two.yml", guest)];
    let report = plan_sources(sources, &Context::default()).unwrap_err();
    assert_eq!(
        messages(&report, Severity::Error),
        ["3:3 the node id `ns=1;s=own` is already that of another node"]
    );
}

#[test]
fn what_is_allowed_but_seldom_meant_is_warned_of() {
    let text = "metadata: {name: t}
resources:
  s: {type: 'Cybus::Server::Opcua', properties: {securityPolicies: [None, Basic256Sha256]}}
  root: {type: 'Cybus::Node::Opcua', properties: {parent: !ref s, nodeType: Object}}
  a: {type: 'Cybus::Node::Opcua', properties: {parent: !ref root, nodeType: Object, browseName: Line}}
  b: {type: 'Cybus::Node::Opcua', properties: {parent: !ref root, nodeType: Object, browseName: line}}
  c: {type: 'Cybus::Node::Opcua', properties: {parent: !ref a, nodeType: Object, browseName: Line}}
";
    let planned = plan_sources(vec![Source::new("t.yml", text)], &Context::default()).expect("a plan");
    assert_eq!(
        messages(&planned.warnings, Severity::Warning),
        [
            "3:50 `securityPolicies`: `None` is not offered, for `securityModes` has no `None`",
            "6:3 a sibling of `b` has the browse name `line` as well: permissions for one are for both, and who looks by browse \
             names finds either of them",
        ]
    );
}

#[test]
fn a_code_for_a_timeout_may_be_a_name_or_a_number() {
    for code in ["BadTimeout", "'BadTimeout'", "0x800A0000", "2148139008"] {
        let text = format!(
            "metadata: {{name: t}}
resources:
  s: {{type: 'Cybus::Server::Opcua'}}
  n: {{type: 'Cybus::Node::Opcua', properties: {{parent: !ref s, nodeType: Method, operation: transaction, transaction: {{timeoutErrorCode: {code}}}}}}}
"
        );
        let planned = plan_sources(vec![Source::new("t.yml", &text)], &Context::default()).expect("a plan");
        let node = &planned.plan.services[0].opcua_servers[0].nodes[0];
        let Some(OpcuaOperation::Transaction { transaction, .. }) = node.operation() else {
            panic!("{node:?}");
        };
        assert_eq!(transaction.timeout_error_code, 0x800A_0000, "{code}");
    }
}
