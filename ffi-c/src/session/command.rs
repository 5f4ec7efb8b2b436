//! Commands: synchronous, all or nothing, each with a number that comes back with its completion.

use std::time::Duration;

use bytes::Bytes;
use syncline_core::agent::Agent;
use syncline_core::codec::{PropertyBuf, ReasonCode, RetainHandling, SubscribeOptions};
use syncline_core::session::{
    AckToken, Disconnect, Filter, Lifetime, OpId, Publication, SubmitError, Unfinished, When,
};
use syncline_core::time::Instant;
use syncline_core::topic::TopicFilter;

use super::SessionHandle;
use super::config::{Given as _, copy};
use crate::border;
use crate::error_text::{ErrorOut, ErrorText, Fault};
use crate::packet::quality;
use crate::pointer::{self, Out, Slice};
use crate::properties::{self, PropertiesHandle};
use crate::result::Code;
use crate::shared_bytes::SharedBytes;
use crate::topic;

/// A message to publish. All zeros but the topic is a message of QoS 0 with nothing in it.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct PublicationRecord {
    /// Topic Name; copied.
    pub topic: Slice,
    /// Application Message; copied. Does not count with `shared`.
    pub payload: Slice,
    /// Application Message that is held instead of copied; NULL: `payload` counts.
    pub shared: *const SharedBytes,
    /// Properties, copied; NULL: none. Message Expiry Interval belongs into `expiry_ms`.
    pub properties: *const PropertiesHandle,
    /// How long the message is worth sending, in milliseconds; 0: for ever.
    pub expiry_ms: u64,
    /// Quality of Service.
    pub qos: u8,
    /// Retain flag.
    pub retain: bool,
    /// Whether the message is worth nothing to the next process, so that a store need not keep it.
    pub transient: bool,
}

/// A Topic Filter with what is asked of its subscription.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct FilterRecord {
    /// Topic Filter. For an UNSUBSCRIBE nothing else counts.
    pub filter: Slice,
    /// Highest Quality of Service. 3.1.1 carries this alone.
    pub qos: u8,
    /// Retained messages: 0 sends them now, 1 if the subscription is new, 2 not at all.
    pub retain_handling: u8,
    /// Whether this client's own messages stay away.
    pub no_local: bool,
    /// Whether forwarded messages keep their Retain flag.
    pub retain_as_published: bool,
}

/// How to disconnect. All zeros: now, normally, and the Session ends on this side.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct DisconnectOptions {
    /// Reason String and User Properties; NULL: none.
    pub properties: *const PropertiesHandle,
    /// How long messages in the queue and in flight may take to be acknowledged before, in milliseconds; 0: no time.
    pub settle_ms: u64,
    /// Session Expiry Interval in seconds in place of the one in force, where `set_session_expiry` says so.
    pub session_expiry: u32,
    /// Whether `session_expiry` counts.
    pub set_session_expiry: bool,
    /// Whether unfinished messages wait for the next connection, of this process or, with a store, of another. If not, they
    /// complete as lost.
    pub keep_unfinished: bool,
    /// Reason Code; 0x04 has the Will published.
    pub reason_code: u8,
}

impl PublicationRecord {
    /// The payload, copied or held.
    ///
    /// # Safety
    /// `shared` is NULL or held, `payload` can be read.
    pub(super) unsafe fn content(&self) -> Result<Bytes, Fault> {
        // SAFETY: the caller vouches for both pointers.
        match unsafe { pointer::optional(self.shared) } {
            Some(shared) => Ok(shared.0.clone()),
            // SAFETY: as above.
            None => Ok(Bytes::copy_from_slice(unsafe { self.payload.bytes("payload") }?)),
        }
    }

    /// # Safety
    /// All pointers can be read.
    unsafe fn publication(&self) -> Result<Publication, Fault> {
        // SAFETY: the caller vouches for all pointers.
        let (topic, payload, properties) = unsafe {
            (
                self.topic.bytes("topic")?,
                self.content()?,
                properties::optional(self.properties),
            )
        };
        let mut publication = Publication::new(topic::name(topic)?, payload);
        publication.qos = quality(self.qos)?;
        publication.retain = self.retain;
        publication.properties = properties;
        publication.expiry = (self.expiry_ms > 0).then(|| Duration::from_millis(self.expiry_ms));
        if self.transient {
            publication.lifetime = Lifetime::Process;
        }
        Ok(publication)
    }
}

impl FilterRecord {
    /// # Safety
    /// The filter can be read.
    unsafe fn name(&self) -> Result<TopicFilter, Fault> {
        // SAFETY: the caller vouches for the filter.
        topic::filter(unsafe { self.filter.bytes("filter") }?)
    }

    /// # Safety
    /// As for [`Self::name`].
    unsafe fn filter(&self) -> Result<Filter, Fault> {
        // SAFETY: the caller vouches for the filter.
        let filter = unsafe { self.name() }?;
        let retain_handling = match self.retain_handling {
            0 => RetainHandling::Send,
            1 => RetainHandling::SendIfNew,
            2 => RetainHandling::DoNotSend,
            other => return Err(Fault::out_of_range("retain_handling", other, "0, 1 or 2")),
        };
        let options = SubscribeOptions {
            qos: quality(self.qos)?,
            no_local: self.no_local,
            retain_as_published: self.retain_as_published,
            retain_handling,
        };
        Ok(Filter { filter, options })
    }
}

/// The arguments of a call that is about Topic Filters.
struct FilterCall {
    session: *mut SessionHandle,
    filters: *const FilterRecord,
    filters_len: usize,
    properties: *const PropertiesHandle,
    op: *mut u64,
}

impl FilterCall {
    /// Reads each filter by `read`, and submits them all by `submit`.
    ///
    /// # Safety
    /// All pointers are as `syncline_session_subscribe` asks; `read` reads its argument alone.
    unsafe fn submit<T>(
        self,
        read: unsafe fn(&FilterRecord) -> Result<T, Fault>,
        submit: fn(&mut Agent, &[T], &PropertyBuf) -> Result<OpId, SubmitError>,
    ) -> Result<(), Fault> {
        // SAFETY: the caller vouches for all of these pointers.
        let (handle, records, properties, out) = unsafe {
            (
                pointer::exclusive(self.session, "session")?,
                pointer::array(self.filters, self.filters_len, "filters")?,
                properties::optional(self.properties),
                Out::new(self.op, "op")?,
            )
        };
        // SAFETY: the caller vouches for what the filters point to.
        let filters = records.iter().map(|record| unsafe { read(record) });
        let filters: Vec<_> = filters.collect::<Result<_, _>>()?;
        let submitted = submit(handle.change(), &filters, &properties);
        out.write(submitted?.to_u64());
        Ok(())
    }
}

/// Asks for a connection, and for a new one whenever it is lost. Nothing changes while there is one, or an attempt.
///
/// # Safety
/// `session` is a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_session_connect(session: *mut SessionHandle, now: u64) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for the handle.
        let handle = unsafe { pointer::exclusive(session, "session") }?;
        handle.change().connect(Instant::from_micros(now));
        Ok(())
    })
}

/// Ends the connection, with no reconnect. `options` NULL: as if it were all zeros.
///
/// # Safety
/// `session` is a live handle; `options` is NULL or points to options whose properties are a live handle; `error` is NULL
/// or points to a place for a text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_session_disconnect(
    session: *mut SessionHandle,
    now: u64,
    options: *const DisconnectOptions,
    error: *mut ErrorText,
) -> Code {
    // SAFETY: the caller vouches for the place of the text.
    border::cross_and_tell(unsafe { ErrorOut::new(error) }, || {
        // SAFETY: the caller vouches for all three pointers.
        let (handle, options) = unsafe {
            (
                pointer::exclusive(session, "session")?,
                pointer::optional(options),
            )
        };
        let disconnect = options.map_or_else(Disconnect::default, |options| Disconnect {
            when: match options.settle_ms {
                0 => When::Now,
                millis => When::Settled(Duration::from_millis(millis)),
            },
            reason: ReasonCode(options.reason_code),
            session_expiry: options.set_session_expiry.then_some(options.session_expiry),
            // SAFETY: the caller vouches for the handle.
            properties: unsafe { properties::optional(options.properties) },
            unfinished: if options.keep_unfinished {
                Unfinished::Keep
            } else {
                Unfinished::Close
            },
        });
        Ok(handle
            .change()
            .disconnect(Instant::from_micros(now), disconnect)?)
    })
}

/// Submits a message; without a connection it is queued, within the queue's bounds. `op` comes back with its completion.
///
/// # Safety
/// `session` is a live handle, `publication` points to a message whose pointers can be read; `error` is NULL or points to a
/// place for a text; `op` points to a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_session_publish(
    session: *mut SessionHandle,
    now: u64,
    publication: *const PublicationRecord,
    error: *mut ErrorText,
    op: *mut u64,
) -> Code {
    // SAFETY: the caller vouches for the place of the text.
    border::cross_and_tell(unsafe { ErrorOut::new(error) }, || {
        // SAFETY: the caller vouches for all of these pointers.
        let (handle, record, out) = unsafe {
            (
                pointer::exclusive(session, "session")?,
                pointer::shared(publication, "publication")?,
                Out::new(op, "op")?,
            )
        };
        // SAFETY: the caller vouches for what the message points to.
        let publication = unsafe { record.publication() }?;
        let submitted = handle.change().publish(Instant::from_micros(now), publication);
        out.write(submitted.map_err(|refused| refused.reason)?.to_u64());
        Ok(())
    })
}

/// Subscribes to all `filters` with one packet. Needs a connection. `properties` may hold a Subscription Identifier and
/// User Properties; NULL: none.
///
/// # Safety
/// `session` is a live handle, `filters` points to `filters_len` filters that can be read; `properties` is NULL or a live
/// handle; `error` is NULL or points to a place for a text; `op` points to a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_session_subscribe(
    session: *mut SessionHandle,
    filters: *const FilterRecord,
    filters_len: usize,
    properties: *const PropertiesHandle,
    error: *mut ErrorText,
    op: *mut u64,
) -> Code {
    // SAFETY: the caller vouches for the place of the text.
    border::cross_and_tell(unsafe { ErrorOut::new(error) }, || {
        let call = FilterCall {
            session,
            filters,
            filters_len,
            properties,
            op,
        };
        // SAFETY: the caller vouches for all that the call points to.
        unsafe { call.submit(FilterRecord::filter, Agent::subscribe) }
    })
}

/// Unsubscribes from all `filters` with one packet. Needs a connection. `properties` may hold User Properties; NULL: none.
///
/// # Safety
/// As for `syncline_session_subscribe`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_session_unsubscribe(
    session: *mut SessionHandle,
    filters: *const FilterRecord,
    filters_len: usize,
    properties: *const PropertiesHandle,
    error: *mut ErrorText,
    op: *mut u64,
) -> Code {
    // SAFETY: the caller vouches for the place of the text.
    border::cross_and_tell(unsafe { ErrorOut::new(error) }, || {
        let call = FilterCall {
            session,
            filters,
            filters_len,
            properties,
            op,
        };
        // SAFETY: the caller vouches for all that the call points to.
        unsafe { call.submit(FilterRecord::name, Agent::unsubscribe) }
    })
}

/// Acknowledges a message whose `needs_ack` is set, by its token. The server sees acknowledgements in the order in which the
/// messages came. SYNCLINE_RESULT_STALE_TOKEN: it is not outstanding on this connection.
///
/// # Safety
/// `session` is a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_session_acknowledge(session: *mut SessionHandle, ack_token: u64) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for the handle.
        let handle = unsafe { pointer::exclusive(session, "session") }?;
        handle.change().acknowledge(AckToken::from_u64(ack_token))?;
        Ok(())
    })
}

/// Answers SYNCLINE_OUTPUT_KIND_AUTH_CHALLENGE. `properties` may hold a Reason String and User Properties; NULL: none.
///
/// # Safety
/// `session` is a live handle, `data` points to `data_len` bytes; `properties` is NULL or a live handle; `error` is NULL or
/// points to a place for a text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_session_authenticate(
    session: *mut SessionHandle,
    now: u64,
    data: *const u8,
    data_len: usize,
    properties: *const PropertiesHandle,
    error: *mut ErrorText,
) -> Code {
    // SAFETY: the caller vouches for the place of the text.
    border::cross_and_tell(unsafe { ErrorOut::new(error) }, || {
        // SAFETY: the caller vouches for all of these pointers.
        let (handle, data, properties) = unsafe {
            (
                pointer::exclusive(session, "session")?,
                pointer::bytes(data, data_len, "data")?,
                properties::optional(properties),
            )
        };
        let now = Instant::from_micros(now);
        Ok(handle.change().authenticate(now, data, &properties)?)
    })
}

/// Authenticates again on a standing connection, with the method of the configuration. `op` comes back with its
/// completion; a server that does not accept it ends the connection.
///
/// # Safety
/// `session` is a live handle, `data` points to `data_len` bytes; `properties` is NULL or a live handle; `error` is NULL or
/// points to a place for a text; `op` points to a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_session_reauthenticate(
    session: *mut SessionHandle,
    data: *const u8,
    data_len: usize,
    properties: *const PropertiesHandle,
    error: *mut ErrorText,
    op: *mut u64,
) -> Code {
    // SAFETY: the caller vouches for the place of the text.
    border::cross_and_tell(unsafe { ErrorOut::new(error) }, || {
        // SAFETY: the caller vouches for all of these pointers.
        let (handle, data, properties, out) = unsafe {
            (
                pointer::exclusive(session, "session")?,
                pointer::bytes(data, data_len, "data")?,
                properties::optional(properties),
                Out::new(op, "op")?,
            )
        };
        let submitted = handle.change().reauthenticate(data, &properties);
        out.write(submitted?.to_u64());
        Ok(())
    })
}

/// Replaces the Authentication Data of the next CONNECT; NULL: none. The time for it is at
/// SYNCLINE_OUTPUT_KIND_OPEN_TRANSPORT.
///
/// # Safety
/// `session` is a live handle, `data` points to `data_len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_session_set_authentication_data(
    session: *mut SessionHandle,
    data: *const u8,
    data_len: usize,
) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for both pointers.
        let (handle, data) = unsafe {
            (
                pointer::exclusive(session, "session")?,
                copy(data, data_len, "data")?,
            )
        };
        handle.change().set_authentication_data(data)?;
        Ok(())
    })
}

/// Replaces user name and password of the next CONNECT; NULL is none.
///
/// # Safety
/// `session` is a live handle, `username` points to `username_len` bytes, `password` to `password_len`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_session_set_credentials(
    session: *mut SessionHandle,
    username: *const u8,
    username_len: usize,
    password: *const u8,
    password_len: usize,
) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for all three pointers.
        let (handle, username, password) = unsafe {
            (
                pointer::exclusive(session, "session")?,
                pointer::text(username, username_len, "username")?
                    .to_owned()
                    .given(username),
                copy(password, password_len, "password")?,
            )
        };
        let changed = handle.change().set_credentials(username, password);
        changed.map_err(|error| Fault::new(Code::ConfigInvalid, error))
    })
}
