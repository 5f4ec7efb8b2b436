//! The file layer on a real folder.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::FileLayer;

/// Files for their owner alone.
const FILE_MODE: u32 = 0o600;
/// A folder for its owner alone.
const FOLDER_MODE: u32 = 0o700;

/// A folder of the file system.
#[derive(Debug, Clone)]
pub struct Disk {
    folder: PathBuf,
}

impl Disk {
    /// The files of `folder`.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    /// Makes the folder and those above it, for this user alone, where they do not exist.
    ///
    /// # Errors
    /// What the system says.
    pub fn create_folder(folder: &Path) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// No such file, or no folder where it would be.
fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

impl FileLayer for Disk {
    fn read(&self, name: &str, limit: u64) -> io::Result<Option<Vec<u8>>> {
        let file = match File::open(self.path(name)) {
            Err(error) if is_absent(&error) => return Ok(None),
            opened => opened?,
        };
        let mut content = Vec::new();
        file.take(limit.saturating_add(1)).read_to_end(&mut content)?;
        match u64::try_from(content.len()) {
            Ok(length) if length <= limit => Ok(Some(content)),
            _ => Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                format!("{name} is longer than {limit} bytes"),
            )),
        }
    }

    fn create(&self, name: &str, content: &[u8]) -> io::Result<()> {
        // Whatever has this name may have other permissions, or be a link to elsewhere.
        self.remove(name)?;
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(FILE_MODE)
            .open(self.path(name))?;
        file.write_all(content)
    }

    fn append(&self, name: &str, content: &[u8]) -> io::Result<()> {
        OpenOptions::new()
            .append(true)
            .open(self.path(name))?
            .write_all(content)
    }

    fn sync(&self, name: &str) -> io::Result<()> {
        OpenOptions::new().write(true).open(self.path(name))?.sync_data()
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path(from), self.path(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.path(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    fn sync_folder(&self) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn files_are_for_their_owner_alone_whatever_had_the_name_before() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::new(folder.path());
        let path = folder.path().join("a");
        fs::write(&path, "open to all").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        disk.create("a", b"secret").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(disk.read("a", 6).unwrap().as_deref(), Some(&b"secret"[..]));

        let made = folder.path().join("x/y");
        Disk::create_folder(&made).unwrap();
        assert_eq!(fs::metadata(&made).unwrap().permissions().mode() & 0o777, 0o700);
        Disk::create_folder(&made).unwrap();
    }

    #[test]
    fn a_link_is_replaced_and_what_it_leads_to_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = folder.path().join("elsewhere");
        fs::write(&elsewhere, "mine").unwrap();
        std::os::unix::fs::symlink(&elsewhere, folder.path().join("a")).unwrap();
        Disk::new(folder.path()).create("a", b"secret").unwrap();
        assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "mine");
    }

    #[test]
    fn a_file_beyond_the_limit_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::new(folder.path());
        disk.create("a", b"12345").unwrap();
        assert_eq!(disk.read("a", 4).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(disk.read("b", 4).unwrap(), None);
    }

    #[test]
    fn what_is_appended_comes_behind_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::new(folder.path());
        assert_eq!(
            disk.append("a", b"x").unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
        disk.create("a", b"12").unwrap();
        disk.append("a", b"34").unwrap();
        disk.sync("a").unwrap();
        disk.rename("a", "b").unwrap();
        disk.sync_folder().unwrap();
        assert_eq!(disk.read("b", 9).unwrap().as_deref(), Some(&b"1234"[..]));
        disk.remove("b").unwrap();
        disk.remove("b").unwrap();
        assert_eq!(disk.read("b", 9).unwrap(), None);
    }
}
