//! A process that does tasks: each is a line of JSON, and so is its answer, in whatever order they end.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use serde_json::Value;

/// A running one. Dropping it kills it.
#[derive(Debug)]
pub struct TaskProcess {
    process: Child,
    tasks: ChildStdin,
    answers: Receiver<Value>,
    early: HashMap<u64, Value>,
    next: u64,
}

/// A task that was given.
#[derive(Debug, Clone, Copy)]
#[must_use = "its answer is still to be awaited"]
pub struct Task(u64);

impl TaskProcess {
    /// Starts it.
    ///
    /// # Panics
    /// When the program cannot be started.
    #[must_use]
    pub fn start(command: &mut Command) -> Self {
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let tasks = process.stdin.take().expect("a pipe");
        let lines = BufReader::new(process.stdout.take().expect("a pipe")).lines();
        let (sender, answers) = mpsc::channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let answer = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
                if sender.send(answer).is_err() {
                    return;
                }
            }
        });
        Self {
            process,
            tasks,
            answers,
            early: HashMap::new(),
            next: 0,
        }
    }

    /// The process's number in the system.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// The next line, whatever it is about.
    ///
    /// # Panics
    /// When none comes within `limit`.
    #[must_use]
    pub fn line(&self, limit: Duration) -> Value {
        self.answers.recv_timeout(limit).expect("an answer")
    }

    /// Gives it a task.
    ///
    /// # Panics
    /// When the process has ended.
    pub fn begin(&mut self, mut task: Value) -> Task {
        let id = self.next;
        self.next += 1;
        task["id"] = id.into();
        writeln!(self.tasks, "{task}").expect("the process runs");
        Task(id)
    }

    /// Waits for the end of a task.
    ///
    /// # Panics
    /// When it does not come within `limit`.
    pub fn end(&mut self, Task(id): Task, limit: Duration) -> Value {
        loop {
            if let Some(answer) = self.early.remove(&id) {
                return answer;
            }
            let answer = self.line(limit);
            self.early.insert(answer["id"].as_u64().expect("an id"), answer);
        }
    }
}

impl Drop for TaskProcess {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
