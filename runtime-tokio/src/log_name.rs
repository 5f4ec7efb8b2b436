//! What the log calls a task, which the files may call otherwise later on.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

/// A name that all clones have in common.
#[derive(Debug, Clone)]
pub(crate) struct LogName(Arc<RwLock<Arc<str>>>);

impl LogName {
    /// From now on this is it.
    pub(crate) fn replace(&self, name: impl Into<Arc<str>>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = name.into();
    }
}

impl<T: Into<Arc<str>>> From<T> for LogName {
    fn from(name: T) -> Self {
        Self(Arc::new(RwLock::new(name.into())))
    }
}

impl fmt::Display for LogName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}
