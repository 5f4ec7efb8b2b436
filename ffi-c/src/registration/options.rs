//! What a registration is made of, and what the registry answers it: structs that the caller fills.

use syncline_core::registration::{self, Answer, Credentials};

use crate::error_text::Fault;
use crate::pointer::Slice;
use crate::result::Code;

/// Where to register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum RegistrationMode {
    /// At the client registry; over MQTT as long as none answers.
    Auto = 0,
    /// At the client registry alone.
    Rest = 1,
    /// Over MQTT alone: connecting until the broker accepts.
    Mqtt = 2,
    /// Nowhere: a refused login is tried again like any other failure.
    Off = 3,
}

/// What is known of the credentials at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum LoginKind {
    /// A user name without a password: a new one is made, to be stored before anybody is shown it.
    New = 0,
    /// Credentials that an earlier run has stored.
    Stored = 1,
    /// Credentials that the operator has given.
    Given = 2,
    /// None and none to be made: a client certificate says who this is, or the broker does not ask. Never registers.
    Passwordless = 3,
}

/// What a registration is made of. All zeros but the user name: a new password, registered wherever that can be done.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct RegistrationOptions {
    /// User name.
    pub username: Slice,
    /// Password, for a login that is STORED or GIVEN.
    pub password: Slice,
    /// A certificate signing request in PEM whose Common Name is the user name, else empty. With it nothing connects before
    /// the registry has signed.
    pub csr: Slice,
    /// Where to register, one of `SYNCLINE_REGISTRATION_MODE_...`.
    pub mode: u32,
    /// What is known of the credentials, one of `SYNCLINE_LOGIN_...`.
    pub login: u32,
}

/// Why there was no answer of the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum RegistryFailure {
    /// The registry could not be reached, or the connection was lost.
    Unreachable = 0,
    /// No response came in time.
    TimedOut = 1,
    /// The server's certificate was not accepted.
    Untrusted = 2,
    /// What came was not HTTP.
    NotHttp = 3,
}

/// What came of a request to the registry.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct RegistryAnswerRecord {
    /// Body; of one longer than SYNCLINE_LIMIT_MAX_REGISTRY_ANSWER, at least one byte more than that.
    pub body: Slice,
    /// The field `Retry-After`, else empty.
    pub retry_after: Slice,
    /// Why there was no response, one of `SYNCLINE_REGISTRY_FAILURE_...`. Does not count with a status.
    pub failure: u32,
    /// Status code of the response; 0: there was none.
    pub status: u16,
}

impl RegistrationOptions {
    /// # Safety
    /// All texts can be read.
    pub(crate) unsafe fn config(&self) -> Result<registration::Config, Fault> {
        // SAFETY: the caller vouches for the texts.
        let (username, password, csr) = unsafe {
            (
                self.username.text("username")?,
                self.password.text("password")?,
                self.csr.text("csr")?,
            )
        };
        let credentials =
            || Credentials::new(username, password).map_err(|error| Fault::new(Code::ConfigInvalid, error));
        Ok(registration::Config {
            mode: match self.mode {
                0 => registration::Mode::Auto,
                1 => registration::Mode::Rest,
                2 => registration::Mode::Mqtt,
                3 => registration::Mode::Off,
                other => {
                    return Err(Fault::out_of_range(
                        "mode",
                        other,
                        "one of SYNCLINE_REGISTRATION_MODE_...",
                    ));
                }
            },
            login: match self.login {
                0 => registration::Login::New {
                    username: username.to_owned(),
                },
                1 => registration::Login::Stored(credentials()?),
                2 => registration::Login::Given(credentials()?),
                3 => registration::Login::Passwordless,
                other => {
                    return Err(Fault::out_of_range("login", other, "one of SYNCLINE_LOGIN_..."));
                }
            },
            csr: (!csr.is_empty()).then(|| csr.to_owned()),
        })
    }
}

impl RegistryAnswerRecord {
    /// # Safety
    /// Both texts can be read during `'a`.
    pub(crate) unsafe fn answer<'a>(&self) -> Result<Answer<'a>, Fault> {
        // SAFETY: the caller vouches for the texts.
        let (body, retry_after) =
            unsafe { (self.body.bytes("body")?, self.retry_after.text("retry_after")?) };
        Ok(match (self.status, self.failure) {
            (0, 0) => Answer::Failed(registration::Failure::Unreachable),
            (0, 1) => Answer::Failed(registration::Failure::TimedOut),
            (0, 2) => Answer::Failed(registration::Failure::Untrusted),
            (0, 3) => Answer::Failed(registration::Failure::NotHttp),
            (0, other) => {
                return Err(Fault::out_of_range(
                    "failure",
                    other,
                    "one of SYNCLINE_REGISTRY_FAILURE_...",
                ));
            }
            (status, _) => Answer::Response {
                status,
                retry_after: (!retry_after.is_empty()).then_some(retry_after),
                body,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use syncline_core::registration::{Failure, Login, Mode};

    fn options(mode: u32, login: u32) -> Result<registration::Config, Fault> {
        let options = RegistrationOptions {
            username: "line-1".into(),
            password: "secret".into(),
            csr: Slice::EMPTY,
            mode,
            login,
        };
        // SAFETY: the slices are of static texts.
        unsafe { options.config() }
    }

    #[test]
    fn every_mode_and_login_has_its_number_and_no_other_number_means_anything() {
        let modes = [
            (RegistrationMode::Auto, Mode::Auto),
            (RegistrationMode::Rest, Mode::Rest),
            (RegistrationMode::Mqtt, Mode::Mqtt),
            (RegistrationMode::Off, Mode::Off),
        ];
        for (number, mode) in modes {
            assert_eq!(options(number as u32, 0).unwrap().mode, mode);
        }
        let login = |kind: LoginKind| options(0, kind as u32).unwrap().login;
        assert!(matches!(login(LoginKind::New), Login::New { .. }));
        assert!(matches!(login(LoginKind::Stored), Login::Stored(_)));
        assert!(matches!(login(LoginKind::Given), Login::Given(_)));
        assert!(matches!(login(LoginKind::Passwordless), Login::Passwordless));
        assert!(matches!(
            options(4, 0),
            Err(Fault {
                code: Code::OutOfRange,
                ..
            })
        ));
        assert!(matches!(
            options(0, 4),
            Err(Fault {
                code: Code::OutOfRange,
                ..
            })
        ));
    }

    #[test]
    fn an_answer_is_a_response_or_a_failure() {
        let answer = |status, failure| {
            let record = RegistryAnswerRecord {
                body: "{}".into(),
                retry_after: Slice::EMPTY,
                failure,
                status,
            };
            // SAFETY: the slices are of static texts.
            unsafe { record.answer() }
        };
        let failures = [
            (RegistryFailure::Unreachable, Failure::Unreachable),
            (RegistryFailure::TimedOut, Failure::TimedOut),
            (RegistryFailure::Untrusted, Failure::Untrusted),
            (RegistryFailure::NotHttp, Failure::NotHttp),
        ];
        for (number, expected) in failures {
            let Ok(Answer::Failed(failure)) = answer(0, number as u32) else {
                panic!("{number:?} is not a failure");
            };
            assert_eq!(failure, expected);
        }
        assert!(matches!(
            answer(0, 4),
            Err(Fault {
                code: Code::OutOfRange,
                ..
            })
        ));
        assert!(matches!(
            answer(202, 9),
            Ok(Answer::Response {
                status: 202,
                retry_after: None,
                body: b"{}",
            })
        ));
    }
}
