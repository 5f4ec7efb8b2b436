//! Random walks of operations, faults and restarts: the session keeps every promise of the reference model, and comes to
//! rest once nothing fails any more.
//!
//! `SYNCLINE_WALKS=100000` walks more often. A failure prints the shortest script that shows it;
//! `SYNCLINE_WALK='SCRIPT'` runs that script alone and prints every event.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
use syncline_core::rng::Rng;
use syncline_tests::walk::{Walk, any_walk};

const WALKS: u32 = 10_000;
const LONGEST: usize = 60;

/// Runs `check` on so many walks of a fixed seed, or on the one script that the environment asks for.
fn walk(walks: u32, seed: u8, check: impl Fn(&Walk)) {
    if let Ok(script) = std::env::var("SYNCLINE_WALK") {
        let walk: Walk = script.parse().unwrap_or_else(|error| panic!("SYNCLINE_WALK: {error}"));
        walk.run(true);
        return check(&walk);
    }
    let cases = std::env::var("SYNCLINE_WALKS").map_or(walks, |text| {
        text.parse().expect("SYNCLINE_WALKS is a number of walks")
    });
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let seed = Rng::from_seed([seed; 32]).derive_seed();
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    let outcome = runner.run(&any_walk(LONGEST), |walk| {
        check(&walk);
        Ok(())
    });
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(reason, walk)) => {
            panic!("{reason}\nseed {seed:02x?}; to see it happen:\nSYNCLINE_WALK='{walk}'\n")
        }
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
}

#[test]
fn a_session_keeps_its_promises_on_every_walk() {
    walk(WALKS, 1, |walk| {
        walk.run(false);
    });
}

#[test]
fn the_same_walk_twice_gives_the_same_bytes_and_outputs() {
    walk(WALKS / 20, 2, |walk| assert_eq!(walk.run(false), walk.run(false)));
}

proptest! {
    #[test]
    fn a_script_reads_back_as_the_walk_that_printed_it(walk in any_walk(LONGEST)) {
        prop_assert_eq!(walk.to_string().parse::<Walk>(), Ok(walk));
    }
}
