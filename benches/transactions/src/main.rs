//! The same held HTTP request through Syncline and through what else one would build it with, in one run.
//!
//! Every gateway takes `POST /data/order`, publishes a request with a new id, waits for the reply of that id and answers
//! with its value. Broker (Mosquitto), responder and load are the same for all; `benches/README.md` says how to read the
//! tables.

mod gateway;
mod load;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use lexopt::prelude::*;
use syncline_bench_transactions::figures::{Sample, head, megabytes, ratio, row};
use syncline_bench_transactions::responder::Responder;
use syncline_tests::held_requests::allow_open_files;
use syncline_tests::{quiet_mosquitto, wait};

use gateway::Gateway;
use load::Connection;

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
    table += &head(&["gateway", "idle MB", "held request kB"]);
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
    table += &head(&[
        "gateway",
        "requests/s",
        "p50 µs",
        "p99 µs",
        "CPU µs/request",
        "ours/its CPU",
        "ours/its p50",
    ]);
    for (gateway, its) in gateways.iter().zip(&samples) {
        let sample = Sample::medians(its);
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
