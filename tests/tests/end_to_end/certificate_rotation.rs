//! Certificates that change under a running agent, good ones and bad ones, while requests go on.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use syncline::run::{self, RunningAgent, Settings};
use syncline::service::{self, Context};
use syncline::tls::{self, IdentityFiles, Trust};
use syncline::transport::Endpoint;
use syncline_core::session;
use syncline_tests::agent::{Agent, example};
use syncline_tests::certificates::{Authority, Lifetime, PairFiles};
use syncline_tests::held_requests::ask_all;
use syncline_tests::responder::{Answer, Responder};
use syncline_tests::tls_broker::{Clients, Newest, TlsBroker};
use syncline_tests::wait;

const PATH: &str = "/data/flowsync/example1";
const BASE: &str = "services/example1/exampleNode";
const NAME: &str = "test-agent";
const ROTATIONS: usize = 100;
/// Requests that are open at the same time.
const AT_ONCE: usize = 8;

/// What is put in place of the pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Good,
    /// The certificate a while before its key, as a renewal by hand.
    GoodSlowly,
    KeyOfAnother,
    WrongName,
    Expired,
    NotYetValid,
    HalfWritten,
    HalfWrittenKey,
    Garbage,
    KeyRemoved,
    /// In order by itself, and from an authority that the broker does not know.
    ForeignAuthority,
}

const BAD: [Kind; 9] = [
    Kind::KeyOfAnother,
    Kind::WrongName,
    Kind::Expired,
    Kind::NotYetValid,
    Kind::HalfWritten,
    Kind::HalfWrittenKey,
    Kind::Garbage,
    Kind::KeyRemoved,
    Kind::ForeignAuthority,
];

/// Good and bad by turns, each kind of bad several times.
fn kind(rotation: usize) -> Kind {
    match rotation % 4 {
        0 => Kind::Good,
        2 => Kind::GoodSlowly,
        _ => BAD[rotation / 2 % BAD.len()],
    }
}

/// The agent under test, in this process so that its files are looked at every few milliseconds.
struct Bench {
    agent: RunningAgent,
    tls: tls::Settings,
    pair: PairFiles,
}

impl Bench {
    async fn start(broker: &TlsBroker, authority: &Authority) -> Self {
        let pair = authority
            .client(NAME, Lifetime::Now)
            .write(broker.folder(), "agent");
        let tls = tls::Settings {
            trust: Trust::Authorities(broker.ca().to_owned()),
            identity: Some(IdentityFiles {
                certificate: pair.certificate.clone(),
                key: pair.key.clone(),
                username: NAME.to_owned(),
            }),
        };
        let endpoint = Endpoint {
            host: "127.0.0.1".to_owned(),
            port: broker.port(),
        };
        let mut settings = Settings::new(endpoint, session::Config::new(NAME), ([127, 0, 0, 1], 0).into());
        settings.tls = Some(tls.clone());
        settings.tls_look_interval = Duration::from_millis(10);
        let context = Context {
            agent_name: Some(NAME.to_owned()),
            ..Context::default()
        };
        let planned = service::plan_files(&[example("1-transaction.yml")], &context).expect("a good file");
        let agent = run::start(settings, &planned.plan)
            .await
            .expect("the agent starts");
        Self { agent, tls, pair }
    }

    fn in_force(&self) -> [u8; 32] {
        self.agent.tls().expect("TLS").digest()
    }

    fn on_disk(&self) -> Option<[u8; 32]> {
        self.tls.read().ok().map(|snapshot| snapshot.digest())
    }

    /// Waits until the agent has looked at what is on disk, and returns why it is not used.
    async fn looked(&self) -> Option<String> {
        let digest = self.on_disk();
        let mut looks = self.agent.tls().expect("TLS").last_look();
        let looked = tokio::time::timeout(wait::PATIENCE, looks.wait_for(|looked| looked.digest == digest))
            .await
            .expect("the agent looks at the files");
        looked.expect("the agent is running").refused.clone()
    }

    async fn ready(&self) {
        let node = &self.agent.served()[0].node;
        tokio::time::timeout(wait::PATIENCE, node.ready())
            .await
            .expect("the node becomes ready in time")
            .expect("the agent is running");
    }

    fn port(&self) -> u16 {
        let url = &self.agent.served()[0].url;
        let authority = url
            .strip_prefix("http://127.0.0.1:")
            .expect("a URL on the loopback interface");
        authority
            .split('/')
            .next()
            .and_then(|port| port.parse().ok())
            .expect("a port")
    }

    /// Puts a pair of that kind in place, and checks what the agent makes of it.
    async fn rotate(&self, kind: Kind, authority: &Authority, foreign: &Authority) {
        let before = self.in_force();
        let good = authority.client(NAME, Lifetime::Now);
        let write = |file: &Path, text: &str| std::fs::write(file, text).expect("a writable folder");
        let put = |certificate: &str, key: &str| {
            write(&self.pair.certificate, certificate);
            write(&self.pair.key, key);
        };
        let half = |text: &str| text[..text.len() / 2].to_owned();
        let issued = |pair: syncline_tests::certificates::Pair| put(&pair.certificate, &pair.key);
        match kind {
            Kind::Good => put(&good.certificate, &good.key),
            Kind::GoodSlowly => {
                write(&self.pair.certificate, &good.certificate);
                let refused = self.looked().await.expect("a certificate alone is no pair");
                assert_eq!(self.in_force(), before, "{refused}");
                write(&self.pair.key, &good.key);
            }
            Kind::KeyOfAnother => put(&good.certificate, &authority.client(NAME, Lifetime::Now).key),
            Kind::WrongName => issued(authority.client("line-7", Lifetime::Now)),
            Kind::Expired => issued(authority.client(NAME, Lifetime::Past)),
            Kind::NotYetValid => issued(authority.client(NAME, Lifetime::Future)),
            Kind::HalfWritten => put(&half(&good.certificate), &good.key),
            Kind::HalfWrittenKey => put(&good.certificate, &half(&good.key)),
            Kind::Garbage => put("\0\u{1}garbage", "-----BEGIN"),
            Kind::KeyRemoved => {
                write(&self.pair.certificate, &good.certificate);
                std::fs::remove_file(&self.pair.key).expect("a key to remove");
            }
            Kind::ForeignAuthority => issued(foreign.client(NAME, Lifetime::Now)),
        }
        let refused = self.looked().await;
        match kind {
            Kind::Good | Kind::GoodSlowly => {
                assert_eq!(refused, None, "{kind:?}");
                assert_eq!(Some(self.in_force()), self.on_disk(), "{kind:?}");
            }
            _ => {
                let why = refused.unwrap_or_else(|| panic!("{kind:?} was taken"));
                assert_eq!(self.in_force(), before, "{kind:?}: {why}");
                let word = match kind {
                    Kind::KeyOfAnother => "does not belong",
                    Kind::WrongName => "line-7",
                    Kind::Expired => "expired",
                    Kind::NotYetValid => "not valid before",
                    Kind::KeyRemoved => "AGENT_KEY",
                    Kind::ForeignAuthority => "does not know the authority",
                    _ => "PEM",
                };
                assert!(why.contains(word), "{kind:?}: {why}");
            }
        }
    }
}

/// Requests without a pause, each of which must be answered with 200.
async fn load(port: u16, answered: &AtomicUsize, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        let answers = ask_all(port, AT_ONCE, wait::PATIENCE, |_| PATH.to_owned()).await;
        for answer in answers.expect("every request is answered") {
            assert_eq!(answer.status, 200, "{}", answer.body);
            answered.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[test]
fn hundred_rotations_under_load_fail_no_request_and_put_no_bad_pair_in_force() {
    let mut broker = TlsBroker::start(Clients::WithCertificate, Newest::Tls13);
    let (foreign, next) = (
        Authority::new("Foreign Authority"),
        Authority::new("Next Authority"),
    );
    let own = Authority::new("Clients' Authority");
    broker.restart_believing(&[&own, &next]);
    let responder = Responder::start(&broker.broker, BASE, |_| Answer::Value(json!("here")));

    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (answered, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let bench = runtime.block_on(async {
        let bench = Bench::start(&broker, &own).await;
        bench.ready().await;
        let requests = {
            let (port, answered, stop) = (bench.port(), Arc::clone(&answered), Arc::clone(&stop));
            tokio::spawn(async move { load(port, &answered, &stop).await })
        };
        for rotation in 0..ROTATIONS {
            let before = answered.load(Ordering::Relaxed);
            bench.rotate(kind(rotation), &own, &foreign).await;
            // The next one comes when requests have been answered under this one.
            while answered.load(Ordering::Relaxed) < before + 2 * AT_ONCE && !requests.is_finished() {
                tokio::task::yield_now().await;
            }
        }
        // From here on only the next authority's pair will do, and what lies on disk is bad again.
        bench.rotate(Kind::Good, &next, &foreign).await;
        bench.rotate(Kind::ForeignAuthority, &next, &foreign).await;
        stop.store(true, Ordering::Relaxed);
        requests.await.expect("no request has failed");
        bench
    });
    assert!(answered.load(Ordering::Relaxed) >= ROTATIONS * 2 * AT_ONCE);

    broker.restart_believing(&[&next]);
    runtime.block_on(async {
        bench.agent.served()[0].node.not_ready().await;
        bench.ready().await;
    });
    drop(responder);
    let _responder = Responder::start(&broker.broker, BASE, |_| Answer::Value(json!("still here")));
    let answers = runtime.block_on(ask_all(bench.port(), 1, wait::PATIENCE, |_| PATH.to_owned()));
    assert_eq!(answers.expect("an answer")[0].body, r#""still here""#);
    runtime.block_on(bench.agent.stop());
}

#[test]
fn renewed_certificate_is_picked_up_by_the_agent_as_it_is_shipped() {
    let mut broker = TlsBroker::start(Clients::WithCertificate, Newest::Tls13);
    let pair = broker
        .authority()
        .client(NAME, Lifetime::Days(20))
        .write(broker.folder(), "agent");
    let text = |path: &Path| path.to_str().expect("a path in UTF-8").to_owned();
    let variables = [
        ("CYBUS_MQTT_SCHEME", "mqtts"),
        ("USE_MUTUAL_TLS", "true"),
        ("CA", &text(broker.ca())),
        ("AGENT_CERT", &text(&pair.certificate)),
        ("AGENT_KEY", &text(&pair.key)),
    ];
    let mut agent = Agent::start_with(&example("1-transaction.yml"), broker.port(), &variables);
    agent.wait_for_log_line(&["connected to the broker"]);
    std::fs::write(&pair.key, "half a k").expect("a writable folder");
    agent.wait_for_log_line(&["WARN", "changed certificates are not used", "AGENT_KEY"]);
    let _ = broker
        .authority()
        .client(NAME, Lifetime::Now)
        .write(broker.folder(), "agent");
    agent.wait_for_log_line(&["INFO", "the certificate has changed", "2099-12-31"]);
    broker.broker.wait_for_log(&format!("as {NAME}-trial ("));
    assert_eq!(
        agent.log().matches("connected to the broker").count(),
        1,
        "{}",
        agent.log()
    );
}
