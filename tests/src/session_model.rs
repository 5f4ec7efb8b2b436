//! What a session owes its caller, as plainly as it can be said: the reference that random walks are held against.
//!
//! Messages carry a tag that grows from one to the next. The model is told what was asked and what came of it, and
//! panics as soon as a promise is broken; [`SessionModel::check_settled`] tells what is still owed when all is quiet.

use std::collections::{BTreeMap, BTreeSet};

use syncline_core::codec::{QoS, ReasonCode};
use syncline_core::session::{Completion, Loss, OpId};

/// Identity of an Application Message in a walk.
pub type Tag = u32;

/// What was asked of the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// To publish a message.
    Publish {
        /// Which message.
        tag: Tag,
        /// At which QoS.
        qos: QoS,
        /// Whether it has an expiry.
        expires: bool,
    },
    /// To subscribe or to unsubscribe.
    Subscription,
}

#[derive(Debug)]
struct Operation {
    asked: Asked,
    completion: Option<Completion>,
    /// A connection ended, the Session was lost, or a disconnect was requested, while it was open.
    link_ended: bool,
    session_lost: bool,
    closed: bool,
    /// It had completed, and a process after that one took it up again.
    taken_up: bool,
}

/// A message to the client.
#[derive(Debug)]
struct Inbound {
    qos: QoS,
    handed_out: u32,
    /// It must be handed out in the end.
    owed: bool,
    /// It must not be handed out again: it was acknowledged, at QoS 2, by this store operation. Zero is for ever.
    is_final: Option<u64>,
    /// A connection ended since it was handed out.
    link_ended: bool,
}

/// The reference model.
#[derive(Debug, Default)]
pub struct SessionModel {
    operations: BTreeMap<OpId, Operation>,
    /// Operations that ended with their process.
    of_earlier_processes: Vec<Operation>,
    /// Times that the server took a message for a new one.
    arrived: BTreeMap<Tag, u32>,
    inbound: BTreeMap<Tag, Inbound>,
}

impl SessionModel {
    /// The session accepted an operation.
    pub fn submitted(&mut self, op: OpId, asked: Asked) {
        let operation = Operation {
            asked,
            completion: None,
            link_ended: false,
            session_lost: false,
            closed: false,
            taken_up: false,
        };
        let earlier = self.operations.insert(op, operation);
        assert!(earlier.is_none(), "{op:?} was given out twice");
    }

    /// The session completed an operation: once, and as the facts allow.
    pub fn completed(&mut self, op: OpId, completion: &Completion) {
        let operation = self
            .operations
            .get_mut(&op)
            .expect("only what was submitted completes");
        let earlier = operation.completion.replace(completion.clone());
        assert_eq!(earlier, None, "{op:?} completed twice, now as {completion:?}");
        let is_qos_0 = |qos| qos == QoS::AtMostOnce;
        let allowed = match (operation.asked, completion) {
            (Asked::Publish { qos, .. }, Completion::Published { .. }) if is_qos_0(qos) => true,
            // Not Found answers a PUBREL that came again: its first PUBCOMP was lost.
            (Asked::Publish { tag, .. }, Completion::Published { reason, .. }) => {
                let known = !reason.is_error() || *reason == ReasonCode::PACKET_IDENTIFIER_NOT_FOUND;
                known && self.arrived.contains_key(&tag)
            }
            (Asked::Publish { qos, .. }, Completion::Lost(Loss::LinkLost)) => {
                is_qos_0(qos) && operation.link_ended
            }
            (Asked::Publish { expires, .. }, Completion::Lost(Loss::Expired)) => expires,
            (Asked::Publish { qos, .. }, Completion::Lost(Loss::SessionLost)) => {
                !is_qos_0(qos) && operation.session_lost
            }
            (Asked::Subscription, Completion::Lost(Loss::LinkLost)) => operation.link_ended,
            (Asked::Subscription, Completion::Subscribed(_) | Completion::Unsubscribed(_)) => true,
            (_, Completion::Lost(Loss::Closed)) => operation.closed,
            _ => false,
        };
        assert!(
            allowed,
            "completed as {completion:?}, which does not fit {operation:?}"
        );
    }

    /// The server took a message for a new one: at QoS 2 once while the Session lasts, and none before an earlier one.
    pub fn arrived(&mut self, tag: Tag) {
        let latest = self.arrived.last_key_value().map(|(tag, _)| *tag);
        let times = self.arrived.entry(tag).or_default();
        *times += 1;
        let times = *times;
        let of_tag =
            |operation: &&Operation| matches!(operation.asked, Asked::Publish { tag: it, .. } if it == tag);
        let operation = self
            .operations
            .values()
            .chain(&self.of_earlier_processes)
            .find(of_tag)
            .expect("only what was submitted arrives");
        // What was over, and a crash has brought back, has lost its place.
        assert!(
            times > 1 || latest < Some(tag) || operation.taken_up,
            "message {tag} arrived after {latest:?}"
        );
        let never_sent = matches!(
            operation.completion,
            Some(Completion::Lost(Loss::LinkLost | Loss::Expired))
        );
        assert!(
            !never_sent || operation.session_lost || operation.taken_up,
            "{operation:?} arrived all the same"
        );
        let may_repeat = matches!(
            operation.asked,
            Asked::Publish {
                qos: QoS::AtLeastOnce,
                ..
            }
        );
        assert!(
            times == 1 || may_repeat || operation.session_lost,
            "{operation:?} arrived {times} times"
        );
    }

    /// The server's Session will send the client this message.
    pub fn owes(&mut self, tag: Tag, qos: QoS) {
        self.inbound(tag, qos).owed = true;
    }

    /// The session handed a message out; `acknowledged` by this store operation where it does that by itself.
    pub fn handed_out(&mut self, tag: Tag, qos: QoS, acknowledged: Option<u64>) {
        let message = self.inbound(tag, qos);
        message.handed_out += 1;
        let again = message.handed_out > 1;
        assert!(
            !again || qos != QoS::AtMostOnce,
            "QoS 0 message {tag} was handed out again"
        );
        assert!(
            !again || message.is_final.is_none(),
            "QoS 2 message {tag} was handed out after its acknowledgement"
        );
        assert!(
            !again || message.link_ended,
            "message {tag} was handed out twice on one connection"
        );
        message.link_ended = false;
        message.is_final = acknowledged.filter(|_| qos == QoS::ExactlyOnce);
    }

    /// The caller acknowledged a message, and the session took that, with a store by this operation.
    pub fn acknowledged(&mut self, tag: Tag, operation: u64) {
        let message = self
            .inbound
            .get_mut(&tag)
            .expect("only what was handed out is acknowledged");
        message.is_final = (message.qos == QoS::ExactlyOnce).then_some(operation);
    }

    /// The process ended with the store's operations up to `durable`. The next one goes on with the operations in `kept`;
    /// the rest had no place to go on from.
    pub fn process_ended(&mut self, durable: u64, kept: &BTreeSet<OpId>) {
        self.link_ended();
        for (op, mut operation) in std::mem::take(&mut self.operations) {
            if kept.contains(&op) {
                operation.taken_up |= operation.completion.take().is_some();
                self.operations.insert(op, operation);
            } else {
                self.of_earlier_processes.push(operation);
            }
        }
        for message in self.inbound.values_mut() {
            let is_durable = message.is_final.is_some_and(|operation| operation <= durable);
            message.is_final = is_durable.then_some(0);
        }
    }

    /// A connection ended.
    pub fn link_ended(&mut self) {
        self.open_operations()
            .for_each(|operation| operation.link_ended = true);
        self.inbound
            .values_mut()
            .for_each(|message| message.link_ended = true);
    }

    /// One of the sides lost the Session: nothing that was unfinished is owed any more.
    pub fn session_lost(&mut self) {
        self.open_operations()
            .for_each(|operation| operation.session_lost = true);
        self.inbound.values_mut().for_each(|message| message.owed = false);
    }

    /// The caller asked for the end of connection and Session.
    pub fn closed(&mut self) {
        self.session_lost();
        self.open_operations()
            .for_each(|operation| operation.closed = true);
        self.inbound
            .values_mut()
            .for_each(|message| message.is_final = None);
    }

    /// Whether every operation has completed and every message that is owed was handed out.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.operations
            .values()
            .all(|operation| operation.completion.is_some())
            && self
                .inbound
                .values()
                .all(|message| !message.owed || message.handed_out > 0)
    }

    /// Shows what is still open.
    ///
    /// # Panics
    /// When something is.
    pub fn check_settled(&self) {
        let open: Vec<_> = self
            .operations
            .iter()
            .filter(|(_, it)| it.completion.is_none())
            .collect();
        assert!(open.is_empty(), "operations without a completion: {open:?}");
        let owed: Vec<_> = self
            .inbound
            .iter()
            .filter(|(_, it)| it.owed && it.handed_out == 0)
            .collect();
        assert!(owed.is_empty(), "messages that were never handed out: {owed:?}");
    }

    fn inbound(&mut self, tag: Tag, qos: QoS) -> &mut Inbound {
        self.inbound.entry(tag).or_insert(Inbound {
            qos,
            handed_out: 0,
            owed: false,
            is_final: None,
            link_ended: false,
        })
    }

    fn open_operations(&mut self) -> impl Iterator<Item = &mut Operation> {
        self.operations
            .values_mut()
            .filter(|operation| operation.completion.is_none())
    }
}
