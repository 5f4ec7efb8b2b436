//! Client Identifiers of the connections that an agent has beside its own: made here, and recognised by the hub's broker.

const TRIAL: &str = "-trial";
const COMMAND: &str = "-command-";

/// Of a command that visits the broker for the agent of this name.
pub(crate) fn of_command(agent_name: &str) -> String {
    format!("{agent_name}{COMMAND}{}", std::process::id())
}

/// Of the connection that tries new certificates beside the agent's own.
pub(crate) fn of_trial(client_id: &str) -> String {
    format!("{client_id}{TRIAL}")
}

/// Of a session with another broker, for a connection of a commissioning file.
pub(crate) fn of_connection(agent_name: &str, service: &str, resource: &str) -> String {
    format!("{agent_name}-{service}-{resource}")
}

/// The name from which a Client Identifier is derived in one of these ways.
#[cfg(feature = "hub")]
pub(crate) fn derived_from(client_id: &str) -> Option<&str> {
    if let Some(name) = client_id.strip_suffix(TRIAL) {
        return Some(name);
    }
    let (name, process) = client_id.rsplit_once(COMMAND)?;
    let is_number = !process.is_empty() && process.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then_some(name)
}

#[cfg(all(test, feature = "hub"))]
mod tests {
    use super::*;

    #[test]
    fn what_is_derived_leads_back_to_the_name_and_nothing_else_does() {
        for name in ["line-1", "a-command-b", "a-trial-b"] {
            assert_eq!(derived_from(&of_command(name)), Some(name));
            assert_eq!(derived_from(&of_trial(name)), Some(name));
            assert_eq!(derived_from(name), None);
        }
        for other in ["", "line-1-command-", "line-1-command-x", "line-1-trial-2"] {
            assert_eq!(derived_from(other), None, "{other}");
        }
    }
}
