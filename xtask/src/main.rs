//! `cargo xtask`: every check and every generated file of this project behind one command.

mod bench;
mod client_cost;
mod dist_c;
mod ffi;
mod fuzz;
mod header;
mod install;
mod jsonata;
mod lint;
mod node;
mod plan;
mod process;
mod python;
mod test;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use lexopt::prelude::*;

use dist_c::Destination;

const USAGE: &str = "\
usage: cargo xtask <command>

  test [--quick]        run every test; --quick leaves out those that need a server
  ci                    formatting, clippy, documentation, then every test
  header [--check]      write ffi-c/include/syncline.h; --check only compares
  fuzz [--seconds N] [--only NAME,...]
                        run every fuzz target, or those named, for N seconds each (default 60)
  bench packets         measure codec and session beside other libraries
  bench transactions [OPTIONS]
                        measure whole transactions beside other gateways; --help tells the options
  bench opcua [OPTIONS] measure held OPC UA Writes beside a server on node-opcua; --help tells the options
  bench clients         measure what a message costs clients in C and in Python beside each other
  dist-c [--prefix DIR] [--destdir DIR]
                        install the C library below DIR (default /usr/local), within --destdir where it is given
  dist-c --check        install it in a temporary folder, and build programs with it as its users do
  jsonata               measure which share of JSONata's own suite the rules pass
";

enum Task {
    Test { quick: bool },
    Ci,
    Header { check: bool },
    Fuzz { seconds: u32, only: Vec<String> },
    Bench(fn() -> Result<()>),
    BenchWith(fn(&[OsString]) -> Result<()>, Vec<OsString>),
    DistC(Destination),
    CheckDistC,
    Jsonata,
    Help,
}

fn parse() -> Result<Task> {
    let mut parser = lexopt::Parser::from_env();
    let mut task = match parser.next()? {
        Some(Value(name)) => match name.string()?.as_str() {
            "test" => Task::Test { quick: false },
            "ci" => Task::Ci,
            "header" => Task::Header { check: false },
            "fuzz" => Task::Fuzz {
                seconds: 60,
                only: Vec::new(),
            },
            "bench" => match parser.value()?.string()?.as_str() {
                "packets" => Task::Bench(bench::packets),
                "transactions" => Task::BenchWith(bench::transactions, parser.raw_args()?.collect()),
                "opcua" => Task::BenchWith(bench::opcua, parser.raw_args()?.collect()),
                "clients" => Task::Bench(client_cost::run),
                other => bail!("no benchmark is called `{other}`\n\n{USAGE}"),
            },
            "dist-c" => Task::DistC(Destination::default()),
            "jsonata" => Task::Jsonata,
            "help" => Task::Help,
            other => bail!("unknown command `{other}`\n\n{USAGE}"),
        },
        Some(Short('h') | Long("help")) => Task::Help,
        Some(other) => bail!("{}\n\n{USAGE}", other.unexpected()),
        None => bail!("a command is missing\n\n{USAGE}"),
    };
    while let Some(arg) = parser.next()? {
        match (&mut task, arg) {
            (Task::Test { quick }, Long("quick")) => *quick = true,
            (Task::Header { check }, Long("check")) => *check = true,
            (Task::Fuzz { seconds, .. }, Long("seconds")) => *seconds = parser.value()?.parse()?,
            (Task::Fuzz { only, .. }, Long("only")) => {
                only.extend(parser.value()?.string()?.split(',').map(str::to_owned));
            }
            (Task::DistC(_), Long("check")) => task = Task::CheckDistC,
            (Task::DistC(destination), Long("prefix")) => destination.prefix = parser.value()?.into(),
            (Task::DistC(destination), Long("destdir")) => {
                destination.root = Some(std::path::absolute(PathBuf::from(parser.value()?))?);
            }
            (_, Short('h') | Long("help")) => task = Task::Help,
            (_, other) => bail!("{}\n\n{USAGE}", other.unexpected()),
        }
    }
    Ok(task)
}

fn run(task: &Task) -> Result<()> {
    match task {
        Task::Test { quick } => test::plan(*quick).run(),
        Task::Ci => {
            let mut plan = lint::plan();
            plan.append(test::plan(false));
            plan.run()
        }
        Task::Header { check: true } => header::check(),
        Task::Header { check: false } => header::write(),
        Task::Fuzz { seconds, only } => fuzz::run(*seconds, only),
        Task::Bench(run) => run(),
        Task::BenchWith(run, arguments) => run(arguments),
        Task::CheckDistC => dist_c::check::run(),
        Task::DistC(destination) => dist_c::run(dist_c::Build::Shipped, destination),
        Task::Jsonata => jsonata::run(),
        Task::Help => {
            print!("{USAGE}");
            Ok(())
        }
    }
}

fn main() -> ExitCode {
    match parse().and_then(|task| run(&task)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The workspace's top folder.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask lies in the workspace's top folder")
}

/// Where cargo puts what it builds; the tasks' own files go to `xtask/` below it.
fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}
