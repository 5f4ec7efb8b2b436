//! Command line: what can be asked, and with which exit code it is answered.

mod access;
mod ask;
mod cert;
mod check;
mod config;
mod exit;
mod flags;
#[cfg(feature = "hub")]
mod hub;
mod live;
mod log_line;
mod logging;
mod manual;
mod mqtt;
mod opcua;
mod output;
mod progress;
mod register;
mod run;
mod signal;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use syncline::config::{AgentMode, Environment, Flags};
use syncline::service::Paint;

use self::exit::Exit;
use self::flags::{Overrides, Parameter};

const TEMPLATE: &str = "\
{about-section}
{before-help}{usage-heading} {usage}

{all-args}{after-help}";

/// MQTT edge agent that holds an HTTP request until the answer has come back over MQTT.
#[derive(Debug, Parser)]
#[command(
    name = "syncline",
    version,
    help_template = TEMPLATE,
    before_help = "Examples:
  syncline demo                       everything in one process: see a request held and answered
  syncline check service.yml          what would run, and every mistake of the file
  CYBUS_AGENT_NAME=line-1 CYBUS_MQTT_HOST=localhost syncline run --service service.yml",
    after_help = "`syncline config env` lists the variables of the environment, `--help` the exit codes."
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(Run),
    Check(Check),
    Register(register::Register),
    #[cfg(feature = "demo")]
    Demo(Demo),
    #[cfg(feature = "hub")]
    Hub(Box<hub::Hub>),
    Status(Status),
    Health(Health),
    Flow(Flow),
    Mqtt(Mqtt),
    Cert(Cert),
    Access(access::Access),
    Opcua(opcua::Opcua),
    Config(Config),
    Completions(Completions),
    Man(Man),
}

/// Run the services of commissioning files on this agent
#[derive(Debug, Default, clap::Args)]
#[command(
    help_template = TEMPLATE,
    before_help = "Examples:
  syncline run --agent-name line-1 --mqtt-host localhost --service service.yml
  syncline run --service service.yml --set machine=press-2 --log-level debug",
    after_help = "SIGHUP has it read the commissioning files at once, which it does by itself when they change; SIGTERM and SIGINT stop \
it in order, and a second one without."
)]
struct Run {
    /// Commissioning file, may be given more than once [default: all files of the services folder]
    #[arg(long, value_name = "FILE")]
    service: Vec<PathBuf>,
    /// Value for a parameter of the commissioning files, may be given more than once
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<Parameter>,
    /// File with values for parameters, YAML: a name and its value on each line; --set goes before
    #[arg(long, value_name = "FILE")]
    values: Option<PathBuf>,
    #[command(flatten)]
    overrides: Overrides,
}

/// Check commissioning files and show what they would run, or with --live the way to broker and registry
#[derive(Debug, clap::Args)]
#[command(
    help_template = TEMPLATE,
    before_help = "Examples:
  syncline check service.yml
  syncline check --json services/*.yml | jq '.services[].httpServers[].nodes[].url'
  syncline check --live"
)]
struct Check {
    /// Commissioning files, planned together
    #[arg(required_unless_present = "live", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Go the way to broker and registry, step by step: name, TCP, TLS, login or a request; the exit code is that of the
    /// step that fails
    #[arg(long, conflicts_with_all = ["files", "json"])]
    live: bool,
    /// Value for a parameter of the commissioning files, may be given more than once
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<Parameter>,
    /// File with values for parameters, YAML: a name and its value on each line; --set goes before
    #[arg(long, value_name = "FILE")]
    values: Option<PathBuf>,
    /// Print plan, errors and warnings as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    overrides: Overrides,
}

/// Watch a request being held and answered: broker, agent and responder in one process
#[cfg(feature = "demo")]
#[derive(Debug, clap::Args)]
#[command(
    help_template = TEMPLATE,
    before_help = "Examples:
  syncline demo
  syncline demo --once"
)]
struct Demo {
    /// Send one request, show its answer and exit
    #[arg(long)]
    once: bool,
}

/// Show what a running agent does
#[derive(Debug, clap::Args)]
#[command(
    help_template = TEMPLATE,
    before_help = "Examples:
  syncline status --data-dir /var/lib/syncline
  syncline status --json | jq .broker.connected"
)]
struct Status {
    /// Print everything as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    overrides: Overrides,
}

/// Ask a running agent whether it is live or ready, for a container's health check
#[derive(Debug, clap::Args)]
#[command(
    help_template = TEMPLATE,
    before_help = "Examples:
  syncline health ready && echo requests are accepted"
)]
struct Health {
    /// What to ask
    probe: Probe,
    #[command(flatten)]
    overrides: Overrides,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Probe {
    /// Its tasks turn
    Live,
    /// It accepts requests
    Ready,
}

/// List the nodes of a running agent, or make a request of one
#[derive(Debug, clap::Args)]
#[command(
    help_template = TEMPLATE,
    before_help = "Examples:
  syncline flow list
  syncline flow call exampleNode '{\"order\":42}'"
)]
struct Flow {
    #[command(subcommand)]
    command: FlowCommand,
}

#[derive(Debug, Subcommand)]
enum FlowCommand {
    /// List the nodes of a running agent, those that can be called first
    List {
        /// Print them as JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        overrides: Overrides,
    },
    /// Make a request of a node and print the value of the answer
    Call {
        /// Resource id of the node, or `SERVICE/NODE`
        node: String,
        /// The value that is asked with, JSON
        #[arg(default_value = "null")]
        value: String,
        #[command(flatten)]
        overrides: Overrides,
    },
}

/// Publish and subscribe with the agent's own credentials
#[derive(Debug, clap::Args)]
#[command(
    help_template = TEMPLATE,
    before_help = "Examples:
  syncline mqtt sub 'services/#'
  echo 21.5 | syncline mqtt pub line-1/temperature --qos 1 --retain"
)]
struct Mqtt {
    #[command(subcommand)]
    command: MqttCommand,
}

#[derive(Debug, Subcommand)]
enum MqttCommand {
    /// Publish a message: an argument, a file, or the standard input
    Pub {
        /// Topic Name
        topic: String,
        /// The message
        #[arg(long, conflicts_with = "file")]
        message: Option<String>,
        /// File with the message; `-` is the standard input
        #[arg(long)]
        file: Option<PathBuf>,
        /// Quality of Service
        #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=2))]
        qos: u8,
        /// Have the broker keep the message for those who subscribe later
        #[arg(long)]
        retain: bool,
        /// Longest wait for the broker
        #[arg(long, value_name = "TIME", default_value = "10s")]
        timeout: humantime::Duration,
        #[command(flatten)]
        overrides: Overrides,
    },
    /// Print messages, topic and payload a line, until stopped
    Sub {
        /// Topic Filters
        #[arg(required = true, value_name = "TOPIC")]
        topics: Vec<String>,
        /// Highest Quality of Service
        #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=2))]
        qos: u8,
        /// Stop after so many messages
        #[arg(long)]
        count: Option<u64>,
        /// Longest wait for the broker
        #[arg(long, value_name = "TIME", default_value = "10s")]
        timeout: humantime::Duration,
        #[command(flatten)]
        overrides: Overrides,
    },
}

/// Look at certificates
#[derive(Debug, clap::Args)]
#[command(
    help_template = TEMPLATE,
    before_help = "Examples:
  syncline cert show
  syncline cert show --json /connectware/certs/ca/ca-chain.pem"
)]
struct Cert {
    #[command(subcommand)]
    command: CertCommand,
}

#[derive(Debug, Subcommand)]
enum CertCommand {
    /// Print what certificates say and how long they hold; exit code 1 when one does not
    Show {
        /// PEM files [default: the client certificate]
        files: Vec<PathBuf>,
        /// Print them as JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        overrides: Overrides,
    },
}

/// Show the configuration
#[derive(Debug, clap::Args)]
#[command(
    help_template = TEMPLATE,
    before_help = "Examples:
  syncline config env
  syncline config show --origin"
)]
struct Config {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// List every variable of the environment
    Env {
        /// Print the table of `docs/configuration.md`
        #[arg(long)]
        markdown: bool,
    },
    /// Print every value as it is now, secrets masked
    Show {
        /// Print where each value comes from as well
        #[arg(long)]
        origin: bool,
        #[command(flatten)]
        overrides: Overrides,
    },
}

/// Print the completion script of a shell
#[derive(Debug, clap::Args)]
#[command(
    help_template = TEMPLATE,
    before_help = "Examples:
  syncline completions bash > /etc/bash_completion.d/syncline
  syncline completions fish > ~/.config/fish/completions/syncline.fish"
)]
struct Completions {
    /// The shell
    shell: clap_complete::Shell,
}

/// Print the manual, or the page of a command
#[derive(Debug, clap::Args)]
#[command(
    help_template = TEMPLATE,
    before_help = "Examples:
  syncline man | man -l -
  syncline man config show | man -l -
  syncline man --dir /usr/local/share/man/man1"
)]
struct Man {
    /// The command whose page to print
    command: Vec<String>,
    /// Write the pages of all commands into this folder instead
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["command", "markdown"])]
    dir: Option<PathBuf>,
    /// Print `docs/commands.md` instead
    #[arg(long, conflicts_with = "command")]
    markdown: bool,
}

/// How the process ends after a panic.
pub(crate) fn after_panic() -> ExitCode {
    Exit::Software.into()
}

/// The command line with all that is said about it.
fn command() -> clap::Command {
    let codes: String = output::table(&Exit::rows())
        .lines()
        .map(|line| format!("  {line}\n"))
        .collect();
    Cli::command().after_long_help(format!(
        "Most commands read the environment as well: `syncline config env` lists its variables.\n\nExit codes:\n{codes}"
    ))
}

/// Runs the command of this process.
pub(crate) fn main() -> ExitCode {
    let environment = Environment::of_process();
    let cli = Cli::from_arg_matches(&command().get_matches()).unwrap_or_else(|error| error.exit());
    let exit = match cli.command {
        Some(Command::Run(run)) => run::main(run, &environment),
        Some(Command::Check(check)) => check::main(check, &environment),
        Some(Command::Register(options)) => register::main(&options, &environment),
        #[cfg(feature = "demo")]
        Some(Command::Demo(demo)) => run::demo(demo.once),
        #[cfg(feature = "hub")]
        Some(Command::Hub(options)) => hub::main(*options, &environment),
        Some(Command::Status(options)) => ask::status(&options, &environment),
        Some(Command::Health(options)) => ask::health(&options, &environment),
        Some(Command::Flow(options)) => ask::flow(&options, &environment),
        Some(Command::Mqtt(options)) => mqtt::main(options.command, &environment),
        Some(Command::Cert(options)) => cert::main(options.command, &environment),
        Some(Command::Access(options)) => access::main(options.command),
        Some(Command::Opcua(options)) => opcua::main(options.command, &environment),
        Some(Command::Config(config)) => config::main(config.command, &environment),
        Some(Command::Completions(Completions { shell })) => manual::completions(shell),
        Some(Command::Man(man)) => manual::main(&man),
        None => without_command(&environment),
    };
    exit.into()
}

/// A container sets the mode and gives no command: that is `run`.
fn without_command(environment: &Environment) -> Exit {
    match syncline::config::load(&Flags::new(), environment) {
        Err(error) => output::configuration(&error),
        Ok(loaded) => match loaded.config.agent_mode {
            Some(AgentMode::Distributed) => run::main(Run::default(), environment),
            None => {
                let help = command().render_help();
                output::diagnostics(&match output::paint() {
                    Paint::Plain => help.to_string(),
                    Paint::Colour => help.ansi().to_string(),
                });
                Exit::Usage
            }
        },
    }
}
