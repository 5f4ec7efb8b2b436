//! Clients that take their time, each in its own way, all at once: the agent cuts them off at its limits, and serves others
//! meanwhile.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use syncline_tests::http_plant::{Below, HttpPlant};
use syncline_tests::raw_http::{RawClient, Transport};
use syncline_tests::wait;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};

const SERVICE: &str = "\
metadata: {name: slow}
resources:
  server: {type: 'Cybus::Server::Http', properties: {requestMaxBodySize: 500000}}
  in: {type: 'Cybus::Node::Http', properties: {parent: !ref server, method: POST, route: /in, topic: in}}
  out: {type: 'Cybus::Node::Http', properties: {parent: !ref server, method: GET, route: /out, topic: large}}
";

// What the agent grants, see `Limits` in its HTTP server.
const HEAD_TIME: Duration = Duration::from_secs(10);
const BODY_TIME: Duration = Duration::from_secs(30);
const ANSWER_TIME: Duration = Duration::from_secs(30);
const IDLE_TIME: Duration = Duration::from_secs(60);

/// How much later than its limit an end may come: the machine may be busy with other tests.
const LATE: Duration = Duration::from_secs(5);
/// Clocks of two processes, and the time that a connection takes.
const EARLY: Duration = Duration::from_millis(200);
/// Longest time that somebody else may have to wait meanwhile.
const SERVED_WITHIN: Duration = Duration::from_secs(2);

/// Publishes a value that no socket's buffers can hold.
fn publish_large_value(plant: &HttpPlant) {
    let file = plant.folder().join("large.json");
    let value = format!("{{\"value\":\"{}\"}}", "x".repeat(3_500_000));
    std::fs::write(&file, value).expect("a writable temporary folder");
    let status = std::process::Command::new("mosquitto_pub")
        .args(["-h", "127.0.0.1", "-r", "-t", "services/slow/large", "-p"])
        .arg(plant.broker.port().to_string())
        .arg("-f")
        .arg(&file)
        .status();
    assert!(status.expect("mosquitto_pub is installed").success());
}

/// Connections of clients that the agent holds on to.
fn connections(plant: &HttpPlant) -> usize {
    let table = std::fs::read_to_string("/proc/net/tcp").expect("the system's table of sockets");
    let port = format!(":{:04X}", plant.agent.http_port());
    let is_held = |line: &&str| {
        let words: Vec<_> = line.split_whitespace().collect();
        // Local address, state (0A listens), and inode, which is 0 for a socket that nobody has open.
        matches!(words.as_slice(), [_, local, _, state, _, _, _, _, _, inode, ..]
            if local.ends_with(&port) && *state != "0A" && *inode != "0")
    };
    table.lines().filter(is_held).count()
}

async fn connect(transport: &Transport, port: u16) -> RawClient {
    transport
        .connect(port)
        .await
        .expect("the agent accepts a connection")
}

/// Sends `first`, then a byte each half second, until an answer or the end comes: its status, 0 for the end.
async fn dribble(mut client: RawClient, first: &[u8], byte: &[u8]) -> u16 {
    client.send(first).await.expect("the connection is open");
    let mut beat = interval(Duration::from_millis(500));
    loop {
        tokio::select! {
            answer = client.answer(Duration::from_secs(100)) => {
                return answer.expect("an answer or the end").map_or(0, |answer| answer.status);
            }
            _ = beat.tick() => {
                // The end is seen by reading.
                let _ = client.send(byte).await;
            }
        }
    }
}

/// Waits for the end of a bare connection that sends these bytes and no more.
async fn silent(port: u16, bytes: &'static [u8]) -> u16 {
    let mut stream = TcpStream::connect(("127.0.0.1", port))
        .await
        .expect("a connection");
    stream.write_all(bytes).await.expect("the connection is open");
    let mut told = Vec::new();
    // Reset or closed, it has ended.
    let _ = timeout(Duration::from_secs(100), stream.read_to_end(&mut told))
        .await
        .expect("the end of the connection");
    0
}

/// Runs one kind of slow client, whose outcome is the status of its answer or 0 for the end alone.
async fn measured(
    name: &'static str,
    limit: Duration,
    expected: u16,
    client: impl Future<Output = u16>,
) -> Result<(), String> {
    let begin = Instant::now();
    let outcome = client.await;
    let took = begin.elapsed();
    eprintln!("{name}: cut off after {took:.2?} of {limit:?}");
    if outcome != expected {
        return Err(format!("{name}: expected {expected:?}, got {outcome:?}"));
    }
    if took + EARLY < limit || took > limit + LATE {
        return Err(format!("{name}: cut off after {took:.2?}, expected {limit:?}"));
    }
    Ok(())
}

/// Asks on and on, by one connection and by new ones, until told to stop: the longest wait.
async fn good_client(transport: &Transport, port: u16, stop: &AtomicBool) -> Duration {
    let request =
        b"POST /data/in HTTP/1.1\r\nHost: h\r\nContent-Type: text/plain\r\nContent-Length: 1\r\n\r\n1";
    let mut kept = connect(transport, port).await;
    let mut longest = Duration::ZERO;
    let mut beat = interval(Duration::from_millis(250));
    while !stop.load(Ordering::Relaxed) {
        beat.tick().await;
        let begin = Instant::now();
        let mut new = connect(transport, port).await;
        for client in [&mut kept, &mut new] {
            client.send(request).await.expect("the connection is open");
            let answer = client.answer(wait::PATIENCE).await.expect("an answer");
            assert_eq!(answer.map(|answer| answer.status), Some(200));
        }
        longest = longest.max(begin.elapsed());
    }
    longest
}

const HEAD: &[u8] = b"GET /data/nowhere HTTP/1.1\r\nX: ";
const BODY: &[u8] =
    b"POST /data/in HTTP/1.1\r\nHost: h\r\nContent-Type: text/plain\r\nContent-Length: 400000\r\n\r\n";
const CHUNKS: &[u8] =
    b"POST /data/in HTTP/1.1\r\nHost: h\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n";

/// A client that has been answered once.
async fn known(transport: &Transport, port: u16) -> RawClient {
    let mut client = connect(transport, port).await;
    let asked = client
        .send(b"GET /data/nowhere HTTP/1.1\r\nHost: h\r\n\r\n")
        .await;
    asked.expect("the connection is open");
    let answer = client.answer(wait::PATIENCE).await.expect("an answer");
    assert_eq!(answer.map(|answer| answer.status), Some(404));
    client
}

/// Runs a client of each kind at once: what is wrong with how they are treated.
async fn all_kinds(transport: &Transport, port: u16) -> Vec<String> {
    let mut kinds = JoinSet::new();
    let is_tls = matches!(transport, Transport::Tls(_));
    let own = || transport.clone();
    let transport = own();
    kinds.spawn(measured("head in dribs", HEAD_TIME, 408, async move {
        dribble(connect(&transport, port).await, HEAD, b"x").await
    }));
    kinds.spawn(measured("no byte at all", HEAD_TIME, 0, silent(port, b"")));
    let transport = own();
    kinds.spawn(measured("second head in dribs", HEAD_TIME, 408, async move {
        dribble(known(&transport, port).await, HEAD, b"x").await
    }));
    let transport = own();
    kinds.spawn(measured("body in dribs", BODY_TIME, 408, async move {
        dribble(connect(&transport, port).await, BODY, b"x").await
    }));
    let transport = own();
    kinds.spawn(measured("chunks in dribs", BODY_TIME, 408, async move {
        dribble(connect(&transport, port).await, CHUNKS, b"1\r\nx\r\n").await
    }));
    let transport = own();
    kinds.spawn(measured("no second request", IDLE_TIME, 0, async move {
        let mut client = known(&transport, port).await;
        let end = client.answer(Duration::from_secs(100)).await;
        end.expect("the end").map_or(0, |answer| answer.status)
    }));
    if is_tls {
        // As far as the first bytes of a ClientHello.
        let hello = &[0x16, 0x03, 0x01, 0x02, 0x00, 0x01];
        kinds.spawn(measured(
            "handshake that stalls",
            HEAD_TIME,
            0,
            silent(port, hello),
        ));
    }
    let results = kinds.join_all().await;
    results.into_iter().filter_map(Result::err).collect()
}

/// A client whose large answer stays unread, until the agent has closed its socket.
async fn deaf(plant: &HttpPlant) -> u16 {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a small buffer");
    let address = ([127, 0, 0, 1], plant.agent.http_port()).into();
    let mut stream = socket.connect(address).await.expect("a connection");
    let asked = stream
        .write_all(b"GET /data/out HTTP/1.1\r\nHost: h\r\n\r\n")
        .await;
    asked.expect("the connection is open");
    wait::until("the agent accepts", wait::PATIENCE, || {
        (connections(plant) == 1).then_some(())
    });
    wait::until("the agent closes the socket", Duration::from_secs(100), || {
        (connections(plant) == 0).then_some(())
    });
    0
}

fn cut_off_and_served(below: Below) {
    let plant = HttpPlant::start(SERVICE, below);
    let (port, transport) = (plant.agent.http_port(), &plant.transport);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let (wrong, longest) = runtime.expect("a runtime").block_on(async {
        let stop = AtomicBool::new(false);
        let slow = async {
            let wrong = all_kinds(transport, port).await;
            stop.store(true, Ordering::Relaxed);
            wrong
        };
        tokio::join!(slow, good_client(transport, port, &stop))
    });
    eprintln!("{below:?}: longest wait of others: {longest:.2?}");
    assert!(wrong.is_empty(), "{below:?}: {}", wrong.join("\n"));
    assert!(
        longest < SERVED_WITHIN,
        "{below:?}: others had to wait {longest:?}"
    );
}

/// Runs a client that reads nothing of a large answer.
fn large_answer_unread() {
    let plant = HttpPlant::start(SERVICE, Below::Tcp);
    publish_large_value(&plant);
    wait::until("the value is provided", wait::PATIENCE, || {
        let response = syncline_tests::curl::ask(&plant.agent.url("/data/out"), &[]);
        (response.status == 200 && response.body.len() > 3_500_000).then_some(())
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let measured =
        runtime
            .expect("a runtime")
            .block_on(measured("large answer unread", ANSWER_TIME, 0, deaf(&plant)));
    assert_eq!(measured, Ok(()));
}

#[test]
fn slow_clients_are_cut_off_at_their_limits_while_others_are_served() {
    // They have to wait long, and none of them has much to do meanwhile.
    thread::scope(|scope| {
        scope.spawn(|| cut_off_and_served(Below::Tcp));
        scope.spawn(|| cut_off_and_served(Below::Tls));
        scope.spawn(large_answer_unread);
    });
}
