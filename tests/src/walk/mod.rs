//! Random walks of a session through operations, faults and restarts, each of which prints as a script to run again.
//!
//! A script is one line: `5.0 automatic republish window=2 store=none seed=7: connect; publish 2 10; pass 30; reset`.

mod script;

use proptest::prelude::*;
use proptest::sample::select;
use syncline_core::codec::QoS;
use syncline_core::session::{AckMode, Config, Disconnect, SessionLost, Unfinished, VersionPolicy, When};
use syncline_core::time::Duration;

use crate::simulation::{Simulation, VirtualDisk};
use crate::virtual_broker::VirtualBroker;
use crate::virtual_link::{End, LinkConfig};

pub use script::ScriptError;

/// A walk: who takes part, and what happens.
#[derive(Clone, PartialEq, Eq)]
pub struct Walk {
    /// Version that the client speaks.
    pub version: VersionPolicy,
    /// Who acknowledges.
    pub acks: AckMode,
    /// What happens to messages that the server has forgotten.
    pub on_session_lost: SessionLost,
    /// The server's Receive Maximum, and the client's own bound on messages in flight.
    pub window: u16,
    /// Milliseconds that the store takes at most; none without a store.
    pub store: Option<u16>,
    /// Decides on delays, chunks and back-off.
    pub seed: u64,
    /// What happens, in this order.
    pub steps: Vec<Step>,
}

/// One step of a walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The caller asks for a connection.
    Connect,
    /// The caller publishes so many bytes.
    Publish(QoS, u16),
    /// The caller publishes a small message that is worth sending for so many milliseconds.
    PublishExpiring(QoS, u16),
    /// Another client publishes so many bytes to this one.
    Deliver(QoS, u16),
    /// The caller subscribes.
    Subscribe,
    /// The caller unsubscribes.
    Unsubscribe,
    /// The caller acknowledges one of the messages that wait for it.
    Acknowledge(u8),
    /// The caller ends the Session, waiting up to so many milliseconds for what is in flight; zero is at once.
    Disconnect(u16),
    /// The caller disconnects, after the same time, and keeps the Session.
    Suspend(u16),
    /// The process is killed and started again, with so much luck for what was not durable.
    Kill(u8),
    /// Milliseconds pass.
    Pass(u32),
    /// The connection breaks.
    Reset,
    /// The server closes its end.
    Close,
    /// Nothing arrives at this end for so many milliseconds.
    Stall(End, u32),
    /// The connection breaks when this end has read so many more bytes.
    Cut(End, u16),
    /// The broker restarts and still knows its Sessions.
    Restart,
    /// The broker restarts and knows nothing.
    Forget,
    /// Connections are refused for so many milliseconds.
    Unreachable(u32),
}

impl Walk {
    /// Walks, then lets everything come to rest. Returns the digest of all that was read, written and handed out.
    ///
    /// # Panics
    /// When a promise of the session is broken.
    pub fn run(&self, traced: bool) -> u64 {
        let mut config = Config::new("");
        config.version = self.version;
        config.acks = self.acks;
        config.on_session_lost = self.on_session_lost;
        config.keep_alive = Duration::from_secs(10);
        if let Some(window) = core::num::NonZeroU16::new(self.window) {
            config.max_in_flight = window;
            config.receive_maximum = window;
        }
        let link = LinkConfig {
            delay: Duration::from_millis(20),
            chunk: 40,
            window: 2_000,
        };
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.seed.to_be_bytes());
        let broker = VirtualBroker::with_receive_maximum(self.window);
        let mut simulation = Simulation::new(config, link, broker, seed);
        if let Some(delay) = self.store {
            simulation = simulation.with_disk(VirtualDisk::new(Duration::from_millis(delay.into())));
        }
        if traced {
            simulation.trace();
        }
        for step in &self.steps {
            if traced {
                println!("--- {step}");
            }
            step.take(&mut simulation);
        }
        if traced {
            println!("--- settle");
        }
        simulation.settle();
        simulation.transcript()
    }
}

impl Step {
    fn take(self, simulation: &mut Simulation) {
        let millis = |n: u32| Duration::from_millis(u64::from(n));
        match self {
            Self::Connect => simulation.connect(),
            Self::Publish(qos, size) => simulation.publish(qos, size.into(), None),
            Self::PublishExpiring(qos, expiry) => simulation.publish(qos, 0, Some(millis(expiry.into()))),
            Self::Deliver(qos, size) => simulation.deliver(qos, size.into()),
            Self::Subscribe => simulation.subscribe(),
            Self::Unsubscribe => simulation.unsubscribe(),
            Self::Acknowledge(choice) => simulation.acknowledge(choice.into()),
            Self::Disconnect(patience) => simulation.disconnect(disconnect(patience, Unfinished::Close)),
            Self::Suspend(patience) => simulation.disconnect(disconnect(patience, Unfinished::Keep)),
            Self::Kill(luck) => simulation.kill(luck.into()),
            Self::Pass(n) => simulation.pass(millis(n)),
            Self::Reset => simulation.harm(|_, link| link.reset()),
            Self::Close => simulation.harm(|_, link| link.close(End::Server)),
            Self::Stall(end, n) => simulation.harm(|now, link| link.stall(end, now.after(millis(n)))),
            Self::Cut(end, bytes) => simulation.harm(|_, link| link.cut_after(end, bytes.into())),
            Self::Restart => simulation.restart_broker(true),
            Self::Forget => simulation.restart_broker(false),
            Self::Unreachable(n) => simulation.be_unreachable(millis(n)),
        }
    }
}

/// A disconnect that waits up to so many milliseconds; zero is at once.
fn disconnect(patience: u16, unfinished: Unfinished) -> Disconnect {
    Disconnect {
        when: match patience {
            0 => When::Now,
            _ => When::Settled(Duration::from_millis(patience.into())),
        },
        unfinished,
        ..Disconnect::default()
    }
}

/// Walks of up to `longest` steps.
pub fn any_walk(longest: usize) -> impl Strategy<Value = Walk> {
    let head = (
        select(vec![
            VersionPolicy::V3_1_1,
            VersionPolicy::V5,
            VersionPolicy::Auto,
        ]),
        select(vec![AckMode::Automatic, AckMode::Manual]),
        select(vec![SessionLost::Republish, SessionLost::Report]),
        select(vec![1, 2, 5, u16::MAX]),
        select(vec![None, Some(0), Some(1), Some(30), Some(1_000)]),
        any::<u64>(),
    );
    (head, prop::collection::vec(any_step(), 1..longest)).prop_map(
        |((version, acks, on_session_lost, window, store, seed), rest)| {
            let mut steps = vec![Step::Connect];
            steps.extend(rest);
            Walk {
                version,
                acks,
                on_session_lost,
                window,
                store,
                seed,
                steps,
            }
        },
    )
}

fn any_step() -> impl Strategy<Value = Step> {
    let qos = || select(vec![QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce]);
    let size = || prop_oneof![8 => 0_u16..64, 1 => 400_u16..3_000];
    let end = || select(vec![End::Client, End::Server]);
    let patience = || prop_oneof![Just(0_u16), 1..5_000_u16];
    prop_oneof![
        1 => Just(Step::Connect),
        12 => (qos(), size()).prop_map(|(qos, size)| Step::Publish(qos, size)),
        2 => (qos(), 1..2_000_u16).prop_map(|(qos, expiry)| Step::PublishExpiring(qos, expiry)),
        10 => (qos(), size()).prop_map(|(qos, size)| Step::Deliver(qos, size)),
        2 => Just(Step::Subscribe),
        1 => Just(Step::Unsubscribe),
        5 => any::<u8>().prop_map(Step::Acknowledge),
        1 => patience().prop_map(Step::Disconnect),
        1 => patience().prop_map(Step::Suspend),
        3 => any::<u8>().prop_map(Step::Kill),
        12 => (0..150_u32).prop_map(Step::Pass),
        3 => (500..90_000_u32).prop_map(Step::Pass),
        4 => Just(Step::Reset),
        2 => Just(Step::Close),
        2 => (end(), 1..25_000_u32).prop_map(|(end, n)| Step::Stall(end, n)),
        4 => (end(), 0..120_u16).prop_map(|(end, n)| Step::Cut(end, n)),
        1 => Just(Step::Restart),
        1 => Just(Step::Forget),
        1 => (1..5_000_u32).prop_map(Step::Unreachable),
    ]
}
