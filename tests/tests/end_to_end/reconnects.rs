//! Ten thousand reconnects: the link is cut at random points, and no QoS 1 message is lost in either direction.
//!
//! `SYNCLINE_RECONNECTS_SEED=N` cuts at the points of an earlier run, whose seed its output has. What the operating system
//! makes of it is not repeatable; what has to come out is.

use std::collections::HashSet;
use std::hash::BuildHasher as _;
use std::num::NonZeroU16;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant as StdInstant};

use bytes::Bytes;
use rumqttc::{AsyncClient, Event, Incoming, MqttOptions};
use syncline::data::{DataFolder, Disk, SessionLog};
use syncline::driver::{Driver, Reactor};
use syncline::transport::Endpoint;
use syncline_core::agent::{Agent, Output};
use syncline_core::codec::{PropertyBuf, QoS};
use syncline_core::rng::Rng;
use syncline_core::session::{Completion, Config, OpId, Publication, VersionPolicy};
use syncline_core::time::{Duration as CoreDuration, Instant, UnixMillis};
use syncline_core::topic::TopicName;
use syncline_tests::faulty_link::{Cut, Farewell, FaultyLink};
use syncline_tests::mosquitto::Mosquitto;
use syncline_tests::session_client::filter;
use tokio::sync::Notify;
use tokio::task::JoinSet;

const RECONNECTS: u64 = 10_000;
/// Sessions that are cut at the same time; half of them speak 3.1.1.
const LANES: u64 = 8;
/// Messages under way at a time, in each direction of each lane.
const WINDOW: usize = 16;
/// A session that has not lost a connection for so long, although each of them is cut early, is wedged.
const WEDGED: Duration = Duration::from_secs(10);
/// Bytes after which a connection is cut at the latest: a handshake takes less than a hundred.
const LONGEST: u64 = 1_500;

/// What both ends of a lane have seen.
#[derive(Debug, Default)]
struct Ledger {
    /// Connections that the broker has accepted.
    connections: u64,
    /// Whether the broker has confirmed the session's subscription.
    subscribed: bool,
    up: Direction,
    down: Direction,
}

/// Messages of one direction: the numbers from zero.
#[derive(Debug, Default)]
struct Direction {
    /// How many were published.
    published: u64,
    /// How many of them the publisher knows to have arrived.
    confirmed: u64,
    /// Those that came, in the order of their first arrival.
    arrived: Vec<u64>,
    seen: HashSet<u64>,
}

impl Direction {
    fn arrive(&mut self, payload: &[u8]) {
        let number = std::str::from_utf8(payload)
            .ok()
            .and_then(|text| text.parse().ok());
        let number = number.expect("a message is a number");
        if self.seen.insert(number) {
            self.arrived.push(number);
        }
    }

    /// Whether everything has arrived and is known to have.
    fn is_settled(&self) -> bool {
        self.arrived.len() as u64 >= self.published && self.confirmed == self.published
    }

    /// Nothing is missing, nothing came that was not published, and QoS 1 keeps the order of first arrivals.
    fn is_complete(&self) -> bool {
        self.arrived.iter().copied().eq(0..self.published)
    }
}

/// One session, its peer, and what both have seen.
#[derive(Debug, Default)]
struct Lane {
    ledger: Mutex<Ledger>,
    /// The peer may have something to publish.
    feed: Notify,
    /// Nothing new is to be published.
    is_over: AtomicBool,
}

impl Lane {
    fn look<T>(&self, look: impl FnOnce(&mut Ledger) -> T) -> T {
        look(&mut self.ledger.lock().expect("nobody panics with it"))
    }

    fn goes_on(&self) -> bool {
        !self.is_over.load(Ordering::Relaxed)
    }
}

/// The session's side: a window of messages always under way, and a subscription.
struct Publisher {
    lane: Arc<Lane>,
    name: String,
    open: HashSet<OpId>,
    subscription: Option<OpId>,
}

impl Publisher {
    fn fill(&mut self, now: Instant, agent: &mut Agent) {
        while self.lane.goes_on() && self.open.len() < WINDOW {
            let number = self.lane.look(|ledger| ledger.up.published);
            let topic = TopicName::new(format!("{}/up", self.name)).expect("a topic");
            let publication = Publication::new(topic, Bytes::from(number.to_string())).qos(QoS::AtLeastOnce);
            let op = agent.publish(now, publication).expect("room in the queue");
            assert!(self.open.insert(op), "an operation has a name of its own");
            self.lane.look(|ledger| ledger.up.published += 1);
        }
    }
}

impl Reactor for Publisher {
    fn handle(&mut self, now: Instant, _: UnixMillis, output: &Output, agent: &mut Agent) {
        match output {
            Output::Connected(connected) => {
                let subscribed = self.lane.look(|ledger| {
                    ledger.connections += 1;
                    ledger.subscribed
                });
                assert!(connected.session_present || !subscribed, "the Session is kept");
                if !subscribed {
                    let wanted = [filter(&format!("{}/down", self.name), QoS::AtLeastOnce)];
                    self.subscription = agent.subscribe(&wanted, &PropertyBuf::new()).ok();
                }
            }
            Output::OpCompleted(op, Completion::Subscribed(reasons)) if self.subscription == Some(*op) => {
                assert_eq!(reasons.first_error(), None);
                self.lane.look(|ledger| ledger.subscribed = true);
                self.lane.feed.notify_one();
            }
            // Lost with the link, and made again on the next one.
            Output::OpCompleted(op, _) if self.subscription == Some(*op) => {}
            Output::OpCompleted(op, completion) => {
                assert!(self.open.remove(op), "an operation completes once");
                assert!(
                    matches!(completion, Completion::Published { .. }),
                    "{completion:?}"
                );
                self.lane.look(|ledger| ledger.up.confirmed += 1);
            }
            Output::Message(message) => {
                self.lane.look(|ledger| ledger.down.arrive(message.payload()));
                self.lane.feed.notify_one();
            }
            _ => {}
        }
        self.fill(now, agent);
    }
}

/// The peer's side, on a link that holds: it is subscribed when this returns, and never ends by itself.
async fn start_peer(port: u16, name: &str, lane: &Arc<Lane>) -> JoinSet<()> {
    let mut options = MqttOptions::new(format!("peer-of-{name}"), "127.0.0.1", port);
    options.set_inflight(100);
    let (client, mut events) = AsyncClient::new(options, 100);
    let up = format!("{name}/up");
    let subscribed = client.subscribe(up, rumqttc::QoS::AtLeastOnce).await;
    subscribed.expect("room for a SUBSCRIBE");
    while !matches!(
        events.poll().await.expect("the peer's link holds"),
        Event::Incoming(Incoming::SubAck(_))
    ) {}
    let mut tasks = JoinSet::new();
    let taking = Arc::clone(lane);
    tasks.spawn(async move {
        loop {
            match events.poll().await.expect("the peer's link holds") {
                Event::Incoming(Incoming::Publish(publish)) => {
                    taking.look(|ledger| ledger.up.arrive(&publish.payload));
                }
                Event::Incoming(Incoming::PubAck(_)) => taking.look(|ledger| ledger.down.confirmed += 1),
                _ => {}
            }
        }
    });
    let (topic, feeding) = (format!("{name}/down"), Arc::clone(lane));
    tasks.spawn(async move {
        loop {
            feeding.feed.notified().await;
            while let Some(number) = next_down(&feeding) {
                let sent = client.publish(&topic, rumqttc::QoS::AtLeastOnce, false, number.to_string());
                sent.await.expect("the peer's task runs");
            }
        }
    });
    tasks
}

/// The next message of the peer, as long as the broker keeps them and not too many are under way.
fn next_down(lane: &Lane) -> Option<u64> {
    lane.look(|Ledger { down, subscribed, .. }| {
        let is_wanted =
            *subscribed && lane.goes_on() && down.published < (down.arrived.len() + WINDOW) as u64;
        is_wanted.then(|| {
            down.published += 1;
            down.published - 1
        })
    })
}

/// Where a connection ends: in either direction, from before its first byte on.
fn cut(rng: &mut Rng) -> Cut {
    let mut draw = |below: u64| rng.next_u64() % below;
    // By turns in the handshake and anywhere: of evenly drawn points few would fall there.
    let longest = [60, 200, LONGEST][usize::try_from(draw(3)).expect("a small number")];
    let (cut, never) = (draw(longest), Cut::NEVER.to_server);
    let (to_server, to_client) = if draw(2) == 0 { (cut, never) } else { (never, cut) };
    let farewell = if draw(2) == 0 {
        Farewell::End
    } else {
        Farewell::Reset
    };
    Cut {
        to_server,
        to_client,
        farewell,
    }
}

/// Waits for `condition`, but not longer than [`WEDGED`] without a step that `moves` tells of.
async fn until(what: &str, mut condition: impl FnMut() -> bool, mut moves: impl FnMut() -> bool) {
    let mut since = StdInstant::now();
    while !condition() {
        if moves() {
            since = StdInstant::now();
        }
        assert!(since.elapsed() < WEDGED, "wedged: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn driver(folder: &DataFolder, port: u16, name: &str, version: VersionPolicy) -> Driver {
    let mut config = Config::new(name);
    config.version = version;
    // As Mosquitto has it in 3.1.1. What it may have under way it sends anew on each connection, all at once.
    config.receive_maximum = NonZeroU16::new(20).expect("not zero");
    config.reconnect.shortest = CoreDuration::ZERO;
    config.reconnect.first = CoreDuration::from_millis(1);
    config.reconnect.longest = CoreDuration::from_millis(1);
    let endpoint = Endpoint {
        host: "127.0.0.1".to_owned(),
        port,
    };
    let stored = folder.session().expect("a folder that can be written to");
    Driver::restore(endpoint, config, stored).expect("a session")
}

/// One session that is cut so many times, and then left alone until everything has arrived.
async fn run(number: u64, broker: u16, mut rng: Rng, cuts: u64) {
    let name = format!("lane-{number}");
    let lane = Arc::new(Lane::default());
    let _peer = start_peer(broker, &name, &lane).await;
    let whether = Arc::clone(&lane);
    let link = FaultyLink::start(broker, move || {
        if whether.goes_on() {
            cut(&mut rng)
        } else {
            Cut::NEVER
        }
    })
    .await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = DataFolder::open(folder.path()).expect("a folder that nobody uses");
    let version = if number.is_multiple_of(2) {
        VersionPolicy::V5
    } else {
        VersionPolicy::V3_1_1
    };
    let mut driver = driver(&data, link.port(), &name, version);
    driver.react_with(Box::new(Publisher {
        lane: Arc::clone(&lane),
        name,
        open: HashSet::new(),
        subscription: None,
    }));
    let handle = driver.handle();
    let running = tokio::spawn(driver.run());

    let mut before = 0;
    let enough = || link.cuts() >= cuts;
    let moves = || {
        let now = link.cuts();
        assert!(!running.is_finished(), "the driver has ended");
        std::mem::replace(&mut before, now) != now
    };
    until("connections are cut", enough, moves).await;
    lane.is_over.store(true, Ordering::Relaxed);
    let settled = || lane.look(|ledger| ledger.up.is_settled() && ledger.down.is_settled());
    until("everything arrives", settled, || false).await;

    lane.look(|ledger| {
        assert!(ledger.up.is_complete(), "up: {:?}", ledger.up.arrived);
        assert!(ledger.down.is_complete(), "down: {:?}", ledger.down.arrived);
        assert!(
            ledger.connections > cuts / 2,
            "most cuts come after the handshake"
        );
        println!(
            "lane {number}, {version:?}: {} cuts, {} handshakes, {} messages up and {} down",
            link.cuts(),
            ledger.connections,
            ledger.up.published,
            ledger.down.published
        );
    });
    handle.stop();
    running
        .await
        .expect("without a panic")
        .expect("as it was told to");
    // What has arrived leaves the store; the session's own record stays.
    drop(data);
    let left = SessionLog::open(Arc::new(Disk::new(folder.path())))
        .expect("a readable folder")
        .log;
    assert_eq!(left.records().count(), 1);
}

#[test]
fn ten_thousand_reconnects_lose_no_message_at_qos_1_and_wedge_no_session() {
    let seed = match std::env::var("SYNCLINE_RECONNECTS_SEED") {
        Ok(text) => text.parse().expect("SYNCLINE_RECONNECTS_SEED is a number"),
        Err(_) => std::hash::RandomState::new().hash_one(RECONNECTS),
    };
    println!("SYNCLINE_RECONNECTS_SEED={seed}");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let mut rng = Rng::from_seed(bytes);
    let broker = Mosquitto::start();
    let begin = StdInstant::now();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let mut lanes = JoinSet::new();
        for number in 0..LANES {
            let rng = Rng::from_seed(rng.derive_seed());
            lanes.spawn(run(number, broker.port(), rng, RECONNECTS / LANES));
        }
        while let Some(lane) = lanes.join_next().await {
            lane.expect("the lane keeps its promises");
        }
    });
    println!("{RECONNECTS} reconnects in {:?}", begin.elapsed());
}
