//! What the data folder needs of a file system, small enough to be faked.

use std::fmt;
use std::io;

/// Operations on the files of one folder, by name. None of them is durable before it is synced.
pub trait FileLayer: fmt::Debug + Send + Sync {
    /// The content of a file; `None` when there is none of this name.
    ///
    /// # Errors
    /// [`io::ErrorKind::FileTooLarge`] beyond `limit` bytes, and what the system says.
    fn read(&self, name: &str, limit: u64) -> io::Result<Option<Vec<u8>>>;

    /// Makes a new file with this content, which only its owner may read, in place of any of the same name.
    ///
    /// # Errors
    /// What the system says; there may be a part of the file then.
    fn create(&self, name: &str, content: &[u8]) -> io::Result<()>;

    /// Adds to the end of a file that exists.
    ///
    /// # Errors
    /// What the system says; a part of the content may have been added then.
    fn append(&self, name: &str, content: &[u8]) -> io::Result<()>;

    /// Makes the content of a file durable, though not its name: see [`FileLayer::sync_folder`].
    ///
    /// # Errors
    /// What the system says. Nothing is known of the content then: it has to be written anew.
    fn sync(&self, name: &str) -> io::Result<()>;

    /// Gives a file another name, at once for all who look, in place of any that had it.
    ///
    /// # Errors
    /// What the system says; nothing has changed then.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file; that there is none is no error.
    ///
    /// # Errors
    /// What the system says.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes durable which files there are.
    ///
    /// # Errors
    /// What the system says.
    fn sync_folder(&self) -> io::Result<()>;
}

/// Replaces a file as a whole: at any time, and after any crash, there is the old content or the new.
///
/// # Errors
/// What the system says. The old content is still there, or, where the last step failed, the new one.
pub(crate) fn replace(layer: &dyn FileLayer, name: &str, content: &[u8]) -> io::Result<()> {
    let new = format!("{name}.new");
    let replaced = layer
        .create(&new, content)
        .and_then(|()| layer.sync(&new))
        .and_then(|()| layer.rename(&new, name));
    if replaced.is_err() {
        // On a full disk what was begun takes room from others. That it stays is no further harm.
        let _ = layer.remove(&new);
    }
    replaced?;
    layer.sync_folder()
}
