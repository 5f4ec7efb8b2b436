//! What a message costs must not creep up: no allocation in the steady state, no more work where more is in flight, and
//! little memory while nothing happens.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use syncline_benches::allocations::Counting;
use syncline_benches::case::{Case, OURS};
use syncline_benches::{cases, cycles};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What a connection may hold beyond its receive buffer.
const HELD_MAX: i64 = 16 << 10;

/// Our cases whose workload begins with this.
fn ours(workload: &str) -> Vec<Case> {
    let mut cases = cases();
    cases.retain(|case| case.library == OURS && case.workload.starts_with(workload));
    assert!(!cases.is_empty(), "no case is called {workload}");
    cases
}

#[test]
fn a_message_without_properties_allocates_nothing_once_buffers_have_grown() {
    for workload in ["send QoS 0", "send QoS 1", "send QoS 2"] {
        for mut case in ours(workload) {
            assert_eq!(case.allocations(), 0.0, "{}", case.workload);
        }
    }
    for workload in ["receive QoS 0", "receive QoS 1", "receive QoS 2"] {
        for mut case in ours(workload) {
            assert_eq!(case.allocations(), 0.0, "{}", case.workload);
        }
    }
}

/// A search through what is in flight would take hundreds of times as long; caches that no longer hold it all take two or
/// three.
#[test]
fn work_for_a_message_does_not_grow_with_what_is_in_flight() {
    const BOUND: u32 = 10;
    for order in ["in order", "reversed", "at random"] {
        let few = quickest(&mut only(&format!("100 in flight, acknowledged {order}")));
        for window in [10_000, 65_535] {
            let mut case = only(&format!("{window} in flight, acknowledged {order}"));
            let many = quickest(&mut case);
            assert!(
                many < BOUND * few,
                "{order}: {few:?} with 100 in flight, {many:?} with {window}"
            );
            assert_eq!(case.allocations(), 0.0, "{}", case.workload);
        }
    }
}

fn only(workload: &str) -> Case {
    let mut cases = ours(workload);
    assert_eq!(cases.len(), 1);
    cases.remove(0)
}

/// Processor time of one operation, the shortest that was seen.
fn quickest(case: &mut Case) -> Duration {
    const ATTEMPTS: u64 = 5;
    const OPERATIONS: u64 = 10_000;
    let mut shortest = Duration::MAX;
    for _ in 0..ATTEMPTS {
        let mut total = Duration::ZERO;
        let runs = case.runs_for(OPERATIONS);
        case.meter(runs, &mut |work| {
            let before = processor_time();
            work();
            total += processor_time() - before;
        });
        shortest = shortest.min(total.div_f64((runs * case.operations) as f64));
    }
    shortest
}

fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.try_into().expect("a time since the start of the thread")
}

#[test]
fn a_connection_on_which_nothing_happens_holds_little_memory() {
    let ours = cycles::held().next().expect("our own");
    assert_eq!(ours.library, OURS);
    assert!(ours.idle <= HELD_MAX, "idle: {ours:?}");
    for (window, bytes) in &ours.quiet {
        assert!(*bytes <= HELD_MAX, "after {window} in flight: {ours:?}");
    }
}
