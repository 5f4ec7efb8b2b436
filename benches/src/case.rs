//! One piece of work by one library, and how it is metered.

use std::hint::black_box;
use std::time::{Duration, Instant};

use crate::{allocations, instructions};

/// The library that all others are compared with.
pub const OURS: &str = "syncline";

/// Inputs that are prepared at a time: few enough to stay in the cache, many enough to outweigh the meter.
const BATCH: u64 = 64;

/// What brackets the work of a batch.
type Meter<'a> = &'a mut dyn FnMut(&mut dyn FnMut());

/// One piece of work by one library.
pub struct Case {
    /// The work, the same for all libraries.
    pub workload: &'static str,
    /// The library.
    pub library: &'static str,
    batch: Box<dyn FnMut(u64, Meter<'_>)>,
}

impl Case {
    /// Work on inputs that `prepare` makes. Making them is not metered; using them up and dropping what comes of them is.
    pub fn new<S: 'static, I: 'static, O: 'static>(
        workload: &'static str,
        library: &'static str,
        mut state: S,
        prepare: fn(&mut S) -> I,
        run: fn(&mut S, I) -> O,
    ) -> Self {
        let batch = move |count: u64, meter: Meter<'_>| {
            let mut inputs: Vec<I> = (0..count).map(|_| prepare(&mut state)).collect();
            meter(&mut || {
                for input in inputs.drain(..) {
                    drop(black_box(run(black_box(&mut state), black_box(input))));
                }
            });
        };
        Self {
            workload,
            library,
            batch: Box::new(batch),
        }
    }

    /// Time of `iterations` runs.
    pub fn time(&mut self, iterations: u64) -> Duration {
        let mut total = Duration::ZERO;
        self.in_batches(iterations, &mut |work| {
            let start = Instant::now();
            work();
            total += start.elapsed();
        });
        total
    }

    /// Allocations of one run, on average once buffers have grown.
    pub fn allocations(&mut self) -> f64 {
        const RUNS: u64 = 10 * BATCH;
        self.warm_up();
        let mut total = 0;
        self.in_batches(RUNS, &mut |work| {
            let before = allocations::count();
            work();
            total += allocations::count() - before;
        });
        total as f64 / RUNS as f64
    }

    /// Lets an instruction counter outside see `runs` runs.
    pub fn expose(&mut self, runs: u64) {
        self.warm_up();
        self.in_batches(runs, &mut |work| instructions::counted(work));
    }

    fn warm_up(&mut self) {
        self.in_batches(2 * BATCH, &mut |work| work());
    }

    fn in_batches(&mut self, iterations: u64, meter: Meter<'_>) {
        let mut left = iterations;
        while left > 0 {
            let count = left.min(BATCH);
            (self.batch)(count, meter);
            left -= count;
        }
    }
}
