//! The same held Write of an OPC UA client through Syncline and through a server written by hand on node-opcua, in one run.
//!
//! Each server has one variable. A Write of it becomes a request with a new id on MQTT, waits for the reply of that id and is
//! answered Good. Broker (Mosquitto), responder and load are the same for both; `benches/README.md` says how to read the tables.

mod server;
mod session;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use lexopt::prelude::*;
use opcua::types::NodeId;
use syncline_bench_transactions::figures::{Measured, Sample, head, median, megabytes, ratio, row};
use syncline_bench_transactions::responder::Responder;
use syncline_bench_transactions::usage;
use syncline_tests::{quiet_mosquitto, wait};
use tokio::task::JoinSet;

use server::Server;
use session::Session;

const USAGE: &str = "\
usage: opcua [--node-peers FOLDER] [--load SESSIONSxWRITES,…] [--rounds N] [--seconds N]

  --node-peers FOLDER        also run the server on node-opcua, which is installed in this folder
  --load SESSIONSxWRITES,…   sessions, and Writes that each keeps under way (default 1x1,20x1,20x16)
  --rounds N                 times that each server is measured, in turn; the median counts (default 5)
  --seconds N                length of one measurement (default 3)
";

/// Writes held at once to see what one of them costs in memory.
const HELD: usize = 1_000;
/// The sessions that they are of.
const HOLDING: usize = 20;

/// Sessions, and Writes that each keeps under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Load {
    sessions: usize,
    writes: usize,
}

struct Options {
    node_peers: Option<PathBuf>,
    loads: Vec<Load>,
    rounds: usize,
    time: Duration,
}

fn parse_load(text: &str) -> Result<Load> {
    let numbers = text
        .split_once('x')
        .and_then(|(sessions, writes)| Some((sessions.parse().ok()?, writes.parse().ok()?)));
    match numbers {
        Some((sessions, writes)) if sessions > 0 && writes > 0 => Ok(Load { sessions, writes }),
        _ => bail!("--load takes pairs like 20x1 with commas between"),
    }
}

fn parse() -> Result<Option<Options>> {
    let mut node_peers = None;
    let mut loads = "1x1,20x1,20x16".to_owned();
    let (mut rounds, mut time) = (5, Duration::from_secs(3));
    let mut parser = lexopt::Parser::from_env();
    while let Some(arg) = parser.next()? {
        match arg {
            Long("node-peers") => node_peers = Some(parser.value()?.into()),
            Long("load") => loads = parser.value()?.string()?,
            Long("rounds") => rounds = parser.value()?.parse()?,
            Long("seconds") => time = Duration::from_secs(parser.value()?.parse()?),
            Short('h') | Long("help") => return Ok(None),
            other => bail!("{}\n\n{USAGE}", other.unexpected()),
        }
    }
    ensure!(
        rounds > 0 && !time.is_zero(),
        "rounds and seconds must be 1 at least"
    );
    Ok(Some(Options {
        node_peers,
        loads: loads.split(',').map(parse_load).collect::<Result<_>>()?,
        rounds,
        time,
    }))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let Some(options) = parse()? else {
        print!("{USAGE}");
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let (broker, mqtt_port) = quiet_mosquitto::start(&folder);
    let responder = Responder::start(mqtt_port)?;
    let mut servers = vec![Server::syncline(mqtt_port, &folder)?];
    if let Some(peers) = &options.node_peers {
        servers.push(Server::node_opcua(peers, mqtt_port, &folder)?);
    }
    let bench = Bench {
        broker: broker.id(),
        responder,
        servers,
        options,
    };
    for server in &bench.servers {
        warm_up(server).await.with_context(|| server.name)?;
    }
    println!("{}", bench.memory_table().await?);
    for &load in &bench.options.loads {
        println!("{}", bench.load_table(load).await?);
    }
    bench.responder.stop()
}

/// Writes until the server's own subscription is there, and then some more, for one of the servers compiles as it goes.
async fn warm_up(server: &Server) -> Result<()> {
    let mut session = open(server).await?;
    let begin = Instant::now();
    while let Err(error) = session.write(0.5).await {
        if begin.elapsed() > wait::PATIENCE {
            return Err(error);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    ensure!(
        session.read().await? == 0.5,
        "the node does not have the value that was written"
    );
    session.close().await?;
    let (sessions, _) = apply(open_many(server, 20).await?, 4, Duration::from_secs(3)).await?;
    close(sessions).await
}

async fn open(server: &Server) -> Result<Session> {
    Session::open(server.port(), &server.url(), &NodeId::new(1, "order")).await
}

async fn open_many(server: &Server, count: usize) -> Result<Vec<Session>> {
    let mut sessions = Vec::with_capacity(count);
    for _ in 0..count {
        sessions.push(open(server).await?);
    }
    Ok(sessions)
}

async fn close(sessions: Vec<Session>) -> Result<()> {
    for session in sessions {
        session.close().await?;
    }
    Ok(())
}

/// Has all of `sessions` write for `time`, and gives them back.
async fn apply(sessions: Vec<Session>, writes: usize, time: Duration) -> Result<(Vec<Session>, Measured)> {
    let begin = Instant::now();
    let mut tasks = JoinSet::new();
    for mut session in sessions {
        tasks.spawn(async move {
            let latencies = session.keep_writing(writes, time).await?;
            anyhow::Ok((session, latencies))
        });
    }
    let (mut sessions, mut measured) = (Vec::new(), Measured::default());
    while let Some(result) = tasks.join_next().await {
        let (session, latencies) = result??;
        sessions.push(session);
        measured.latencies.extend(latencies);
    }
    measured.elapsed = begin.elapsed();
    measured.latencies.sort_unstable();
    Ok((sessions, measured))
}

/// Processor time of one Write in the processes that are the same for all, in microseconds.
struct Others {
    /// Load and responder.
    load: f64,
    broker: f64,
}

struct Bench {
    broker: u32,
    responder: Responder,
    servers: Vec<Server>,
    options: Options,
}

impl Bench {
    async fn memory_table(&self) -> Result<String> {
        let mut table = format!("memory, {HELD} Writes of {HOLDING} sessions held at once\n\n");
        table += &head(&["server", "idle MB", "held Write kB"]);
        for server in &self.servers {
            let sessions = open_many(server, HOLDING).await?;
            let before = server.resident()?;
            self.responder.hold();
            let mut tasks = JoinSet::new();
            for mut session in sessions {
                tasks.spawn(async move {
                    session.write_at_once(HELD / HOLDING).await?;
                    session.close().await
                });
            }
            let begin = Instant::now();
            while self.responder.held() < HELD {
                ensure!(
                    begin.elapsed() < Duration::from_secs(9),
                    "{}: only {} of {HELD} requests reached the responder in 9 s",
                    server.name,
                    self.responder.held()
                );
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            let held = server.resident()?;
            self.responder.release();
            while let Some(result) = tasks.join_next().await {
                result?.with_context(|| server.name)?;
            }
            let each = megabytes(held.saturating_sub(before)) * 1000.0 / HELD as f64;
            row(
                &mut table,
                &[
                    server.name.to_owned(),
                    format!("{:.1}", megabytes(server.idle)),
                    format!("{each:.1}"),
                ],
            );
        }
        Ok(table)
    }

    async fn load_table(&self, load: Load) -> Result<String> {
        let mut samples: Vec<Vec<Sample>> = self.servers.iter().map(|_| Vec::new()).collect();
        let mut others: Vec<Vec<Others>> = self.servers.iter().map(|_| Vec::new()).collect();
        for _ in 0..self.options.rounds {
            for (index, server) in self.servers.iter().enumerate() {
                let (sample, other) = self.measure(server, load).await.with_context(|| server.name)?;
                samples[index].push(sample);
                others[index].push(other);
            }
        }
        let mut table = format!(
            "sessions: {}, Writes under way in each: {}\n\n",
            load.sessions, load.writes
        );
        table += &head(&[
            "server",
            "Writes/s",
            "p50 µs",
            "p99 µs",
            "CPU µs/Write",
            "load CPU",
            "broker CPU",
            "ours/its Writes/s",
            "ours/its CPU",
            "ours/its p50",
        ]);
        for ((server, its), others) in self.servers.iter().zip(&samples).zip(&others) {
            let sample = Sample::medians(its);
            let other = |figure: fn(&Others) -> f64| median(others.iter().map(figure).collect());
            row(
                &mut table,
                &[
                    server.name.to_owned(),
                    format!("{:.0}", sample.per_second),
                    format!("{:.0}", sample.p50),
                    format!("{:.0}", sample.p99),
                    format!("{:.1}", sample.cpu),
                    format!("{:.1}", other(|others| others.load)),
                    format!("{:.1}", other(|others| others.broker)),
                    format!("{:.2}", ratio(&samples[0], its, |sample| sample.per_second)),
                    format!("{:.2}", ratio(&samples[0], its, |sample| sample.cpu)),
                    format!("{:.2}", ratio(&samples[0], its, |sample| sample.p50)),
                ],
            );
        }
        Ok(table)
    }

    #[allow(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    async fn measure(&self, server: &Server, load: Load) -> Result<(Sample, Others)> {
        let time = self.options.time;
        let sessions = open_many(server, load.sessions).await?;
        let (sessions, _) = apply(sessions, load.writes, time / 4).await?;
        let used = || {
            anyhow::Ok([
                server.cpu()?,
                usage::cpu(std::process::id())?,
                usage::cpu(self.broker)?,
            ])
        };
        let (answered, before) = (self.responder.answered(), used()?);
        let (sessions, measured) = apply(sessions, load.writes, time).await?;
        let after = used()?;
        close(sessions).await?;
        let count = measured.latencies.len();
        ensure!(
            self.responder.answered() - answered == count,
            "{count} Writes were answered, and {} requests",
            self.responder.answered() - answered
        );
        let each = |index: usize| (after[index] - before[index]).as_secs_f64() * 1e6 / count as f64;
        let others = Others {
            load: each(1),
            broker: each(2),
        };
        Ok((Sample::new(&measured, after[0] - before[0]), others))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_is_a_pair_of_numbers_above_zero() {
        let load = Load {
            sessions: 20,
            writes: 16,
        };
        assert_eq!(parse_load("20x16").unwrap(), load);
        for odd in ["20", "20x", "x1", "0x1", "1x0", "1,1", "1x1x1"] {
            assert!(parse_load(odd).is_err(), "{odd}");
        }
    }
}
