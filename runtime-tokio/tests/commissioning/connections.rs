//! Wrong connections and endpoints.

use super::{Case, assert_reported};

#[rustfmt::skip]
const CASES: &[Case] = &[
    ("a connection without its properties", r"metadata: {name: t}
resources:
  c: {type: 'Cybus::Connection'}
", &[
        r"3:3 properties of `c`: expected `protocol`, found none",
        r"3:3 properties of `c`: expected `connection`, found none",
    ]),
    ("a mistyped protocol", r"metadata: {name: t}
resources:
  c: {type: 'Cybus::Connection', properties: {protocol: Htp, connection: {host: a}}}
", &[
        r"3:57 `protocol`: found `Htp`, expected a protocol",
    ]),
    ("a host that is a url", r"metadata: {name: t}
resources:
  c: {type: 'Cybus::Connection', properties: {protocol: Http, connection: {host: 'http://a'}}}
", &[
        r"3:82 `host`: found the text `http://a`, expected a host name or an IP address, without scheme and port",
    ]),
    ("an unknown key of an HTTP connection", r"metadata: {name: t}
resources:
  c: {type: 'Cybus::Connection', properties: {protocol: Http, connection: {host: a, probInterval: 5}}}
", &[
        r"3:85 connection: unknown key `probInterval`, expected `scheme`, `host`, `port`, `prefix`, `headers`, `query`, `auth`, `probeInterval`, `probeTimeout`, `probePath`, `probeMethod`, `mutualAuthentication`, `trustAllCertificates` or `connectionStrategy`",
    ]),
    ("a header with a line break", r#"metadata: {name: t}
resources:
  c: {type: 'Cybus::Connection', properties: {protocol: Http, connection: {host: a, headers: {A: "b\nc"}}}}
"#, &[
        r"3:94 `headers`: `A` is no header field that HTTP has",
    ]),
    ("headers that are a list", r"metadata: {name: t}
resources:
  c: {type: 'Cybus::Connection', properties: {protocol: Http, connection: {host: a, headers: [b]}}}
", &[
        r"3:94 `headers`: found a list, expected a mapping of names to texts",
    ]),
    ("credentials without password", r"metadata: {name: t}
resources:
  c: {type: 'Cybus::Connection', properties: {protocol: Http, connection: {host: a, auth: {username: b}}}}
", &[
        r"3:91 auth: expected `password`, found none",
    ]),
    ("a maximum delay below the initial one", r"metadata: {name: t}
resources:
  c: {type: 'Cybus::Connection', properties: {protocol: Http, connection: {host: a}, connectionStrategy: {initialDelay: 5000, maxDelay: 10}}}
", &[
        r"3:127 `maxDelay`: found a time that is shorter than `initialDelay`",
    ]),
    ("a factor below one", r"metadata: {name: t}
resources:
  c: {type: 'Cybus::Connection', properties: {protocol: Http, connection: {host: a}, connectionStrategy: {incrementFactor: 0.5}}}
", &[
        r"3:124 `incrementFactor`: found the number 0.5, expected a number from 1 to 1000",
    ]),
    ("a retry strategy in two places", r"metadata: {name: t}
resources:
  c: {type: 'Cybus::Connection', properties: {protocol: Http, connection: {host: a, connectionStrategy: {}}, connectionStrategy: {}}}
", &[
        r"3:110 `connectionStrategy`: found it here and in `connection`, expected it once",
    ]),
    ("an MQTT connection over WebSockets", r"metadata: {name: t}
resources:
  c: {type: 'Cybus::Connection', properties: {protocol: Mqtt, connection: {host: a, scheme: ws}}}
", &[
        r"3:93 `scheme`: found the text `ws`, expected `mqtt`, `mqtts`, `tcp` or `tls`",
    ]),
    ("a url that is none, or has a password in it", r"metadata: {name: t}
resources:
  c: {type: 'Cybus::Connection', properties: {protocol: Mqtt, connection: {url: 'mqtt://u:s3cret@b'}}}
", &[
        r"3:81 `url`: expected `scheme://host` or `scheme://host:port` with the scheme `mqtt`, `mqtts`, `tcp` or `tls`; user name and password are properties of their own",
    ]),
    ("a password of nobody", r"metadata: {name: t}
resources:
  c: {type: 'Cybus::Connection', properties: {protocol: Mqtt, connection: {host: a, password: s3cret}}}
", &[
        r"3:85 `password`: found it without `username`, which MQTT 3.1.1 does not allow; add `username`",
    ]),
    ("certificates that are none", r"metadata: {name: t}
resources:
  c:
    type: Cybus::Connection
    properties:
      protocol: Mqtt
      connection:
        host: a
        scheme: mqtts
        port: 8883
        caCert: /etc/ca.pem
        clientCert: |
          -----BEGIN CERTIFICATE-----
          -----END CERTIFICATE-----
", &[
        r"11:17 `caCert`: there is no certificate in it, expected PEM with `-----BEGIN CERTIFICATE-----`",
        r"12:9 `clientCert`: found it without `clientPrivateKey`, expected both or neither",
        r"13:11 `clientCert`: what it holds as a certificate is none, or one of a kind that is not supported: have it issued again",
    ]),
    ("a will without topic", r"metadata: {name: t}
resources:
  c: {type: 'Cybus::Connection', properties: {protocol: Mqtt, connection: {host: a, will: {payload: x}}}}
", &[
        r"3:91 will: expected `topic`, found none",
    ]),
    ("an empty client identifier", r"metadata: {name: t}
resources:
  c: {type: 'Cybus::Connection', properties: {protocol: Mqtt, connection: {host: a, clientId: ''}}}
", &[
        r"3:95 `clientId`: found the text ``, expected a text of 1 to 65535 bytes",
    ]),
    ("endpoints of another broker that feed each other", r"metadata: {name: t}
resources:
  c: {type: 'Cybus::Connection', properties: {protocol: Mqtt, connection: {host: a}}}
  in: {type: 'Cybus::Endpoint', properties: {protocol: Mqtt, connection: !ref c, subscribe: {topic: 'x/#'}, topic: out/set}}
  out: {type: 'Cybus::Endpoint', properties: {protocol: Mqtt, connection: !ref c, write: {topic: x/y}}}
", &[
        r"4:3 messages of `in` would go round for ever: what it publishes on `services/t/out/set` is written back by `out` to what it subscribes to",
    ]),
    ("an unknown target state", r"metadata: {name: t}
resources:
  c: {type: 'Cybus::Connection', properties: {protocol: Mqtt, connection: {host: a}, targetState: conected}}
", &[
        r"3:99 `targetState`: found the text `conected`, expected `connected`, `disconnected`, `enabled` or `disabled`",
    ]),
    ("an endpoint without its properties", r"metadata: {name: t}
resources:
  e: {type: 'Cybus::Endpoint'}
", &[
        r"3:3 properties of `e`: expected `protocol`, found none",
        r"3:3 properties of `e`: expected `connection`, found none",
        r"3:3 expected one of `subscribe`, `read` and `write`, found none",
    ]),
    ("an endpoint with two operations", r"metadata: {name: t}
resources:
  c: {type: 'Cybus::Connection', properties: {protocol: Http, connection: {host: a}}}
  e: {type: 'Cybus::Endpoint', properties: {protocol: Http, connection: !ref c, read: {path: /}, write: {path: /}}}
", &[
        r"4:98 expected one of `subscribe`, `read` and `write`, found several",
    ]),
    ("an endpoint of another protocol than its connection", r"metadata: {name: t}
resources:
  c: {type: 'Cybus::Connection', properties: {protocol: Http, connection: {host: a}}}
  e: {type: 'Cybus::Endpoint', properties: {protocol: Mqtt, connection: !ref c, subscribe: {topic: a}}}
", &[
        r"4:78 `connection`: `c` speaks `Http`, but the endpoint `Mqtt`",
    ]),
    ("a connection that is none", r"metadata: {name: t}
resources:
  h: {type: 'Cybus::Server::Http'}
  e: {type: 'Cybus::Endpoint', properties: {protocol: Http, connection: !ref h, read: {path: /}}}
", &[
        r"4:78 `connection`: found the resource `h`, expected a `Cybus::Connection`",
    ]),
    ("a connection that is a text", r"metadata: {name: t}
resources:
  c: {type: 'Cybus::Connection', properties: {protocol: Http, connection: {host: a}}}
  e: {type: 'Cybus::Endpoint', properties: {protocol: Http, connection: c, read: {path: /}}}
", &[
        r"4:73 `connection`: found the text `c`, expected a reference to a `Cybus::Connection`",
    ]),
    ("an HTTP endpoint without path", r"metadata: {name: t}
resources:
  c: {type: 'Cybus::Connection', properties: {protocol: Http, connection: {host: a}}}
  e: {type: 'Cybus::Endpoint', properties: {protocol: Http, connection: !ref c, read: {}}}
", &[
        r"4:87 read: expected `path`, found none",
    ]),
    ("a path with a space", r"metadata: {name: t}
resources:
  c: {type: 'Cybus::Connection', properties: {protocol: Http, connection: {host: a}}}
  e: {type: 'Cybus::Endpoint', properties: {protocol: Http, connection: !ref c, read: {path: '/a b'}}}
", &[
        r"4:94 `path`: found ' ', expected characters of a URL; percent-encode all others",
    ]),
    ("an interval that is too short", r"metadata: {name: t}
resources:
  c: {type: 'Cybus::Connection', properties: {protocol: Http, connection: {host: a}}}
  e: {type: 'Cybus::Endpoint', properties: {protocol: Http, connection: !ref c, subscribe: {path: /, interval: 1}}}
", &[
        r"4:112 `interval`: found the number 1, expected an integer from 10 to 604800000",
    ]),
    ("reading from a broker", r"metadata: {name: t}
resources:
  c: {type: 'Cybus::Connection', properties: {protocol: Mqtt, connection: {host: a}}}
  e: {type: 'Cybus::Endpoint', properties: {protocol: Mqtt, connection: !ref c, read: {topic: a}}}
", &[
        r"4:87 `read`: a broker cannot be asked for a value, expected `subscribe` or `write`",
    ]),
    ("writing to a wildcard", r"metadata: {name: t}
resources:
  c: {type: 'Cybus::Connection', properties: {protocol: Mqtt, connection: {host: a}}}
  e: {type: 'Cybus::Endpoint', properties: {protocol: Mqtt, connection: !ref c, write: {topic: a/+}}}
", &[
        r"4:96 `topic`: topic name contains a wildcard at byte 2: name one topic, without + and #",
    ]),
    ("an unknown service", r"metadata: {name: t}
resources:
  e: {type: 'Cybus::Endpoint', properties: {protocol: Http, connection: !ref other::c, read: {path: /}}}
", &[
        r"3:78 no file has the service id `other`",
    ]),
    ("an unknown resource of a known service", r"metadata: {name: t}
resources:
  c: {type: 'Cybus::Connection', properties: {protocol: Http, connection: {host: a}}}
  e: {type: 'Cybus::Endpoint', properties: {protocol: Http, connection: !ref t::cc, read: {path: /}}}
", &[
        r"4:78 the service `t` has no resource `cc`",
    ]),
];

#[test]
fn wrong_connections_and_endpoints_are_reported_at_their_place() {
    assert_reported(CASES);
}
