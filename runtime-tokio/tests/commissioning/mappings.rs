//! Wrong mappings and rules.

use super::{Case, assert_reported};

#[rustfmt::skip]
const CASES: &[Case] = &[
    ("a mapping without its properties", r"metadata: {name: t}
resources:
  m: {type: 'Cybus::Mapping'}
", &[
        r"3:3 properties of `m`: expected `mappings`, found none",
    ]),
    ("an empty list of mappings", r"metadata: {name: t}
resources:
  m: {type: 'Cybus::Mapping', properties: {mappings: []}}
", &[
        r"3:54 `mappings`: found an empty list, expected one item at least",
    ]),
    ("a mapping to nowhere", r"metadata: {name: t}
resources:
  m:
    type: Cybus::Mapping
    properties:
      mappings:
        - {subscribe: {topic: a}}
", &[
        r"7:11 mapping: expected `publish`, found none",
    ]),
    ("neither topic nor endpoint", r"metadata: {name: t}
resources:
  m:
    type: Cybus::Mapping
    properties:
      mappings:
        - {subscribe: {qos: 1}, publish: {topic: b}}
", &[
        r"7:23 expected `topic` or `endpoint`, found neither",
    ]),
    ("both topic and endpoint", r"metadata: {name: t}
resources:
  h: {type: 'Cybus::Server::Http'}
  m:
    type: Cybus::Mapping
    properties:
      mappings:
        - {subscribe: {topic: a, endpoint: !ref h}, publish: {topic: b}}
", &[
        r"8:34 found both `topic` and `endpoint`, expected one of them",
    ]),
    ("a mistyped key", r"metadata: {name: t}
resources:
  m:
    type: Cybus::Mapping
    properties:
      mappings:
        - {subscribe: {topic: a}, publish: {topic: b}, rule: []}
", &[
        r"7:56 mapping: unknown key `rule`, expected `subscribe`, `publish` or `rules`",
    ]),
    ("an empty list of subscriptions", r"metadata: {name: t}
resources:
  m:
    type: Cybus::Mapping
    properties:
      mappings:
        - {subscribe: [], publish: {topic: b}}
", &[
        r"7:23 `subscribe`: found an empty list, expected one item at least",
    ]),
    ("a wildcard inside a level", r"metadata: {name: t}
resources:
  m:
    type: Cybus::Mapping
    properties:
      mappings:
        - {subscribe: {topic: a/b+}, publish: {topic: b}}
", &[
        r"7:31 `topic`: topic filter has a wildcard at byte 3 beside other characters: make + or # a whole level, as in a/+/b",
    ]),
    ("a wildcard with an impossible name", r"metadata: {name: t}
resources:
  m:
    type: Cybus::Mapping
    properties:
      mappings:
        - {subscribe: {topic: a/+b-c}, publish: {topic: b}}
", &[
        r"7:31 `topic`: found the wildcard `+b-c`, expected `+`, or `+` and a name of letters, digits and `_`",
    ]),
    ("two wildcards with one name", r"metadata: {name: t}
resources:
  m:
    type: Cybus::Mapping
    properties:
      mappings:
        - {subscribe: {topic: +a/+a}, publish: {topic: b}}
", &[
        r"7:31 `topic`: found two wildcards with the name `a`",
    ]),
    ("publishing to a wildcard", r"metadata: {name: t}
resources:
  m:
    type: Cybus::Mapping
    properties:
      mappings:
        - {subscribe: {topic: a}, publish: {topic: b/#}}
", &[
        r"7:52 `topic`: topic name contains a wildcard at byte 2: name one topic, without + and #",
    ]),
    ("a variable that nothing sets", r"metadata: {name: t}
resources:
  m:
    type: Cybus::Mapping
    properties:
      mappings:
        - {subscribe: {topic: a/+machine}, publish: {topic: 'b/{machin}'}}
", &[
        r"7:54 `topic`: `{machin}` is set by no wildcard `+machin` of `subscribe` and by no `setContextVars`",
    ]),
    ("a variable without any other", r"metadata: {name: t}
resources:
  m:
    type: Cybus::Mapping
    properties:
      mappings:
        - {subscribe: {topic: a}, publish: {topic: 'b/{x}'}}
", &[
        r"7:45 `topic`: `{x}` is set by no wildcard `+x` of `subscribe` and by no `setContextVars`",
    ]),
    ("an endpoint that is a server", r"metadata: {name: t}
resources:
  h: {type: 'Cybus::Server::Http'}
  m:
    type: Cybus::Mapping
    properties:
      mappings:
        - {subscribe: {endpoint: !ref h}, publish: {topic: b}}
", &[
        r"8:39 `endpoint`: `h` cannot be subscribed to: it is neither a node nor an endpoint",
    ]),
    ("publishing to an endpoint that subscribes", r"metadata: {name: t}
resources:
  c: {type: 'Cybus::Connection', properties: {protocol: Http, connection: {host: a}}}
  e: {type: 'Cybus::Endpoint', properties: {protocol: Http, connection: !ref c, subscribe: {path: /}}}
  m:
    type: Cybus::Mapping
    properties:
      mappings:
        - {subscribe: {topic: a}, publish: {endpoint: !ref e}}
", &[
        r"9:60 `endpoint`: `e` cannot be published to: it subscribes on the other side and takes no messages",
    ]),
    ("an object as an endpoint", r"metadata: {name: t}
resources:
  s: {type: 'Cybus::Server::Opcua'}
  root: {type: 'Cybus::Node::Opcua', properties: {parent: !ref s, nodeType: Object}}
  m:
    type: Cybus::Mapping
    properties:
      mappings:
        - {subscribe: {endpoint: !ref root}, publish: {topic: b}}
", &[
        r"9:39 `endpoint`: `root` cannot be subscribed to: it is an object, which has no value",
    ]),
    ("a variable that has nothing to do with MQTT", r"metadata: {name: t}
resources:
  s: {type: 'Cybus::Server::Opcua'}
  root: {type: 'Cybus::Node::Opcua', properties: {parent: !ref s, nodeType: Object}}
  n: {type: 'Cybus::Node::Opcua', properties: {parent: !ref root, nodeType: Variable, dataType: Int32}}
  m:
    type: Cybus::Mapping
    properties:
      mappings:
        - {subscribe: {endpoint: !ref n}, publish: {topic: b}}
", &[
        r"10:39 `endpoint`: `n` cannot be subscribed to: it has no `operation`",
    ]),
    ("an endpoint that is a text", r"metadata: {name: t}
resources:
  m:
    type: Cybus::Mapping
    properties:
      mappings:
        - {subscribe: {endpoint: n}, publish: {topic: b}}
", &[
        r"7:34 `endpoint`: found the text `n`, expected a reference to a node or an endpoint",
    ]),
    ("rules that are a mapping", r"metadata: {name: t}
resources:
  m:
    type: Cybus::Mapping
    properties:
      mappings:
        - {subscribe: {topic: a}, publish: {topic: b}, rules: {parse: {format: json}}}
", &[
        r"7:63 `rules`: found a mapping, expected a list",
    ]),
    ("an unknown rule", r"metadata: {name: t}
resources:
  m:
    type: Cybus::Mapping
    properties:
      mappings:
        - {subscribe: {topic: a}, publish: {topic: b}, rules: [{tranform: {expression: $}}]}
", &[
        r"7:65 unknown rule `tranform`, expected `parse`, `transform`, `filter`, `cov`, `burst`, `collect`, `stash` or `setContextVars`",
    ]),
    ("two rules in one item", r"metadata: {name: t}
resources:
  m:
    type: Cybus::Mapping
    properties:
      mappings:
        - {subscribe: {topic: a}, publish: {topic: b}, rules: [{collect: {}, burst: {}}]}
", &[
        r"7:64 `rules`: found 2 keys in one item, expected one rule an item",
    ]),
    ("a rule that is a text", r"metadata: {name: t}
resources:
  m:
    type: Cybus::Mapping
    properties:
      mappings:
        - {subscribe: {topic: a}, publish: {topic: b}, rules: [collect]}
", &[
        r"7:64 `rules`: found the text `collect`, expected a mapping with one of `parse`, `transform`, `filter`, `cov`, `burst`, `collect`, `stash` or `setContextVars`",
    ]),
    ("a mistake in each of two items", r"metadata: {name: t}
resources:
  m: {type: 'Cybus::Mapping', properties: {mappings: [{subscribe: {topic: a}, publish: {topic: b}, qos: 1}, {subscribe: {topic: a, qos: 3}, publish: {topic: b}}]}}
", &[
        r"3:100 mapping: unknown key `qos`, expected `subscribe`, `publish` or `rules`",
        r"3:137 `qos`: found the number 3, expected an integer from 0 to 2",
    ]),
];

#[test]
fn wrong_mappings_and_rules_are_reported_at_their_place() {
    assert_reported(CASES);
}
