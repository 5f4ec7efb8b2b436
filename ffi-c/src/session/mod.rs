//! The MQTT session: made of a configuration, driven by bytes, time and commands, polled for what follows.
//!
//! Behind the handle is the composite agent, which is a session as long as it has neither nodes nor a registration.

mod bytes;
mod command;
mod config;
mod output;
mod setting;
mod store;

pub use self::bytes::*;
pub use command::*;
pub use config::*;
pub use output::*;
pub use setting::*;
pub use store::*;

use syncline_core::agent::Agent;
use syncline_core::session::Session;
use syncline_core::time::Instant;

use self::output::{Shown, level};
use crate::border;
use crate::error_text::{ErrorOut, ErrorText, Fault};
use crate::pointer::{self, Out, Slice};
use crate::result::Code;

/// An MQTT client session, and the composite agent: calls `syncline_agent_...` give it FlowSync nodes, whose replies it takes
/// out of what it receives, and a registration.
///
/// 1. One input: a command, received bytes, written bytes, an opened or closed transport, or time.
/// 2. `syncline_session_poll` until SYNCLINE_RESULT_EMPTY, carrying out each output.
/// 3. Write what `syncline_session_tx_iov` shows, and report it with `syncline_session_tx_advance`.
/// 4. Sleep until the transport is readable, or writable while there is something to write, or the time of
///    `syncline_session_poll_timeout` comes.
#[derive(Debug)]
pub struct SessionHandle {
    agent: Agent,
    /// What the caller may be looking at.
    shown: Shown,
    /// Bytes that the room last shown has.
    room: usize,
}

impl SessionHandle {
    fn new(agent: Agent) -> Self {
        Self {
            agent,
            shown: Shown::default(),
            room: 0,
        }
    }

    /// The agent, to look at.
    pub(crate) fn agent(&self) -> &Agent {
        &self.agent
    }

    fn session(&self) -> &Session {
        self.agent.session()
    }

    /// The agent, to change it: the room that the caller was shown is over by that.
    pub(crate) fn change(&mut self) -> &mut Agent {
        self.room = 0;
        &mut self.agent
    }
}

/// Makes a session that is offline until `syncline_session_connect`. The configuration is copied.
///
/// `seed` has 32 bytes of the operating system's entropy: it spreads the waits between connections, and ids of transactions
/// and passwords come from it. SYNCLINE_RESULT_CONFIG_INVALID: `error` names the setting.
///
/// # Safety
/// `config` is a live handle, `seed` points to `seed_len` bytes; `error` is NULL or points to a place for a text;
/// `session` points to a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_session_new(
    config: *const SessionConfigHandle,
    seed: *const u8,
    seed_len: usize,
    error: *mut ErrorText,
    session: *mut *mut SessionHandle,
) -> Code {
    // SAFETY: the caller vouches for the place of the text.
    border::cross_and_tell(unsafe { ErrorOut::new(error) }, || {
        // SAFETY: the caller vouches for all of these pointers.
        let (config, seed, out) = unsafe {
            (
                pointer::shared(config, "config")?,
                pointer::bytes(seed, seed_len, "seed")?,
                Out::new(session, "session")?,
            )
        };
        let seed = seed.try_into().map_err(|_| Fault::seed(seed))?;
        let made = Agent::new(config.0.clone(), seed);
        let made = made.map_err(|error| Fault::new(Code::ConfigInvalid, error))?;
        out.write(pointer::give(SessionHandle::new(made)));
        Ok(())
    })
}

/// Takes a session back. Nothing more is sent: disconnect before.
///
/// # Safety
/// `session` is NULL, or came from `syncline_session_new` or `syncline_session_restore` and was not freed before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_session_free(session: *mut SessionHandle) {
    border::cross_or((), || {
        // SAFETY: the caller vouches for the handle.
        unsafe { pointer::take_back(session) };
    });
}

/// Does what is due at `now`: connect timeouts, pings, back-off, expiry.
///
/// # Safety
/// `session` is a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_session_handle_timeout(session: *mut SessionHandle, now: u64) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for the handle.
        let handle = unsafe { pointer::exclusive(session, "session") }?;
        handle.change().handle_timeout(Instant::from_micros(now));
        Ok(())
    })
}

/// When `syncline_session_handle_timeout` next has something to do; UINT64_MAX: never.
///
/// # Safety
/// `session` is a live handle, `deadline` points to a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_session_poll_timeout(
    session: *const SessionHandle,
    deadline: *mut u64,
) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for both pointers.
        let (handle, out) = unsafe {
            (
                pointer::shared(session, "session")?,
                Out::new(deadline, "deadline")?,
            )
        };
        let next = handle.agent.poll_timeout();
        out.write(next.unwrap_or(Instant::FAR_FUTURE).as_micros());
        Ok(())
    })
}

/// The transport that SYNCLINE_OUTPUT_KIND_OPEN_TRANSPORT asked for is open.
///
/// Where none was asked for, or is no longer, nothing happens and the result is SYNCLINE_RESULT_OK: a dial that succeeds may be
/// overtaken by SYNCLINE_OUTPUT_KIND_CLOSE_TRANSPORT, and that is nobody's mistake.
///
/// # Safety
/// `session` is a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_session_handle_transport_open(
    session: *mut SessionHandle,
    now: u64,
) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for the handle.
        let handle = unsafe { pointer::exclusive(session, "session") }?;
        handle.change().handle_transport_open(Instant::from_micros(now));
        Ok(())
    })
}

/// The transport could not be opened, or was closed by the other side or by an error. Ignored where there is none.
///
/// # Safety
/// `session` is a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_session_handle_transport_closed(
    session: *mut SessionHandle,
    now: u64,
) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for the handle.
        let handle = unsafe { pointer::exclusive(session, "session") }?;
        handle.change().handle_transport_closed(Instant::from_micros(now));
        Ok(())
    })
}

/// How a session stands.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct SessionStatus {
    /// Client Identifier, the assigned one where the server chose it.
    pub client_id: Slice,
    /// QoS 1 and 2 messages sent and not acknowledged.
    pub in_flight: usize,
    /// Messages that wait to be sent.
    pub queued: usize,
    /// Bytes that wait to be written.
    pub unwritten: usize,
    /// Protocol version of the connection, 4 or 5; 0 without one.
    pub version: u8,
    /// Whether the server has accepted the connection and it is not ending.
    pub established: bool,
}

/// How the session stands.
///
/// # Safety
/// `session` is a live handle, `status` points to the place of the result.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_session_status(
    session: *const SessionHandle,
    status: *mut SessionStatus,
) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for both pointers.
        let (handle, out) = unsafe { (pointer::shared(session, "session")?, Out::new(status, "status")?) };
        let session = handle.session();
        out.write(SessionStatus {
            client_id: session.client_id().into(),
            in_flight: session.in_flight(),
            queued: session.queued(),
            unwritten: handle.unwritten(),
            version: session.version().map_or(0, level),
            established: session.is_established(),
        });
        Ok(())
    })
}
