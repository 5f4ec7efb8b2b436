//! Child processes: shown before they run, bounded in time, and ended with this process however it ends.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

/// The exit status by which coreutils' `timeout` says that the time was up.
const TIMED_OUT: i32 = 124;

/// A program to run, by default in the workspace's top folder and for forty minutes at most.
///
/// It runs below `setpriv --pdeathsig` and `timeout`: should this process die, the kernel signals `timeout`, which
/// passes the signal on to the program's whole process group. So no compiler, broker or test is left behind, but for one
/// whose start this process does not survive: `timeout` passes nothing on before it knows the program's number.
pub(crate) struct Tool {
    line: Vec<OsString>,
    env: Vec<(&'static str, OsString)>,
    dir: PathBuf,
    limit: Duration,
}

impl Tool {
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        Self {
            line: vec![program.as_ref().to_owned()],
            env: Vec::new(),
            dir: crate::root().to_owned(),
            limit: Duration::from_secs(40 * 60),
        }
    }

    /// The `cargo` that runs this task.
    pub(crate) fn cargo(subcommand: &str) -> Self {
        Self::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())).arg(subcommand)
    }

    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.line.push(arg.as_ref().to_owned());
        self
    }

    pub(crate) fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.line
            .extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    pub(crate) fn env(mut self, name: &'static str, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name, value.as_ref().to_owned()));
        self
    }

    pub(crate) fn dir(mut self, dir: impl AsRef<Path>) -> Self {
        dir.as_ref().clone_into(&mut self.dir);
        self
    }

    pub(crate) fn within(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Runs the program with this process's output streams.
    ///
    /// # Errors
    /// The command line and how it ended, unless it exited with 0.
    pub(crate) fn run(self) -> Result<()> {
        let shown = self.shown();
        println!("$ {shown}");
        let limit = self.limit;
        let status = self
            .command()
            .status()
            .with_context(|| format!("cannot start `{shown}`"))?;
        match status.code() {
            Some(0) => Ok(()),
            Some(TIMED_OUT) => bail!("`{shown}` was stopped: it took longer than {} s", limit.as_secs()),
            _ => bail!("`{shown}` failed with {status}"),
        }
    }

    /// Runs the program and returns what it printed; its errors go to this process's.
    ///
    /// # Errors
    /// As [`Tool::run`].
    pub(crate) fn output(self) -> Result<String> {
        let shown = self.shown();
        let output = self
            .command()
            .stderr(Stdio::inherit())
            .output()
            .with_context(|| format!("cannot start `{shown}`"))?;
        if !output.status.success() {
            bail!("`{shown}` failed with {}", output.status);
        }
        String::from_utf8(output.stdout)
            .with_context(|| format!("`{shown}` printed something else than UTF-8"))
    }

    /// Whether the program is there and exits with 0; prints nothing.
    pub(crate) fn succeeds(self) -> bool {
        self.command()
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }

    fn shown(&self) -> String {
        let env = self
            .env
            .iter()
            .map(|(name, value)| format!("{name}={}", value.to_string_lossy()));
        let line = self.line.iter().map(|word| word.to_string_lossy().into_owned());
        env.chain(line)
            .map(|word| quoted(&word))
            .collect::<Vec<_>>()
            .join(" ")
    }

    fn command(self) -> Command {
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "TERM", "--", "timeout", "--kill-after=10"])
            .arg(self.limit.as_secs().to_string())
            .args(self.line)
            .current_dir(self.dir)
            .stdin(Stdio::null());
        // What `cargo run` tells this task about its own package would make other packages' build scripts run again.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("CARGO_PKG_")
                || name.to_string_lossy().starts_with("CARGO_MANIFEST_")
            {
                command.env_remove(name);
            }
        }
        command.envs(self.env);
        command
    }
}

/// `word` as a shell takes it, so that a printed command can be copied.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_=+./:,@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_takes_too_long_is_stopped_and_named() {
        let error = Tool::new("sleep")
            .arg("600")
            .within(Duration::from_secs(1))
            .run()
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "`sleep 600` was stopped: it took longer than 1 s"
        );
    }

    #[test]
    fn nothing_that_a_program_started_outlives_the_thread_that_started_it() {
        use std::io::Read as _;
        let (mut child, mut output) = std::thread::spawn(|| {
            let mut command = Tool::new("sh")
                .args(["-c", "sleep 600 & echo started; wait"])
                .command();
            let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
            let mut output = child.stdout.take().unwrap();
            let mut word = [0; 8];
            output.read_exact(&mut word).unwrap();
            assert_eq!(&word, b"started\n");
            await_timeout_asleep(child.id());
            (child, output)
        })
        .join()
        .unwrap();
        // The pipe ends when its last writer is gone, and `sleep` holds it too.
        let begin = std::time::Instant::now();
        output.read_to_string(&mut String::new()).unwrap();
        assert!(begin.elapsed() < Duration::from_secs(60));
        assert!(!child.wait().unwrap().success());
    }

    /// Waits until this process is `timeout` and sleeps, which it does once it knows its program.
    fn await_timeout_asleep(process: u32) {
        let begin = std::time::Instant::now();
        let stat = PathBuf::from(format!("/proc/{process}/stat"));
        while !std::fs::read_to_string(&stat).unwrap().contains("(timeout) S ") {
            assert!(
                begin.elapsed() < Duration::from_secs(60),
                "timeout goes on working"
            );
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_missing_program_is_an_error_and_not_a_success() {
        assert!(!Tool::new("no-such-program-anywhere").succeeds());
        assert!(Tool::new("no-such-program-anywhere").run().is_err());
    }

    #[test]
    fn printed_commands_can_be_pasted_into_a_shell() {
        let shown = Tool::new("cc")
            .args(["-Wall", "it's"])
            .env("RUSTFLAGS", "-C a")
            .shown();
        assert_eq!(shown, r"'RUSTFLAGS=-C a' cc -Wall 'it'\''s'");
    }
}
