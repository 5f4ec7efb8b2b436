//! Every bound of the rules: what a message or an expression can make grow, and how far.

use std::time::Duration;

/// Longest time that one evaluation may take by its own clock, which it looks at between any two steps.
pub const EVALUATION_TIME: Duration = Duration::from_millis(500);

/// Time beyond [`EVALUATION_TIME`] after which an evaluation counts as stuck in one step: nobody waits for it any more, and another
/// thread takes its thread's place.
pub const EVALUATION_GRACE: Duration = Duration::from_millis(50);

/// Threads that evaluate expressions as long as none is stuck.
pub const EVALUATOR_THREADS: usize = 2;

/// Threads that evaluate expressions, those counted that are stuck. With so many stuck, messages wait until one is not.
pub const EVALUATOR_THREADS_AT_MOST: usize = 8;

/// Stack of an evaluating thread. What recursion needs beyond it, the evaluator takes from the heap, up to
/// [`EVALUATION_DEPTH`].
pub const EVALUATOR_STACK: usize = 4 << 20;

/// Evaluations that wait for a thread; whoever asks for one more waits for room.
pub const EVALUATIONS_WAITING: usize = 256;

/// Calls and operators that an expression may be nested in when it runs.
pub const EVALUATION_DEPTH: usize = 1_000;

/// Longest sequence that an expression may make.
pub const SEQUENCE_LENGTH: usize = 100_000;

/// Longest payload that an expression is given: more than the longest HTTP body takes as text of JSON.
pub const EVALUATION_INPUT: usize = 2 << 20;

/// Longest JSON text that an expression may result in.
pub const EVALUATION_OUTPUT: usize = 4 << 20;

/// Longest expression.
pub const EXPRESSION_LENGTH: usize = 64 << 10;

/// Rules of one list.
pub const RULES: usize = 100;

/// Topics of which a `cov` rule remembers the last value; beyond that the one that was silent longest is forgotten.
pub const COV_TOPICS: usize = 10_000;

/// Messages of one batch of `burst`, also where `maxSize` is absent.
pub const BURST_MESSAGES: usize = 10_000;

/// Bytes of one batch of `burst`; a batch that would be longer is passed on before.
pub const BURST_BYTES: usize = 4 << 20;

/// Labels in what `collect` makes. Subscriptions without a label count by topic.
pub const COLLECT_LABELS: usize = 1_000;

/// Bytes of all that `collect` remembers.
pub const COLLECT_BYTES: usize = 4 << 20;

/// Longest interval of `burst`.
pub const BURST_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

/// Different failures of one list of rules that the log tells of.
pub const FAILURES_TOLD: usize = 100;
