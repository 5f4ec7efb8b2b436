//! A server or client process that ends with the value that stands for it, and whose output is kept.

use std::fs::File;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use crate::secrets::{self, Watch};
use crate::wait;

/// A running process. Dropping it kills it; if the test is failing then, its output is printed first. If not, what it has
/// shown and left is searched for [`secrets`].
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    output: PathBuf,
    watch: Option<Watch>,
    /// What it may print once.
    told: Option<String>,
}

impl Process {
    /// Starts `command` with both its output streams going to the file `output`.
    ///
    /// Should this process be killed, the kernel ends the child: more exactly, when the thread that calls this ends,
    /// so it has to be the test's own.
    ///
    /// # Panics
    /// When the program cannot be started.
    #[must_use]
    pub fn start(command: &Command, output: &Path) -> Self {
        let watch = Watch::over(command);
        let name = command.get_program().to_string_lossy().into_owned();
        let file = File::create(output)
            .unwrap_or_else(|error| panic!("cannot create {}: {error}", output.display()));
        let child = bound_to_this_thread(command)
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("the handle can be duplicated"))
            .stderr(file)
            .spawn()
            .unwrap_or_else(|error| {
                panic!("cannot start {name}: {error}; run the tests with `cargo xtask test`")
            });
        Self {
            name,
            child,
            output: output.to_owned(),
            watch,
            told: None,
        }
    }

    /// Its number in the system.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Says that this process tells its user a secret, once and in its output.
    pub fn tells_once(&mut self, secret: &str) {
        self.told = Some(secret.to_owned());
    }

    /// What the process has printed so far.
    #[must_use]
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.output).unwrap_or_default()).into_owned()
    }

    /// Waits until the process has printed `text`.
    ///
    /// # Panics
    /// When it does not within [`wait::PATIENCE`], or ends before.
    pub fn wait_for_output(&mut self, text: &str) {
        let what = format!("{} prints `{text}`", self.name);
        wait::until(&what, wait::PATIENCE, || {
            let ended = self.exit_status();
            if self.output().contains(text) {
                return Some(());
            }
            assert!(
                ended.is_none(),
                "{} ended with {ended:?} before it printed `{text}`",
                self.name
            );
            None
        });
    }

    /// How the process ended, if it has.
    ///
    /// # Panics
    /// When the system does not say.
    pub fn exit_status(&mut self) -> Option<ExitStatus> {
        self.child
            .try_wait()
            .unwrap_or_else(|error| panic!("no status of {}: {error}", self.name))
    }

    /// Waits until the process has ended by itself.
    ///
    /// # Panics
    /// When it is still running after `limit`.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        let what = format!("{} ends", self.name);
        wait::until(&what, limit, || self.exit_status())
    }

    /// Asks the process to end, as service managers do: with SIGTERM.
    ///
    /// # Panics
    /// When it is gone already.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Asks the process to read its files anew, as service managers do: with SIGHUP.
    ///
    /// # Panics
    /// When it is gone already.
    pub fn hang_up(&self) {
        self.signal(Signal::HUP);
    }

    fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id())
            .ok()
            .and_then(rustix::process::Pid::from_raw)
            .expect("a process id");
        rustix::process::kill_process(id, signal).expect("a running process");
    }

    /// Ends the process without giving it a chance to say goodbye, and waits until it is gone.
    pub fn kill(&mut self) {
        // Fails only when the process has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let ended = self.child.try_wait().ok().flatten();
        self.kill();
        if std::thread::panicking() {
            let fate = match ended {
                Some(status) => status.code().map_or_else(
                    || format!("ended by signal {:?}", status.signal()),
                    |code| format!("exited with {code}"),
                ),
                None => "still running".to_owned(),
            };
            eprintln!(
                "--- output of {} ({fate}):\n{}---",
                self.name,
                tail(&self.output())
            );
            return;
        }
        let output = match &self.told {
            Some(secret) => self.output().replacen(secret.as_str(), "", 1),
            None => self.output(),
        };
        secrets::show(&format!("the output of {}", self.name), output);
        if let Some(watch) = &self.watch {
            watch.look_through();
        }
    }
}

/// Runs `command` to its end and searches what it has shown and left for [`secrets`].
///
/// # Panics
/// When it cannot be started, or a secret is found.
pub fn run(command: &mut Command) -> Output {
    let watch = Watch::over(command);
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
    let name = command.get_program().to_string_lossy().into_owned();
    for text in [&output.stdout, &output.stderr] {
        secrets::show(&format!("the output of {name}"), String::from_utf8_lossy(text));
    }
    if let Some(watch) = watch {
        watch.look_through();
    }
    output
}

/// `command`, run such that the kernel kills it when the calling thread ends.
#[must_use]
pub fn bound_to_this_thread(command: &Command) -> Command {
    let mut bound = Command::new("setpriv");
    bound
        .args(["--pdeathsig", "KILL", "--"])
        .arg(command.get_program())
        .args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => bound.env(name, value),
            None => bound.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        bound.current_dir(folder);
    }
    bound
}

/// Runs `command` to its end: its exit code, what it prints as data, and what it says besides.
///
/// # Panics
/// When it cannot be started, or ends by a signal.
#[must_use]
pub fn output(command: &mut Command) -> (i32, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = run(command);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (status.code().expect("an exit code"), text(stdout), text(stderr))
}

/// The end of a long text, on a line's border.
fn tail(text: &str) -> &str {
    const LIMIT: usize = 8_000;
    let begin = text.len().saturating_sub(LIMIT);
    let line = text
        .bytes()
        .skip(begin)
        .position(|byte| byte == b'\n')
        .map_or(0, |at| begin + at + 1);
    if begin == 0 {
        text
    } else {
        text.get(line..).unwrap_or(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropping_ends_the_process() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("sleep");
        command.arg("600");
        let process = Process::start(&command, &folder.path().join("log"));
        let alive = PathBuf::from(format!("/proc/{}", process.child.id()));
        assert!(alive.exists());
        drop(process);
        assert!(!alive.exists());
    }

    #[test]
    fn a_long_log_is_cut_at_a_line() {
        let text = "a line of a log\n".repeat(1000);
        assert!(tail(&text).len() < 8_000 && tail(&text).starts_with("a line"));
        assert_eq!(tail("short"), "short");
    }
}
