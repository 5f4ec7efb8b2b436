//! The table at the end: each workload, each library, and how many times ours the others take.

use crate::case::OURS;
use crate::cycles::Held;

/// What was measured for one case.
pub struct Row {
    /// The work.
    pub workload: &'static str,
    /// The library.
    pub library: &'static str,
    /// Quickest time of one operation in nanoseconds.
    pub nanoseconds: Option<f64>,
    /// Instructions of one operation.
    pub instructions: Option<u64>,
    /// Allocations of one operation.
    pub allocations: f64,
}

/// Prints the rows, those of one workload together.
pub fn print(rows: &[Row]) {
    println!(
        "{:<42} {:<27} {:>10} {:>7} {:>12} {:>7} {:>7}",
        "work", "library", "time ns", "ours/it", "instructions", "ours/it", "allocs"
    );
    let mut previous = "";
    for row in rows {
        let ours = rows
            .iter()
            .find(|other| other.workload == row.workload && other.library == OURS);
        let ratio = |own: Option<f64>, theirs: Option<f64>| match (own, theirs) {
            (Some(own), Some(theirs)) if row.library != OURS => format!("{:.2}", own / theirs),
            _ => String::new(),
        };
        let instructions = |row: &Row| row.instructions.map(|count| count as f64);
        println!(
            "{:<42} {:<27} {:>10} {:>7} {:>12} {:>7} {:>7.1}",
            if row.workload == previous {
                ""
            } else {
                row.workload
            },
            row.library,
            row.nanoseconds
                .map_or_else(|| "-".into(), |time| format!("{time:.1}")),
            ratio(ours.and_then(|ours| ours.nanoseconds), row.nanoseconds),
            row.instructions
                .map_or_else(|| "-".into(), |count| count.to_string()),
            ratio(ours.and_then(instructions), instructions(row)),
            row.allocations,
        );
        previous = row.workload;
    }
}

/// Prints what an established connection holds in memory.
pub fn print_held(held: &[Held]) {
    println!(
        "\n{:<42} {:<27} {:>10}",
        "memory of a connection", "library", "bytes"
    );
    let print = |state: &str, bytes: &dyn Fn(&Held) -> i64| {
        for (index, held) in held.iter().enumerate() {
            let state = if index == 0 { state } else { "" };
            println!("{state:<42} {:<27} {:>10}", held.library, bytes(held));
        }
    };
    print("idle", &|held| held.idle);
    let windows = held.first().map_or(0, |held| held.quiet.len());
    for place in 0..windows {
        let state = format!("quiet after {} in flight", held[0].quiet[place].0);
        print(&state, &|held| held.quiet[place].1);
    }
}
