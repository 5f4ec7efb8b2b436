//! Another plan for an agent that runs: the files are read, and what has changed is carried out, or nothing at all.

use super::running::RunningAgent;
use super::watch::Found;
use super::{Changes, RunError};
use crate::http::Patience;
use crate::opcua::Content;
use crate::service::plan::Plan;
use crate::service::{Diagnostic, Planned, Report};

impl RunningAgent {
    /// Runs `plan` from now on. What has the same settings as before goes on undisturbed: its held requests, what its rules remember,
    /// its last value. Requests that a changed or removed node holds are answered with 503. No request sees a part of this.
    ///
    /// Dropping the future leaves the agent in between: it is awaited to its end, which takes no longer than stopping the tasks that
    /// are gone.
    ///
    /// # Errors
    /// [`RunError`]; the plan before is in force as it was.
    pub async fn reload(&mut self, plan: &Plan) -> Result<Changes, RunError> {
        let served = self.opcua.prepare(plan).await?;
        let mut change = self.resources.prepare(plan, served.site())?;
        let opened = self.front.prepare(plan)?;
        let (removed, added) = self.resources.places(&mut change);
        let ended = RunError::Ended {
            task: "link to the broker",
        };
        let farewells = self.agent.hold_farewells();
        let places = self.agent.change_nodes(removed, added).await.ok_or(ended)??;
        let count = change.count();
        let (gate, ended) = self.resources.adopt_flows(&mut change);
        let router = self.resources.adopt_nodes(&mut change, places).await;
        drop((gate, farewells));
        self.front.adopt(plan, router, opened);
        self.opcua.adopt(served).await;
        change.tell(plan, &self.front.base(), self.opcua.content().map(Content::url));
        self.resources.adopt(change).await;
        ended.join_all().await;
        self.show(plan);
        self.keep_subscribed().await;
        Ok(count)
    }

    /// Takes up what was `found`, and tells log and status what came of it. Whether that is all that can be done about it: what has
    /// failed without a mistake in the files may succeed another time.
    pub(super) async fn take_up(&mut self, found: Found) -> bool {
        let Found {
            reading,
            is_new,
            was_asked,
            is_retry,
        } = found;
        if was_asked {
            // Whoever asks may have written those as well.
            let admission = self.admin_access.as_ref();
            self.front.look().await;
            self.opcua.look().await;
            if let Some(admission) = admission {
                admission.look(Patience::AtOnce).await;
            }
        }
        let outcome = match reading.outcome {
            Ok(Planned { plan, warnings }) => match self.reload(&plan).await {
                Ok(changes) => {
                    tell_success(changes, &warnings, is_new);
                    Ok(changes)
                }
                Err(error) => {
                    let error = error.to_string();
                    if is_retry && self.failure.as_ref() == Some(&error) {
                        tracing::debug!("the plan before still stays in force: {error}");
                        return false;
                    }
                    tracing::error!(
                        "the plan before stays in force: {error}; it is tried again until it succeeds or the files change"
                    );
                    self.failure = Some(error.clone());
                    self.status.reloads().note(Err(vec![error]));
                    return false;
                }
            },
            Err(report) => {
                tell_mistakes(&report, is_new);
                let lines = report.mistakes().map(Diagnostic::line);
                Err(lines.collect())
            }
        };
        self.failure = None;
        self.status.reloads().note(outcome);
        true
    }
}

fn tell_success(changes: Changes, warnings: &Report, is_new: bool) {
    for warning in warnings.diagnostics().iter().filter(|_| is_new) {
        tracing::warn!("{}", warning.line());
    }
    match changes.is_none() {
        true => tracing::info!(
            "reloaded the commissioning files: nothing had to be started or stopped; addresses are as they say"
        ),
        false => tracing::info!("reloaded the commissioning files: {changes}"),
    }
}

/// The same mistakes are told once.
fn tell_mistakes(report: &Report, is_new: bool) {
    let errors = report.errors();
    let count = match errors {
        1 => "1 error".to_owned(),
        errors => format!("{errors} errors"),
    };
    if !is_new {
        tracing::error!(
            "the plan before stays in force: the commissioning files have the same {count} as before"
        );
        return;
    }
    for error in report.mistakes() {
        tracing::error!("{}", error.line());
    }
    tracing::error!("the plan before stays in force: the commissioning files have {count}");
}
