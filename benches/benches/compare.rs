//! `cargo bench -p syncline-benches`: time, instructions and allocations of the codec and the session and of their peers.

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput};
use std::collections::BTreeMap;
use std::time::Duration;
use syncline_benches::allocations::Counting;
use syncline_benches::case::Case;
use syncline_benches::report::{self, Row};
use syncline_benches::{cases, cycles, instructions};

/// Operations from which one run takes long enough to be timed by itself.
const LONG_RUN: u64 = 1_000;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() {
    let mut cases = cases();
    if instructions::is_counted_child(&mut cases) {
        return;
    }
    let times = time(&mut cases);
    let mut rows = Vec::new();
    for (index, case) in cases.iter_mut().enumerate() {
        // A filter on the command line leaves the others out.
        let Some(nanoseconds) = times.get(&(case.workload, case.library)) else {
            continue;
        };
        rows.push(Row {
            workload: case.workload,
            library: case.library,
            nanoseconds: Some(*nanoseconds),
            instructions: match instructions::count(index, case) {
                Ok(count) => Some(count),
                Err(error) => {
                    eprintln!("{} of {}: {error}", case.workload, case.library);
                    None
                }
            },
            allocations: case.allocations(),
        });
    }
    println!();
    report::print(&rows);
    report::print_held(&cycles::held().collect::<Vec<_>>());
}

/// Nanoseconds of one operation of each case that criterion was asked for, the quickest of what it saw: on a machine with other
/// work to do, the rest is that work.
fn time(cases: &mut [Case]) -> BTreeMap<(&'static str, &'static str), f64> {
    let mut criterion = Criterion::default()
        .sample_size(30)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(400))
        .without_plots()
        .configure_from_args();
    let mut times = BTreeMap::new();
    for case in cases {
        let mut best = f64::INFINITY;
        let mut group = criterion.benchmark_group(case.workload);
        group.throughput(Throughput::Elements(case.operations));
        if case.operations >= LONG_RUN {
            group.sample_size(10).sampling_mode(SamplingMode::Flat);
        }
        group.bench_function(BenchmarkId::from_parameter(case.library), |bencher| {
            bencher.iter_custom(|iterations| {
                let time = case.time(iterations);
                let operations = iterations * case.operations;
                best = best.min(time.as_nanos() as f64 / operations as f64);
                time
            });
        });
        group.finish();
        if best.is_finite() {
            times.insert((case.workload, case.library), best);
        }
    }
    criterion.final_summary();
    times
}
