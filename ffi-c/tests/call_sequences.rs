//! Sequences of calls that nobody would write: the fuzzer's seeds, and random ones of every run.

mod calls;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use syncline_ffi::OutputKind;

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn the_seeds_of_the_fuzzer_keep_the_promises_of_the_interface() {
    let mut seen = BTreeSet::new();
    for seed in std::fs::read_dir(workspace().join("fuzz/seeds/c_calls")).unwrap() {
        seen.extend(calls::check(&std::fs::read(seed.unwrap().path()).unwrap()));
    }
    // Or they have ceased to lead anywhere.
    for kind in [
        OutputKind::Connected,
        OutputKind::Disconnected,
        OutputKind::Message,
        OutputKind::Completed,
        OutputKind::NodeChanged,
        OutputKind::TransactionEnded,
    ] {
        assert!(seen.contains(&(kind as u32)), "no seed leads to {kind:?}");
    }
}

#[test]
fn random_calls_keep_the_promises_of_the_interface() {
    let start = std::fs::read(workspace().join("fuzz/seeds/c_calls/connected_3_1_1")).unwrap();
    for seed in 0..4_000 {
        let mut numbers = Numbers(seed);
        // Half of the walks begin where most is possible.
        let mut input = if seed % 2 == 0 { start.clone() } else { Vec::new() };
        input.extend((0..600).map(|_| numbers.byte()));
        calls::check(&input);
    }
}

#[test]
fn the_walk_knows_every_export() {
    let header = std::fs::read_to_string(workspace().join("ffi-c/include/syncline.h")).unwrap();
    let folder = workspace().join("ffi-c/tests/calls");
    let sources: String = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap())
        .collect();
    let code: String = header
        .split("/*")
        .map(|part| part.split_once("*/").map_or(part, |(_, code)| code))
        .collect();
    let mut exports = 0;
    for declaration in code.split(';').filter(|code| code.ends_with(')')) {
        let (head, _) = declaration.split_once('(').unwrap();
        let name = head.rsplit([' ', '*', '\n']).next().unwrap();
        assert!(sources.contains(name), "ffi-c/tests/calls does not call {name}");
        exports += 1;
    }
    assert!(exports > 100, "found {exports} exports: the search is broken");
}

/// SplitMix64: the same walks in every run.
struct Numbers(u64);

impl Numbers {
    fn byte(&mut self) -> u8 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed >> 56) as u8
    }
}
