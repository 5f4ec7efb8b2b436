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
        let walk: Walk = script
            .parse()
            .unwrap_or_else(|error| panic!("SYNCLINE_WALK: {error}"));
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

/// Walks that once broke a promise, each with the promise.
const BROKEN_ONCE: [(&str, &str); 4] = [
    (
        "a Session that is lost leaves the Receive Maximum of the next connection whole",
        "auto automatic republish window=1 store=none seed=8588045060245418631: connect; pass 200; publish 2 0; pass 91; forget",
    ),
    (
        "a QoS 2 message that the caller has acknowledged does not come to the caller again",
        "3.1.1 manual republish window=2 store=none seed=0: connect; pass 500; deliver 1 0; deliver 2 0; pass 18; \
         acknowledge 71; restart",
    ),
    (
        "a 3.1.1 server does not take a new message for one that was given up with a disconnect",
        "3.1.1 manual republish window=2 store=none seed=0: connect; pass 56; deliver 1 0; publish 2 0; deliver 1 0; \
         acknowledge 0; disconnect 0; connect; publish 1 0",
    ),
    (
        "a deadline that has come is not shown again while the last bytes wait to be written",
        "3.1.1 automatic republish window=1 store=none seed=0: connect; pass 34; publish 0 1980; stall client 1; disconnect 0",
    ),
];

#[test]
fn walks_that_once_broke_a_promise_keep_it() {
    for (promise, script) in BROKEN_ONCE {
        println!("{promise}: SYNCLINE_WALK='{script}'");
        let walk: Walk = script.parse().unwrap();
        walk.run(false);
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
