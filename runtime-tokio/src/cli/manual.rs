//! What is made from the definition of the command line: completion scripts, manual pages and `docs/commands.md`.

use std::fmt::Write as _;
use std::path::Path;

use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;

use super::exit::Exit;
use super::output;

pub(super) fn completions(shell: Shell) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut super::command(), "syncline", &mut script);
    output::data(&String::from_utf8_lossy(&script))
}

pub(super) fn main(options: &super::Man) -> Exit {
    if options.markdown {
        return output::data(&markdown());
    }
    if let Some(folder) = &options.dir {
        return write_pages(folder);
    }
    let mut command = named(super::command());
    for name in &options.command {
        let Some(found) = command.find_subcommand(name) else {
            output::error(&format!("`{}` is not a command", name.escape_debug()));
            output::diagnostics("next: syncline --help\n");
            return Exit::Usage;
        };
        command = found.clone();
    }
    let mut page = Vec::new();
    match Man::new(command).render(&mut page) {
        Ok(()) => output::data(&String::from_utf8_lossy(&page)),
        Err(error) => {
            output::error(&format!("cannot make the page: {error}"));
            Exit::Software
        }
    }
}

fn write_pages(folder: &Path) -> Exit {
    match clap_mangen::generate_to(super::command(), folder) {
        Ok(()) => Exit::Ok,
        Err(error) => {
            output::error(&format!("cannot write into {}: {error}", folder.display()));
            Exit::InputOutput
        }
    }
}

/// Names every command as it is called.
fn named(command: Command) -> Command {
    fn name(command: Command, prefix: &str) -> Command {
        let full = match prefix {
            "" => command.get_name().to_owned(),
            prefix => format!("{prefix} {}", command.get_name()),
        };
        command
            .disable_help_subcommand(true)
            .display_name(full.replace(' ', "-"))
            .bin_name(&full)
            .mut_subcommands(|inner| name(inner, &full))
    }
    name(command, "")
}

/// Every command with its help, and the exit codes.
fn markdown() -> String {
    let mut out = String::from(
        "# Commands\n\nWhat `syncline COMMAND --help` prints. Flags that stand for a variable are left out here: they are in\n\
         [configuration.md](configuration.md). Data goes to the standard output, everything else to the standard error.\n\n\
         This page is the output of `syncline man --markdown`.\n",
    );
    let mut command = named(super::command()).term_width(100);
    command.build();
    for inner in command.get_subcommands() {
        section(&mut out, inner);
    }
    out.push_str("\n## Exit codes\n\n| code | meaning |\n|---|---|\n");
    for [code, meaning] in Exit::rows() {
        _ = writeln!(out, "| {code} | {meaning} |");
    }
    out
}

fn section(out: &mut String, command: &Command) {
    if command.is_hide_set() {
        return;
    }
    let inner: Vec<&Command> = command
        .get_subcommands()
        .filter(|inner| inner.get_name() != "help")
        .collect();
    if inner.is_empty() {
        let is_variable = |arg: &clap::Arg| arg.get_help_heading() == Some(super::flags::HEADING);
        let mut shown = command
            .clone()
            .mut_args(|arg| if is_variable(&arg) { arg.hide(true) } else { arg });
        let name = shown.get_bin_name().unwrap_or_default().to_owned();
        let help = shown.render_help().to_string();
        _ = write!(out, "\n## {name}\n\n```text\n{}\n```\n", help.trim_end());
    }
    for inner in inner {
        section(out, inner);
    }
}
