//! A real file system of a few pages, which can be filled and made read-only.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// A tmpfs of its own, unmounted when it is dropped.
#[derive(Debug)]
pub struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    /// Mounts one of that many bytes.
    ///
    /// # Panics
    /// When this user may not mount: only root may.
    #[must_use]
    pub fn mount(bytes: usize) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let size = format!("size={bytes},mode=0700");
        run(Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(folder.path()));
        Self { folder }
    }

    /// Where it is mounted.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Takes all the room that is left; gives it back with [`SmallDisk::make_room`].
    ///
    /// # Panics
    /// When something else than a full disk stops it.
    pub fn fill(&self) {
        use std::io::Write as _;
        let mut file = std::fs::File::create(self.path().join("filler")).expect("room for a name");
        let error = loop {
            if let Err(error) = file.write_all(&[0; 512]) {
                break error;
            }
        };
        assert_eq!(error.kind(), std::io::ErrorKind::StorageFull, "{error}");
    }

    /// Gives the room back.
    ///
    /// # Panics
    /// When it was not taken.
    pub fn make_room(&self) {
        std::fs::remove_file(self.path().join("filler")).expect("a filler");
    }

    /// Has it refuse or allow writing.
    ///
    /// # Panics
    /// As [`SmallDisk::mount`].
    pub fn remount(&self, mode: &str) {
        run(Command::new("mount")
            .args(["-o", &format!("remount,{mode}")])
            .arg(self.path()));
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a process that the test has killed may not be quite gone. What is left is in memory only.
        let _ = Command::new("umount")
            .arg("--lazy")
            .arg(self.folder.path())
            .status();
    }
}

fn run(command: &mut Command) {
    let output = command.output().expect("mount is installed");
    assert!(
        output.status.success(),
        "cannot mount a file system for this test: {}; run it as root, where mounting is allowed",
        String::from_utf8_lossy(&output.stderr).trim()
    );
}
