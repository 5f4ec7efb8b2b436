//! Who may log in to the OPC UA server, and what for: users and passwords of the file that the HTTP servers have as well.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use opcua::nodes::AccessLevel;
use opcua::server::ServerEndpoint;
use opcua::server::authenticator::{AuthManager, Password, UserToken, user_pass_security_policy_id};
use opcua::types::{
    Error, MessageSecurityMode, NodeId, StatusCode, UAString, UserTokenPolicy, UserTokenType,
};

use super::refusals::Refusals;
use crate::http::Admission;
use crate::service::plan::{NodeKind, OpcuaNodePlan};

/// The library's name of the policy for clients without a name.
const ANONYMOUS: &str = "anonymous";

/// The users of one server, and the nodes of its plan with what patterns of permissions are compared with.
#[derive(Debug)]
pub(super) struct Users {
    allow_anonymous: bool,
    admission: Option<Arc<Admission>>,
    places: RwLock<Places>,
    refusals: Refusals,
}

/// The nodes that not everyone may use.
#[derive(Debug, Default)]
pub(crate) struct Places(HashMap<NodeId, Place>);

/// One of them.
#[derive(Debug)]
struct Place {
    path: String,
    is_variable: bool,
}

impl Places {
    /// Those of a plan; each has an id.
    pub(crate) fn new<'p>(nodes: impl Iterator<Item = (NodeId, &'p OpcuaNodePlan)>) -> Self {
        Self(
            nodes
                .filter_map(|(id, plan)| Some((id, Place::of(plan)?)))
                .collect(),
        )
    }

    fn get(&self, id: &NodeId) -> Option<&Place> {
        self.0.get(id)
    }
}

impl Place {
    /// Objects have nothing that could be read or written.
    fn of(plan: &OpcuaNodePlan) -> Option<Self> {
        let is_variable = match plan.kind {
            NodeKind::Object => return None,
            NodeKind::Variable { .. } => true,
            NodeKind::Method { .. } => false,
        };
        // As the patterns are.
        let path = plan.path.to_lowercase();
        Some(Self { path, is_variable })
    }
}

impl Users {
    /// Those of `admission`, and everyone where anonymous clients are allowed.
    pub(super) fn new(allow_anonymous: bool, admission: Option<Arc<Admission>>) -> Self {
        Self {
            allow_anonymous,
            admission,
            places: RwLock::default(),
            refusals: Refusals::new("logins to the OPC UA server"),
        }
    }

    /// How many passwords were refused.
    pub(super) fn refused(&self) -> u64 {
        self.refusals.total()
    }

    /// From now on permissions count for these nodes.
    pub(super) fn replace(&self, places: Places) {
        *self.places.write().unwrap_or_else(PoisonError::into_inner) = places;
    }

    /// Whether this user may read that place, or write to it; everyone may who needs no name.
    fn allow(&self, token: &UserToken, reads: bool, place: &Place) -> bool {
        if token.is_anonymous() {
            return true;
        }
        let access = self.admission.as_ref().map(|admission| admission.access());
        access.is_some_and(|access| access.allows(&token.0, reads, &place.path))
    }

    /// Whether this user may read the value of this node.
    pub(super) fn may_read(&self, token: &UserToken, id: &NodeId) -> bool {
        let places = self.places.read().unwrap_or_else(PoisonError::into_inner);
        places.get(id).is_none_or(|place| self.allow(token, true, place))
    }
}

#[async_trait]
impl AuthManager for Users {
    async fn authenticate_anonymous_token(&self, _: &ServerEndpoint) -> Result<(), Error> {
        match self.allow_anonymous {
            true => Ok(()),
            false => {
                self.refusals
                    .note(&"it has no name, and the server has no `allowAnonymous: true`");
                Err(Error::new(
                    StatusCode::BadIdentityTokenRejected,
                    "this server lets nobody in without a name",
                ))
            }
        }
    }

    async fn authenticate_username_identity_token(
        &self,
        _: &ServerEndpoint,
        name: &str,
        password: &Password,
    ) -> Result<UserToken, Error> {
        let access = self.admission.as_ref().map(|admission| admission.access());
        let login = match &access {
            Some(access) => access.log_in(name, password.get().as_bytes()).await,
            None => None,
        };
        if let Some(login) = login {
            return Ok(UserToken(login));
        }
        // A name that nobody has may be a password at the wrong place.
        match access.is_some_and(|access| access.knows(name)) {
            true => self
                .refusals
                .note(&format_args!("the password is not that of the user {name:?}")),
            false => self.refusals.note(&"no user has the name"),
        }
        Err(Error::new(
            StatusCode::BadIdentityTokenRejected,
            "the password is not this user's, or there is no such user",
        ))
    }

    fn effective_user_access_level(&self, token: &UserToken, level: AccessLevel, id: &NodeId) -> AccessLevel {
        let places = self.places.read().unwrap_or_else(PoisonError::into_inner);
        let Some(place) = places.get(id).filter(|place| place.is_variable) else {
            return level;
        };
        let mut level = level;
        for (right, reads) in [
            (AccessLevel::CURRENT_READ, true),
            (AccessLevel::CURRENT_WRITE, false),
        ] {
            if level.contains(right) && !self.allow(token, reads, place) {
                level.remove(right);
            }
        }
        level
    }

    fn is_user_executable(&self, token: &UserToken, method: &NodeId) -> bool {
        let places = self.places.read().unwrap_or_else(PoisonError::into_inner);
        places
            .get(method)
            .is_none_or(|place| self.allow(token, false, place))
    }

    fn user_token_policies(&self, endpoint: &ServerEndpoint) -> Vec<UserTokenPolicy> {
        let anonymous = self
            .allow_anonymous
            .then(|| policy(ANONYMOUS, UserTokenType::Anonymous));
        // A password is never taken where the channel leaves it as it is. Where the channel is signed alone, the policy of the
        // endpoint has the client encrypt it.
        let is_protected = matches!(
            endpoint.message_security_mode(),
            MessageSecurityMode::Sign | MessageSecurityMode::SignAndEncrypt
        );
        let user = (is_protected && self.admission.is_some()).then(|| UserTokenPolicy {
            security_policy_uri: UAString::from(endpoint.security_policy().to_uri()),
            ..policy(
                user_pass_security_policy_id(endpoint).as_ref(),
                UserTokenType::UserName,
            )
        });
        anonymous.into_iter().chain(user).collect()
    }
}

fn policy(id: &str, token_type: UserTokenType) -> UserTokenPolicy {
    UserTokenPolicy {
        policy_id: UAString::from(id),
        token_type,
        issued_token_type: UAString::null(),
        issuer_endpoint_url: UAString::null(),
        security_policy_uri: UAString::null(),
    }
}
