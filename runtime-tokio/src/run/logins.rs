//! The file of those who may log in: opened once for all servers that ask for it, and looked at as long as one of them is there.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use super::Settings;
use crate::http::{AccessError, Admission};
use crate::task::Task;

/// The variable that names the file.
const VARIABLE: &str = "SYNCLINE_HTTP_AUTH";

/// The file, open or not. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Logins {
    file: Option<PathBuf>,
    look_interval: Duration,
    open: Arc<Mutex<Weak<OpenLogins>>>,
}

/// The file, open and kept up to date until this is dropped.
#[derive(Debug)]
pub(super) struct OpenLogins {
    pub(super) admission: Arc<Admission>,
    _look: Task,
}

impl Logins {
    /// Those that `settings` name; none without.
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            file: settings.http_access.clone(),
            look_interval: settings.tls_look_interval,
            open: Arc::default(),
        }
    }

    /// Whether there is such a file.
    pub(super) fn are_asked_for(&self) -> bool {
        self.file.is_some()
    }

    /// Opens the file, where no other server has it open.
    ///
    /// # Errors
    /// [`AccessError`] names what is wrong with it.
    pub(super) fn open(&self) -> Result<Option<Arc<OpenLogins>>, AccessError> {
        let Some(file) = &self.file else {
            return Ok(None);
        };
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(logins) = open.upgrade() {
            return Ok(Some(logins));
        }
        let admission = Arc::new(Admission::open(file.clone(), VARIABLE)?);
        let (looked, interval) = (Arc::clone(&admission), self.look_interval);
        let logins = Arc::new(OpenLogins {
            admission,
            _look: Task::start(async move { looked.keep_up_to_date(interval).await }),
        });
        *open = Arc::downgrade(&logins);
        Ok(Some(logins))
    }
}
