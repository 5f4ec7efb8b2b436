//! Sans-IO MQTT client and FlowSync request/response correlation: bytes and time in, bytes and events out.
//!
//! This crate holds every protocol decision of Syncline and performs none of the effects. It opens no socket, reads no
//! clock, draws no entropy, starts no thread, and needs no `std`: an agent on tokio, a C gateway around `poll(2)` and a
//! Python script drive the same machines and get the same bytes.
//!
//! # Machines
//!
//! ```text
//! time, rng, error, limits  <-  codec, topic  <-  session | flowsync | registration  <-  agent
//! ```
//!
//! | module | takes in | hands out |
//! |---|---|---|
//! | [`codec`] | bytes of one packet | the packet, borrowed; or the broken rule with its Reason Code |
//! | [`topic`] | text | Topic Names and Topic Filters that are valid by construction |
//! | [`session`] | received bytes, commands, time | bytes to send, events, the next deadline |
//! | [`flowsync`] | requests, messages, time | messages to publish, one outcome for each transaction, the next deadline |
//! | [`registration`] | the registry's answers, the broker's, time | credentials to store, requests to make, when to connect |
//! | [`agent`] | all of the above | all of the above: the composite that a runtime drives |
//!
//! `session`, `flowsync` and `registration` do not know of each other; they meet in `agent` alone.
//!
//! # The contract
//!
//! 1. **Time and chance are arguments.** `now` is a [`time::Instant`] of any epoch, wall time a [`time::UnixMillis`],
//!    randomness a seed given at construction. Same seed, same inputs: same outputs, byte for byte.
//! 2. **One input, then drain.** After each command or `handle_*` call, `poll` until it returns `None`, write what
//!    `transmit` shows, sleep until `poll_timeout`.
//! 3. **Received bytes are parsed lazily**, one packet a `poll`, out of a buffer that the core owns. Payloads are
//!    handles on that buffer. What is not polled takes no more input, so the peer feels back-pressure.
//! 4. **Commands are synchronous and all or nothing.** An accepted operation gets exactly one completion; a refused
//!    message comes back to the caller.
//! 5. **Everything is bounded** ([`limits`]), and what is dropped is reported.
//! 6. **After an error the state is unchanged or closed.** Nothing that a peer sends can make this crate panic.
//!
//! # Example
//!
//! The loop that every runtime has, here with the peer's bytes in place of a socket:
//!
//! ```
//! use syncline_core::session::{Config, Output, Session};
//! use syncline_core::time::Instant;
//!
//! let mut session = Session::new(Config::new("example"), [0; 32])?;
//! let now = Instant::ZERO; // from the runtime's monotonic clock
//!
//! session.connect(now);
//! assert_eq!(session.poll(now), Some(Output::OpenTransport)); // dial, then:
//! session.handle_transport_open(now);
//! assert_eq!(session.poll(now), None);
//!
//! let connect: Vec<u8> = session.transmit().runs().flatten().copied().collect(); // write, then:
//! session.tx_advance(now, connect.len());
//! assert_eq!(connect[0], 0x10, "CONNECT");
//!
//! let connack = [0x20, 3, 0, 0, 0]; // read into `rx_space()`, or copy:
//! session.rx_extend(&connack);
//! assert!(matches!(session.poll(now), Some(Output::Connected(_))));
//! assert_eq!(session.poll(now), None); // then sleep until:
//! assert!(session.poll_timeout().is_some(), "the Keep Alive");
//! # Ok::<(), syncline_core::session::ConfigError>(())
//! ```
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod agent;
pub mod codec;
pub mod error;
pub mod flowsync;
pub mod limits;
pub mod registration;
pub mod rng;
pub mod session;
pub mod time;
pub mod topic;
