//! A global allocator that counts, for each thread by itself: tests that run side by side do not disturb one another.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static LIVE_BYTES: Cell<i64> = const { Cell::new(0) };
}

/// The system's allocator, with every allocation and reallocation counted.
pub struct Counting;

// SAFETY: every call is passed on unchanged to the system's allocator, which keeps the contract. Counting allocates
// nothing: the counters are constants of a thread's storage that nobody has to drop.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(1, layout.size(), 0);
        // SAFETY: the caller keeps the contract of `alloc`, which is that of the system's allocator.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        note(0, 0, layout.size());
        // SAFETY: `block` came from `alloc` above, and so from the system's allocator, with this layout.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        note(1, new_size, layout.size());
        // SAFETY: as for `dealloc`; the caller keeps the contract about `new_size`.
        unsafe { System.realloc(block, layout, new_size) }
    }
}

fn note(allocations: u64, taken: usize, given_back: usize) {
    ALLOCATIONS.set(ALLOCATIONS.get() + allocations);
    LIVE_BYTES.set(LIVE_BYTES.get() + taken as i64 - given_back as i64);
}

/// Allocations of this thread since its start.
#[must_use]
pub fn count() -> u64 {
    ALLOCATIONS.get()
}

/// Bytes that this thread has allocated and not given back; negative where it gave back what others had allocated.
#[must_use]
pub fn live_bytes() -> i64 {
    LIVE_BYTES.get()
}
