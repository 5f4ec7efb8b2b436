//! Whether a server may run as its plan says: somebody has to be able to log in, and not everyone without the operator's word.

use opcua::crypto::SecurityPolicy as Policy;
use opcua::types::MessageSecurityMode;

use super::server::{OpcuaError, ServerSettings, library_mode, library_policy};
use crate::service::plan::{OpcuaServerPlan, SecurityMode, SecurityPolicy};

/// What the log has to tell of a server that may run.
///
/// # Errors
/// Why it may not: nobody could log in, or what everyone who reaches it could do is more than the operator has asked for.
pub(super) fn check(plan: &OpcuaServerPlan, settings: ServerSettings<'_>) -> Result<Vec<String>, OpcuaError> {
    let mut warnings = Vec::new();
    let takes_anything = plan.security_modes.contains(&SecurityMode::None);
    if !plan.allow_anonymous {
        if settings.admission.is_none() {
            return Err(OpcuaError::NobodyMayLogIn);
        }
        if endpoints(plan).is_empty() {
            return Err(OpcuaError::NothingProtectsPasswords);
        }
        if takes_anything {
            warnings.push(
                "the OPC UA server leaves out its security policy `None`: nobody may come without a name, and passwords are \
                 not taken without encryption"
                    .to_owned(),
            );
        }
        return Ok(warnings);
    }
    if settings.admission.is_some() {
        warnings.push(
            "the OPC UA server lets clients without a name do everything, whatever SYNCLINE_HTTP_AUTH says of users: leave out \
             its `allowAnonymous: true` to ask everyone for a password"
                .to_owned(),
        );
    }
    let address = settings.address;
    if address.ip().is_loopback() {
        return Ok(warnings);
    }
    let whom = match takes_anything {
        true => "everyone, unencrypted",
        false => "clients without a name",
    };
    if !settings.allow_insecure {
        return Err(OpcuaError::Insecure { address, whom });
    }
    let risk = match takes_anything {
        true => {
            "whoever reaches it may read, write and call everything, and all can be read and changed on the way"
        }
        false => "whoever has a trusted certificate may read, write and call everything",
    };
    warnings.push(format!(
        "the OPC UA server on {address} lets in {whom}, as SYNCLINE_ALLOW_INSECURE=true allows: {risk}"
    ));
    Ok(warnings)
}

/// Which policies are offered with which modes: None with None, each other with each other; and None only where clients may come
/// without a name, since no password is taken there.
pub(super) fn endpoints(plan: &OpcuaServerPlan) -> Vec<(Policy, MessageSecurityMode)> {
    let mut endpoints = Vec::new();
    for policy in &plan.security_policies {
        for mode in &plan.security_modes {
            let is_none = *policy == SecurityPolicy::None;
            if is_none == (*mode == SecurityMode::None) && (!is_none || plan.allow_anonymous) {
                endpoints.push((library_policy(*policy), library_mode(*mode)));
            }
        }
    }
    endpoints
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    fn checked(
        modes: &[SecurityMode],
        address: &str,
        allow_insecure: bool,
    ) -> Result<Vec<String>, OpcuaError> {
        let plan = OpcuaServerPlan {
            resource: "server".to_owned(),
            port: 4841,
            resource_path: "/UA".to_owned(),
            hostname: None,
            alternate_hostname: None,
            application_uri: None,
            allow_anonymous: true,
            security_policies: vec![SecurityPolicy::None, SecurityPolicy::Basic256Sha256],
            security_modes: modes.to_vec(),
            nodes: Vec::new(),
        };
        let address: SocketAddr = address.parse().unwrap();
        check(
            &plan,
            ServerSettings {
                agent: "agent",
                address,
                data: None,
                admission: None,
                allow_insecure,
            },
        )
    }

    #[test]
    fn a_server_that_is_open_to_others_says_so_with_its_address_and_the_risk() {
        let open = [SecurityMode::None, SecurityMode::SignAndEncrypt];
        let warnings = checked(&open, "0.0.0.0:4841", true).unwrap();
        let [warning] = warnings.as_slice() else {
            panic!("{warnings:?}");
        };
        for words in [
            "0.0.0.0:4841",
            "SYNCLINE_ALLOW_INSECURE",
            "everyone, unencrypted",
            "may read, write and call",
        ] {
            assert!(warning.contains(words), "{warning}");
        }
        let warnings = checked(&open[1..], "[::]:4841", true).unwrap();
        assert!(
            warnings[0].contains("whoever has a trusted certificate"),
            "{warnings:?}"
        );
        assert!(checked(&open, "127.0.0.1:4841", true).unwrap().is_empty());
        let refused = checked(&open, "0.0.0.0:4841", false);
        assert!(matches!(refused, Err(OpcuaError::Insecure { .. })));
    }
}
