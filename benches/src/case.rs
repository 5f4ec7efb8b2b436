//! One piece of work by one library, and how it is metered.

use std::hint::black_box;
use std::time::{Duration, Instant};

use crate::{allocations, instructions};

/// The library that all others are compared with.
pub const OURS: &str = "syncline";

/// Operations that are prepared at a time: few enough to stay in the cache, many enough to outweigh the meter.
const BATCH: u64 = 64;

/// What brackets the work of a batch.
pub type Meter<'a> = &'a mut dyn FnMut(&mut dyn FnMut());

/// One piece of work by one library.
pub struct Case {
    /// The work, the same for all libraries.
    pub workload: &'static str,
    /// The library.
    pub library: &'static str,
    /// Operations of one run: counts are given for one operation.
    pub operations: u64,
    batch: Box<dyn FnMut(u64, Meter<'_>)>,
}

impl Case {
    /// Work on inputs that `prepare` makes. Making them is not metered; using them up and dropping what comes of them is.
    pub fn new<S: 'static, I: 'static, O: 'static>(
        workload: &'static str,
        library: &'static str,
        state: S,
        prepare: fn(&mut S) -> I,
        run: fn(&mut S, I) -> O,
    ) -> Self {
        Self::made_when_run(workload, library, move || state, prepare, run)
    }

    /// As [`Case::new`], with a state that is large and made only when it is needed.
    pub fn made_when_run<S: 'static, I: 'static, O: 'static>(
        workload: &'static str,
        library: &'static str,
        make_state: impl FnOnce() -> S + 'static,
        prepare: fn(&mut S) -> I,
        run: fn(&mut S, I) -> O,
    ) -> Self {
        let mut make_state = Some(make_state);
        let mut state = None;
        let batch = move |count: u64, meter: Meter<'_>| {
            if let Some(make_state) = make_state.take() {
                state = Some(make_state());
            }
            let Some(state) = &mut state else { return };
            let mut inputs: Vec<I> = (0..count).map(|_| prepare(state)).collect();
            meter(&mut || {
                for input in inputs.drain(..) {
                    drop(black_box(run(black_box(state), black_box(input))));
                }
            });
        };
        Self {
            workload,
            library,
            operations: 1,
            batch: Box::new(batch),
        }
    }

    /// The same, where one run is this many operations.
    #[must_use]
    pub fn operations(mut self, operations: u64) -> Self {
        self.operations = operations.max(1);
        self
    }

    /// Time of `runs` runs.
    pub fn time(&mut self, runs: u64) -> Duration {
        let mut total = Duration::ZERO;
        self.meter(runs, &mut |work| {
            let start = Instant::now();
            work();
            total += start.elapsed();
        });
        total
    }

    /// Allocations of one operation, on average once buffers have grown.
    pub fn allocations(&mut self) -> f64 {
        let runs = self.runs_for(10 * BATCH);
        self.warm_up();
        let mut total = 0;
        self.meter(runs, &mut |work| {
            let before = allocations::count();
            work();
            total += allocations::count() - before;
        });
        total as f64 / (runs * self.operations) as f64
    }

    /// Lets an instruction counter outside see the runs that have this many operations.
    pub fn expose(&mut self, operations: u64) {
        self.warm_up();
        self.meter(self.runs_for(operations), &mut |work| instructions::counted(work));
    }

    /// The fewest runs that have this many operations.
    #[must_use]
    pub fn runs_for(&self, operations: u64) -> u64 {
        operations.div_ceil(self.operations)
    }

    /// Does `runs` runs, whose metered work `meter` is given to do.
    pub fn meter(&mut self, runs: u64, meter: Meter<'_>) {
        let mut left = runs;
        while left > 0 {
            let count = left.min(self.runs_for(BATCH));
            (self.batch)(count, meter);
            left -= count;
        }
    }

    fn warm_up(&mut self) {
        self.meter(2 * self.runs_for(BATCH), &mut |work| work());
    }
}
