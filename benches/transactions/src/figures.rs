//! From measurements to tables: medians, ratios within a round, and rows in Markdown.

use std::fmt::Write as _;
use std::time::Duration;

/// What one stretch of load has seen.
#[derive(Debug, Default)]
pub struct Measured {
    /// How long each transaction took, in order of size.
    pub latencies: Vec<Duration>,
    /// How long the load lasted.
    pub elapsed: Duration,
}

/// One program's measurement under one load.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// Transactions in a second.
    pub per_second: f64,
    /// Half of them took longer, in microseconds.
    pub p50: f64,
    /// One in a hundred took longer, in microseconds.
    pub p99: f64,
    /// Processor time of one, in microseconds.
    pub cpu: f64,
}

impl Sample {
    /// Of a stretch with one transaction at least, in which the program used `cpu`.
    ///
    /// # Panics
    /// When there was none.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    pub fn new(measured: &Measured, cpu: Duration) -> Self {
        let count = measured.latencies.len();
        let micros = |share: usize| measured.latencies[(count - 1) * share / 100].as_secs_f64() * 1e6;
        Self {
            per_second: count as f64 / measured.elapsed.as_secs_f64(),
            p50: micros(50),
            p99: micros(99),
            cpu: cpu.as_secs_f64() * 1e6 / count as f64,
        }
    }

    /// Of each figure the median.
    ///
    /// # Panics
    /// When there are no samples.
    #[must_use]
    pub fn medians(samples: &[Self]) -> Self {
        let median = |figure: fn(&Self) -> f64| median(samples.iter().map(figure).collect());
        Self {
            per_second: median(|sample| sample.per_second),
            p50: median(|sample| sample.p50),
            p99: median(|sample| sample.p99),
            cpu: median(|sample| sample.cpu),
        }
    }
}

/// The one in the middle.
///
/// # Panics
/// When there are no figures.
#[must_use]
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// The median of what each round says: what else the machine does changes from round to round, and less within one.
///
/// # Panics
/// When there are no samples.
#[must_use]
pub fn ratio(ours: &[Sample], its: &[Sample], figure: fn(&Sample) -> f64) -> f64 {
    let ratios = ours.iter().zip(its).map(|(ours, its)| figure(ours) / figure(its));
    median(ratios.collect())
}

/// Millions of bytes.
#[must_use]
#[allow(clippy::cast_precision_loss, reason = "memory is far below 2^53 bytes")]
pub fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// Appends one row of a table in Markdown.
pub fn row(table: &mut String, cells: &[String]) {
    for cell in cells {
        // Writing to a string cannot fail.
        let _ = write!(table, "| {cell} ");
    }
    table.push_str("|\n");
}

/// A table's two first rows: names of columns, of which all but the first hold figures.
#[must_use]
pub fn head(columns: &[&str]) -> String {
    let mut table = String::new();
    row(
        &mut table,
        &columns.iter().copied().map(str::to_owned).collect::<Vec<_>>(),
    );
    let align = |index| if index == 0 { "---" } else { "---:" };
    row(
        &mut table,
        &(0..columns.len())
            .map(align)
            .map(str::to_owned)
            .collect::<Vec<_>>(),
    );
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(figure: f64, p50: f64) -> Sample {
        Sample {
            per_second: figure,
            p50,
            p99: figure,
            cpu: figure,
        }
    }

    #[test]
    fn programs_are_compared_round_by_round() {
        let ours = [sample(1.0, 0.0), sample(30.0, 0.0), sample(2.0, 0.0)];
        let its = [sample(2.0, 0.0), sample(60.0, 0.0), sample(1.0, 0.0)];
        assert!((ratio(&ours, &its, |sample| sample.cpu) - 0.5).abs() < 1e-9);
    }

    #[test]
    fn each_figure_has_its_own_median() {
        let median = Sample::medians(&[sample(3.0, 1.0), sample(1.0, 9.0), sample(2.0, 5.0)]);
        assert_eq!((median.per_second, median.p50), (2.0, 5.0));
    }

    #[test]
    fn percentiles_are_of_the_sorted_latencies() {
        let measured = Measured {
            latencies: (1..=101).map(Duration::from_micros).collect(),
            elapsed: Duration::from_secs(1),
        };
        let sample = Sample::new(&measured, Duration::from_micros(202));
        assert_eq!((sample.p50, sample.p99, sample.cpu), (51.0, 100.0, 2.0));
    }

    #[test]
    fn columns_of_figures_are_aligned_to_the_right() {
        assert_eq!(
            head(&["name", "a", "b"]),
            "| name | a | b |\n| --- | ---: | ---: |\n"
        );
    }
}
