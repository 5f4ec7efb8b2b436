//! Configuration of a session: made with a Client Identifier, then told what differs from the defaults.

use bytes::Bytes;
use syncline_core::session::{Authentication, Config, Will};

use super::command::PublicationRecord;
use super::setting::Setting;
use crate::border;
use crate::error_text::{ErrorOut, ErrorText, Fault};
use crate::packet::quality;
use crate::pointer::{self, Out};
use crate::properties::{self, PropertiesHandle};
use crate::result::Code;
use crate::topic;

/// Configuration of a session.
#[derive(Debug)]
pub struct SessionConfigHandle(pub(super) Config);

/// Makes a configuration with the defaults for a client of this identifier. Empty: the server assigns one (5.0), or
/// the Session ends with its connection (3.1.1).
///
/// # Safety
/// `client_id` points to `client_id_len` bytes, `config` to a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_session_config_new(
    client_id: *const u8,
    client_id_len: usize,
    config: *mut *mut SessionConfigHandle,
) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for both pointers.
        let (client_id, out) = unsafe {
            (
                pointer::text(client_id, client_id_len, "client_id")?,
                Out::new(config, "config")?,
            )
        };
        out.write(pointer::give(SessionConfigHandle(Config::new(client_id))));
        Ok(())
    })
}

/// Takes a configuration back. Sessions that were made of it stay.
///
/// # Safety
/// `config` is NULL, or came from `syncline_session_config_new` and was not freed before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_session_config_free(config: *mut SessionConfigHandle) {
    border::cross_or((), || {
        // SAFETY: the caller vouches for the handle.
        unsafe { pointer::take_back(config) };
    });
}

/// Sets a number, one of `SYNCLINE_SETTING_...`, whose comment gives range and default.
///
/// # Safety
/// `config` is a live handle; `error` is NULL or points to a place for a text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_session_config_set(
    config: *mut SessionConfigHandle,
    setting: u32,
    value: u64,
    error: *mut ErrorText,
) -> Code {
    // SAFETY: the caller vouches for the place of the text.
    border::cross_and_tell(unsafe { ErrorOut::new(error) }, || {
        // SAFETY: the caller vouches for the handle.
        let handle = unsafe { pointer::exclusive(config, "config") }?;
        let known = Setting::ALL.into_iter().find(|known| *known as u32 == setting);
        let known = known.ok_or_else(|| {
            let text = format_args!("setting is {setting}, expected one of SYNCLINE_SETTING_...");
            Fault::new(Code::Unknown, text)
        })?;
        known.set(&mut handle.0, value).map_err(|code| {
            let text = format_args!("{known} is {value}: its comment in the header gives its range");
            Fault::new(code, text)
        })
    })
}

/// Sets user name and password of the CONNECT. NULL is none; an empty one has length 0 and a pointer.
///
/// # Safety
/// `config` is a live handle, `username` points to `username_len` bytes, `password` to `password_len`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_session_config_set_credentials(
    config: *mut SessionConfigHandle,
    username: *const u8,
    username_len: usize,
    password: *const u8,
    password_len: usize,
) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for all three pointers.
        let (handle, username, password) = unsafe {
            (
                pointer::exclusive(config, "config")?,
                pointer::text(username, username_len, "username")?
                    .to_owned()
                    .given(username),
                copy(password, password_len, "password")?,
            )
        };
        handle.0.username = username;
        handle.0.password = password;
        Ok(())
    })
}

/// Sets the method of enhanced authentication (MQTT 5.0 section 4.12), such as SCRAM-SHA-256, and what the CONNECT
/// carries of it. `data` NULL: nothing, the server speaks first.
///
/// # Safety
/// `config` is a live handle, `method` points to `method_len` bytes, `data` to `data_len`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_session_config_set_authentication(
    config: *mut SessionConfigHandle,
    method: *const u8,
    method_len: usize,
    data: *const u8,
    data_len: usize,
) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for all three pointers.
        let (handle, method, data) = unsafe {
            (
                pointer::exclusive(config, "config")?,
                pointer::text(method, method_len, "method")?.to_owned(),
                copy(data, data_len, "data")?,
            )
        };
        handle.0.authentication = Some(Authentication { method, data });
        Ok(())
    })
}

/// Sets the message that the server publishes when this client disappears; NULL: none. Its properties may hold a Will
/// Delay Interval; `expiry_ms` and `transient` do not count.
///
/// # Safety
/// `config` is a live handle; `will` is NULL or points to a message whose pointers can be read;
/// `error` is NULL or points to a place for a text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_session_config_set_will(
    config: *mut SessionConfigHandle,
    will: *const PublicationRecord,
    error: *mut ErrorText,
) -> Code {
    // SAFETY: the caller vouches for the place of the text.
    border::cross_and_tell(unsafe { ErrorOut::new(error) }, || {
        // SAFETY: the caller vouches for both pointers.
        let (handle, will) = unsafe { (pointer::exclusive(config, "config")?, pointer::optional(will)) };
        let will: Option<Result<_, Fault>> = will.map(|record| {
            Ok(Will {
                // SAFETY: the caller vouches for what the message points to.
                topic: topic::name(unsafe { record.topic.bytes("topic") }?)?,
                // SAFETY: as above.
                payload: unsafe { record.content() }?,
                qos: quality(record.qos)?,
                retain: record.retain,
                // SAFETY: as above.
                properties: unsafe { properties::optional(record.properties) },
            })
        });
        handle.0.will = will.transpose()?;
        Ok(())
    })
}

/// Sets the User Properties of the CONNECT; NULL: none. They are copied.
///
/// # Safety
/// `config` is a live handle, `properties` is NULL or one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_session_config_set_properties(
    config: *mut SessionConfigHandle,
    properties: *const PropertiesHandle,
) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for both handles.
        let (handle, list) = unsafe {
            (
                pointer::exclusive(config, "config")?,
                properties::optional(properties),
            )
        };
        handle.0.properties = list;
        Ok(())
    })
}

/// A copy of the bytes at `data`; NULL without a length is none.
///
/// # Safety
/// As for `pointer::bytes`.
pub(super) unsafe fn copy(data: *const u8, len: usize, name: &str) -> Result<Option<Bytes>, Fault> {
    // SAFETY: the caller vouches for what `bytes` asks.
    let bytes = unsafe { pointer::bytes(data, len, name) }?;
    Ok(Bytes::copy_from_slice(bytes).given(data))
}

/// NULL without a length is the empty text elsewhere, and none where there may be none.
pub(super) trait Given: Sized {
    /// The value, unless `pointer` says that there is none.
    fn given(self, pointer: *const u8) -> Option<Self> {
        (!pointer.is_null()).then_some(self)
    }
}

impl Given for String {}
impl Given for Bytes {}
