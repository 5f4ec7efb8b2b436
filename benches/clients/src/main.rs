//! What a message of 64 bytes costs a client in CPU time, there and back, against one Mosquitto.
//!
//! Each run is a process of its own that publishes to itself with a window of 64 messages under way; what it prints is its own
//! CPU time a message, threads included. Runs of the clients alternate, so that they meet the same moods of the machine, and
//! the figures are medians.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use lexopt::prelude::*;
use syncline_tests::process::bound_to_this_thread;
use syncline_tests::quiet_mosquitto;

const USAGE: &str = "\
usage: clients --programs DIR [--repetitions N] [--messages N] [-- COMMAND]

DIR holds the programs syncline, libmosquitto and paho. COMMAND is run after them against the same broker, with
--port PORT behind its own arguments.
";

/// The programs, ours first.
const CLIENTS: [&str; 3] = ["syncline", "libmosquitto", "paho"];

struct Plan {
    programs: PathBuf,
    repetitions: usize,
    messages: u32,
    then: Vec<String>,
}

/// Nanoseconds a message.
#[derive(Clone, Copy)]
struct Cost {
    cpu: u64,
    wall: u64,
}

fn main() -> ExitCode {
    match parse().and_then(|plan| run(&plan)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("clients: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn parse() -> Result<Plan> {
    let (mut programs, mut repetitions, mut messages, mut then) = (None, 7, 20_000, Vec::new());
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("programs") => programs = Some(PathBuf::from(parser.value()?)),
            Long("repetitions") => repetitions = parser.value()?.parse()?,
            Long("messages") => messages = parser.value()?.parse()?,
            Value(word) => then.push(word.string()?),
            other => bail!("{}\n\n{USAGE}", other.unexpected()),
        }
    }
    ensure!(repetitions > 0, "--repetitions has to be 1 or more");
    Ok(Plan {
        programs: programs.with_context(|| format!("--programs is missing\n\n{USAGE}"))?,
        repetitions,
        messages,
        then,
    })
}

fn run(plan: &Plan) -> Result<()> {
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    let (_broker, port) = quiet_mosquitto::start(&folder);
    println!(
        "microseconds of CPU a message of 64 bytes, there and back; medians of {} runs with {} messages",
        plan.repetitions, plan.messages
    );
    println!("QoS  client         CPU   of ours  ours is   passed");
    for qos in 0..=2 {
        let mut runs: [Vec<Cost>; CLIENTS.len()] = Default::default();
        for _ in 0..plan.repetitions {
            for (client, costs) in CLIENTS.iter().zip(&mut runs) {
                costs.push(measure(&plan.programs.join(client), port, qos, plan.messages)?);
            }
        }
        let costs = runs.map(|costs| Cost {
            cpu: median(costs.iter().map(|cost| cost.cpu)),
            wall: median(costs.iter().map(|cost| cost.wall)),
        });
        let [ours, ..] = costs;
        for (client, cost) in CLIENTS.iter().zip(costs) {
            println!(
                "{qos:>3}  {client:<12} {:>5.1}  {:>5.2} ×  {:>5.2} ×  {:>6.1}",
                micros(cost.cpu),
                micros(cost.cpu) / micros(ours.cpu),
                micros(ours.cpu) / micros(cost.cpu),
                micros(cost.wall)
            );
        }
    }
    let Some((program, arguments)) = plan.then.split_first() else {
        return Ok(());
    };
    let mut command = Command::new(program);
    command.args(arguments).args(["--port", &port.to_string()]);
    let status = bound_to_this_thread(&command)
        .status()
        .with_context(|| format!("cannot start {program}"))?;
    ensure!(status.success(), "{program} failed with {status}");
    Ok(())
}

fn measure(program: &Path, port: u16, qos: u8, messages: u32) -> Result<Cost> {
    let mut command = Command::new(program);
    command
        .args(["127.0.0.1", &port.to_string()])
        .args([qos.to_string(), messages.to_string()]);
    let output = bound_to_this_thread(&command)
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start {}", program.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut numbers = text.split_whitespace().map(str::parse);
    match (output.status.success(), numbers.next(), numbers.next()) {
        (true, Some(Ok(cpu)), Some(Ok(wall))) => Ok(Cost { cpu, wall }),
        _ => bail!(
            "{} ended with {} and printed `{}`",
            program.display(),
            output.status,
            text.trim()
        ),
    }
}

fn median(numbers: impl Iterator<Item = u64>) -> u64 {
    let mut numbers: Vec<u64> = numbers.collect();
    numbers.sort_unstable();
    numbers[numbers.len() / 2]
}

fn micros(nanos: u64) -> f64 {
    nanos as f64 / 1000.0
}
