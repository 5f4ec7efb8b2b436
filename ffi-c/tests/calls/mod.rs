//! Any sequence of calls, with live handles and odd arguments: what the interface promises holds after each.
//!
//! An input is read as calls with their arguments, one after the other; it ends where it runs out. Each result is checked to
//! be known and no panic, each output to be untouched unless the call has succeeded, and whatever was pointed out to be there
//! and the same until the next call that may change it.

mod commands;
mod input;
mod machines;
mod server;
mod session;
mod values;

use std::collections::BTreeSet;
use std::ffi::CStr;
use std::mem::MaybeUninit;

use syncline_ffi::*;

use input::Input;

/// Calls an export. Every argument is a live handle, NULL, or points to memory of the walk.
macro_rules! call {
    ($call:expr) => {
        // SAFETY: arguments are live handles, NULL, or point to memory of the walk that outlives the call.
        unsafe { $call }
    };
}
pub(crate) use call;

/// Runs the input and asserts everything that holds for any input. Returns the kinds of outputs that sessions have handed out.
pub(crate) fn check(data: &[u8]) -> BTreeSet<u32> {
    let mut walk = Walk::new(data);
    while walk.step().is_some() {}
    walk.free_all();
    walk.seen
}

/// How many handles of a type there may be at once.
const SLOTS: usize = 2;

/// Handles of one type; NULL where there is none.
struct Slots<T>([*mut T; SLOTS]);

impl<T> Slots<T> {
    const NONE: Self = Self([std::ptr::null_mut(); SLOTS]);
}

/// What a session has pointed out, with what was there.
type Shown = Vec<(Slice, Vec<u8>)>;

/// Everything that calls are made with.
struct Walk<'a> {
    input: Input<'a>,
    now: u64,
    configs: Slots<SessionConfigHandle>,
    sessions: Slots<SessionHandle>,
    nodes: Slots<NodeConfigHandle>,
    requesters: Slots<RequesterHandle>,
    responders: Slots<ResponderHandle>,
    registrations: Slots<RegistrationHandle>,
    properties: Slots<PropertiesHandle>,
    shared: Slots<SharedBytes>,
    shown: [Shown; SLOTS],
    /// Operations that each session has accepted and not completed.
    pending: [BTreeSet<u64>; SLOTS],
    transaction: [u8; 16],
    ack_token: u64,
    request: u64,
    seen: BTreeSet<u32>,
}

impl<'a> Walk<'a> {
    fn new(data: &'a [u8]) -> Self {
        Self {
            input: Input(data),
            now: 1_000_000,
            configs: Slots::NONE,
            sessions: Slots::NONE,
            nodes: Slots::NONE,
            requesters: Slots::NONE,
            responders: Slots::NONE,
            registrations: Slots::NONE,
            properties: Slots::NONE,
            shared: Slots::NONE,
            shown: [const { Vec::new() }; SLOTS],
            pending: [const { BTreeSet::new() }; SLOTS],
            transaction: [0; 16],
            ack_token: 0,
            request: 0,
            seen: BTreeSet::new(),
        }
    }

    /// One call.
    fn step(&mut self) -> Option<()> {
        let choice = self.input.byte()?;
        match choice >> 6 {
            0 | 1 => self.session_call(choice & 0x7F),
            2 => self.machine_call(choice & 0x3F),
            _ => self.value_call(choice & 0x3F),
        }
    }

    fn slot(&mut self) -> Option<usize> {
        Some(usize::from(self.input.byte()?) % SLOTS)
    }

    fn free_all(&mut self) {
        for slot in 0..SLOTS {
            self.free_session(slot);
            call!(syncline_session_config_free(self.configs.0[slot]));
            call!(syncline_node_config_free(self.nodes.0[slot]));
            call!(syncline_requester_free(self.requesters.0[slot]));
            call!(syncline_responder_free(self.responders.0[slot]));
            call!(syncline_registration_free(self.registrations.0[slot]));
            call!(syncline_properties_free(self.properties.0[slot]));
            call!(syncline_bytes_release(self.shared.0[slot]));
        }
    }
}

/// Asserts that a result is one that the interface has, and no bug.
fn known(code: Code) -> Code {
    // SAFETY: the text is static and ended by NUL.
    let text = unsafe { CStr::from_ptr(syncline_result_str(code as u32)) };
    assert!(!text.to_bytes().starts_with(b"unknown"), "{code:?}");
    assert_ne!(code, Code::Panic);
    code
}

/// A place for an output, filled with what no call writes.
///
/// In a box: a value that is moved need not keep what lies between its fields.
struct Place<T>(Box<MaybeUninit<T>>);

impl<T> Place<T> {
    const UNTOUCHED: u8 = 0x5A;

    fn new() -> Self {
        let mut place = Box::new(MaybeUninit::uninit());
        // SAFETY: the place is as large as one `T`.
        unsafe { std::ptr::write_bytes(place.as_mut_ptr(), Self::UNTOUCHED, 1) };
        Self(place)
    }

    fn pointer(&mut self) -> *mut T {
        self.0.as_mut_ptr()
    }

    /// The output of a call that has succeeded; nothing else may have written one.
    fn after(self, code: Code) -> Option<T> {
        if known(code) == Code::Ok {
            // SAFETY: a call that succeeds has written its outputs.
            return Some(unsafe { (*self.0).assume_init() });
        }
        let first = self.0.as_ptr().cast::<u8>();
        for index in 0..size_of::<T>() {
            // SAFETY: every byte of the place was written by `new`, padding included.
            let byte = unsafe { *first.add(index) };
            assert_eq!(byte, Self::UNTOUCHED, "{code:?} has written an output");
        }
        None
    }
}

/// The bytes that a call has pointed out.
fn bytes_of(slice: Slice) -> Vec<u8> {
    if slice.len == 0 {
        return Vec::new();
    }
    assert!(!slice.data.is_null());
    // SAFETY: the interface promises that the bytes are there until the next call that may change the handle.
    unsafe { std::slice::from_raw_parts(slice.data, slice.len) }.to_vec()
}

/// Asserts that a place for an error text holds one exactly where the call has failed.
fn check_error(text: &ErrorText, code: Code) {
    let end = text.text.iter().position(|byte| *byte == 0);
    assert!(end.is_some(), "an error text has no end");
    let has_failed = code as u32 >= Code::NullPointer as u32;
    assert_eq!(end != Some(0), has_failed, "{code:?} and its error text");
}

fn no_error() -> ErrorText {
    ErrorText { text: [0; 256] }
}
