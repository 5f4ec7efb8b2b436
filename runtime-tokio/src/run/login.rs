//! What an agent knows of itself at its start: a certificate, stored or given credentials, or only its name.

use secrecy::ExposeSecret as _;
use syncline_core::registration::{self, Credentials, Login, Mode};

use super::{RegistrationSettings, RunError, Settings};
use crate::data::DataFolder;
use crate::tls::IdentityFiles;

/// The files of the client certificate, where that has yet to be issued: a registry alone can do that, so it has to be
/// asked for with [`Mode::Rest`].
pub(super) fn unissued(settings: &Settings) -> Option<&IdentityFiles> {
    let asks = settings
        .registration
        .as_ref()
        .is_some_and(|registration| registration.mode == Mode::Rest);
    let files = settings.tls.as_ref()?.identity.as_ref()?;
    (asks && files.lacks_certificate()).then_some(files)
}

/// What the agent knows of itself. What is stored goes before what is given; a client certificate before both.
pub(crate) fn login(
    registration: &RegistrationSettings,
    folder: Option<&DataFolder>,
    settings: &Settings,
) -> Result<Login, RunError> {
    let has_certificate = settings.tls.as_ref().is_some_and(|tls| tls.identity.is_some());
    if has_certificate && unissued(settings).is_none() {
        return Ok(Login::Passwordless);
    }
    let credentials = |username: &str, password: &str| {
        Credentials::new(username, password).map_err(registration::ConfigError::from)
    };
    let given = settings.session.password.as_ref();
    let stored = folder.map(DataFolder::credentials).transpose()?.flatten();
    if let (Some(stored), Some(folder)) = (stored, folder) {
        let password = stored.password.expose_secret();
        if given.is_some_and(|given| *given != password.as_bytes()) {
            tracing::warn!(
                "the credentials in {} go before CYBUS_PROTOCOL_MAPPER_PASSWORD: delete the file to log in with what is given",
                folder.path().display()
            );
        }
        if stored.username != registration.username {
            tracing::warn!(
                "this agent is configured as {:?}, and the credentials in {} are those of {:?}, which go before: it logs in as the \
                 latter; set CYBUS_AGENT_NAME back, or give the renamed agent another SYNCLINE_DATA_DIR to register anew",
                registration.username,
                folder.path().display(),
                stored.username,
            );
        }
        return Ok(Login::Stored(credentials(&stored.username, password)?));
    }
    let username = &registration.username;
    match (given, registration.mode) {
        (Some(given), _) => Ok(Login::Given(credentials(
            username,
            &String::from_utf8_lossy(given),
        )?)),
        // Without a password and without a way to have one granted: the broker may not ask for any.
        (None, Mode::Off) => Ok(Login::Passwordless),
        (None, Mode::Auto | Mode::Rest | Mode::Mqtt) => Ok(Login::New {
            username: username.clone(),
        }),
    }
}
