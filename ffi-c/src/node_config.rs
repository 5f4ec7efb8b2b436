//! What a transaction node is: made by its topic, then told what differs from the defaults.

use std::time::Duration;

use syncline_core::flowsync::NodeConfig;

use crate::border;
use crate::error_text::{ErrorOut, ErrorText};
use crate::packet::quality;
use crate::pointer::{self, Out};
use crate::result::Code;

/// Configuration of a transaction node.
#[derive(Debug)]
pub struct NodeConfigHandle(pub(crate) NodeConfig);

/// Makes a configuration: requests leave on `<base>/treq`, replies are read from `<base>/tres`.
///
/// Defaults: quality of service 0, timeout 2000 ms with code 500, at most 10000 transactions at once.
///
/// # Safety
/// `base` points to `base_len` bytes, `config` to a pointer; `error` is NULL or points to a place for a text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_node_config_new(
    base: *const u8,
    base_len: usize,
    error: *mut ErrorText,
    config: *mut *mut NodeConfigHandle,
) -> Code {
    // SAFETY: the caller vouches for the place of the text.
    border::cross_and_tell(unsafe { ErrorOut::new(error) }, || {
        // SAFETY: the caller vouches for both pointers.
        let (base, out) = unsafe {
            (
                pointer::text(base, base_len, "base")?,
                Out::new(config, "config")?,
            )
        };
        out.write(pointer::give(NodeConfigHandle(NodeConfig::new(base)?)));
        Ok(())
    })
}

/// Takes a configuration back. Nodes that were made from it stay.
///
/// # Safety
/// `config` is NULL, or came from `syncline_node_config_new` and was not freed before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_node_config_free(config: *mut NodeConfigHandle) {
    border::cross_or((), || {
        // SAFETY: the caller vouches for the handle.
        unsafe { pointer::take_back(config) };
    });
}

/// Sets the quality of service of requests and of the subscription to replies, 0 to 2.
///
/// # Safety
/// `config` is a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_node_config_set_qos(config: *mut NodeConfigHandle, qos: u8) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for the handle.
        let config = unsafe { pointer::exclusive(config, "config") }?;
        config.0 = config.0.clone().qos(quality(qos)?);
        Ok(())
    })
}

/// Sets the longest wait for a reply, 1 to 600000 ms.
///
/// # Safety
/// `config` is a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_node_config_set_timeout(
    config: *mut NodeConfigHandle,
    millis: u32,
) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for the handle.
        let config = unsafe { pointer::exclusive(config, "config") }?;
        config.0 = config.0.clone().timeout(Duration::from_millis(millis.into()))?;
        Ok(())
    })
}

/// Sets the code and the text by which a timeout is reported.
///
/// # Safety
/// `config` is a live handle, `message` points to `message_len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_node_config_set_timeout_error(
    config: *mut NodeConfigHandle,
    code: u32,
    message: *const u8,
    message_len: usize,
) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for both pointers.
        let (config, message) = unsafe {
            (
                pointer::exclusive(config, "config")?,
                pointer::text(message, message_len, "message")?,
            )
        };
        config.0 = config.0.clone().timeout_error(code, message);
        Ok(())
    })
}

/// Sets how many transactions may be open at once, 1 to 1000000.
///
/// # Safety
/// `config` is a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_node_config_set_max_in_flight(
    config: *mut NodeConfigHandle,
    max_in_flight: usize,
) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for the handle.
        let config = unsafe { pointer::exclusive(config, "config") }?;
        config.0 = config.0.clone().max_in_flight(max_in_flight)?;
        Ok(())
    })
}
