//! The codec and the session beside their peers: the same work, counted in time, instructions and allocations.

pub mod allocations;
pub mod case;
pub mod codec;
pub mod cycles;
pub mod instructions;
pub mod report;
pub mod workload;

/// Every comparison, in the order of the report.
#[must_use]
pub fn cases() -> Vec<case::Case> {
    let mut cases = codec::cases();
    cases.extend(cycles::cases());
    cases
}
