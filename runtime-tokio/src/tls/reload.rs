//! Certificates that change while the agent runs: the new ones are tried first, and the old ones stay if they fail.
//!
//! The files are read every few seconds. A change counts when its bytes differ from those in force, however they came
//! there: written in place, renamed, or through the links that Kubernetes turns. What is read is checked as at the start,
//! and then shown to the broker on a connection of its own. Only what the broker has accepted is used from then on;
//! connections that stand are left alone.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};

use super::{Client, LoadError, Moment, Settings, Snapshot};

/// Time between two looks at the files, unless told otherwise.
pub const LOOK_INTERVAL: Duration = Duration::from_secs(3);
/// Wait before the same files are shown to the broker again after it has refused them.
const FIRST_RETRY: Duration = Duration::from_secs(15);
/// Ceiling of that wait, which doubles each time.
const LAST_RETRY: Duration = Duration::from_secs(15 * 60);

/// Tries a candidate with the real server.
pub trait Trial: Send + Sync {
    /// Makes a connection with `candidate` that the server accepts.
    fn run(&self, candidate: Arc<Client>) -> impl Future<Output = Result<(), TrialError>> + Send;
}

/// Why a candidate was not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrialError {
    /// There was no server to try it with, which says nothing about the candidate.
    Unreachable(String),
    /// The server, or this agent faced with it, refused.
    Refused(String),
}

/// What became of the files when they were last looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    /// What was read; `None` where a file could not be.
    pub digest: Option<[u8; 32]>,
    /// Why it is not in force; `None` where it is.
    pub refused: Option<String>,
}

/// Keeps a [`Client`] up to date with its files.
pub struct Reload<T> {
    client: Arc<Client>,
    settings: Settings,
    trial: T,
    interval: Duration,
    noted: Noted,
    /// After the server has refused these files: when they are shown to it again.
    retry: Option<Retry>,
    /// Days left when the operator was last told.
    warned_at: Option<i64>,
}

/// What the log was last told, or is told if it is still so at the next look: files are replaced one after the other,
/// and what is wrong between is nobody's business.
#[derive(Debug, Default, PartialEq, Eq)]
enum Noted {
    #[default]
    Nothing,
    Once(Complaint),
    Logged(Complaint),
}

/// A complaint is the same as another when it is about the same bytes and comes from the same side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Complaint {
    digest: Option<[u8; 32]>,
    by: By,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Files,
    Server,
}

/// What a look at the files has found.
enum Found {
    InForce,
    /// These bytes, with all that can be checked without the server in order.
    Changed([u8; 32], Arc<Client>),
    /// These bytes, where they could be read.
    Unusable(Option<[u8; 32]>, LoadError),
}

#[derive(Debug)]
struct Retry {
    digest: [u8; 32],
    wait: Duration,
    at: Instant,
    why: String,
}

impl<T: Trial> Reload<T> {
    /// Looks at the files of `settings`, of which `client` was made, every `interval`.
    pub fn new(client: Arc<Client>, settings: Settings, trial: T, interval: Duration) -> Self {
        Self {
            client,
            settings,
            trial,
            interval,
            noted: Noted::Nothing,
            retry: None,
            warned_at: None,
        }
    }

    /// Goes on until it is dropped.
    pub async fn run(mut self) {
        self.warned_at = self.days_left(Moment::now());
        let mut looks = interval(self.interval);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            self.look(Moment::now()).await;
            self.warn_daily(Moment::now());
        }
    }

    async fn look(&mut self, now: Moment) {
        let settings = self.settings.clone();
        // The files may lie on a network.
        let Ok(read) = tokio::task::spawn_blocking(move || settings.read()).await else {
            return;
        };
        let (digest, candidate) = match self.compare(read, now) {
            Found::InForce => return self.settle(),
            Found::Unusable(digest, error) => return self.complain(digest, By::Files, error.to_string()),
            Found::Changed(digest, candidate) => (digest, candidate),
        };
        if let Some(retry) = self.retry.as_ref().filter(|retry| retry.digest == digest)
            && Instant::now() < retry.at
        {
            let why = retry.why.clone();
            self.complain(Some(digest), By::Server, why);
            return;
        }
        match self.trial.run(Arc::clone(&candidate)).await {
            Ok(()) => {
                self.client.adopt(&candidate);
                self.settle();
                match candidate.identity() {
                    Some(identity) => tracing::info!(
                        not_after = %identity.facts.not_after,
                        serial = identity.facts.serial,
                        "the certificate has changed, and the broker accepts it: it is used from the next connection on"
                    ),
                    None => tracing::info!(
                        "the authorities have changed, and verify the broker: they are used from now on"
                    ),
                }
            }
            Err(TrialError::Unreachable(why)) => {
                tracing::debug!("changed certificates are not tried yet: {why}");
            }
            Err(TrialError::Refused(why)) => {
                let wait = match &self.retry {
                    Some(retry) if retry.digest == digest => (retry.wait * 2).min(LAST_RETRY),
                    _ => FIRST_RETRY,
                };
                self.retry = Some(Retry {
                    digest,
                    wait,
                    at: Instant::now() + wait,
                    why: why.clone(),
                });
                self.complain(Some(digest), By::Server, why);
            }
        }
    }

    /// Holds what was read against what is in force.
    fn compare(&self, read: Result<Snapshot, LoadError>, now: Moment) -> Found {
        let snapshot = match read {
            Ok(snapshot) => snapshot,
            Err(error) => return Found::Unusable(None, error),
        };
        let digest = snapshot.digest();
        if digest == self.client.digest() {
            return Found::InForce;
        }
        match self.client.candidate(&self.settings, &snapshot, now) {
            Ok(candidate) => Found::Changed(digest, Arc::new(candidate)),
            Err(error) => Found::Unusable(Some(digest), error),
        }
    }

    /// The files are those in force.
    fn settle(&mut self) {
        if matches!(self.noted, Noted::Logged(_)) {
            tracing::info!("certificates on disk and in use are the same again");
        }
        self.noted = Noted::Nothing;
        self.retry = None;
        self.client.looked(Looked {
            digest: Some(self.client.digest()),
            refused: None,
        });
    }

    fn complain(&mut self, digest: Option<[u8; 32]>, by: By, why: String) {
        let complaint = Complaint { digest, by };
        self.noted = match std::mem::take(&mut self.noted) {
            Noted::Logged(last) if last == complaint => Noted::Logged(last),
            Noted::Once(last) if last == complaint => {
                tracing::warn!("changed certificates are not used, those before stay: {why}");
                Noted::Logged(last)
            }
            _ => Noted::Once(complaint),
        };
        self.client.looked(Looked {
            digest,
            refused: Some(why),
        });
    }

    /// Days left of a certificate that ends soon.
    fn days_left(&self, now: Moment) -> Option<i64> {
        let identity = self.client.identity()?;
        identity.warning(now)?;
        Some(identity.facts.days_left(now))
    }

    /// Once a day, as at the start: an agent runs for longer than a certificate lasts.
    fn warn_daily(&mut self, now: Moment) {
        let days_left = self.days_left(now);
        if days_left.is_some()
            && days_left != self.warned_at
            && let Some(warning) = self.client.identity().and_then(|identity| identity.warning(now))
        {
            tracing::warn!("{warning}");
        }
        self.warned_at = days_left;
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Mutex;

    use rcgen::{CertificateParams, DnType, KeyPair};

    use super::super::{IdentityFiles, Trust};
    use super::*;

    /// A server with an opinion of its own; it counts how often it is asked.
    #[derive(Default)]
    struct Server {
        asked: Mutex<u32>,
        answer: Mutex<Option<TrialError>>,
    }

    impl Trial for &Server {
        async fn run(&self, _: Arc<Client>) -> Result<(), TrialError> {
            *self.asked.lock().unwrap() += 1;
            self.answer.lock().unwrap().clone().map_or(Ok(()), Err)
        }
    }

    struct Bench<'a> {
        folder: tempfile::TempDir,
        reload: Reload<&'a Server>,
        server: &'a Server,
    }

    impl<'a> Bench<'a> {
        fn new(server: &'a Server) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let file = |name: &str| -> PathBuf { folder.path().join(name) };
            let settings = Settings {
                trust: Trust::Anyone,
                identity: Some(IdentityFiles {
                    certificate: file("crt"),
                    key: file("key"),
                    username: "line-1".to_owned(),
                }),
            };
            let (certificate, key) = pair("line-1");
            std::fs::write(file("crt"), certificate).unwrap();
            std::fs::write(file("key"), key).unwrap();
            let client = Client::new("broker", &settings, &settings.read().unwrap(), Moment::now()).unwrap();
            let reload = Reload::new(Arc::new(client), settings, server, LOOK_INTERVAL);
            Self {
                folder,
                reload,
                server,
            }
        }

        fn write(&self, name: &str, content: &str) {
            std::fs::write(self.folder.path().join(name), content).unwrap();
        }

        async fn look(&mut self) -> Option<String> {
            self.reload.look(Moment::now()).await;
            self.reload.client.last_look().borrow().refused.clone()
        }

        fn in_force(&self) -> [u8; 32] {
            self.reload.client.digest()
        }

        fn asked(&self) -> u32 {
            *self.server.asked.lock().unwrap()
        }

        fn answer(&self, answer: Option<TrialError>) {
            *self.server.answer.lock().unwrap() = answer;
        }
    }

    fn pair(common_name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, common_name);
        (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    }

    #[tokio::test]
    async fn a_new_pair_is_used_when_both_files_are_there_and_the_server_accepts_it() {
        let server = Server::default();
        let mut bench = Bench::new(&server);
        let before = bench.in_force();
        assert_eq!(bench.look().await, None);
        assert_eq!(bench.asked(), 0);

        let (certificate, key) = pair("line-1");
        bench.write("crt", &certificate);
        let refused = bench.look().await.unwrap();
        assert!(refused.contains("does not belong"), "{refused}");
        assert_eq!((bench.in_force(), bench.asked()), (before, 0));

        bench.write("key", &key);
        assert_eq!(bench.look().await, None);
        assert_eq!(bench.asked(), 1);
        assert_ne!(bench.in_force(), before);
        assert_eq!(bench.look().await, None);
        assert_eq!(bench.asked(), 1);
    }

    #[tokio::test]
    async fn what_can_be_seen_to_be_bad_is_never_shown_to_the_server() {
        let server = Server::default();
        let mut bench = Bench::new(&server);
        let before = bench.in_force();
        let (other, other_key) = pair("line-2");
        let (good, good_key) = pair("line-1");
        for (certificate, key, word) in [
            (&*other, &*other_key, "line-2"),
            (&good[..good.len() / 2], &*good_key, "cut short"),
            (&*good, &good_key[..40], "cut short"),
            (&*good, &*other_key, "does not belong"),
            ("", "", "no certificate"),
        ] {
            bench.write("crt", certificate);
            bench.write("key", key);
            let refused = bench.look().await.unwrap();
            assert!(refused.contains(word), "{refused}");
            assert_eq!((bench.in_force(), bench.asked()), (before, 0));
        }
        std::fs::remove_file(bench.folder.path().join("key")).unwrap();
        assert!(bench.look().await.unwrap().contains("AGENT_KEY: cannot read"));
        assert_eq!((bench.in_force(), bench.asked()), (before, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_server_refuses_is_shown_again_after_a_while_only() {
        let server = Server::default();
        let mut bench = Bench::new(&server);
        let before = bench.in_force();
        let (certificate, key) = pair("line-1");
        bench.write("crt", &certificate);
        bench.write("key", &key);
        bench.answer(Some(TrialError::Refused("no".to_owned())));
        for _ in 0..3 {
            assert_eq!(bench.look().await.as_deref(), Some("no"));
            assert_eq!((bench.in_force(), bench.asked()), (before, 1));
        }
        tokio::time::advance(FIRST_RETRY).await;
        assert_eq!(bench.look().await.as_deref(), Some("no"));
        assert_eq!(bench.asked(), 2);
        tokio::time::advance(FIRST_RETRY).await;
        assert_eq!(bench.look().await.as_deref(), Some("no"));
        assert_eq!(bench.asked(), 2);
        tokio::time::advance(FIRST_RETRY).await;
        bench.answer(None);
        assert_eq!(bench.look().await, None);
        assert_ne!(bench.in_force(), before);
    }

    #[tokio::test]
    async fn a_server_that_is_away_is_asked_again_at_the_next_look() {
        let server = Server::default();
        let mut bench = Bench::new(&server);
        let before = bench.in_force();
        let (certificate, key) = pair("line-1");
        bench.write("crt", &certificate);
        bench.write("key", &key);
        bench.answer(Some(TrialError::Unreachable("away".to_owned())));
        for asked in 1..=3 {
            bench.look().await;
            assert_eq!((bench.in_force(), bench.asked()), (before, asked));
        }
        bench.answer(None);
        assert_eq!(bench.look().await, None);
        assert_ne!(bench.in_force(), before);
    }

    #[tokio::test]
    async fn a_complaint_is_logged_when_it_is_seen_twice_and_once_only() {
        let server = Server::default();
        let mut bench = Bench::new(&server);
        bench.write("crt", "garbage");
        bench.look().await;
        assert!(matches!(bench.reload.noted, Noted::Once(_)));
        bench.look().await;
        assert!(matches!(bench.reload.noted, Noted::Logged(_)));
        bench.look().await;
        assert!(matches!(bench.reload.noted, Noted::Logged(_)));
        bench.write("crt", "other garbage");
        bench.look().await;
        assert!(matches!(bench.reload.noted, Noted::Once(_)));
    }
}
