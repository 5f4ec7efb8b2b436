//! `syncline hub` as it is shipped, and its administrator at the command line.

use std::path::{Path, PathBuf};

use serde_json::json;
use tempfile::TempDir;

use crate::dynamic_security::DynamicSecurity;
use crate::process::Process;
use crate::responder::{Answer, Responder};
use crate::{agent, curl, port, secrets, wait};

/// Permissions of an agent that runs commissioning files and presents itself: what the page suggests.
pub const AGENT_PERMISSIONS: &str = "readwrite services/#\nwrite syncline/agents/test-agent/state";

/// A running hub with a data folder of its own, and an administrator who is logged in.
#[derive(Debug)]
pub struct Hub {
    process: Process,
    folder: TempDir,
    http_port: u16,
    https_port: u16,
    mqtt_port: u16,
    mqtts_port: Option<u16>,
    password: String,
}

impl Hub {
    /// Starts a hub on free loopback ports and logs its administrator in.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start() -> Self {
        let [mqtt_port, mqtts_port] = [0; 2].map(|_: u16| port::free());
        let [mqtt, mqtts] = [mqtt_port, mqtts_port].map(|port| format!("127.0.0.1:{port}"));
        let mut hub = Self::start_on(mqtt_port, &["--mqtt", &mqtt, "--mqtts", &mqtts]);
        hub.mqtts_port = Some(mqtts_port);
        hub
    }

    /// As [`Hub::start`], on the ports and for the name under which agents in the field look for it.
    ///
    /// # Panics
    /// As [`Hub::start`].
    #[must_use]
    pub fn start_as(name: &str) -> Self {
        let addresses = ["--mqtt", "127.0.0.1:1883", "--mqtts", "127.0.0.1:8883"];
        let options = [&addresses[..], &["--name", name]].concat();
        Self::start_at([port::free(), 443], 1883, &options)
    }

    /// As [`Hub::start`], with Mosquitto in place of the embedded broker.
    ///
    /// # Panics
    /// As [`Hub::start`].
    #[must_use]
    pub fn start_with(broker: &DynamicSecurity) -> Self {
        let address = format!("127.0.0.1:{}", broker.port());
        let password = path(&broker.password_file());
        Self::start_on(
            broker.port(),
            &["--mosquitto", &address, "--mosquitto-password-file", &password],
        )
    }

    fn start_on(mqtt_port: u16, options: &[&str]) -> Self {
        Self::start_at([0; 2].map(|_: u16| port::free()), mqtt_port, options)
    }

    fn start_at([http_port, https_port]: [u16; 2], mqtt_port: u16, options: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut command = agent::syncline();
        command
            .arg("hub")
            .arg("--data-dir")
            .arg(folder.path().join("hub"));
        for (flag, port) in [("--http", http_port), ("--https", https_port)] {
            command.arg(flag).arg(format!("127.0.0.1:{port}"));
        }
        command.args(options);
        let mut process = Process::start(&command, &folder.path().join("hub.log"));
        process.wait_for_output("--new-password");
        let password = process
            .output()
            .lines()
            .find_map(|line| line.strip_prefix("password "))
            .expect("the first start prints a password")
            .to_owned();
        process.tells_once(&password);
        secrets::keep("the password of the hub's administrator", &password);
        let hub = Self {
            process,
            folder,
            http_port,
            https_port,
            mqtt_port,
            mqtts_port: None,
            password,
        };
        let answer = hub.post("/login", &[("password", &hub.password)]);
        assert_eq!(answer.status, 303, "{}", answer.body);
        secrets::keep("the cookie of the hub's administrator", &hub.cookie());
        hub
    }

    /// The address of `path`, without TLS.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.http_port)
    }

    /// Port of its registry and page without TLS.
    #[must_use]
    pub fn http_port(&self) -> u16 {
        self.http_port
    }

    /// The base URL with TLS.
    #[must_use]
    pub fn secure_url(&self) -> String {
        format!("https://127.0.0.1:{}", self.https_port)
    }

    /// Port of its broker.
    #[must_use]
    pub fn mqtt_port(&self) -> u16 {
        self.mqtt_port
    }

    /// Port of its embedded broker with TLS.
    ///
    /// # Panics
    /// When it has another broker.
    #[must_use]
    pub fn mqtts_port(&self) -> u16 {
        self.mqtts_port.expect("a hub with the embedded broker")
    }

    /// The certificate of its authority.
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("hub/ca.crt")
    }

    /// The password of its administrator.
    #[must_use]
    pub fn password(&self) -> &str {
        &self.password
    }

    /// The folder with all that it keeps.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("hub")
    }

    /// What it has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.output()
    }

    /// The variables that send an agent here.
    #[must_use]
    pub fn variables(&self) -> [(&'static str, String); 2] {
        [
            ("SYNCLINE_REGISTRY_URL", self.secure_url()),
            ("CA", path(&self.authority())),
        ]
    }

    // The administrator.

    /// Opens the registry for five minutes.
    ///
    /// # Panics
    /// When the hub does not do it, here and below.
    pub fn unlock(&self) {
        self.act("/unlock", &[]);
    }

    /// Closes it.
    pub fn lock(&self) {
        self.act("/lock", &[]);
    }

    /// The overview as the page shows it.
    #[must_use]
    pub fn page(&self) -> String {
        self.look("/").body
    }

    /// Any page, as the administrator sees it.
    #[must_use]
    pub fn look(&self, path: &str) -> curl::Response {
        curl::ask(&self.url(path), &["--cookie", &self.jar()])
    }

    /// Waits until a request with this pairing id waits, and gives its number.
    #[must_use]
    pub fn pending(&self, pairing_id: &str) -> String {
        wait::until(&format!("{pairing_id} waits on the page"), wait::PATIENCE, || {
            let page = self.page();
            let row = page.split("<tr>").find(|row| row.contains(pairing_id))?;
            let (_, rest) = row.split_once("/pending?id=")?;
            Some(rest.split('"').next()?.to_owned())
        })
    }

    /// Grants the request with this pairing id.
    pub fn grant(&self, pairing_id: &str, permissions: &str) {
        let id = self.pending(pairing_id);
        self.act("/grant", &[("id", &id), ("permissions", permissions)]);
    }

    /// A responder that is let in as a user of its own, and confirms whatever it is asked.
    ///
    /// # Panics
    /// When it is not let in.
    #[must_use]
    pub fn responder(&self, base: &str) -> Responder {
        let register = json!({"username": "responder", "password": "a-password"}).to_string();
        let options = ["--request", "POST", "--data", &register];
        self.unlock();
        let url = self.url("/api/client-registry/register");
        let pending = curl::ask(&url, &options);
        assert_eq!(pending.status, 202, "{}", pending.body);
        let id = pending.json()["pairingId"]
            .as_str()
            .expect("a pairing id")
            .to_owned();
        self.grant(&id, AGENT_PERMISSIONS);
        assert_eq!(curl::ask(&url, &options).status, 201);
        let login = Some(("responder", "a-password"));
        Responder::start_at(self.mqtt_port(), login, base, |_| {
            Answer::Value(json!("confirmed"))
        })
    }

    /// Denies it.
    pub fn deny(&self, pairing_id: &str) {
        let id = self.pending(pairing_id);
        self.act("/deny", &[("id", &id)]);
    }

    /// Makes a user who is no agent, as one registers over REST and is granted.
    pub fn admit(&self, username: &str, password: &str, permissions: &str) {
        secrets::keep(&format!("the password of {username}"), password);
        let body = json!({"username": username, "password": password}).to_string();
        let options = ["--request", "POST", "--data", &body];
        let url = self.url("/api/client-registry/register");
        self.unlock();
        let pending = curl::ask(&url, &options);
        assert_eq!(pending.status, 202, "{}", pending.body);
        let id = pending.json()["pairingId"]
            .as_str()
            .expect("a pairing id")
            .to_owned();
        self.grant(&id, permissions);
        assert_eq!(curl::ask(&url, &options).status, 201);
    }

    /// Deletes a user.
    pub fn delete(&self, name: &str) {
        self.act("/delete", &[("name", name)]);
    }

    fn act(&self, path: &str, fields: &[(&str, &str)]) {
        let page = self.page();
        let (_, rest) = page
            .split_once("name=\"csrf\" value=\"")
            .expect("a page with a form");
        let csrf = rest.split('"').next().expect("a token");
        let mut all = vec![("csrf", csrf)];
        all.extend(fields);
        let answer = self.post(path, &all);
        assert_eq!(answer.status, 303, "{path}: {}", answer.body);
    }

    /// Sends a form as the administrator's browser would.
    #[must_use]
    pub fn post(&self, path: &str, fields: &[(&str, &str)]) -> curl::Response {
        let jar = self.jar();
        let fields: Vec<String> = fields
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let mut options = vec!["--request", "POST", "--cookie", &jar, "--cookie-jar", &jar];
        for field in &fields {
            options.extend(["--data-urlencode", field]);
        }
        curl::ask(&self.url(path), &options)
    }

    /// What the administrator's browser shows to be let in.
    fn cookie(&self) -> String {
        let jar = std::fs::read_to_string(self.jar()).expect("curl has kept a cookie");
        let value = jar.lines().last().and_then(|line| line.split('\t').next_back());
        value.expect("a cookie in Netscape's format").to_owned()
    }

    fn jar(&self) -> String {
        path(&self.folder.path().join("cookies"))
    }
}

fn path(path: &Path) -> String {
    path.to_str().expect("a path in UTF-8").to_owned()
}
