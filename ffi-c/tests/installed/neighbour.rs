//! Another library for C that was written in Rust, with a standard library and a panic of its own.

/// Returns 1 where a panic was caught.
#[unsafe(no_mangle)]
pub extern "C" fn neighbour_catches_a_panic() -> i32 {
    let caught = std::panic::catch_unwind(|| panic!("asked for by the test"));
    i32::from(caught.is_err())
}
