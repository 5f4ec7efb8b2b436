//! The nodes of the plan, as the library asks for them: reads are its own, Writes and Calls are checked here and then held.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::{FutureExt as _, join_all};
use opcua::server::address_space::{AccessLevel, AddressSpace, NodeType, is_writable};
use opcua::server::diagnostics::NamespaceMetadata;
use opcua::server::node_manager::memory::{InMemoryNodeManager, InMemoryNodeManagerImpl};
use opcua::server::node_manager::{
    MethodCall, MonitoredItemRef, ParsedWriteValue, RequestContext, ServerContext, WriteNode,
};
use opcua::server::{CreateMonitoredItem, SubscriptionCache};
use opcua::sync::RwLock as SpaceLock;
use opcua::types::{AttributeId, DataValue, DateTime, NodeId, StatusCode, TimestampsToReturn, Variant};
use tokio::sync::watch;
use tokio::time::timeout;

use super::authentication::Users;
use super::channel::Channels;
use super::failure::Failure;
use super::held::Held;
use super::method::{Method, Refused, raw};
use super::publisher::Publisher;
use super::sessions::{OfSession as _, Sessions};
use super::transaction::Transaction;
use super::value::Shape;
use super::watchers::Watchers;
use crate::unconfirmed::{UNCONFIRMED, Unconfirmed};

/// The library's shell around the nodes: their address space and whatever does not concern MQTT.
pub(super) type Space = InMemoryNodeManager<Nodes>;

/// Milliseconds between two samples of a value: every change is told, so there is no interval, and 0 would mean the server's
/// own, in which a burst could lose its last value.
const SAMPLING_INTERVAL: f64 = 1e-4;

/// Longest wait for the nodes that come in the place of others.
const EXCHANGE_TIME: Duration = Duration::from_secs(1);

/// What a node does besides being there.
#[derive(Debug)]
pub(crate) enum Behaviour {
    /// Nothing: it is an object, or its value comes from elsewhere.
    Shown,
    /// A client may write it.
    Written(Shape, Writing),
    /// A client may call it.
    Called(Method),
}

/// What becomes of a value that a client writes.
#[derive(Debug)]
pub(crate) enum Writing {
    /// It is held.
    Held(Transaction),
    /// It is published.
    Published(Publisher),
}

/// The nodes, by their ids.
#[derive(Debug)]
pub(super) struct Nodes {
    namespaces: Vec<NamespaceMetadata>,
    pub(super) channels: Channels,
    behaviours: RwLock<HashMap<NodeId, Arc<Behaviour>>>,
    pub(super) users: Arc<Users>,
    pub(super) watchers: Watchers,
    pub(super) held: Arc<Held>,
    /// Those of them whose value is published.
    pub(super) unconfirmed: Unconfirmed,
    pub(super) sessions: Arc<Sessions<RequestContext>>,
    /// How often nodes were exchanged.
    exchanges: watch::Sender<u64>,
    is_stopping: AtomicBool,
}

impl Nodes {
    pub(super) fn new(namespaces: Vec<NamespaceMetadata>, channels: Channels, users: Arc<Users>) -> Self {
        Self {
            namespaces,
            channels,
            behaviours: RwLock::default(),
            watchers: Watchers::new(Arc::clone(&users)),
            users,
            held: Arc::default(),
            unconfirmed: Unconfirmed::default(),
            sessions: Arc::default(),
            exchanges: watch::Sender::default(),
            is_stopping: AtomicBool::new(false),
        }
    }

    /// Forgets what nodes do, and learns what others do.
    pub(super) fn exchange(&self, removed: &[NodeId], added: Vec<(NodeId, Behaviour)>) {
        let mut behaviours = self.behaviours.write().unwrap_or_else(PoisonError::into_inner);
        for id in removed {
            behaviours.remove(id);
        }
        let added = added.into_iter();
        behaviours.extend(added.map(|(id, behaviour)| (id, Arc::new(behaviour))));
        drop(behaviours);
        self.exchanges.send_modify(|count| *count += 1);
    }

    /// Forgets what all nodes do.
    pub(super) fn clear(&self) {
        let mut behaviours = self.behaviours.write().unwrap_or_else(PoisonError::into_inner);
        behaviours.clear();
    }

    /// From now on every Write and Call is answered with `BadShutdown`; those that are held go on.
    pub(super) fn stop(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
    }

    fn behaviour(&self, id: &NodeId) -> Option<Arc<Behaviour>> {
        let behaviours = self.behaviours.read().unwrap_or_else(PoisonError::into_inner);
        behaviours.get(id).cloned()
    }

    fn check_running(&self) -> Result<(), Failure> {
        match self.is_stopping.load(Ordering::Relaxed) {
            true => Err(Failure::stopping()),
            false => Ok(()),
        }
    }

    /// Runs what a client has asked for as long as its connection and its session are there; dropped, it frees all that it holds.
    async fn while_connected(
        &self,
        context: &RequestContext,
        mut asked: Pin<&mut (dyn Future<Output = ()> + Send)>,
    ) -> Result<(), StatusCode> {
        let channel = context.session().read().secure_channel_id();
        let mut end = self
            .channels
            .end(channel)
            .ok_or(StatusCode::BadConnectionClosed)?;
        let mut asking = self.sessions.ask(context.session_id(), context);
        tokio::select! {
            biased;
            () = &mut asked => match context.is_open() {
                true => Ok(()),
                false => Err(StatusCode::BadSessionClosed),
            },
            () = end.reached() => Err(StatusCode::BadConnectionClosed),
            () = asking.closed() => Err(StatusCode::BadSessionClosed),
        }
    }

    async fn write_one(
        &self,
        context: &RequestContext,
        space: &SpaceLock<AddressSpace>,
        write: &mut WriteNode,
    ) {
        let result = contained(self.written(context, space, write.value())).await;
        match result {
            Ok(()) => write.set_status(StatusCode::Good),
            Err(failure) => {
                write.set_status(failure.status);
                if let Some(diagnostics) = failure.diagnostics(write.diagnostic_bits()) {
                    write.set_diagnostic_info(diagnostics);
                }
            }
        }
    }

    /// Waits for the exchange that a request has come before, since the place of its node is gone; `false` where none comes. `count` is
    /// how many there were when it began.
    async fn exchanged(&self, count: u64) -> bool {
        let mut exchanges = self.exchanges.subscribe();
        let another = exchanges.wait_for(|exchanges| *exchanges != count);
        timeout(EXCHANGE_TIME, another).await.is_ok()
    }

    async fn written(
        &self,
        context: &RequestContext,
        space: &SpaceLock<AddressSpace>,
        write: &ParsedWriteValue,
    ) -> Result<(), Failure> {
        loop {
            let count = *self.exchanges.borrow();
            match self.written_as_it_is(context, space, write).await {
                Err(failure) if failure.is_of_a_node_gone() && Box::pin(self.exchanged(count)).await => {}
                result => return result,
            }
        }
    }

    async fn written_as_it_is(
        &self,
        context: &RequestContext,
        space: &SpaceLock<AddressSpace>,
        write: &ParsedWriteValue,
    ) -> Result<(), Failure> {
        check_writable(context, &space.read(), write)?;
        let behaviour = self.behaviour(&write.node_id).ok_or(StatusCode::BadNotWritable)?;
        let Behaviour::Written(shape, writing) = &*behaviour else {
            return Err(StatusCode::BadNotWritable.into());
        };
        let value = write.value.value.as_ref().unwrap_or(&Variant::Empty);
        let json = shape.json(value).map(|json| raw(&json));
        let json = json.ok_or_else(|| Failure::from(StatusCode::BadTypeMismatch))?;
        self.check_running()?;
        let _slot = self.held.take(context.session_id())?;
        match writing {
            Writing::Held(transaction) => drop(transaction.request(json).await?),
            // On the heap, for it needs more room than what is held.
            Writing::Published(publisher) => {
                let confirmed = self.unconfirmed.confirmed(publisher.publish(&json));
                let unconfirmed = || Err(Failure::new(StatusCode::BadShutdown, UNCONFIRMED));
                Box::pin(confirmed).await.unwrap_or_else(unconfirmed)?;
            }
        }
        let now = DateTime::now();
        let taken = DataValue {
            value: Some(shape.stored(value)),
            source_timestamp: write.value.source_timestamp.or(Some(now)),
            server_timestamp: Some(now),
            ..DataValue::null()
        };
        let mut space = space.write();
        // The node may have gone while the request was held, and another may have its id.
        let current = self.behaviour(&write.node_id);
        if current.is_some_and(|current| Arc::ptr_eq(&current, &behaviour)) {
            self.take(&context.subscriptions, &mut space, &write.node_id, taken);
        }
        Ok(())
    }

    async fn called(
        &self,
        context: &RequestContext,
        call: &MethodCall,
    ) -> Result<Result<Vec<Variant>, Refused>, Failure> {
        loop {
            let count = *self.exchanges.borrow();
            match self.called_as_it_is(context, call).await {
                Err(failure) if failure.is_of_a_node_gone() && Box::pin(self.exchanged(count)).await => {}
                result => return result,
            }
        }
    }

    async fn called_as_it_is(
        &self,
        context: &RequestContext,
        call: &MethodCall,
    ) -> Result<Result<Vec<Variant>, Refused>, Failure> {
        let behaviour = self.behaviour(call.method_id());
        let Some(Behaviour::Called(method)) = behaviour.as_deref() else {
            return Err(StatusCode::BadNotExecutable.into());
        };
        let value = match method.value(call.arguments()) {
            Ok(value) => value,
            Err(refused) => return Ok(Err(refused)),
        };
        self.check_running()?;
        let _slot = self.held.take(context.session_id())?;
        method.call(value).await.map(Ok)
    }

    /// Gives a variable a value, and tells everyone who monitors it. A node that is gone takes none.
    pub(super) fn take(
        &self,
        subscriptions: &SubscriptionCache,
        space: &mut AddressSpace,
        id: &NodeId,
        value: DataValue,
    ) {
        if let Some(NodeType::Variable(variable)) = space.find_mut(id) {
            variable.set_data_value(value);
            // Under the lock, so that clients hear of values in the order in which the node takes them.
            self.watchers.tell(subscriptions, space, id);
        }
    }

    async fn call_one(&self, context: &RequestContext, call: &mut MethodCall) {
        match contained(self.called(context, call)).await {
            Ok(Ok(outputs)) => {
                call.set_outputs(outputs);
                call.set_status(StatusCode::Good);
            }
            Ok(Err(Refused::Count(status))) => call.set_status(status),
            Ok(Err(Refused::Types(codes))) => call.set_argument_error(codes),
            Err(failure) => {
                call.set_status(failure.status);
                if let Some(diagnostics) = failure.diagnostics(call.diagnostic_bits()) {
                    call.set_diagnostic_info(diagnostics);
                }
            }
        }
    }
}

/// Whether this user may write this attribute of this node, and all of it.
fn check_writable(
    context: &RequestContext,
    space: &AddressSpace,
    write: &ParsedWriteValue,
) -> Result<(), Failure> {
    let node = space.find(&write.node_id).ok_or(StatusCode::BadNodeIdUnknown)?;
    // The library does not tell what nobody may from what this user may not (Part 4, §7.38.2).
    if let (NodeType::Variable(variable), AttributeId::Value) = (node, write.attribute_id)
        && !variable.access_level().contains(AccessLevel::CURRENT_WRITE)
    {
        return Err(StatusCode::BadNotWritable.into());
    }
    is_writable(context, node, write.attribute_id)?;
    // Neither a part of a value can be held, nor what is no value.
    let is_plain = write.attribute_id == AttributeId::Value
        && !write.index_range.has_range()
        && write.value.status().is_good();
    match is_plain {
        true => Ok(()),
        false => Err(StatusCode::BadWriteNotSupported.into()),
    }
}

/// Runs `request`; a panic in it costs this request only. No async function, which would keep room for it twice.
fn contained<T>(
    request: impl Future<Output = Result<T, Failure>>,
) -> impl Future<Output = Result<T, Failure>> {
    AssertUnwindSafe(request).catch_unwind().map(|caught| {
        caught.unwrap_or_else(|_| {
            tracing::error!("an OPC UA request's handler panicked, this is a bug in syncline");
            let text = "this agent failed to handle the request, its log says more";
            Err(Failure::new(StatusCode::BadInternalError, text))
        })
    })
}

#[async_trait]
impl InMemoryNodeManagerImpl for Nodes {
    async fn init(&self, _: &mut AddressSpace, _: ServerContext) {}

    fn name(&self) -> &'static str {
        "syncline"
    }

    fn namespaces(&self) -> Vec<NamespaceMetadata> {
        self.namespaces.clone()
    }

    async fn create_value_monitored_items(
        &self,
        context: &RequestContext,
        space: &SpaceLock<AddressSpace>,
        items: &mut [&mut &mut CreateMonitoredItem],
    ) {
        let space = space.read();
        for item in items {
            let value = space.read(context, item.item_to_monitor(), 0.0, TimestampsToReturn::Both);
            match value.status() {
                refused @ (StatusCode::BadUserAccessDenied | StatusCode::BadNodeIdUnknown) => {
                    item.set_status(refused);
                    continue;
                }
                // There is no value that could be told first.
                StatusCode::BadAttributeIdInvalid => {}
                _ => item.set_initial_value(value),
            }
            self.watchers.insert(item.handle(), &context.token);
            item.revise_sampling_interval(SAMPLING_INTERVAL);
            item.set_status(StatusCode::Good);
        }
    }

    async fn delete_monitored_items(&self, _: &RequestContext, items: &[&MonitoredItemRef]) {
        self.watchers.remove(items.iter().map(|item| item.handle()));
    }

    async fn write(
        &self,
        context: &RequestContext,
        space: &SpaceLock<AddressSpace>,
        writes: &mut [&mut WriteNode],
    ) -> Result<(), StatusCode> {
        match writes {
            [write] => {
                let asked = pin!(self.write_one(context, space, write));
                self.while_connected(context, asked).await
            }
            // Held together, or the second would wait for the first.
            writes => {
                let writes = writes
                    .iter_mut()
                    .map(|write| self.write_one(context, space, write));
                let asked = pin!(join_all(writes).map(drop));
                self.while_connected(context, asked).await
            }
        }
    }

    async fn call(
        &self,
        context: &RequestContext,
        _: &SpaceLock<AddressSpace>,
        calls: &mut [&mut &mut MethodCall],
    ) -> Result<(), StatusCode> {
        match calls {
            [call] => {
                let asked = pin!(self.call_one(context, call));
                self.while_connected(context, asked).await
            }
            calls => {
                let calls = calls.iter_mut().map(|call| self.call_one(context, call));
                let asked = pin!(join_all(calls).map(drop));
                self.while_connected(context, asked).await
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_costs_its_own_request_only() {
        let panicking = async { panic!("a handler's bug") };
        assert_eq!(
            contained::<()>(panicking).await.unwrap_err().status,
            StatusCode::BadInternalError
        );
        assert_eq!(contained(async { Ok(1) }).await, Ok(1));
    }
}
