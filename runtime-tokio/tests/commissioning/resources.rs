//! Wrong resources, and resources that collide.

use super::{Case, assert_reported};

#[rustfmt::skip]
const CASES: &[Case] = &[
    ("a hyphen in a resource id", r"metadata: {name: t}
resources:
  my-server: {type: 'Cybus::Server::Http'}
", &[
        r"3:3 resource id `my-server`: expected a letter or digit, then letters, digits, `_` and `.`",
    ]),
    ("a resource without type", r"metadata: {name: t}
resources:
  a: {properties: {}}
", &[
        r"3:3 resource `a`: expected `type`, found none",
    ]),
    ("an unknown resource type", r"metadata: {name: t}
resources:
  a: {type: 'Cybus::Server::HTTPS'}
", &[
        r"3:13 `type`: found `Cybus::Server::HTTPS`, expected a resource type",
    ]),
    ("a resource that is a text", r"metadata: {name: t}
resources:
  a: b
", &[
        r"3:6 resource `a`: found the text `b`, expected a mapping",
    ]),
    ("an unknown key of a resource", r"metadata: {name: t}
resources:
  a: {type: 'Cybus::Server::Http', propertys: {}}
", &[
        r"3:36 resource `a`: unknown key `propertys`, expected `type` or `properties`",
    ]),
    ("a mistyped property", r"metadata: {name: t}
resources:
  a:
    type: Cybus::Server::Http
    properties:
      basepath: /x
", &[
        r"6:7 properties of `a`: unknown key `basepath`, expected `basePath`, `requestMaxBodySize`, `corsOrigins`, `targetState` or `agentName`",
    ]),
    ("a body size out of range", r"metadata: {name: t}
resources:
  a: {type: 'Cybus::Server::Http', properties: {requestMaxBodySize: 512001}}
", &[
        r"3:69 `requestMaxBodySize`: found the number 512001, expected an integer from 1 to 512000",
    ]),
    ("a base path with a query", r"metadata: {name: t}
resources:
  a: {type: 'Cybus::Server::Http', properties: {basePath: '/a?b'}}
", &[
        r"3:59 `basePath`: found '?', expected characters of a URL path; percent-encode all others",
    ]),
    ("a base path with dots", r"metadata: {name: t}
resources:
  a: {type: 'Cybus::Server::Http', properties: {basePath: /a/../b}}
", &[
        r"3:59 `basePath`: found the text `/a/../b`, expected no empty, `.` or `..` segment",
    ]),
    ("an origin with a path", r"metadata: {name: t}
resources:
  a: {type: 'Cybus::Server::Http', properties: {corsOrigins: ['https://a/b']}}
", &[
        r"3:63 `corsOrigins`: found the text `https://a/b`, expected an origin such as `https://plant.example:8443`, or `*`",
    ]),
    ("an unknown target state", r"metadata: {name: t}
resources:
  a: {type: 'Cybus::Server::Http', properties: {targetState: enable}}
", &[
        r"3:62 `targetState`: found the text `enable`, expected `enabled` or `disabled`",
    ]),
    ("a node without its properties", r"metadata: {name: t}
resources:
  s: {type: 'Cybus::Server::Http', properties: {basePath: /b}}
  n: {type: 'Cybus::Node::Http'}
", &[
        r"4:3 properties of `n`: expected `parent`, found none",
        r"4:3 properties of `n`: expected `method`, found none",
        r"4:3 properties of `n`: expected `route`, found none",
    ]),
    ("a parent that is a text", r"metadata: {name: t}
resources:
  s: {type: 'Cybus::Server::Http', properties: {basePath: /b}}
  n:
    type: Cybus::Node::Http
    properties:
      parent: s
      method: GET
      route: /r
      operation: transaction
", &[
        r"7:15 `parent`: found the text `s`, expected a reference to a `Cybus::Server::Http`",
    ]),
    ("a parent that does not exist", r"metadata: {name: t}
resources:
  s: {type: 'Cybus::Server::Http', properties: {basePath: /b}}
  n:
    type: Cybus::Node::Http
    properties:
      parent: !ref server
      method: GET
      route: /r
      operation: transaction
", &[
        r"7:20 `server` is not a parameter, a definition or a resource of this file",
    ]),
    ("a parent that is a node", r"metadata: {name: t}
resources:
  s: {type: 'Cybus::Server::Http', properties: {basePath: /b}}
  n:
    type: Cybus::Node::Http
    properties:
      parent: !ref s
      method: GET
      route: /r
      operation: transaction
  m:
    type: Cybus::Node::Http
    properties: {parent: !ref n, method: GET, route: /q, operation: transaction}
", &[
        r"13:31 `parent`: found the resource `n`, expected a `Cybus::Server::Http`",
    ]),
    ("an unknown method", r"metadata: {name: t}
resources:
  s: {type: 'Cybus::Server::Http', properties: {basePath: /b}}
  n:
    type: Cybus::Node::Http
    properties:
      parent: !ref s
      method: FETCH
      route: /r
      operation: transaction
", &[
        r"8:15 `method`: found the text `FETCH`, expected `GET`, `POST`, `PUT`, `DELETE`, `PATCH`, `HEAD`, `OPTIONS` or `TRACE`",
    ]),
    ("an unknown operation", r"metadata: {name: t}
resources:
  s: {type: 'Cybus::Server::Http', properties: {basePath: /b}}
  n:
    type: Cybus::Node::Http
    properties:
      parent: !ref s
      method: GET
      route: /r
      operation: transactions
", &[
        r"10:18 `operation`: found the text `transactions`, expected `transaction`, `serverReceives` or `serverProvides`",
    ]),
    ("a transaction block without the operation", r"metadata: {name: t}
resources:
  s: {type: 'Cybus::Server::Http', properties: {basePath: /b}}
  n:
    type: Cybus::Node::Http
    properties:
      parent: !ref s
      method: GET
      route: /r
      transaction:
        timeout: 5
", &[
        r"10:7 `transaction`: expected only with `operation: transaction`",
    ]),
    ("a timeout of zero", r"metadata: {name: t}
resources:
  s: {type: 'Cybus::Server::Http', properties: {basePath: /b}}
  n:
    type: Cybus::Node::Http
    properties:
      parent: !ref s
      method: GET
      route: /r
      operation: transaction
      transaction:
        timeout: 0
", &[
        r"12:18 `timeout`: found the number 0, expected an integer from 1 to 600000",
    ]),
    ("a timeout as a text", r"metadata: {name: t}
resources:
  s: {type: 'Cybus::Server::Http', properties: {basePath: /b}}
  n:
    type: Cybus::Node::Http
    properties:
      parent: !ref s
      method: GET
      route: /r
      operation: transaction
      transaction:
        timeout: 2s
", &[
        r"12:18 `timeout`: found the text `2s`, expected an integer from 1 to 600000",
    ]),
    ("a timeout code of success", r"metadata: {name: t}
resources:
  s: {type: 'Cybus::Server::Http', properties: {basePath: /b}}
  n:
    type: Cybus::Node::Http
    properties:
      parent: !ref s
      method: GET
      route: /r
      operation: transaction
      transaction:
        timeoutErrorCode: 200
", &[
        r"12:27 `timeoutErrorCode`: found the number 200, expected an integer from 400 to 599",
    ]),
    ("a message that is a number", r"metadata: {name: t}
resources:
  s: {type: 'Cybus::Server::Http', properties: {basePath: /b}}
  n:
    type: Cybus::Node::Http
    properties:
      parent: !ref s
      method: GET
      route: /r
      operation: transaction
      transaction:
        timeoutErrorMessage: 408
", &[
        r"12:30 `timeoutErrorMessage`: found the number 408, expected a text; put it in quotes",
    ]),
    ("a mistyped transaction property", r"metadata: {name: t}
resources:
  s: {type: 'Cybus::Server::Http', properties: {basePath: /b}}
  n:
    type: Cybus::Node::Http
    properties:
      parent: !ref s
      method: GET
      route: /r
      operation: transaction
      transaction:
        timout: 5
", &[
        r"12:9 transaction: unknown key `timout`, expected `timeout`, `timeoutErrorCode`, `timeoutErrorMessage` or `maxInFlight`",
    ]),
    ("a quality of service of three", r"metadata: {name: t}
resources:
  s: {type: 'Cybus::Server::Http', properties: {basePath: /b}}
  n:
    type: Cybus::Node::Http
    properties:
      parent: !ref s
      method: GET
      route: /r
      operation: transaction
      qos: 3
", &[
        r"11:12 `qos`: found the number 3, expected an integer from 0 to 2",
    ]),
    ("a topic with a wildcard", r"metadata: {name: t}
resources:
  s: {type: 'Cybus::Server::Http', properties: {basePath: /b}}
  n:
    type: Cybus::Node::Http
    properties:
      parent: !ref s
      method: GET
      route: /r
      operation: transaction
      topic: a/+/b
", &[
        r"11:14 `topic`: found '+', expected a topic without wildcards",
    ]),
    ("two nodes on one url", r"metadata: {name: t}
resources:
  s: {type: 'Cybus::Server::Http', properties: {basePath: /b}}
  n:
    type: Cybus::Node::Http
    properties:
      parent: !ref s
      method: GET
      route: /r
      operation: transaction
  m:
    type: Cybus::Node::Http
    properties: {parent: !ref s, method: get, route: /R/, operation: transaction}
", &[
        r"13:54 GET `/data/b/R/` is already served by another node",
    ]),
    ("two servers on one base path", r"metadata: {name: t}
resources:
  s: {type: 'Cybus::Server::Http', properties: {basePath: /b}}
  s2: {type: 'Cybus::Server::Http', properties: {basePath: /B/}}
", &[
        r"4:60 server `s2` has the same `basePath` as another server, expected one server for each",
    ]),
    ("two nodes on one topic", r"metadata: {name: t}
resources:
  s: {type: 'Cybus::Server::Http', properties: {basePath: /b}}
  n:
    type: Cybus::Node::Http
    properties:
      parent: !ref s
      method: GET
      route: /r
      operation: transaction
  m:
    type: Cybus::Node::Http
    properties: {parent: !ref s, method: PUT, route: /r, operation: transaction, topic: n}
", &[
        r"13:89 the topic `services/t/n` is already that of another node",
    ]),
    ("several mistakes at once", r"metadata: {name: t}
resources:
  s: {type: 'Cybus::Server::Http', properties: {basePath: /b}}
  n:
    type: Cybus::Node::Http
    properties:
      parent: !ref s
      method: FETCH
      route: /r
      operation: transaction
      qos: 9
      transaction: {timeout: 0, maxInFlight: 0}
", &[
        r"8:15 `method`: found the text `FETCH`, expected `GET`, `POST`, `PUT`, `DELETE`, `PATCH`, `HEAD`, `OPTIONS` or `TRACE`",
        r"11:12 `qos`: found the number 9, expected an integer from 0 to 2",
        r"12:30 `timeout`: found the number 0, expected an integer from 1 to 600000",
        r"12:46 `maxInFlight`: found the number 0, expected an integer from 1 to 1000000",
    ]),
    ("rules that join the requests of a transaction", r"metadata: {name: t}
resources:
  s: {type: 'Cybus::Server::Http'}
  n:
    type: Cybus::Node::Http
    properties:
      parent: !ref s
      method: POST
      route: /r
      operation: transaction
      rules: [{filter: {expression: $}}, {burst: {maxSize: 2}}]
", &[
        r"11:7 `rules`: found `burst`, which makes one message of several; each request of a transaction waits for an answer of its own",
    ]),
];

#[test]
fn wrong_and_colliding_resources_are_reported_at_their_place() {
    assert_reported(CASES);
}
