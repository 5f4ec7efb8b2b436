//! An agent whose commissioning file is changed while it runs, and what can be seen of that.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::Value;
use syncline_tests::agent::Agent;
use syncline_tests::mosquitto::Mosquitto;
use syncline_tests::wait;
use tempfile::TempDir;

/// Broker, agent, and the file that the agent runs.
pub(crate) struct Plant {
    pub(crate) agent: Agent,
    pub(crate) broker: Mosquitto,
    pub(crate) file: PathBuf,
    pub(crate) folder: TempDir,
}

/// A commissioning file of these resources.
pub(crate) fn service(name: &str, resources: &[String]) -> String {
    format!(
        "metadata: {{name: {name}}}\nparameters:\n  base: {{type: string, default: /{name}}}\nresources:\n{}",
        resources.concat()
    )
}

/// The HTTP server of a service, at its name.
pub(crate) fn server() -> String {
    "  server: {type: 'Cybus::Server::Http', properties: {basePath: !ref base}}\n".to_owned()
}

/// A transaction node.
pub(crate) fn node(name: &str, route: &str, timeout: u32) -> String {
    format!(
        "  {name}:\n    type: Cybus::Node::Http\n    properties:\n      parent: !ref server\n      method: GET\n      \
         route: {route}\n      operation: transaction\n      transaction: {{timeout: {timeout}}}\n"
    )
}

impl Plant {
    pub(crate) fn start(text: &str) -> Self {
        Self::start_with(text, &[])
    }

    pub(crate) fn start_with(text: &str, variables: &[(&str, &str)]) -> Self {
        let (broker, folder, file) = Self::parts(text);
        let agent = Agent::start_with(&file, broker.port(), variables);
        Self {
            agent,
            broker,
            file,
            folder,
        }
    }

    /// The agent runs all files of a folder, and this is one of them.
    pub(crate) fn start_folder(text: &str) -> Self {
        let (broker, folder, file) = Self::parts(text);
        let agent = Agent::start(file.parent().expect("a folder"), broker.port());
        Self {
            agent,
            broker,
            file,
            folder,
        }
    }

    /// The file has no HTTP server.
    pub(crate) fn start_without_http(text: &str) -> Self {
        let (broker, folder, file) = Self::parts(text);
        let mut agent = Agent::start_without_http(&file, broker.port());
        agent.wait_for_log_line(&["connected to the broker"]);
        Self {
            agent,
            broker,
            file,
            folder,
        }
    }

    fn parts(text: &str) -> (Mosquitto, TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let services = folder.path().join("services");
        std::fs::create_dir(&services).expect("a writable temporary folder");
        let file = services.join("a.yml");
        std::fs::write(&file, text).expect("a writable temporary folder");
        // What Mosquitto drops of a flood is not what this is about.
        (Mosquitto::start_with("max_queued_messages 0"), folder, file)
    }

    /// Gives the file another content, as an editor does that writes beside it.
    pub(crate) fn replace(&self, text: &str) {
        let beside = self.folder.path().join("beside");
        std::fs::write(&beside, text).expect("a writable temporary folder");
        std::fs::rename(&beside, &self.file).expect("a file in the same folder");
    }

    /// What `syncline status --json` says.
    pub(crate) fn status(&self) -> Value {
        let output = self.agent.beside(&["status", "--json"]).output();
        let output = output.expect("the program can be started");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.status()["broker"]["connected"] == true
    }

    /// Waits until the broker has confirmed every subscription.
    pub(crate) fn wait_until_ready(&self) {
        wait::until("the agent is ready", wait::PATIENCE, || {
            // One that has just been started does not answer yet.
            let output = self.agent.beside(&["status", "--json"]).output().ok()?;
            let status: Value = serde_json::from_slice(&output.stdout).ok()?;
            (status["ready"] == true).then_some(())
        });
    }

    /// Waits until so many reloads have succeeded and failed.
    pub(crate) fn wait_for_reloads(&self, succeeded: u64, failed: u64) {
        let what = format!("{succeeded} reloads have succeeded and {failed} failed");
        wait::until(&what, wait::PATIENCE, || {
            let reloads = &self.status()["reloads"];
            (reloads["succeeded"] == succeeded && reloads["failed"] == failed).then_some(())
        });
    }

    /// Gives the file another content, has it read, and waits until one reload more has succeeded.
    pub(crate) fn reload(&self, text: &str) {
        let succeeded = || {
            let reloads = &self.status()["reloads"];
            assert_eq!(reloads["failed"], 0, "{reloads}");
            reloads["succeeded"].as_u64().expect("a count")
        };
        let before = succeeded();
        self.replace(text);
        self.agent.hang_up();
        wait::until("another reload has succeeded", wait::PATIENCE, || {
            (succeeded() > before).then_some(())
        });
    }

    /// Waits until the broker has exactly these subscriptions of the agent.
    pub(crate) fn check_subscriptions(&self, expected: &[&str]) {
        let expected: BTreeSet<String> = expected.iter().map(|filter| (*filter).to_owned()).collect();
        wait::until(
            &format!("the broker has {expected:?} alone"),
            wait::PATIENCE,
            || (subscribed(&self.broker.log()) == expected).then_some(()),
        );
    }

    /// The filters that the agent has ended its subscription to, in their order.
    pub(crate) fn unsubscribed(&self) -> Vec<String> {
        let log = self.broker.log();
        let ended = steps(&log).filter_map(|step| match step {
            Step::Unsubscribed(filter) => Some(filter.to_owned()),
            Step::Subscribed(_) => None,
        });
        ended.collect()
    }
}

/// A filter in a packet of the agent.
enum Step<'l> {
    Subscribed(&'l str),
    Unsubscribed(&'l str),
}

/// The agent's steps in Mosquitto's log, which has a line `TIME: CLIENT QOS FILTER` for each filter of a SUBSCRIBE and
/// `TIME: CLIENT FILTER` for each of an UNSUBSCRIBE.
fn steps(log: &str) -> impl Iterator<Item = Step<'_>> {
    log.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        if words.next() != Some("test-agent") {
            return None;
        }
        match (words.next(), words.next(), words.next()) {
            (Some("0" | "1" | "2"), Some(filter), None) => Some(Step::Subscribed(filter)),
            (Some(filter), None, None) => Some(Step::Unsubscribed(filter)),
            _ => None,
        }
    })
}

/// What the agent is subscribed to at the end of the broker's log.
fn subscribed(log: &str) -> BTreeSet<String> {
    let mut filters = BTreeSet::new();
    for step in steps(log) {
        match step {
            Step::Subscribed(filter) => filters.insert(filter.to_owned()),
            Step::Unsubscribed(filter) => filters.remove(filter),
        };
    }
    filters
}
