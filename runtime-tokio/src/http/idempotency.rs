//! `Idempotency-Key`: a request that is sent again with its key is published once, and its answer replayed.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderName, StatusCode};
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;
use tokio::time::Instant;

use super::reply::{Failure, Reply};

/// The header field (draft-ietf-httpapi-idempotency-key-header).
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Longest key in bytes.
const MAX_KEY: usize = 255;
/// How long an answer is kept.
const KEPT: Duration = Duration::from_secs(600);
/// Most keys that are kept, answered or not; one more is refused until one of them is too old.
const MAX_KEYS: usize = 10_000;
/// Largest sum of the answers that are kept, in bytes: beyond it the oldest ones go first.
const MAX_BYTES: usize = 64 << 20;

/// Who sent what under which key: a digest of its parts, so that no key takes more memory than another.
type Identity = [u8; 32];

/// What became of a request; `None` while it goes on.
type Outcome = Option<Result<Reply, Failure>>;

/// A key as one request shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    identity: Identity,
    /// Digest of what is asked for: with another one, the key has been used for something else.
    content: [u8; 32],
}

/// The answers of all keys that are kept.
#[derive(Debug, Clone, Default)]
pub(super) struct Replays {
    kept: Arc<Mutex<Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    entries: HashMap<Identity, Entry>,
    /// By age: an entry's number is larger than those of all before it.
    order: BTreeMap<u64, Identity>,
    next: u64,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    content: [u8; 32],
    outcome: watch::Receiver<Outcome>,
    /// Since when it is answered.
    answered: Option<Instant>,
    bytes: usize,
    number: u64,
}

/// What is to be done about a key.
enum Turn {
    /// It is new: the request is made, and its outcome goes here.
    First(watch::Sender<Outcome>),
    /// It is known: the outcome comes from here.
    Again(watch::Receiver<Outcome>),
}

impl Key {
    /// The key of a request of the node of `owner`, whose body is `body`; `None` without one.
    ///
    /// # Errors
    /// 400 for several keys, and for one that is empty or too long.
    pub(super) fn of(parts: &Parts, owner: [&str; 2], body: &[u8]) -> Result<Option<Self>, Failure> {
        let mut keys = parts.headers.get_all(&IDEMPOTENCY_KEY).iter();
        let Some(key) = keys.next() else {
            return Ok(None);
        };
        let key = key.as_bytes();
        if keys.next().is_some() || key.is_empty() || key.len() > MAX_KEY {
            return Err(Failure::new(
                StatusCode::BAD_REQUEST,
                "idempotency-key is not one text of 1 to 255 bytes",
            ));
        }
        let header = |name| parts.headers.get(name).map(http::HeaderValue::as_bytes);
        let path = parts.uri.path().to_lowercase();
        // Each caller has its own keys, and so has each path, and each node that comes to have the path.
        let [service, resource] = owner.map(|name| Some(name.as_bytes()));
        let identity = digest(&[
            service,
            resource,
            Some(key),
            header(AUTHORIZATION),
            Some(parts.method.as_str().as_bytes()),
            Some(path.as_bytes()),
        ]);
        let content = digest(&[
            parts.uri.query().map(str::as_bytes),
            header(CONTENT_TYPE),
            Some(body),
        ]);
        Ok(Some(Self { identity, content }))
    }
}

impl Replays {
    /// Makes a request under its key, unless it has been made: then its outcome is awaited and given again. A request that
    /// has begun goes on when its client goes away, so that the client finds the outcome when it comes again.
    ///
    /// # Errors
    /// Those of `request`; 422 for a key of another request, 503 when there are too many keys.
    pub(super) async fn once(
        &self,
        key: &Key,
        request: impl Future<Output = Result<Reply, Failure>> + Send + 'static,
    ) -> Result<Reply, Failure> {
        let mut outcome = match self.turn(key)? {
            Turn::Again(outcome) => outcome,
            Turn::First(sender) => {
                let outcome = sender.subscribe();
                let (replays, key) = (self.clone(), key.clone());
                tokio::spawn(async move {
                    let result = request.await;
                    replays.answered(&key, &result);
                    sender.send_replace(Some(result));
                });
                outcome
            }
        };
        // Without a sender the request's task has panicked, or the agent ends.
        match outcome.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(result)) => result.clone(),
            _ => {
                let failure = Failure::uncertain(
                    "the request has ended without an answer, and may have been carried out: find out before sending it again",
                );
                // Kept, so that it is not carried out a second time.
                self.answered(key, &Err(failure.clone()));
                Err(failure)
            }
        }
    }

    fn turn(&self, key: &Key) -> Result<Turn, Failure> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.expire(Instant::now());
        if let Some(entry) = kept.entries.get(&key.identity) {
            if entry.content != key.content {
                return Err(Failure::new(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    "this idempotency-key belongs to a request with other content, send a new key",
                ));
            }
            return Ok(Turn::Again(entry.outcome.clone()));
        }
        if kept.entries.len() >= MAX_KEYS {
            return Err(Failure::unavailable(
                "too many idempotency-keys are in use, try again",
            ));
        }
        let (sender, outcome) = watch::channel(None);
        let number = kept.next;
        kept.next += 1;
        kept.order.insert(number, key.identity);
        let entry = Entry {
            content: key.content,
            outcome,
            answered: None,
            bytes: 0,
            number,
        };
        kept.entries.insert(key.identity, entry);
        Ok(Turn::First(sender))
    }

    /// Keeps the outcome of a request, unless the broker certainly does not have it: sent again that one may succeed. Where
    /// nobody knows, it is not published a second time.
    fn answered(&self, key: &Key, result: &Result<Reply, Failure>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(result, Err(failure) if failure.is_unpublished()) {
            kept.remove(&key.identity);
            return;
        }
        let bytes = match result {
            Ok(reply) => size_of_body(reply),
            Err(failure) => failure.size(),
        };
        if let Some(entry) = kept.entries.get_mut(&key.identity) {
            entry.answered.get_or_insert_with(Instant::now);
            let before = std::mem::replace(&mut entry.bytes, bytes);
            kept.bytes = kept.bytes - before + bytes;
        }
        kept.shrink();
    }
}

impl Kept {
    fn remove(&mut self, identity: &Identity) {
        if let Some(entry) = self.entries.remove(identity) {
            self.order.remove(&entry.number);
            self.bytes -= entry.bytes;
        }
    }

    /// Drops the answers that are too old, oldest first, up to the first one that is not.
    fn expire(&mut self, now: Instant) {
        while let Some(identity) = self.oldest(|answered| now.duration_since(answered) >= KEPT) {
            self.remove(&identity);
        }
    }

    /// Drops answers until the others are within the bound.
    fn shrink(&mut self) {
        while self.bytes > MAX_BYTES
            && let Some(identity) = self.oldest(|_| true)
        {
            self.remove(&identity);
        }
    }

    /// The oldest answered entry, if `fits`. Those that go on are passed over: their time is bounded by their node's.
    fn oldest(&self, fits: impl Fn(Instant) -> bool) -> Option<Identity> {
        let mut answered = self.order.values().filter_map(|identity| {
            let entry = self.entries.get(identity)?;
            Some((*identity, entry.answered?))
        });
        answered
            .next()
            .filter(|(_, at)| fits(*at))
            .map(|(identity, _)| identity)
    }
}

fn size_of_body(reply: &Reply) -> usize {
    let hint = hyper::body::Body::size_hint(reply.body());
    usize::try_from(hint.lower()).unwrap_or(usize::MAX)
}

/// SHA-256 of parts that may be absent, each with its length, so that no two lists give the same bytes.
fn digest(parts: &[Option<&[u8]>]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update([u8::from(part.is_some())]);
        let part = part.unwrap_or_default();
        hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use bytes::Bytes;
    use http::Request;

    const OWNER: [&str; 2] = ["s", "n"];

    fn parts(headers: &[(&str, &str)], uri: &str) -> Parts {
        let mut request = Request::post(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn key(name: &str, body: &str) -> Key {
        let parts = parts(&[("idempotency-key", name)], "/data/x");
        Key::of(&parts, OWNER, body.as_bytes()).unwrap().unwrap()
    }

    fn counted(
        made: &Arc<AtomicUsize>,
        result: Result<&'static str, Failure>,
    ) -> impl Future<Output = Result<Reply, Failure>> + use<> {
        let made = Arc::clone(made);
        async move {
            made.fetch_add(1, Ordering::Relaxed);
            result.map(|text| super::super::reply::value(Bytes::from_static(text.as_bytes())))
        }
    }

    #[test]
    fn a_key_belongs_to_its_caller_and_its_path_in_any_case() {
        let own = key("a", "1");
        let of = |headers: &[(&str, &str)], uri: &str| Key::of(&parts(headers, uri), OWNER, b"1").unwrap();
        let again = parts(&[("idempotency-key", "a")], "/data/x");
        let other = Key::of(&again, ["s", "other"], b"1").unwrap();
        assert_ne!(
            other.unwrap().identity,
            own.identity,
            "another node at the same path"
        );
        assert_eq!(of(&[("idempotency-key", "a")], "/DATA/x"), Some(own.clone()));
        assert_eq!(of(&[], "/data/x"), None);
        for (headers, uri) in [
            (&[("idempotency-key", "b")][..], "/data/x"),
            (&[("idempotency-key", "a")], "/data/y"),
            (
                &[("idempotency-key", "a"), ("authorization", "Bearer x")],
                "/data/x",
            ),
        ] {
            assert_ne!(
                of(headers, uri).unwrap().identity,
                own.identity,
                "{headers:?} {uri}"
            );
        }
        for wrong in [
            &[("idempotency-key", "")][..],
            &[("idempotency-key", "a"), ("idempotency-key", "a")],
        ] {
            assert!(
                Key::of(&parts(wrong, "/data/x"), OWNER, b"").is_err(),
                "{wrong:?}"
            );
        }
        let long = "k".repeat(MAX_KEY + 1);
        assert!(Key::of(&parts(&[("idempotency-key", &long)], "/data/x"), OWNER, b"").is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_is_made_once_until_its_answer_is_too_old() {
        let (replays, made) = (Replays::default(), Arc::new(AtomicUsize::new(0)));
        for _ in 0..3 {
            let reply = replays.once(&key("a", "1"), counted(&made, Ok("1"))).await;
            assert_eq!(reply.unwrap().status(), 200);
        }
        assert_eq!(made.load(Ordering::Relaxed), 1);
        let other = replays.once(&key("a", "2"), counted(&made, Ok("2"))).await;
        assert_eq!(other.unwrap_err().status(), 422);
        tokio::time::advance(KEPT).await;
        replays
            .once(&key("a", "2"), counted(&made, Ok("2")))
            .await
            .unwrap();
        assert_eq!(made.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn an_error_is_replayed_unless_nothing_was_published() {
        let (replays, made) = (Replays::default(), Arc::new(AtomicUsize::new(0)));
        let refused = || Err(Failure::new(StatusCode::CONFLICT, "no"));
        for _ in 0..2 {
            let failure = replays
                .once(&key("a", ""), counted(&made, refused()))
                .await
                .unwrap_err();
            assert_eq!(failure.status(), 409);
        }
        assert_eq!(made.load(Ordering::Relaxed), 1);
        for _ in 0..2 {
            let unavailable = Err(Failure::unavailable("no broker").certainly_unpublished());
            replays
                .once(&key("b", ""), counted(&made, unavailable))
                .await
                .unwrap_err();
        }
        assert_eq!(made.load(Ordering::Relaxed), 3);
        for _ in 0..2 {
            let lost = Err(Failure::unavailable("the connection was lost"));
            replays
                .once(&key("c", ""), counted(&made, lost))
                .await
                .unwrap_err();
        }
        assert_eq!(made.load(Ordering::Relaxed), 4, "the broker may have it");
    }

    #[tokio::test]
    async fn who_comes_again_waits_for_the_first_whose_client_may_be_gone() {
        let (replays, made) = (Replays::default(), Arc::new(AtomicUsize::new(0)));
        let (release, held) = tokio::sync::oneshot::channel::<()>();
        let key = key("a", "");
        let inner = counted(&made, Ok("late"));
        let request = async move {
            held.await.unwrap();
            inner.await
        };
        let first = tokio::spawn({
            let (replays, key) = (replays.clone(), key.clone());
            async move { replays.once(&key, request).await }
        });
        while replays.kept.lock().unwrap().entries.is_empty() {
            tokio::task::yield_now().await;
        }
        first.abort();
        assert!(first.await.unwrap_err().is_cancelled());
        let again = tokio::spawn({
            let (replays, key, made) = (replays.clone(), key.clone(), Arc::clone(&made));
            async move { replays.once(&key, counted(&made, Ok("second"))).await }
        });
        release.send(()).unwrap();
        assert_eq!(size_of_body(&again.await.unwrap().unwrap()), 4);
        assert_eq!(made.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn a_request_that_panics_is_not_made_again_for_it_may_have_been_carried_out() {
        let (replays, made) = (Replays::default(), Arc::new(AtomicUsize::new(0)));
        let failed = replays
            .once(&key("a", ""), async { panic!("a handler's bug") })
            .await;
        let failure = failed.unwrap_err();
        let again = replays.once(&key("a", ""), counted(&made, Ok("1"))).await;
        assert_eq!(again.unwrap_err(), failure);
        assert_eq!(made.load(Ordering::Relaxed), 0);
        let reply = failure.into_reply(super::super::reply::ErrorFormat::Envelope);
        assert_eq!(
            (reply.status().as_u16(), reply.headers().get("retry-after")),
            (503, None)
        );
        let kept = replays.kept.lock().unwrap();
        assert!(
            kept.entries.values().all(|entry| entry.answered.is_some()),
            "it is forgotten in time"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn keys_and_answers_are_bounded() {
        let (replays, made) = (Replays::default(), Arc::new(AtomicUsize::new(0)));
        for number in 0..MAX_KEYS {
            let key = key(&number.to_string(), "");
            replays.once(&key, counted(&made, Ok("1"))).await.unwrap();
        }
        let full = replays.once(&key("more", ""), counted(&made, Ok("1"))).await;
        assert_eq!(full.unwrap_err().status(), 503);
        tokio::time::advance(KEPT).await;
        replays
            .once(&key("more", ""), counted(&made, Ok("1")))
            .await
            .unwrap();
        let mut kept = replays.kept.lock().unwrap();
        assert_eq!((kept.entries.len(), kept.order.len(), kept.bytes), (1, 1, 1));
        kept.bytes += MAX_BYTES;
        kept.entries
            .values_mut()
            .for_each(|entry| entry.bytes += MAX_BYTES);
        kept.shrink();
        assert_eq!((kept.entries.len(), kept.bytes), (0, 0));
    }
}
