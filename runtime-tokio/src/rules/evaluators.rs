//! The threads on which expressions run, and nothing else does.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use jsonata_core::evaluator::CancelToken;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::evaluate::{Evaluation, Outcome, evaluate};
use super::failure::Cause;
use super::limits::{
    EVALUATION_GRACE, EVALUATION_TIME, EVALUATIONS_WAITING, EVALUATOR_STACK, EVALUATOR_THREADS,
    EVALUATOR_THREADS_AT_MOST,
};

/// Name of the threads that evaluate.
const EVALUATOR_THREAD: &str = "syncline-rules";

/// Has the process say nothing of panics in expressions, which are caught and counted, and whose text may quote a payload. All
/// other panics go to the hook that was there before. For a program to call once, at its start.
pub fn silence_panics() {
    let others = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if thread::current().name() != Some(EVALUATOR_THREAD) {
            others(panic);
        }
    }));
}

/// A few threads that evaluate expressions for all who hold a clone of this. They end with the last clone.
///
/// An evaluation looks at the clock between its steps. One that is stuck in a single step is left to itself: its message fails at
/// the limit all the same, and another thread takes the place of the stuck one until that is done.
#[derive(Debug, Clone)]
pub struct Evaluators {
    jobs: mpsc::Sender<Job>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    inbox: Mutex<mpsc::Receiver<Job>>,
    crew: Mutex<Crew>,
}

/// How the threads stand.
#[derive(Debug, Default)]
struct Crew {
    threads: usize,
    stuck: usize,
}

#[derive(Debug)]
struct Job {
    evaluation: Evaluation,
    begun: oneshot::Sender<()>,
    reply: oneshot::Sender<Result<Outcome, Cause>>,
    progress: Arc<Mutex<Progress>>,
    cancel: CancelToken,
}

/// How a job stands, for whoever asked and whoever evaluates to agree on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    Running,
    Stuck,
    Done,
}

impl Evaluators {
    /// Starts the threads.
    ///
    /// # Errors
    /// When the system gives none.
    pub fn start() -> std::io::Result<Self> {
        let (jobs, inbox) = mpsc::channel(EVALUATIONS_WAITING);
        let shared = Arc::new(Shared {
            inbox: Mutex::new(inbox),
            crew: Mutex::default(),
        });
        for _ in 0..EVALUATOR_THREADS {
            shared.add_thread(&mut lock(&shared.crew))?;
        }
        Ok(Self { jobs, shared })
    }

    /// Evaluates on one of the threads; waits while all are busy.
    ///
    /// # Errors
    /// [`Cause`], after [`EVALUATION_TIME`] and [`EVALUATION_GRACE`] at the latest once a thread has begun.
    pub async fn evaluate(&self, evaluation: Evaluation) -> Result<Outcome, Cause> {
        let (begun, has_begun) = oneshot::channel();
        let (reply, outcome) = oneshot::channel();
        let progress = Arc::new(Mutex::new(Progress::Running));
        let cancel = CancelToken::new();
        let job = Job {
            evaluation,
            begun,
            reply,
            progress: Arc::clone(&progress),
            cancel: cancel.clone(),
        };
        self.jobs.send(job).await.map_err(|_| Cause::Stopping)?;
        has_begun.await.map_err(|_| Cause::Stopping)?;
        match timeout(EVALUATION_TIME + EVALUATION_GRACE, outcome).await {
            Ok(outcome) => outcome.map_err(|_| Cause::Stopping)?,
            Err(_) => {
                cancel.cancel();
                self.shared.give_up(&progress);
                Err(Cause::TimeLimit)
            }
        }
    }

    /// Evaluations that are stuck in one step just now.
    #[must_use]
    pub fn stuck(&self) -> usize {
        lock(&self.shared.crew).stuck
    }

    #[cfg(test)]
    pub(super) fn threads(&self) -> usize {
        lock(&self.shared.crew).threads
    }

    /// Whether the threads have ended, once nobody holds a clone of this.
    #[cfg(test)]
    pub(super) fn have_ended(&self) -> impl Fn() -> bool + use<> {
        let shared = Arc::downgrade(&self.shared);
        move || shared.strong_count() == 0
    }
}

impl Shared {
    fn add_thread(self: &Arc<Self>, crew: &mut Crew) -> std::io::Result<()> {
        let shared = Arc::clone(self);
        thread::Builder::new()
            .name(EVALUATOR_THREAD.to_owned())
            .stack_size(EVALUATOR_STACK)
            .spawn(move || shared.work())?;
        crew.threads += 1;
        Ok(())
    }

    fn work(&self) {
        loop {
            let job = lock(&self.inbox).blocking_recv();
            let Some(job) = job else { return };
            // Whoever asked may have gone meanwhile.
            if job.begun.send(()).is_err() {
                continue;
            }
            let outcome = evaluate(&job.evaluation, EVALUATION_TIME, job.cancel);
            drop(job.evaluation);
            let has_place = self.finish(&job.progress);
            let _ = job.reply.send(outcome);
            if !has_place {
                return;
            }
        }
    }

    /// Takes note of a stuck evaluation and puts another thread into its thread's place.
    fn give_up(self: &Arc<Self>, progress: &Mutex<Progress>) {
        let mut crew = lock(&self.crew);
        let mut progress = lock(progress);
        if *progress == Progress::Done {
            return;
        }
        *progress = Progress::Stuck;
        crew.stuck += 1;
        if crew.threads < EVALUATOR_THREADS_AT_MOST
            && crew.threads - crew.stuck < EVALUATOR_THREADS
            && let Err(error) = self.add_thread(&mut crew)
        {
            tracing::warn!("no thread in place of one that is stuck in an expression: {error}");
        }
    }

    /// Takes note of the end of an evaluation; false where the thread's place has been taken.
    fn finish(&self, progress: &Mutex<Progress>) -> bool {
        let mut crew = lock(&self.crew);
        if std::mem::replace(&mut *lock(progress), Progress::Done) != Progress::Stuck {
            return true;
        }
        crew.stuck -= 1;
        let has_place = crew.threads - crew.stuck <= EVALUATOR_THREADS;
        if !has_place {
            crew.threads -= 1;
        }
        has_place
    }
}

/// A panic is caught before it can reach a lock; a poisoned one holds what it held.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
