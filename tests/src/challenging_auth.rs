//! Enhanced authentication for the embedded broker: one challenge, and the answer to it.

use std::future::{Future, ready};
use std::net::SocketAddr;
use std::pin::Pin;

use mqtt5::broker::{AuthProvider, AuthResult, EnhancedAuthResult};
use mqtt5::error::Result;
use mqtt5::packet::connect::ConnectPacket;
use mqtt5::protocol::v5::reason_codes::ReasonCode;

/// The Authentication Method.
pub const METHOD: &str = "REVERSE";

/// What the server asks.
pub const CHALLENGE: &[u8] = b"\x00challenge\xFF";

/// The Authentication Data that the server accepts without a challenge when a client authenticates again.
pub const TICKET: &[u8] = b"ticket";

/// What a client has to answer: the challenge in reverse.
#[must_use]
pub fn answer() -> Vec<u8> {
    CHALLENGE.iter().rev().copied().collect()
}

/// Lets in who answers the challenge, and everybody who was not asked for one.
pub(crate) struct Challenging;

type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

impl Challenging {
    fn judge(data: Option<&[u8]>) -> EnhancedAuthResult {
        match data {
            None => EnhancedAuthResult::continue_auth(METHOD, Some(CHALLENGE.to_vec())),
            Some(data) if data == answer() || data == TICKET => EnhancedAuthResult::success(METHOD),
            Some(_) => EnhancedAuthResult::fail(METHOD, ReasonCode::NotAuthorized),
        }
    }
}

impl AuthProvider for Challenging {
    fn authenticate<'a>(&'a self, _: &'a ConnectPacket, _: SocketAddr) -> Answer<'a, Result<AuthResult>> {
        Box::pin(ready(Ok(AuthResult::success())))
    }

    fn authorize_publish<'a>(&'a self, _: &str, _: Option<&'a str>, _: &'a str) -> Answer<'a, bool> {
        Box::pin(ready(true))
    }

    fn authorize_subscribe<'a>(&'a self, _: &str, _: Option<&'a str>, _: &'a str) -> Answer<'a, bool> {
        Box::pin(ready(true))
    }

    fn supports_enhanced_auth(&self) -> bool {
        true
    }

    fn authenticate_enhanced<'a>(
        &'a self,
        _: &'a str,
        data: Option<&'a [u8]>,
        _: &'a str,
    ) -> Answer<'a, Result<EnhancedAuthResult>> {
        Box::pin(ready(Ok(Self::judge(data))))
    }

    fn reauthenticate<'a>(
        &'a self,
        _: &'a str,
        data: Option<&'a [u8]>,
        _: &'a str,
        _: Option<&'a str>,
    ) -> Answer<'a, Result<EnhancedAuthResult>> {
        Box::pin(ready(Ok(Self::judge(data))))
    }
}
