//! The same held HTTP request through Syncline and through what else one would build it with, in one run.
//!
//! Every gateway takes `POST /data/order`, publishes a request with a new id, waits for the reply of that id and answers
//! with its value. Broker (Mosquitto), responder and load are the same for all; `benches/README.md` says how to read the
//! tables.

mod gateway;
mod load;
mod responder;
mod usage;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use lexopt::prelude::*;
use syncline_tests::held_requests::allow_open_files;
use syncline_tests::{quiet_mosquitto, wait};

use gateway::{Gateway, row};
use load::{Connection, Measured};
use responder::Responder;

const USAGE: &str = "\
usage: transactions [--node-peers FOLDER] [--only NAME,NAME…] [--connections N,N…] [--rounds N] [--seconds N]

  --node-peers FOLDER   also run express, fastify and Node-RED, which are installed in this folder
  --only NAME,NAME…     of the gateways besides Syncline, those whose names begin like this: `--only axum`
  --connections N,N…    HTTP connections, each with one request at a time (default 1,64,256,1000)
  --rounds N            times that each gateway is measured, in turn; the median counts (default 3)
  --seconds N           length of one measurement (default 3)
";

/// Requests held at once to see what one of them costs in memory.
const HELD: usize = 1_000;

struct Options {
    node_peers: Option<PathBuf>,
    /// Empty for all.
    only: Vec<String>,
    connections: Vec<usize>,
    rounds: usize,
    time: Duration,
}

impl Options {
    fn includes(&self, gateway: &str) -> bool {
        let gateway = gateway.to_lowercase();
        self.only.is_empty() || self.only.iter().any(|name| gateway.starts_with(name))
    }
}

fn parse() -> Result<Option<Options>> {
    let mut options = Options {
        node_peers: None,
        only: Vec::new(),
        connections: vec![1, 64, 256, 1000],
        rounds: 3,
        time: Duration::from_secs(3),
    };
    let mut parser = lexopt::Parser::from_env();
    while let Some(arg) = parser.next()? {
        match arg {
            Long("node-peers") => options.node_peers = Some(parser.value()?.into()),
            Long("only") => {
                let text = parser.value()?.string()?;
                options.only = text.split(',').map(str::to_lowercase).collect();
            }
            Long("connections") => {
                let text = parser.value()?.string()?;
                let numbers = text.split(',').map(str::parse).collect::<Result<Vec<_>, _>>();
                options.connections = numbers.context("--connections takes numbers with commas between")?;
            }
            Long("rounds") => options.rounds = parser.value()?.parse()?,
            Long("seconds") => options.time = Duration::from_secs(parser.value()?.parse()?),
            Short('h') | Long("help") => return Ok(None),
            other => bail!("{}\n\n{USAGE}", other.unexpected()),
        }
    }
    ensure!(
        options.rounds > 0 && !options.time.is_zero() && !options.connections.contains(&0),
        "rounds, seconds and connections must be 1 at least"
    );
    Ok(Some(options))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let Some(options) = parse()? else {
        print!("{USAGE}");
        return Ok(());
    };
    allow_open_files(10_000);
    let folder = tempfile::tempdir()?;
    let (_broker, mqtt_port) = quiet_mosquitto::start(&folder);
    let responder = Responder::start(mqtt_port)?;
    let mut gateways = vec![Gateway::syncline(mqtt_port, &folder)?];
    for (name, program) in [("raw sockets", "raw-sockets"), ("axum + rumqttc", "axum-rumqttc")] {
        if options.includes(name) {
            gateways.push(Gateway::beside(name, program, mqtt_port, &folder)?);
        }
    }
    for (name, script) in [
        ("fastify + mqtt.js", "fastify.js"),
        ("express + mqtt.js", "express.js"),
        ("Node-RED", "node-red.js"),
    ] {
        if let Some(peers) = options.node_peers.as_ref().filter(|_| options.includes(name)) {
            gateways.push(Gateway::node(name, script, peers, mqtt_port, &folder)?);
        }
    }
    for gateway in &gateways {
        warm_up(gateway).await.with_context(|| gateway.name)?;
    }
    println!("{}", memory_table(&gateways, &responder).await?);
    for &connections in &options.connections {
        println!("{}", load_table(&gateways, connections, &options).await?);
    }
    responder.stop()
}

/// Asks until the gateway's own subscription is there, and then some more.
async fn warm_up(gateway: &Gateway) -> Result<()> {
    let begin = std::time::Instant::now();
    loop {
        match Connection::open(gateway.port(), 0).await?.transact().await {
            Ok(()) => break,
            Err(error) if begin.elapsed() > wait::PATIENCE => return Err(error),
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
    let connection = Connection::open(gateway.port(), 0).await?;
    load::apply(vec![connection], Duration::from_secs(1)).await?;
    Ok(())
}

async fn open(gateway: &Gateway, count: usize) -> Result<Vec<Connection>> {
    let mut connections = Vec::with_capacity(count);
    for number in 0..count {
        connections.push(Connection::open(gateway.port(), number).await?);
    }
    Ok(connections)
}

async fn memory_table(gateways: &[Gateway], responder: &Responder) -> Result<String> {
    let mut table = format!("memory, {HELD} requests held at once\n\n");
    row(
        &mut table,
        &["gateway", "idle MB", "held request kB"].map(str::to_owned),
    );
    row(&mut table, &["---", "---:", "---:"].map(str::to_owned));
    for gateway in gateways {
        let before = gateway.resident()?;
        responder.hold();
        let connections = open(gateway, HELD).await?;
        let load = tokio::spawn(load::ask_once(connections));
        let begin = std::time::Instant::now();
        while responder.held() < HELD {
            ensure!(
                begin.elapsed() < Duration::from_secs(9),
                "{}: only {} of {HELD} requests reached the responder in 9 s",
                gateway.name,
                responder.held()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let held = gateway.resident()?;
        responder.release();
        load.await?.with_context(|| gateway.name)?;
        row(
            &mut table,
            &[
                gateway.name.to_owned(),
                format!("{:.1}", megabytes(gateway.idle)),
                format!(
                    "{:.1}",
                    megabytes(held.saturating_sub(before)) * 1000.0 / HELD as f64
                ),
            ],
        );
    }
    Ok(table)
}

#[allow(clippy::cast_precision_loss, reason = "memory is far below 2^53 bytes")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// One gateway's measurement at one number of connections.
struct Sample {
    per_second: f64,
    p50: f64,
    p99: f64,
    cpu: f64,
}

impl Sample {
    #[allow(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    fn new(measured: &Measured, cpu: Duration) -> Self {
        let count = measured.latencies.len();
        let micros = |share: usize| measured.latencies[(count - 1) * share / 100].as_secs_f64() * 1e6;
        Self {
            per_second: count as f64 / measured.elapsed.as_secs_f64(),
            p50: micros(50),
            p99: micros(99),
            cpu: cpu.as_secs_f64() * 1e6 / count as f64,
        }
    }
}

async fn load_table(gateways: &[Gateway], connections: usize, options: &Options) -> Result<String> {
    let mut samples: Vec<Vec<Sample>> = gateways.iter().map(|_| Vec::new()).collect();
    for _ in 0..options.rounds {
        for (gateway, samples) in gateways.iter().zip(&mut samples) {
            let open = open(gateway, connections).await?;
            let (open, _) = load::apply(open, options.time / 4)
                .await
                .with_context(|| gateway.name)?;
            let before = gateway.cpu()?;
            let (_, measured) = load::apply(open, options.time)
                .await
                .with_context(|| gateway.name)?;
            samples.push(Sample::new(&measured, gateway.cpu()?.saturating_sub(before)));
        }
    }
    let plural = if connections == 1 { "" } else { "s" };
    let mut table = format!("{connections} connection{plural}\n\n");
    row(
        &mut table,
        &[
            "gateway",
            "requests/s",
            "p50 µs",
            "p99 µs",
            "CPU µs/request",
            "ours/its CPU",
            "ours/its p50",
        ]
        .map(str::to_owned),
    );
    row(
        &mut table,
        &["---", "---:", "---:", "---:", "---:", "---:", "---:"].map(str::to_owned),
    );
    for (gateway, its) in gateways.iter().zip(&samples) {
        let sample = medians(its);
        row(
            &mut table,
            &[
                gateway.name.to_owned(),
                format!("{:.0}", sample.per_second),
                format!("{:.0}", sample.p50),
                format!("{:.0}", sample.p99),
                format!("{:.1}", sample.cpu),
                format!("{:.2}", ratio(&samples[0], its, |sample| sample.cpu)),
                format!("{:.2}", ratio(&samples[0], its, |sample| sample.p50)),
            ],
        );
    }
    Ok(table)
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// The median of what each round says: what else the machine does changes from round to round, and less within one.
fn ratio(ours: &[Sample], its: &[Sample], figure: fn(&Sample) -> f64) -> f64 {
    let ratios = ours.iter().zip(its).map(|(ours, its)| figure(ours) / figure(its));
    median(ratios.collect())
}

fn medians(samples: &[Sample]) -> Sample {
    let median = |figure: fn(&Sample) -> f64| median(samples.iter().map(figure).collect());
    Sample {
        per_second: median(|sample| sample.per_second),
        p50: median(|sample| sample.p50),
        p99: median(|sample| sample.p99),
        cpu: median(|sample| sample.cpu),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(figure: f64, p50: f64) -> Sample {
        Sample {
            per_second: figure,
            p50,
            p99: figure,
            cpu: figure,
        }
    }

    #[test]
    fn gateways_are_compared_round_by_round() {
        let ours = [sample(1.0, 0.0), sample(30.0, 0.0), sample(2.0, 0.0)];
        let its = [sample(2.0, 0.0), sample(60.0, 0.0), sample(1.0, 0.0)];
        assert!((ratio(&ours, &its, |sample| sample.cpu) - 0.5).abs() < 1e-9);
    }

    #[test]
    fn each_figure_has_its_own_median() {
        let median = medians(&[sample(3.0, 1.0), sample(1.0, 9.0), sample(2.0, 5.0)]);
        assert_eq!((median.per_second, median.p50), (2.0, 5.0));
    }

    #[test]
    fn percentiles_are_of_the_sorted_latencies() {
        let measured = Measured {
            latencies: (1..=101).map(Duration::from_micros).collect(),
            elapsed: Duration::from_secs(1),
        };
        let sample = Sample::new(&measured, Duration::from_micros(202));
        assert_eq!((sample.p50, sample.p99, sample.cpu), (51.0, 100.0, 2.0));
    }
}
