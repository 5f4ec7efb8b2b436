//! A run of several steps: a headline for each, and a table with the times at the end.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How a step that did not fail ended.
pub(crate) enum Outcome {
    /// Everything that the step covers was run.
    Passed,
    /// Not run, or not wholly; the reason goes into the table.
    Skipped(String),
}

type Action = Box<dyn FnOnce() -> Result<Outcome>>;

/// Steps in the order they run. A failure does not stop the steps after it: one run shows all there is to mend.
pub(crate) struct Plan(Vec<(&'static str, Action)>);

impl Plan {
    pub(crate) fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds a step that passes when `action` returns.
    pub(crate) fn step(&mut self, name: &'static str, action: impl FnOnce() -> Result<()> + 'static) {
        self.0
            .push((name, Box::new(|| action().map(|()| Outcome::Passed))));
    }

    /// Adds a line to the table for what this run leaves out.
    pub(crate) fn skip(&mut self, name: &'static str, reason: &'static str) {
        self.0
            .push((name, Box::new(move || Ok(Outcome::Skipped(reason.to_owned())))));
    }

    pub(crate) fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    /// Runs all steps and prints the table.
    ///
    /// # Errors
    /// Names the steps that failed.
    pub(crate) fn run(self) -> Result<()> {
        let begin = Instant::now();
        let mut rows = Vec::new();
        for (name, action) in self.0 {
            println!("\n=== {name}");
            let step_begin = Instant::now();
            let outcome = action();
            if let Err(error) = &outcome {
                eprintln!("xtask: {name}: {error:#}");
            }
            rows.push(Row {
                name,
                outcome,
                time: step_begin.elapsed(),
            });
        }
        print!("\n{}", table(&rows, begin.elapsed()));
        let failed: Vec<_> = rows
            .iter()
            .filter(|row| row.outcome.is_err())
            .map(|row| row.name)
            .collect();
        if failed.is_empty() {
            return Ok(());
        }
        bail!(
            "failed: {}; the reason stands under each headline and in the table",
            failed.join(", ")
        )
    }
}

struct Row {
    name: &'static str,
    outcome: Result<Outcome>,
    time: Duration,
}

fn table(rows: &[Row], total: Duration) -> String {
    let width = rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    let mut counts = [0_usize; 3];
    for Row { name, outcome, time } in rows {
        let (index, word, note) = match outcome {
            Ok(Outcome::Passed) => (0, "passed", String::new()),
            Err(error) => (1, "FAILED", format!("  {}", first_line(&format!("{error:#}")))),
            Ok(Outcome::Skipped(reason)) => (2, "skipped", format!("  {reason}")),
        };
        counts[index] += 1;
        text += &format!("{name:width$}  {word:7}  {:>7.1} s{note}\n", time.as_secs_f64());
    }
    text += &format!("{:width$}           {:>7.1} s\n", "total", total.as_secs_f64());
    text + &format!(
        "steps: {} passed, {} failed, {} skipped\n",
        counts[0], counts[1], counts[2]
    )
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::rc::Rc;

    #[test]
    fn a_failed_step_fails_the_run_and_does_not_hide_the_steps_after_it() {
        let later = Rc::new(Cell::new(false));
        let seen = Rc::clone(&later);
        let mut plan = Plan::new();
        plan.step("first", || bail!("broken"));
        plan.step("second", move || {
            seen.set(true);
            Ok(())
        });
        let error = plan.run().unwrap_err().to_string();
        assert!(error.contains("first") && !error.contains("second"), "{error}");
        assert!(later.get());
    }

    #[test]
    fn the_table_says_what_was_left_out_and_why() {
        let mut plan = Plan::new();
        plan.skip("servers", "left out by --quick");
        plan.run().unwrap();
        let rows = [Row {
            name: "servers",
            outcome: Ok(Outcome::Skipped("left out by --quick".into())),
            time: Duration::ZERO,
        }];
        let text = table(&rows, Duration::ZERO);
        assert!(
            text.contains("skipped") && text.contains("left out by --quick"),
            "{text}"
        );
        assert!(text.ends_with("steps: 0 passed, 0 failed, 1 skipped\n"), "{text}");
    }
}
