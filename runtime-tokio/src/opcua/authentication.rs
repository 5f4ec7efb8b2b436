//! Who may log in to the OPC UA server.

use async_trait::async_trait;
use opcua::server::ServerEndpoint;
use opcua::server::authenticator::AuthManager;
use opcua::types::{Error, StatusCode, UAString, UserTokenPolicy, UserTokenType};

/// The library's name of the policy for clients without a name.
const ANONYMOUS: &str = "anonymous";

/// The users of one server.
#[derive(Debug)]
pub(super) struct Users {
    allow_anonymous: bool,
}

impl Users {
    pub(super) fn new(allow_anonymous: bool) -> Self {
        Self { allow_anonymous }
    }
}

#[async_trait]
impl AuthManager for Users {
    async fn authenticate_anonymous_token(&self, _: &ServerEndpoint) -> Result<(), Error> {
        match self.allow_anonymous {
            true => Ok(()),
            false => Err(Error::new(
                StatusCode::BadIdentityTokenRejected,
                "this server lets nobody in without a name",
            )),
        }
    }

    fn user_token_policies(&self, _: &ServerEndpoint) -> Vec<UserTokenPolicy> {
        let anonymous = UserTokenPolicy {
            policy_id: UAString::from(ANONYMOUS),
            token_type: UserTokenType::Anonymous,
            issued_token_type: UAString::null(),
            issuer_endpoint_url: UAString::null(),
            security_policy_uri: UAString::null(),
        };
        self.allow_anonymous.then_some(anonymous).into_iter().collect()
    }
}
