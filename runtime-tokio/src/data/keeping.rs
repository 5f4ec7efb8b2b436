//! New credentials on their way to the disk, however long there is no room for them.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::{CredentialsError, DataFolder, StoredCredentials};

/// Tries to store credentials until they are stored, or this value is gone.
#[derive(Debug)]
pub(crate) struct Keeping {
    folder: Arc<DataFolder>,
    credentials: StoredCredentials,
    task: JoinHandle<()>,
}

impl Keeping {
    /// Begins, with `retry_interval` between two attempts. The receiver hears of the end of the first one, whatever came of it.
    pub(crate) fn begin(
        folder: Arc<DataFolder>,
        credentials: StoredCredentials,
        retry_interval: Duration,
    ) -> (Self, oneshot::Receiver<()>) {
        let (tell, tried) = oneshot::channel();
        let task = tokio::spawn(keep(
            Arc::clone(&folder),
            credentials.clone(),
            retry_interval,
            tell,
        ));
        let keeping = Self {
            folder,
            credentials,
            task,
        };
        (keeping, tried)
    }

    /// Tries a last time where they are not stored yet.
    pub(crate) async fn close(self) {
        if self.task.is_finished() {
            return;
        }
        self.task.abort();
        match attempt(&self.folder, &self.credentials).await {
            Ok(()) => tracing::info!("the credentials are stored in {}", self.folder.path().display()),
            Err(error) => tracing::warn!("{error}"),
        }
    }
}

impl Drop for Keeping {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn keep(
    folder: Arc<DataFolder>,
    credentials: StoredCredentials,
    retry_interval: Duration,
    tell: oneshot::Sender<()>,
) {
    let Err(error) = attempt(&folder, &credentials).await else {
        // Whoever began may be gone by now, here and below.
        let _ = tell.send(());
        return;
    };
    tracing::warn!(
        "{error}; after that it would register anew, and be refused: make room or make the data folder writable, it is tried \
         again every {} s",
        retry_interval.as_secs_f32()
    );
    let _ = tell.send(());
    loop {
        sleep(retry_interval).await;
        match attempt(&folder, &credentials).await {
            Ok(()) => break,
            Err(error) => tracing::debug!("still so: {error}"),
        }
    }
    tracing::info!("the credentials are stored in {} now", folder.path().display());
}

/// Stores them once, off the runtime's threads.
async fn attempt(folder: &Arc<DataFolder>, credentials: &StoredCredentials) -> Result<(), CredentialsError> {
    let (folder, credentials) = (Arc::clone(folder), credentials.clone());
    let path = folder.path().to_owned();
    tokio::task::spawn_blocking(move || folder.store_credentials(&credentials))
        .await
        .unwrap_or_else(|panicked| {
            Err(CredentialsError::Write {
                file: path,
                source: panicked.into(),
            })
        })
}
