//! Mosquitto as the hub's broker, administered through its dynamic security plugin.
//!
//! Each decision is one short connection: commands as JSON on `$CONTROL/dynamic-security/v1`, the answer on
//! `…/response`. A user gets a role of the same name, and that the permissions.

use std::time::Duration;

use bytes::Bytes;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use syncline_core::agent::{Agent, Output};
use syncline_core::codec::{PropertyBuf, QoS, SubscribeOptions};
use syncline_core::session::{self, Completion, Filter, Publication};
use syncline_core::time::{Instant, UnixMillis};
use syncline_core::topic::{TopicFilter, TopicName};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::broker::Decision;
use super::permission::{Access, Permission};
use crate::driver::{Driver, Reactor};
use crate::transport::Dialer;

const COMMANDS: &str = "$CONTROL/dynamic-security/v1";
const RESPONSES: &str = "$CONTROL/dynamic-security/v1/response";
/// Time for one decision, the connection included.
const DECISION_TIME: Duration = Duration::from_secs(10);
/// The role of a user is named after it.
const ROLE_PREFIX: &str = "syncline-";

/// Mosquitto's administrator.
#[derive(Debug, Clone)]
pub(super) struct DynamicSecurity {
    pub(super) dialer: Dialer,
    pub(super) username: String,
    pub(super) password: SecretString,
}

/// Mosquitto did not make a change.
#[derive(Debug, thiserror::Error)]
#[error("Mosquitto did not follow: {0}")]
pub struct Failed(String);

#[derive(Deserialize)]
struct Responses {
    responses: Vec<Response>,
}

#[derive(Deserialize)]
struct Response {
    command: String,
    error: Option<String>,
}

impl DynamicSecurity {
    /// A session that logs the administrator in, under a Client Identifier of its own.
    pub(super) fn session(&self, purpose: &str) -> session::Config {
        let mut config = session::Config::new(format!("syncline-hub-{purpose}"));
        config.clean_start = true;
        config.session_expiry = 0;
        config.username = Some(self.username.clone());
        config.password = Some(Bytes::copy_from_slice(self.password.expose_secret().as_bytes()));
        config
    }

    /// Asks for what any administrator may see, to find out whether this is one.
    pub(super) async fn check(&self) -> Result<(), Failed> {
        self.command("check", &[json!({"command": "getDefaultACLAccess"})], &[])
            .await
    }

    /// Makes a decision so. Repeated, it changes nothing more.
    pub(super) async fn follow(&self, decision: Decision<'_>) -> Result<(), Failed> {
        match decision {
            Decision::Admit {
                username,
                password,
                permissions,
            } => {
                let (role, password) = (role(username), password.expose_secret());
                let roles = json!([{ "rolename": role }]);
                // What is left of an earlier attempt is brought to the same state.
                let commands = [
                    json!({"command": "createRole", "rolename": role}),
                    json!({"command": "modifyRole", "rolename": role, "acls": acls(permissions)}),
                    json!({"command": "createClient", "username": username, "password": password, "roles": roles}),
                    json!({"command": "modifyClient", "username": username, "password": password, "roles": roles}),
                ];
                self.command("admit", &commands, &["already exists"]).await
            }
            Decision::Permit {
                username,
                permissions,
            } => {
                let command =
                    json!({"command": "modifyRole", "rolename": role(username), "acls": acls(permissions)});
                self.command("permit", &[command], &[]).await
            }
            Decision::Expel { username } => {
                let commands = [
                    json!({"command": "deleteClient", "username": username}),
                    json!({"command": "deleteRole", "rolename": role(username)}),
                ];
                self.command("expel", &commands, &["not found"]).await
            }
        }
    }

    /// Sends commands and waits for the answer; an error that ends with one of `fine` is none.
    async fn command(&self, purpose: &str, commands: &[Value], fine: &[&str]) -> Result<(), Failed> {
        let body = Bytes::from(json!({ "commands": commands }).to_string());
        let (answer, answered) = oneshot::channel();
        let mut driver = Driver::new(self.dialer.clone(), self.session(purpose))
            .map_err(|error| Failed(error.to_string()))?;
        driver.react_with(Box::new(Exchange {
            body,
            answer: Some(answer),
        }));
        let handle = driver.handle();
        let task = tokio::spawn(driver.run());
        let outcome = timeout(DECISION_TIME, answered).await;
        handle.stop();
        let ended = timeout(DECISION_TIME, task).await;
        let responses = match (outcome, ended) {
            (Ok(Ok(responses)), _) => responses?,
            (_, Ok(Ok(Err(gave_up)))) => return Err(Failed(gave_up.to_string())),
            _ => {
                return Err(Failed(format!(
                    "no answer within {} s: is it running, with its dynamic security plugin?",
                    DECISION_TIME.as_secs()
                )));
            }
        };
        let failed = responses.into_iter().find_map(|Response { command, error }| {
            let error = error?;
            let is_fine = fine.iter().any(|fine| error.ends_with(fine));
            (!is_fine).then(|| format!("{command}: {error}"))
        });
        failed.map_or(Ok(()), |failed| Err(Failed(failed)))
    }
}

fn role(username: &str) -> String {
    format!("{ROLE_PREFIX}{username}")
}

/// Receiving and unsubscribing are free by the plugin's default; sending and subscribing are not.
fn acls(permissions: &[Permission]) -> Value {
    let acl = |kind: &str, permission: &Permission| json!({"acltype": kind, "topic": permission.filter().as_str(), "priority": 0, "allow": true});
    let mut acls = Vec::new();
    for permission in permissions {
        if permission.access() != Access::Read {
            acls.push(acl("publishClientSend", permission));
        }
        if permission.access() != Access::Write {
            acls.push(acl("subscribePattern", permission));
        }
    }
    Value::Array(acls)
}

/// One question and its answer.
struct Exchange {
    body: Bytes,
    answer: Option<oneshot::Sender<Result<Vec<Response>, Failed>>>,
}

impl Exchange {
    fn end(&mut self, outcome: Result<Vec<Response>, Failed>) {
        if let Some(answer) = self.answer.take() {
            // Whoever asked may have given up.
            let _ = answer.send(outcome);
        }
    }
}

impl Reactor for Exchange {
    fn handle(&mut self, now: Instant, _wall: UnixMillis, output: &Output, agent: &mut Agent) {
        match output {
            Output::Connected(_) => {
                let Ok(filter) = TopicFilter::try_from(RESPONSES) else {
                    return;
                };
                let options = SubscribeOptions {
                    qos: QoS::AtLeastOnce,
                    ..SubscribeOptions::default()
                };
                if let Err(error) = agent.subscribe(&[Filter { filter, options }], &PropertyBuf::new()) {
                    self.end(Err(Failed(error.to_string())));
                }
            }
            Output::OpCompleted(_, Completion::Subscribed(reasons)) => {
                if let Some(reason) = reasons.first_error() {
                    let text = format!(
                        "{reason} for {RESPONSES}: its user must be an administrator of the dynamic security plugin"
                    );
                    self.end(Err(Failed(text)));
                    return;
                }
                let Ok(topic) = TopicName::from_static(COMMANDS) else {
                    return;
                };
                let command = Publication::new(topic, self.body.clone()).qos(QoS::AtLeastOnce);
                if let Err(refused) = agent.publish(now, command) {
                    self.end(Err(Failed(refused.to_string())));
                }
            }
            Output::Message(message) if message.topic() == RESPONSES => {
                let parsed = serde_json::from_slice::<Responses>(&message.payload_bytes());
                self.end(
                    parsed.map(|responses| responses.responses).map_err(|_| {
                        Failed("its answer is not that of the dynamic security plugin".to_owned())
                    }),
                );
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_become_what_the_plugin_denies_by_default() {
        let permissions: Vec<Permission> = ["read a/#", "write b/+", "readwrite c"]
            .map(|text| text.parse().unwrap())
            .into();
        let acls = acls(&permissions);
        let listed: Vec<_> = acls
            .as_array()
            .unwrap()
            .iter()
            .map(|acl| {
                format!(
                    "{} {}",
                    acl["acltype"].as_str().unwrap(),
                    acl["topic"].as_str().unwrap()
                )
            })
            .collect();
        assert_eq!(
            listed,
            [
                "subscribePattern a/#",
                "publishClientSend b/+",
                "publishClientSend c",
                "subscribePattern c"
            ]
        );
    }
}
