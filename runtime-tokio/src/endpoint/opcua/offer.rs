//! Which of a server's endpoints is meant: by the security that the plan asks for, and with a way to log in that shows no password.

use opcua::crypto::SecurityPolicy as Policy;
use opcua::types::{ApplicationType, EndpointDescription, UserTokenPolicy, UserTokenType};

use crate::opcua::{library_mode, library_policy};
use crate::service::plan::{OpcuaConnection, SecurityMode, SecurityPolicy};

/// Why none of a server's endpoints will do.
#[derive(Debug, thiserror::Error)]
pub(super) enum OfferError {
    #[error(
        "does not offer the policy {} with the mode {}, but {offered}; write one of these as `securityPolicy` and `securityMode`",
        .policy.name(), .mode.name()
    )]
    NotOffered {
        policy: SecurityPolicy,
        mode: SecurityMode,
        offered: String,
    },
    #[error("takes no {whom} there: {cure}")]
    NoLogin { whom: &'static str, cure: &'static str },
}

/// The endpoint that the plan means, at the address that the plan has: servers name one that others may not reach.
pub(super) fn choose(
    plan: &OpcuaConnection,
    offered: Vec<EndpointDescription>,
) -> Result<EndpointDescription, OfferError> {
    let over_tcp: Vec<EndpointDescription> = offered
        .into_iter()
        .filter(|endpoint| {
            let kind = endpoint.server.application_type;
            endpoint
                .endpoint_url
                .as_ref()
                .starts_with(OpcuaConnection::SCHEME)
                && kind != ApplicationType::DiscoveryServer
        })
        .collect();
    let fits = |endpoint: &EndpointDescription| {
        Policy::from_uri(endpoint.security_policy_uri.as_ref()) == library_policy(plan.policy)
            && endpoint.security_mode == library_mode(plan.mode)
    };
    let (fitting, others): (Vec<_>, Vec<_>) = over_tcp.into_iter().partition(fits);
    // A server with several addresses may have ways to log in of each one's own, which it knows by the URL that it is told.
    let likeness = |endpoint: &EndpointDescription| {
        let (origin, path) = parts(endpoint.endpoint_url.as_ref());
        (path == plan.path, origin.eq_ignore_ascii_case(&plan.origin()))
    };
    // Of several that are alike, the first.
    let chosen = fitting.into_iter().rev().max_by_key(likeness);
    let Some(mut endpoint) = chosen else {
        return Err(OfferError::NotOffered {
            policy: plan.policy,
            mode: plan.mode,
            offered: names(&others),
        });
    };
    let (_, path) = parts(endpoint.endpoint_url.as_ref());
    endpoint.endpoint_url = format!("{}{path}", plan.origin()).into();
    let wanted = match plan.login {
        Some(_) => UserTokenType::UserName,
        None => UserTokenType::Anonymous,
    };
    let tokens = endpoint.user_identity_tokens.take().unwrap_or_default();
    let tokens: Vec<UserTokenPolicy> = tokens
        .into_iter()
        .filter(|token| token.token_type == wanted && is_safe(token, plan))
        .collect();
    if tokens.is_empty() {
        return Err(match plan.login {
            None => OfferError::NoLogin {
                whom: "clients without a login",
                cure: "give `username` and `password`",
            },
            Some(_) => OfferError::NoLogin {
                whom: "login by name and encrypted password",
                cure: "leave `username` and `password` out, or choose another `securityMode`",
            },
        });
    }
    endpoint.user_identity_tokens = Some(tokens);
    Ok(endpoint)
}

/// Whether a login by it shows the password to nobody else.
fn is_safe(token: &UserTokenPolicy, plan: &OpcuaConnection) -> bool {
    if plan.login.is_none() {
        return true;
    }
    match token.security_policy_uri.as_ref() {
        // The channel's own policy is taken.
        "" => true,
        uri => match Policy::from_uri(uri) {
            Policy::Unknown => false,
            Policy::None => plan.mode == SecurityMode::SignAndEncrypt,
            _ => true,
        },
    }
}

/// Scheme, host and port of a URL, and its path.
fn parts(url: &str) -> (&str, &str) {
    let behind = url.find("://").map_or(0, |at| at + 3);
    let end = url[behind..].find('/').map_or(url.len(), |at| behind + at);
    url.split_at(end)
}

/// Policies and modes, each once, as a file writes them.
fn names(endpoints: &[EndpointDescription]) -> String {
    let mut names: Vec<String> = Vec::new();
    for endpoint in endpoints {
        let policy = SecurityPolicy::NAMES.iter().find(|(_, policy)| {
            library_policy(*policy) == Policy::from_uri(endpoint.security_policy_uri.as_ref())
        });
        let mode = SecurityMode::NAMES
            .iter()
            .find(|(_, mode)| library_mode(*mode) == endpoint.security_mode);
        if let (Some((policy, _)), Some((mode, _))) = (policy, mode) {
            let name = format!("{policy} with {mode}");
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    match names.is_empty() {
        true => "none that this agent knows".to_owned(),
        false => names.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use opcua::types::MessageSecurityMode;

    use super::*;
    use crate::service::plan::{OpcuaLogin, Secret};

    fn plan(policy: SecurityPolicy, mode: SecurityMode, has_login: bool) -> OpcuaConnection {
        OpcuaConnection {
            host: "plc".to_owned(),
            port: 4841,
            path: String::new(),
            policy,
            mode,
            login: has_login.then(|| OpcuaLogin {
                username: "u".to_owned(),
                password: Secret::new("p"),
            }),
            trust_all_certificates: false,
        }
    }

    fn token(kind: UserTokenType, policy: &str) -> UserTokenPolicy {
        UserTokenPolicy {
            token_type: kind,
            security_policy_uri: policy.into(),
            ..UserTokenPolicy::default()
        }
    }

    fn endpoint(
        url: &str,
        policy: Policy,
        mode: MessageSecurityMode,
        tokens: Vec<UserTokenPolicy>,
    ) -> EndpointDescription {
        EndpointDescription::from((url, policy.to_uri(), mode, tokens))
    }

    #[test]
    fn the_endpoint_with_the_plans_security_is_taken_at_the_plans_address() {
        let anonymous = || vec![token(UserTokenType::Anonymous, "")];
        let offered = || {
            vec![
                endpoint(
                    "opc.tcp://inside:1/a",
                    Policy::Basic256Sha256,
                    MessageSecurityMode::Sign,
                    anonymous(),
                ),
                endpoint(
                    "opc.tcp://inside:1/a",
                    Policy::None,
                    MessageSecurityMode::None,
                    anonymous(),
                ),
                endpoint(
                    "opc.tcp://inside:1/b",
                    Policy::None,
                    MessageSecurityMode::None,
                    anonymous(),
                ),
            ]
        };
        let mut wanted = plan(SecurityPolicy::None, SecurityMode::None, false);
        let chosen = choose(&wanted, offered()).unwrap();
        assert_eq!(chosen.endpoint_url.as_ref(), "opc.tcp://plc:4841/a");
        wanted.path = "/b".to_owned();
        let chosen = choose(&wanted, offered()).unwrap();
        assert_eq!(chosen.endpoint_url.as_ref(), "opc.tcp://plc:4841/b");
        wanted = plan(
            SecurityPolicy::Basic256Sha256,
            SecurityMode::SignAndEncrypt,
            false,
        );
        let error = choose(&wanted, offered()).unwrap_err().to_string();
        assert!(
            error.contains("but Basic256Sha256 with Sign, None with None;"),
            "{error}"
        );
    }

    #[test]
    fn of_a_server_with_several_addresses_the_way_to_log_in_at_the_plans_is_taken() {
        let offer = |url: &str, id: &str| {
            let token = UserTokenPolicy {
                policy_id: id.into(),
                ..token(UserTokenType::Anonymous, "")
            };
            endpoint(url, Policy::None, MessageSecurityMode::None, vec![token])
        };
        let offered = || {
            vec![
                offer("opc.tcp://inside:4841/a", "inside"),
                offer("opc.tcp://PLC:4841/a", "plc"),
                offer("opc.tcp://plc:4842/a", "another"),
                offer("opc.tcp://inside:4841/b", "b"),
            ]
        };
        let mut wanted = plan(SecurityPolicy::None, SecurityMode::None, false);
        for (host, path, expected) in [
            ("plc", "", "plc"),
            ("plc", "/a", "plc"),
            ("inside", "/a", "inside"),
            ("plc", "/b", "b"),
            ("elsewhere", "", "inside"),
        ] {
            (wanted.host, wanted.path) = (host.to_owned(), path.to_owned());
            let chosen = choose(&wanted, offered()).unwrap();
            let tokens = chosen.user_identity_tokens.unwrap();
            assert_eq!(tokens[0].policy_id.as_ref(), expected, "{host}{path}");
        }
    }

    #[test]
    fn a_password_is_only_given_where_nobody_else_can_read_it() {
        let none = Policy::None.to_uri();
        for (mode, library, policy, is_taken) in [
            (SecurityMode::Sign, MessageSecurityMode::Sign, none, false),
            (SecurityMode::Sign, MessageSecurityMode::Sign, "", true),
            (
                SecurityMode::Sign,
                MessageSecurityMode::Sign,
                "urn:unknown",
                false,
            ),
            (
                SecurityMode::SignAndEncrypt,
                MessageSecurityMode::SignAndEncrypt,
                none,
                true,
            ),
        ] {
            let wanted = plan(SecurityPolicy::Basic256Sha256, mode, true);
            let tokens = vec![token(UserTokenType::UserName, policy)];
            let offered = vec![endpoint("opc.tcp://a:1", Policy::Basic256Sha256, library, tokens)];
            assert_eq!(choose(&wanted, offered).is_ok(), is_taken, "{mode:?} {policy}");
        }
        let wanted = plan(SecurityPolicy::None, SecurityMode::None, false);
        let tokens = vec![token(UserTokenType::UserName, "")];
        let offered = vec![endpoint(
            "opc.tcp://a:1",
            Policy::None,
            MessageSecurityMode::None,
            tokens,
        )];
        let error = choose(&wanted, offered).unwrap_err().to_string();
        assert!(error.contains("give `username` and `password`"), "{error}");
    }
}
