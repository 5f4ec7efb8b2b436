//! Registration by itself, for a client that has an MQTT session of its own: how an agent that nobody knows comes to be let
//! in.

mod event;
mod options;

pub use event::*;
pub use options::*;

use std::ffi::c_char;

use syncline_core::codec::ReasonCode;
use syncline_core::registration::{Output, Registration, RequestId, State};
use syncline_core::time::{Instant, UnixMillis};

use crate::border;
use crate::error_text::{ErrorOut, ErrorText, Fault};
use crate::pointer::{self, Out};
use crate::result::Code;

/// The registration of one agent. With `syncline_agent_register_with` a session has one of its own, and this is not needed.
///
/// Driven like a session: one input, `syncline_registration_poll` until SYNCLINE_RESULT_EMPTY, then sleep until
/// `syncline_registration_poll_timeout`.
#[derive(Debug)]
pub struct RegistrationHandle {
    registration: Registration,
    /// What the caller may be looking at.
    output: Option<Output>,
    text: String,
}

/// What a registration wants done, or what has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum RegistrationOutputKind {
    /// Store these new credentials where the next start finds them, then call `syncline_registration_handle_stored`, also
    /// where they cannot be stored: see `credentials`.
    StoreCredentials = 0,
    /// Make this request, then call `syncline_registration_handle_answer`: see `request`. Nobody waits for the answer to an
    /// earlier one any more.
    Ask = 1,
    /// Connect to the broker with these credentials, or without any: see `credentials`.
    Connect = 2,
    /// Registry or broker did not accept the agent; it is tried again: see `delay`.
    Delayed = 3,
    /// The registry has accepted the agent: see `grant`.
    Granted = 4,
    /// The registry will never accept this request, and nothing is tried again: see `denial`.
    Denied = 5,
}

/// What an output of a registration tells; its kind says which member counts.
#[derive(Clone, Copy)]
#[repr(C)]
pub union RegistrationEvent {
    /// Of SYNCLINE_REGISTRATION_OUTPUT_KIND_STORE_CREDENTIALS and SYNCLINE_REGISTRATION_OUTPUT_KIND_CONNECT.
    pub credentials: CredentialsRecord,
    /// Of SYNCLINE_REGISTRATION_OUTPUT_KIND_ASK.
    pub request: RegistryRequestRecord,
    /// Of SYNCLINE_REGISTRATION_OUTPUT_KIND_DELAYED.
    pub delay: DelayRecord,
    /// Of SYNCLINE_REGISTRATION_OUTPUT_KIND_GRANTED.
    pub grant: GrantRecord,
    /// Of SYNCLINE_REGISTRATION_OUTPUT_KIND_DENIED.
    pub denial: DenialRecord,
}

/// One output of a registration.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct RegistrationOutputRecord {
    /// What it tells.
    pub event: RegistrationEvent,
    /// What it is.
    pub kind: RegistrationOutputKind,
}

/// Where a registration stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum RegistrationState {
    /// Nothing has been asked of it.
    Idle = 0,
    /// New credentials wait to be stored; nobody has been shown them.
    AwaitStored = 1,
    /// The session connects; the broker has not answered.
    AwaitConnack = 2,
    /// The broker has accepted the credentials.
    Online = 3,
    /// A request is at the registry.
    AwaitResponse = 4,
    /// Somebody else has to act first: the registry or the broker is asked again later.
    AwaitRetry = 5,
    /// The registry will never accept this request.
    Denied = 6,
}

/// How a registration stands.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct RegistrationStatus {
    /// Where it stands.
    pub state: RegistrationState,
    /// What both sides show of the credentials: six hexadecimal digits ended by NUL; empty where there are none.
    pub pairing_id: [c_char; 8],
}

impl RegistrationStatus {
    pub(crate) fn of(registration: &Registration) -> Self {
        Self {
            state: match registration.state() {
                State::Idle => RegistrationState::Idle,
                State::AwaitStored => RegistrationState::AwaitStored,
                State::AwaitConnack => RegistrationState::AwaitConnack,
                State::Online => RegistrationState::Online,
                State::AwaitResponse => RegistrationState::AwaitResponse,
                State::AwaitRetry => RegistrationState::AwaitRetry,
                State::Denied => RegistrationState::Denied,
            },
            pairing_id: pairing_id(registration.pairing_id()),
        }
    }
}

/// Makes a registration that does nothing until `syncline_registration_start`. The options are copied.
///
/// `seed` has 32 bytes of the operating system's entropy: a new password is drawn from it. SYNCLINE_RESULT_CONFIG_INVALID:
/// `error` says what cannot be.
///
/// # Safety
/// `options` points to options whose texts can be read, `seed` to `seed_len` bytes; `error` is NULL or points to a place for
/// a text; `registration` points to a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_registration_new(
    options: *const RegistrationOptions,
    seed: *const u8,
    seed_len: usize,
    error: *mut ErrorText,
    registration: *mut *mut RegistrationHandle,
) -> Code {
    // SAFETY: the caller vouches for the place of the text.
    border::cross_and_tell(unsafe { ErrorOut::new(error) }, || {
        // SAFETY: the caller vouches for all of these pointers.
        let (options, seed, out) = unsafe {
            (
                pointer::shared(options, "options")?,
                pointer::bytes(seed, seed_len, "seed")?,
                Out::new(registration, "registration")?,
            )
        };
        let seed = seed.try_into().map_err(|_| Fault::seed(seed))?;
        // SAFETY: the caller vouches for the texts.
        let config = unsafe { options.config() }?;
        let made = Registration::new(config, seed).map_err(|error| Fault::new(Code::ConfigInvalid, error))?;
        out.write(pointer::give(RegistrationHandle {
            registration: made,
            output: None,
            text: String::new(),
        }));
        Ok(())
    })
}

/// Takes a registration back.
///
/// # Safety
/// `registration` is NULL, or came from `syncline_registration_new` and was not freed before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_registration_free(registration: *mut RegistrationHandle) {
    border::cross_or((), || {
        // SAFETY: the caller vouches for the handle.
        unsafe { pointer::take_back(registration) };
    });
}

/// Begins. Ignored where it has begun already.
///
/// # Safety
/// `registration` is a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_registration_start(
    registration: *mut RegistrationHandle,
    now: u64,
) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for the handle.
        let handle = unsafe { pointer::exclusive(registration, "registration") }?;
        handle.registration.start(Instant::from_micros(now));
        Ok(())
    })
}

/// Ends all efforts; `syncline_registration_start` begins anew.
///
/// # Safety
/// `registration` is a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_registration_stop(registration: *mut RegistrationHandle, now: u64) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for the handle.
        let handle = unsafe { pointer::exclusive(registration, "registration") }?;
        handle.registration.stop(Instant::from_micros(now));
        Ok(())
    })
}

/// The new credentials are stored, or cannot be; it goes on with them either way.
///
/// # Safety
/// `registration` is a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_registration_handle_stored(
    registration: *mut RegistrationHandle,
    now: u64,
) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for the handle.
        let handle = unsafe { pointer::exclusive(registration, "registration") }?;
        handle.registration.handle_stored(Instant::from_micros(now));
        Ok(())
    })
}

/// What came of the request `id`; that of an earlier one is ignored. `wall` reads a `Retry-After` that is a date.
///
/// # Safety
/// `registration` is a live handle, `answer` points to an answer whose texts can be read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_registration_handle_answer(
    registration: *mut RegistrationHandle,
    now: u64,
    wall: u64,
    id: u64,
    answer: *const RegistryAnswerRecord,
) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for both pointers.
        let (handle, answer) = unsafe {
            (
                pointer::exclusive(registration, "registration")?,
                pointer::shared(answer, "answer")?,
            )
        };
        // SAFETY: the caller vouches for the texts.
        let answer = unsafe { answer.answer() }?;
        let (now, wall) = (Instant::from_micros(now), UnixMillis(wall));
        let id = RequestId::from_u64(id);
        handle.registration.handle_answer(now, wall, id, &answer);
        Ok(())
    })
}

/// The broker accepted the connection.
///
/// # Safety
/// `registration` is a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_registration_handle_connected(
    registration: *mut RegistrationHandle,
    now: u64,
) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for the handle.
        let handle = unsafe { pointer::exclusive(registration, "registration") }?;
        handle.registration.handle_connected(Instant::from_micros(now));
        Ok(())
    })
}

/// The connection ended for a reason that is not the credentials, and the session sees to the next one.
///
/// # Safety
/// `registration` is a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_registration_handle_link_lost(
    registration: *mut RegistrationHandle,
) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for the handle.
        let handle = unsafe { pointer::exclusive(registration, "registration") }?;
        handle.registration.handle_link_lost();
        Ok(())
    })
}

/// The broker refuses the credentials with Reason Code `reason_code`, and the session waits for
/// SYNCLINE_REGISTRATION_OUTPUT_KIND_CONNECT. `syncline_registration_is_about_credentials` tells which refusals these are.
///
/// # Safety
/// `registration` is a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_registration_handle_refused(
    registration: *mut RegistrationHandle,
    now: u64,
    reason_code: u8,
) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for the handle.
        let handle = unsafe { pointer::exclusive(registration, "registration") }?;
        let now = Instant::from_micros(now);
        handle.registration.handle_refused(now, ReasonCode(reason_code));
        Ok(())
    })
}

/// Whether a broker's refusal with Reason Code `reason_code` is about the credentials, so that a registration can mend it.
#[unsafe(no_mangle)]
pub extern "C" fn syncline_registration_is_about_credentials(reason_code: u8) -> bool {
    border::cross_or(false, || {
        Registration::is_about_credentials(ReasonCode(reason_code))
    })
}

/// Does what is due at `now`.
///
/// # Safety
/// `registration` is a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_registration_handle_timeout(
    registration: *mut RegistrationHandle,
    now: u64,
) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for the handle.
        let handle = unsafe { pointer::exclusive(registration, "registration") }?;
        handle.registration.handle_timeout(Instant::from_micros(now));
        Ok(())
    })
}

/// When `syncline_registration_handle_timeout` next has something to do; UINT64_MAX: never.
///
/// # Safety
/// `registration` is a live handle, `deadline` points to a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_registration_poll_timeout(
    registration: *const RegistrationHandle,
    deadline: *mut u64,
) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for both pointers.
        let (handle, out) = unsafe {
            (
                pointer::shared(registration, "registration")?,
                Out::new(deadline, "deadline")?,
            )
        };
        let next = handle.registration.poll_timeout();
        out.write(next.unwrap_or(Instant::FAR_FUTURE).as_micros());
        Ok(())
    })
}

/// The next thing to do or to know. SYNCLINE_RESULT_EMPTY: there is nothing until the next input.
///
/// What `output` points to stays until the next call with this handle that changes it.
///
/// # Safety
/// `registration` is a live handle, `output` points to the place of the result.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_registration_poll(
    registration: *mut RegistrationHandle,
    output: *mut RegistrationOutputRecord,
) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for both pointers.
        let (handle, out) = unsafe {
            (
                pointer::exclusive(registration, "registration")?,
                Out::new(output, "output")?,
            )
        };
        let next = handle.registration.poll().ok_or(Code::Empty)?;
        out.write(record(handle.output.insert(next), &mut handle.text));
        Ok(())
    })
}

/// How the registration stands.
///
/// # Safety
/// `registration` is a live handle, `status` points to the place of the result.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_registration_status(
    registration: *const RegistrationHandle,
    status: *mut RegistrationStatus,
) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for both pointers.
        let (handle, out) = unsafe {
            (
                pointer::shared(registration, "registration")?,
                Out::new(status, "status")?,
            )
        };
        out.write(RegistrationStatus::of(&handle.registration));
        Ok(())
    })
}

fn record(output: &Output, text: &mut String) -> RegistrationOutputRecord {
    use RegistrationOutputKind as Kind;
    let (kind, event) = match output {
        Output::StoreCredentials(credentials) => {
            let credentials = CredentialsRecord::of(Some(credentials));
            (Kind::StoreCredentials, RegistrationEvent { credentials })
        }
        Output::Ask(request) => {
            let request = RegistryRequestRecord::of(request);
            (Kind::Ask, RegistrationEvent { request })
        }
        Output::Connect(credentials) => {
            let credentials = CredentialsRecord::of(credentials.as_ref());
            (Kind::Connect, RegistrationEvent { credentials })
        }
        Output::Delayed(delay) => {
            let delay = DelayRecord::of(delay, text);
            (Kind::Delayed, RegistrationEvent { delay })
        }
        Output::Granted(grant) => {
            let grant = GrantRecord::of(grant);
            (Kind::Granted, RegistrationEvent { grant })
        }
        Output::Denied(denial) => {
            let denial = DenialRecord::of(denial, text);
            (Kind::Denied, RegistrationEvent { denial })
        }
    };
    RegistrationOutputRecord { event, kind }
}
