//! A session that is there: what endpoints ask of its server.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use opcua::client::services::{Browse, Read, TranslateBrowsePaths, Write};
use opcua::client::{Session, UARequest};
use opcua::types::{
    AttributeId, BrowseDescription, BrowseDirection, BrowsePath, DataValue, Error, NodeClassMask, NodeId,
    ObjectId, QualifiedName, ReadValueId, ReferenceTypeId, RelativePath, RelativePathElement, StatusCode,
    TimestampsToReturn, Variant, WriteValue,
};
use tokio::sync::watch;

use super::connect::OWN_REQUEST_TIME;
use super::subscriptions::Subscriptions;
use crate::endpoint::state::LinkState;
use crate::endpoint::tally::Cause;
use crate::opcua::parse_node_id;
use crate::service::plan::{BrowseName, OpcuaNode};

/// Longest wait for the answer to a request of an endpoint.
const ANSWER_TIME: Duration = Duration::from_secs(30);

/// A session with a server.
pub(crate) struct Live {
    session: Arc<Session>,
    number: u64,
    state: Arc<LinkState>,
    pub(super) subscriptions: Subscriptions,
    broken: watch::Sender<Option<StatusCode>>,
}

/// Why a server has not done what an endpoint has asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) cause: Cause,
    pub(super) status: StatusCode,
    pub(super) text: String,
}

impl Failure {
    pub(super) fn new(cause: Cause, status: StatusCode, text: impl Into<String>) -> Self {
        Self {
            cause,
            status,
            text: text.into(),
        }
    }

    /// There is no session.
    pub(super) fn not_connected(state: &LinkState) -> Self {
        let address = state.address();
        let text = match state.last_end() {
            Some(why) => format!("{address} is not connected: {why}"),
            None => format!("{address} is not connected yet"),
        };
        Self::new(Cause::Unreachable, StatusCode::BadNotConnected, text)
    }
}

impl Live {
    pub(super) fn new(session: Arc<Session>, number: u64, state: Arc<LinkState>) -> Self {
        let broken = watch::Sender::new(None);
        Self {
            subscriptions: Subscriptions::new(broken.clone()),
            session,
            number,
            state,
            broken,
        }
    }

    /// Which of the connection's sessions it is.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// Waits until the server has said that the session, or a subscription of it, is no more. Cancel safe.
    pub(super) async fn broken(&self) -> StatusCode {
        let mut broken = self.broken.subscribe();
        match broken.wait_for(Option::is_some).await.map(|status| *status) {
            Ok(Some(status)) => status,
            _ => std::future::pending().await,
        }
    }

    /// The node that a file means.
    pub(super) async fn find(&self, node: &OpcuaNode) -> Result<NodeId, Failure> {
        let names = match node {
            OpcuaNode::Id(text) => {
                return parse_node_id(text).ok_or_else(|| {
                    let text = format!("{text} is no node id");
                    Failure::new(Cause::Malformed, StatusCode::BadNodeIdInvalid, text)
                });
            }
            OpcuaNode::BrowsePath(names) => names,
        };
        let paths = readings(names).map(browse_path).collect();
        let request = TranslateBrowsePaths::new(&self.session)
            .browse_paths(paths)
            .timeout(OWN_REQUEST_TIME);
        let results = self.send(request, Harm::None).await?.results.unwrap_or_default();
        let mut status = StatusCode::BadNoMatch;
        for result in results {
            let target = result.targets.unwrap_or_default().into_iter().next();
            match target {
                // One that leads to another server has an index of what is left of the path.
                Some(target) if !result.status_code.is_bad() && target.target_id.server_index == 0 => {
                    return Ok(target.target_id.node_id);
                }
                _ if result.status_code.is_bad() => status = result.status_code,
                _ => {}
            }
        }
        let text = format!("{} leads to no node: {status}", node.text());
        Err(Failure::new(Cause::Refused, status, text))
    }

    /// The value of a node.
    pub(super) async fn read(&self, node: &NodeId) -> Result<Variant, Failure> {
        let value = self.value(node).await?;
        self.sound(value)
    }

    /// The same with its status, which may be bad.
    pub(super) async fn value(&self, node: &NodeId) -> Result<DataValue, Failure> {
        let wanted = vec![ReadValueId::new_value(node.clone())];
        let mut values = self.attributes(wanted, ANSWER_TIME).await?;
        Ok(values.pop().unwrap_or_default())
    }

    /// The value of an answer, unless the server calls it bad.
    pub(super) fn sound(&self, value: DataValue) -> Result<Variant, Failure> {
        match value.status {
            Some(status) if status.is_bad() => Err(self.refused(status)),
            _ => Ok(value.value.unwrap_or_default()),
        }
    }

    /// Type and rank of a node.
    pub(super) async fn describe(&self, node: &NodeId) -> Result<[DataValue; 2], Failure> {
        let attributes = [AttributeId::DataType, AttributeId::ValueRank];
        let wanted = attributes.map(|attribute| ReadValueId::new(node.clone(), attribute));
        let values = self.attributes(wanted.into(), OWN_REQUEST_TIME).await?;
        let wrong = || self.refused(StatusCode::BadUnknownResponse);
        values.try_into().map_err(|_| wrong())
    }

    /// The type above a type; `None` where there is none.
    pub(super) async fn supertype(&self, data_type: &NodeId) -> Result<Option<NodeId>, Failure> {
        let request = Browse::new(&self.session)
            .browse_node(BrowseDescription {
                node_id: data_type.clone(),
                browse_direction: BrowseDirection::Inverse,
                reference_type_id: ReferenceTypeId::HasSubtype.into(),
                include_subtypes: false,
                node_class_mask: NodeClassMask::DATA_TYPE.bits(),
                result_mask: 0,
            })
            .max_references_per_node(1)
            .timeout(OWN_REQUEST_TIME);
        let results = self.send(request, Harm::None).await?.results.unwrap_or_default();
        let references = results.into_iter().next().and_then(|result| result.references);
        let first = references.unwrap_or_default().into_iter().next();
        Ok(first.map(|reference| reference.node_id.node_id))
    }

    /// Gives a node a value.
    pub(super) async fn write(&self, node: &NodeId, value: Variant) -> Result<(), Failure> {
        // Times of the client's own are more than many servers take.
        let written = WriteValue {
            value: DataValue::value_only(value),
            ..WriteValue::value_attr(node.clone(), Variant::Empty)
        };
        let request = Write::new(&self.session).node(written).timeout(ANSWER_TIME);
        let results = self.send(request, Harm::Maybe).await?.results.unwrap_or_default();
        match results.first() {
            Some(status) if status.is_bad() => Err(self.refused(*status)),
            Some(_) => Ok(()),
            None => Err(self.refused(StatusCode::BadUnknownResponse)),
        }
    }

    async fn attributes(&self, wanted: Vec<ReadValueId>, time: Duration) -> Result<Vec<DataValue>, Failure> {
        let request = Read::new(&self.session)
            .nodes_to_read(wanted)
            .timestamps_to_return(TimestampsToReturn::Neither)
            .timeout(time);
        Ok(self.send(request, Harm::None).await?.results.unwrap_or_default())
    }

    async fn send<R>(&self, request: R, harm: Harm) -> Result<R::Out, Failure>
    where
        R: UARequest + Send + 'static,
        R::Out: Send,
    {
        // In a box, for the compiler does not see through the library's lifetimes.
        let answer: Pin<Box<dyn Future<Output = _> + Send + '_>> =
            Box::pin(request.send(self.session.channel()));
        answer.await.map_err(|error| self.failed(&error, harm))
    }

    /// Why a request has got no answer.
    pub(super) fn failed(&self, error: &Error, harm: Harm) -> Failure {
        let status = error.status();
        let address = self.state.address();
        let harm = match harm {
            Harm::None => "",
            Harm::Maybe => ", and may have carried it out",
        };
        if is_end(status) {
            self.broken.send_replace(Some(status));
        }
        match status {
            StatusCode::BadTimeout => Failure::new(
                Cause::Timeout,
                status,
                format!("{address} has not answered in time{harm}"),
            ),
            StatusCode::BadConnectionClosed
            | StatusCode::BadCommunicationError
            | StatusCode::BadSecureChannelClosed
            | StatusCode::BadShutdown => Failure::new(
                Cause::Unreachable,
                status,
                format!("the connection to {address} was lost before it had answered{harm}"),
            ),
            StatusCode::BadNotConnected => Failure::not_connected(&self.state),
            status => self.refused(status),
        }
    }

    pub(super) fn refused(&self, status: StatusCode) -> Failure {
        let code = status.sub_code();
        let text = format!(
            "{} has answered {}: {}",
            self.state.address(),
            code.name(),
            code.description().trim().trim_end_matches('.')
        );
        Failure::new(Cause::Refused, status, text)
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live")
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

/// What a request may have done when nobody knows how it has ended.
#[derive(Debug, Clone, Copy)]
pub(super) enum Harm {
    None,
    Maybe,
}

/// Whether the server says that it does not know the session, or its channel, any more.
pub(super) fn is_end(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::BadSessionIdInvalid
            | StatusCode::BadSessionClosed
            | StatusCode::BadSessionNotActivated
            | StatusCode::BadSecureChannelIdInvalid
            | StatusCode::BadSecureChannelTokenUnknown
    )
}

/// What a path may mean, in the order in which that is tried: a name without a namespace is one of the namespace 0 (Part 4, §A.2), or,
/// as people write it, one of the namespace of the name before it.
fn readings(names: &[BrowseName]) -> impl Iterator<Item = Vec<QualifiedName>> + use<> {
    let from_objects = match names {
        [first, rest @ ..]
            if !rest.is_empty() && first.name == "Objects" && first.namespace.unwrap_or(0) == 0 =>
        {
            rest
        }
        names => names,
    };
    let by_the_book = from_objects
        .iter()
        .map(|name| QualifiedName::new(name.namespace.unwrap_or(0), name.name.as_str()));
    let mut namespace = 0;
    let inherited = from_objects.iter().map(|name| {
        namespace = name.namespace.unwrap_or(namespace);
        QualifiedName::new(namespace, name.name.as_str())
    });
    let (by_the_book, inherited): (Vec<_>, Vec<_>) = (by_the_book.collect(), inherited.collect());
    let second = (inherited != by_the_book).then_some(inherited);
    std::iter::once(by_the_book).chain(second)
}

/// From the folder Objects down.
fn browse_path(names: Vec<QualifiedName>) -> BrowsePath {
    let elements = names.into_iter().map(|target_name| RelativePathElement {
        reference_type_id: ReferenceTypeId::HierarchicalReferences.into(),
        is_inverse: false,
        include_subtypes: true,
        target_name,
    });
    BrowsePath {
        starting_node: ObjectId::ObjectsFolder.into(),
        relative_path: RelativePath {
            elements: Some(elements.collect()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_a_namespace_is_looked_for_in_both_that_it_may_mean() {
        let name = |namespace: Option<u16>, name: &str| BrowseName {
            namespace,
            name: name.to_owned(),
        };
        let tried = |names: &[BrowseName]| -> Vec<Vec<(u16, String)>> {
            let names = readings(names).map(|names| {
                names
                    .iter()
                    .map(|name| (name.namespace_index, name.name.to_string()))
                    .collect()
            });
            names.collect()
        };
        let expected = |namespace: u16| vec![(2, "A".to_owned()), (namespace, "B".to_owned())];
        assert_eq!(
            tried(&[name(Some(2), "A"), name(None, "B")]),
            [expected(0), expected(2)]
        );
        assert_eq!(tried(&[name(Some(2), "A"), name(Some(3), "B")]), [expected(3)]);
        assert_eq!(
            tried(&[name(None, "Objects"), name(Some(2), "A"), name(Some(2), "B")]),
            [expected(2)]
        );
        assert_eq!(tried(&[name(None, "Objects")]), [[(0, "Objects".to_owned())]]);
    }
}
