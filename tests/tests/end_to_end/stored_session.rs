//! The session on disk: an agent that is killed goes on where it was, on disks good and bad.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use syncline::data::{DataFolder, Disk, SessionLog, StoredSession};
use syncline::driver::{Driver, Reactor};
use syncline::transport::Endpoint;
use syncline_core::agent::{Agent as Core, Output};
use syncline_core::codec::QoS;
use syncline_core::session::store::{Change, StoreKey};
use syncline_core::session::{self, Publication, StoreOperation};
use syncline_core::time::{Instant, UnixMillis};
use syncline_core::topic::TopicName;
use syncline_tests::agent::{Agent, example};
use syncline_tests::curl;
use syncline_tests::mosquitto::Mosquitto;
use syncline_tests::mosquitto_clients::Subscription;
use syncline_tests::process::Process;
use syncline_tests::responder::{Answer, Responder};
use syncline_tests::small_disk::SmallDisk;
use syncline_tests::wait;

const PATH: &str = "/data/flowsync/example1";
const BASE: &str = "services/example1/exampleNode";
const MESSAGES: usize = 20;

fn agent(broker: &Mosquitto, data: &Path) -> Agent {
    let data = data.to_str().expect("a path in UTF-8");
    Agent::start_with(
        &example("1-transaction.yml"),
        broker.port(),
        &[("SYNCLINE_DATA_DIR", data)],
    )
}

/// Runs an agent until it has stored its session, and kills it.
fn store_a_session(broker: &Mosquitto, data: &Path) {
    let _agent = agent(broker, data);
    wait::until("the session is stored", wait::PATIENCE, || {
        data.join("session.log").is_file().then_some(())
    });
}

#[test]
fn agent_that_was_killed_resumes_its_session() {
    let broker = Mosquitto::start();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut first = agent(&broker, folder.path());
    first.wait_for_log_line(&["connected to the broker", "session_present=false"]);
    assert_eq!(first.ask_when_ready(PATH, &[]).status, 500, "nobody answers");
    drop(first);
    let mut second = agent(&broker, folder.path());
    second.wait_for_log_line(&["connected to the broker", "session_present=true"]);
}

#[test]
fn damaged_session_is_moved_aside_and_a_new_one_begun() {
    let broker = Mosquitto::start();
    let folder = tempfile::tempdir().expect("a temporary folder");
    store_a_session(&broker, folder.path());
    let log = folder.path().join("session.log");
    let mut bytes = std::fs::read(&log).expect("a session log");
    bytes[30] ^= 1;
    std::fs::write(&log, &bytes).expect("a writable folder");
    let mut second = agent(&broker, folder.path());
    second.wait_for_log_line(&["ERROR", "cannot be read from byte", "session.log.broken"]);
    second.wait_for_log_line(&["connected to the broker", "session_present=false"]);
    assert_eq!(
        std::fs::read(folder.path().join("session.log.broken")).expect("the old file"),
        bytes
    );
}

#[test]
fn session_of_another_name_is_moved_aside() {
    let broker = Mosquitto::start();
    let folder = tempfile::tempdir().expect("a temporary folder");
    store_a_session(&broker, folder.path());
    let data = folder.path().to_str().expect("a path in UTF-8");
    let variables = [("SYNCLINE_DATA_DIR", data), ("SYNCLINE_AGENT_NAME", "line-2")];
    let mut second = Agent::start_with(&example("1-transaction.yml"), broker.port(), &variables);
    second.wait_for_log_line(&["WARN", "test-agent", "line-2", "session.log.of-another-name"]);
    assert!(!second.log().contains("broken"), "{}", second.log());
    second.wait_for_log_line(&["connected to the broker", "session_present=false"]);
}

#[test]
fn full_disk_is_a_warning_and_the_session_is_stored_when_there_is_room() {
    let mut broker = Mosquitto::start();
    let disk = SmallDisk::mount(64 << 10);
    disk.fill();
    let mut agent = agent(&broker, disk.path());
    agent.wait_for_log_line(&["WARN", "session cannot be stored", "no space left", "in memory"]);
    let responder = Responder::start(&broker, BASE, |_| Answer::Value(json!("here")));
    assert_eq!(agent.ask_when_ready(PATH, &[]).json(), json!("here"));
    disk.make_room();
    agent.wait_for_log_line(&["INFO", "session is stored again"]);
    assert!(disk.path().join("session.log").is_file());
    assert_eq!(curl::ask(&agent.url(PATH), &[]).status, 200);
    drop(responder);
    broker.kill();
}

#[test]
fn disk_that_becomes_read_only_holds_nothing_up_and_is_written_to_when_it_is_not() {
    let disk = SmallDisk::mount(64 << 10);
    let stored = StoredSession::new(open(disk.path()), Duration::from_millis(20));
    let mut store = stored.start().expect("a thread");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut put = |seq| {
        let (key, record) = (StoreKey::from_u64(seq), Bytes::from_static(b"record"));
        let change = Change::Put(record);
        assert!(store.carry_out(StoreOperation { seq, key, change }));
        let durable =
            runtime.block_on(async { tokio::time::timeout(wait::PATIENCE, store.persisted()).await });
        assert_eq!(durable.expect("the store answers"), Some(seq));
    };
    let keys = || {
        open(disk.path())
            .records()
            .map(|(key, _)| key.to_u64())
            .collect::<Vec<_>>()
    };
    put(1);
    disk.remount("ro");
    put(2);
    assert_eq!(keys(), [1]);
    disk.remount("rw");
    wait::until("the session is written again", wait::PATIENCE, || {
        (keys() == [1, 2]).then_some(())
    });
    put(3);
    assert_eq!(keys(), [1, 2, 3]);
}

fn open(folder: &Path) -> SessionLog {
    SessionLog::open(Arc::new(Disk::new(folder)))
        .expect("a readable folder")
        .log
}

/// Names the folder to the process that is to be killed.
const FOLDER: &str = "TEST_STORED_SESSION_FOLDER";

/// Publishes once, while there is no broker.
struct PublishWhileOffline {
    published: bool,
}

impl Reactor for PublishWhileOffline {
    fn handle(&mut self, now: Instant, _: UnixMillis, output: &Output, agent: &mut Core) {
        if matches!(output, Output::Disconnected(_)) && !self.published {
            self.published = true;
            for number in 0..MESSAGES {
                let topic = TopicName::try_from("kept/messages").expect("a topic");
                let qos = if number % 2 == 0 {
                    QoS::AtLeastOnce
                } else {
                    QoS::ExactlyOnce
                };
                let payload = Bytes::from(number.to_string());
                agent
                    .publish(now, Publication::new(topic, payload).qos(qos))
                    .expect("room in the queue");
            }
        }
    }
}

fn driver(folder: &DataFolder, port: u16) -> Driver {
    let endpoint = Endpoint {
        host: "127.0.0.1".to_owned(),
        port,
    };
    let stored = folder.session().expect("a folder that can be written to");
    Driver::restore(endpoint, session::Config::new("kept"), stored).expect("a session")
}

/// Not a test by itself: accepts messages for a broker that is not there, until it is killed.
#[test]
#[ignore = "the process that the next test kills"]
fn publish_until_killed() {
    let folder =
        DataFolder::open(Path::new(&std::env::var_os(FOLDER).expect("a folder"))).expect("a free folder");
    let mut driver = driver(&folder, 1);
    driver.react_with(Box::new(PublishWhileOffline { published: false }));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    // It ends only by a signal.
    let _ = runtime.block_on(driver.run());
}

#[test]
fn messages_of_a_process_that_was_killed_arrive_in_order() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command
        .args(["--exact", "stored_session::publish_until_killed", "--ignored"])
        .env(FOLDER, folder.path());
    let mut process = Process::start(&command, &folder.path().join("output"));
    // One record for each message, and the session's own.
    let stored = || open(folder.path()).records().count();
    wait::until("the messages are stored", wait::PATIENCE, || {
        (stored() > MESSAGES).then_some(())
    });
    process.kill();

    let broker = Mosquitto::start();
    let mut messages = Subscription::start(&broker, "kept/messages");
    let data = DataFolder::open(folder.path()).expect("a folder that nobody uses");
    let driver = driver(&data, broker.port());
    let handle = driver.handle();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let running = runtime.spawn(driver.run());
    let arrived: Vec<u64> = (0..MESSAGES)
        .map(|_| wait::until("a message arrives", wait::PATIENCE, || messages.poll()).1)
        .map(|payload| payload.as_u64().expect("a number"))
        .collect();
    // A broker keeps the order of messages of one QoS.
    let of_qos = |odd| {
        arrived
            .iter()
            .copied()
            .filter(|number| number % 2 == odd)
            .collect::<Vec<_>>()
    };
    let expected = |odd| {
        (0..MESSAGES as u64)
            .filter(|number| number % 2 == odd)
            .collect::<Vec<_>>()
    };
    assert_eq!((of_qos(0), of_qos(1)), (expected(0), expected(1)));
    // What has arrived leaves the store; the session's own record stays.
    wait::until("the store is empty", wait::PATIENCE, || {
        (stored() == 1).then_some(())
    });
    handle.stop();
    let stopped = runtime.block_on(async { tokio::time::timeout(wait::PATIENCE, running).await });
    stopped
        .expect("the driver stops")
        .expect("without a panic")
        .expect("as it was told to");
    assert_eq!(messages.poll(), None, "a message came twice");
}
