//! Mosquitto with its dynamic security plugin, as Debian ships it, and an administrator for it.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::mosquitto::Mosquitto;
use crate::{port, secrets};

const PLUGIN: &str = "mosquitto_dynamic_security.so";
const USERNAME: &str = "admin";
const PASSWORD: &str = "of-the-administrator";

/// A broker that lets nobody in but its administrator and whom that admits.
#[derive(Debug)]
pub struct DynamicSecurity {
    broker: Mosquitto,
    folder: TempDir,
}

impl DynamicSecurity {
    /// Starts it; further lines of configuration come last.
    ///
    /// # Panics
    /// When Mosquitto or its plugin is not installed, or does not start.
    #[must_use]
    pub fn start_with(configuration: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("dynamic-security.json");
        let made = Command::new("mosquitto_ctrl")
            .args(["dynsec", "init"])
            .arg(&file)
            .args([USERNAME, PASSWORD])
            .output()
            .expect("mosquitto_ctrl is installed with Mosquitto");
        secrets::keep("the password of Mosquitto's administrator", PASSWORD);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        std::fs::write(folder.path().join("password"), format!("{PASSWORD}\n")).expect("a writable folder");
        let broker = Mosquitto::start_with(&format!(
            "allow_anonymous false\nuser root\nplugin {}\nplugin_opt_config_file {}\n{configuration}",
            plugin().display(),
            file.display()
        ));
        Self { broker, folder }
    }

    /// Restarts it with a further listener, on the port that this gives: TLS by the hub's certificate, and a certificate of
    /// the hub's authority in place of a password.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn let_in_by_certificate(&mut self, hub: &Path) -> u16 {
        let port = port::free();
        let file = |name: &str| hub.join(name).display().to_string();
        self.broker.configure(&format!(
            "listener {port} 127.0.0.1\ncafile {}\ncertfile {}\nkeyfile {}\nrequire_certificate true\n\
             use_identity_as_username true",
            file("ca.crt"),
            file("server.crt"),
            file("server.key"),
        ));
        self.broker.restart();
        port
    }

    /// Waits until the broker's log has `text`.
    ///
    /// # Panics
    /// When it does not within [`wait::PATIENCE`](crate::wait::PATIENCE).
    pub fn wait_for_log(&mut self, text: &str) {
        self.broker.wait_for_log(text);
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.broker.port()
    }

    /// The file with its administrator's password.
    #[must_use]
    pub fn password_file(&self) -> PathBuf {
        self.folder.path().join("password")
    }

    /// Its users and roles as it keeps them.
    ///
    /// # Panics
    /// When the file cannot be read.
    #[must_use]
    pub fn kept(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("dynamic-security.json")).expect("the plugin's file")
    }
}

fn plugin() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").expect("a readable folder");
    let found = folders
        .filter_map(|entry| Some(entry.ok()?.path().join(PLUGIN)))
        .find(|path| Path::is_file(path));
    found.unwrap_or_else(|| panic!("{PLUGIN} is in no folder of /usr/lib: install Debian's mosquitto"))
}
