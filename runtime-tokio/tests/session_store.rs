//! The session store: what is durable when, and a disk that is full for a while.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use syncline::data::{Disk, FileLayer, SessionLog, SessionStore, StoredSession};
use syncline_core::session::StoreOperation;
use syncline_core::session::store::{Change, StoreKey};

const PATIENCE: Duration = Duration::from_secs(20);
const RETRY: Duration = Duration::from_millis(20);

/// A real folder that can be full, and counts what costs time.
#[derive(Debug)]
struct Fragile {
    disk: Disk,
    full: AtomicBool,
    read_only: AtomicBool,
    syncs: AtomicUsize,
}

impl Fragile {
    fn new(folder: &Path) -> Arc<Self> {
        Arc::new(Self {
            disk: Disk::new(folder),
            full: AtomicBool::new(false),
            read_only: AtomicBool::new(false),
            syncs: AtomicUsize::new(0),
        })
    }

    /// More bytes are wanted.
    fn grow(&self) -> io::Result<()> {
        self.change()?;
        match self.full.load(Ordering::SeqCst) {
            true => Err(io::ErrorKind::StorageFull.into()),
            false => Ok(()),
        }
    }

    fn change(&self) -> io::Result<()> {
        match self.read_only.load(Ordering::SeqCst) {
            true => Err(io::ErrorKind::ReadOnlyFilesystem.into()),
            false => Ok(()),
        }
    }
}

impl FileLayer for Fragile {
    fn read(&self, name: &str, limit: u64) -> io::Result<Option<Vec<u8>>> {
        self.disk.read(name, limit)
    }

    fn create(&self, name: &str, content: &[u8]) -> io::Result<()> {
        self.grow()?;
        self.disk.create(name, content)
    }

    fn append(&self, name: &str, content: &[u8]) -> io::Result<()> {
        self.grow()?;
        self.disk.append(name, content)
    }

    fn sync(&self, name: &str) -> io::Result<()> {
        self.syncs.fetch_add(1, Ordering::SeqCst);
        self.disk.sync(name)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.change()?;
        self.disk.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.change()?;
        self.disk.remove(name)
    }

    fn sync_folder(&self) -> io::Result<()> {
        self.disk.sync_folder()
    }
}

fn start(layer: &Arc<Fragile>) -> SessionStore {
    let opened = SessionLog::open(Arc::clone(layer) as Arc<dyn FileLayer>).unwrap();
    StoredSession::new(opened.log, RETRY).start().unwrap()
}

fn put(store: &SessionStore, seq: u64) {
    let key = StoreKey::from_u64(seq);
    let change = Change::Put(Bytes::from(format!("record {seq}")));
    assert!(store.carry_out(StoreOperation { seq, key, change }));
}

/// Waits until operations up to `seq` count as durable.
async fn persisted(store: &mut SessionStore, seq: u64) {
    let reached = async { while store.persisted().await.expect("the thread is there") < seq {} };
    tokio::time::timeout(PATIENCE, reached)
        .await
        .expect("operations become durable");
}

/// The keys that the next process finds.
fn found(layer: &Arc<Fragile>) -> Vec<u64> {
    let opened = SessionLog::open(Arc::clone(layer) as Arc<dyn FileLayer>).unwrap();
    assert_eq!(opened.damage, None);
    opened.log.records().map(|(key, _)| key.to_u64()).collect()
}

/// Waits until the next process would find these keys.
async fn found_in_time(layer: &Arc<Fragile>, keys: &[u64]) {
    let there = async {
        while found(layer) != keys {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, there)
        .await
        .expect("the session is written again");
}

#[tokio::test]
async fn what_counts_as_durable_is_found_by_the_next_process() {
    let folder = tempfile::tempdir().unwrap();
    let layer = Fragile::new(folder.path());
    let mut store = start(&layer);
    for seq in 1..=20 {
        put(&store, seq);
        persisted(&mut store, seq).await;
        assert_eq!(found(&layer), (1..=seq).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn operations_that_come_together_cost_few_syncs() {
    let folder = tempfile::tempdir().unwrap();
    let layer = Fragile::new(folder.path());
    let mut store = start(&layer);
    for seq in 1..=10_000 {
        put(&store, seq);
    }
    persisted(&mut store, 10_000).await;
    let syncs = layer.syncs.load(Ordering::SeqCst);
    assert!(syncs < 1_000, "{syncs} syncs for 10,000 operations");
    assert_eq!(found(&layer).len(), 10_000);
}

#[tokio::test]
async fn closing_waits_until_all_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let layer = Fragile::new(folder.path());
    let store = start(&layer);
    (1..=1_000).for_each(|seq| put(&store, seq));
    store.close().await;
    assert_eq!(found(&layer).len(), 1_000);
}

#[tokio::test]
async fn full_disk_holds_nothing_up_leaves_no_old_session_and_is_written_to_when_it_has_room() {
    let folder = tempfile::tempdir().unwrap();
    let layer = Fragile::new(folder.path());
    let mut store = start(&layer);
    put(&store, 1);
    persisted(&mut store, 1).await;
    for round in 1..=3 {
        layer.full.store(true, Ordering::SeqCst);
        put(&store, 2 * round);
        persisted(&mut store, 2 * round).await;
        assert!(found(&layer).is_empty());
        put(&store, 2 * round + 1);
        persisted(&mut store, 2 * round + 1).await;
        layer.full.store(false, Ordering::SeqCst);
        found_in_time(&layer, &(1..=2 * round + 1).collect::<Vec<_>>()).await;
    }
    put(&store, 8);
    persisted(&mut store, 8).await;
    assert_eq!(found(&layer), (1..=8).collect::<Vec<_>>());
}

#[tokio::test]
async fn folder_that_becomes_read_only_holds_nothing_up_and_is_written_to_when_it_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let layer = Fragile::new(folder.path());
    let mut store = start(&layer);
    put(&store, 1);
    persisted(&mut store, 1).await;
    layer.read_only.store(true, Ordering::SeqCst);
    put(&store, 2);
    persisted(&mut store, 2).await;
    layer.read_only.store(false, Ordering::SeqCst);
    found_in_time(&layer, &[1, 2]).await;
}

#[tokio::test]
async fn disk_that_has_room_again_at_the_end_gets_the_session() {
    let folder = tempfile::tempdir().unwrap();
    let layer = Fragile::new(folder.path());
    let opened = SessionLog::open(Arc::clone(&layer) as Arc<dyn FileLayer>).unwrap();
    let mut store = StoredSession::new(opened.log, Duration::from_secs(3600))
        .start()
        .unwrap();
    layer.full.store(true, Ordering::SeqCst);
    put(&store, 1);
    persisted(&mut store, 1).await;
    layer.full.store(false, Ordering::SeqCst);
    store.close().await;
    assert_eq!(found(&layer), [1]);
}

/// Names the folder to the process that is to be killed.
const FOLDER: &str = "TEST_SESSION_STORE_FOLDER";
/// How often it is killed.
const KILLS: u64 = 50;
/// Records that stay: the process deletes the one that is so many before.
const KEPT: u64 = 100;

/// Not a test by itself: puts and deletes records until it is killed, and tells up to which they are durable.
#[test]
#[ignore = "the process that the next test kills"]
fn store_until_killed() {
    let folder = std::env::var_os(FOLDER).expect("a folder");
    let layer = Fragile::new(Path::new(&folder));
    // The last one again: its delete may be missing.
    let begin = found(&layer).last().copied().unwrap_or(1);
    let mut store = start(&layer);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut out = io::stdout().lock();
    for n in 1_u64.. {
        let operation = |seq, key, change| StoreOperation {
            seq,
            key: StoreKey::from_u64(key),
            change,
        };
        let number = begin + n - 1;
        let record = Bytes::from(vec![b'x'; usize::try_from(number % 3_000).unwrap()]);
        assert!(store.carry_out(operation(2 * n - 1, number, Change::Put(record))));
        assert!(store.carry_out(operation(2 * n, number.saturating_sub(KEPT), Change::Delete)));
        // Now and then: a few records are on their way at any time.
        if n % 7 == 0 {
            let durable = runtime.block_on(store.persisted()).expect("the thread is there");
            writeln!(out, "durable {}", (begin + durable / 2).saturating_sub(1)).unwrap();
            out.flush().unwrap();
        }
    }
}

#[test]
fn a_process_that_is_killed_while_storing_leaves_all_that_was_durable_and_no_gap() {
    let folder = tempfile::tempdir().unwrap();
    let layer = Fragile::new(folder.path());
    for round in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "store_until_killed", "--ignored", "--nocapture"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let durable: u64 = lines
            .map_while(Result::ok)
            .filter_map(|line| line.rsplit_once("durable ")?.1.parse().ok())
            .nth(usize::try_from(round % 10).unwrap())
            .expect("the process stores until it is killed");
        child.kill().unwrap();
        child.wait().unwrap();

        let keys = found(&layer);
        let last = *keys.last().expect("records");
        assert!(
            last >= durable,
            "{last} is the last that was found, and {durable} was durable"
        );
        let first = last.saturating_sub(KEPT) + 1;
        // Between a put and its delete there is one more.
        let whole = |first: u64| (first.max(1)..=last).collect::<Vec<_>>();
        assert!(keys == whole(first) || keys == whole(first - 1), "{keys:?}");
    }
}
