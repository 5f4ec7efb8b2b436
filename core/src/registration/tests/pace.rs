//! How long each wait lasts.

use super::*;

/// The waits that follow the same answer again and again.
fn waits(status: u16, retry_after: Option<&str>, rounds: usize) -> Vec<Duration> {
    let mut bench = Bench::asking(Mode::Rest);
    (0..rounds)
        .map(|_| {
            bench.answer_with(status, retry_after, "");
            assert_eq!(bench.registration.state(), State::AwaitRetry);
            let waited = bench.pass();
            bench.take();
            waited
        })
        .collect()
}

fn within(waits: &[Duration], from_ms: u64, to_ms: u64) {
    let range = Duration::from_millis(from_ms)..=Duration::from_millis(to_ms);
    assert!(waits.iter().all(|wait| range.contains(wait)), "{waits:?}");
    let (least, most) = (waits.iter().min().unwrap(), waits.iter().max().unwrap());
    let width = Duration::from_millis(to_ms - from_ms);
    assert!(*most - *least > width / 2, "the jitter is narrow: {waits:?}");
}

#[test]
fn what_somebody_has_to_do_is_asked_for_every_five_seconds_give_or_take_a_fifth() {
    for status in [423, 202] {
        within(&waits(status, None, 50), 4_000, 6_000);
    }
}

#[test]
fn what_waiting_alone_does_not_mend_is_asked_for_every_minute() {
    for status in [409, 401, 403] {
        within(&waits(status, None, 50), 48_000, 72_000);
    }
}

#[test]
fn failures_back_off_from_one_second_to_sixty_with_full_jitter() {
    for status in [500, 503, 429, 404, 301] {
        let waits = waits(status, None, 60);
        for (round, wait) in waits.iter().enumerate() {
            let ceiling = Duration::from_secs(60).min(Duration::from_secs(1 << round.min(10)));
            assert!(
                *wait <= ceiling && *wait >= BACK_OFF_SHORTEST,
                "{status}, round {round}: {wait:?}"
            );
        }
        within(&waits[6..], 0, 60_000);
    }
}

#[test]
fn an_answer_that_shows_a_sound_registry_starts_the_back_off_afresh() {
    let mut bench = Bench::asking(Mode::Rest);
    for _ in 0..10 {
        bench.answer(500, "");
        bench.pass();
    }
    bench.answer(423, "");
    bench.pass();
    bench.answer(500, "");
    assert!(bench.pass() <= BACK_OFF_FIRST);
}

#[test]
fn retry_after_is_honoured_within_bounds() {
    // At least as long as asked for, at most a fifth longer.
    within(&waits(202, Some("30"), 50), 30_000, 36_000);
    within(
        &waits(423, Some("Sun, 22 Nov 2026 02:00:20 GMT"), 50),
        20_000,
        24_000,
    );
    within(&waits(202, Some("1"), 50), 1_000, 1_200);
    within(&waits(202, Some("0"), 50), 1_000, 1_200);
    within(&waits(202, Some("86400"), 50), 600_000, 720_000);
    within(&waits(503, Some("120"), 50), 120_000, 144_000);
    within(&waits(202, Some("soon"), 50), 4_000, 6_000);
    // It does not make a slow wait short.
    within(&waits(409, Some("1"), 50), 48_000, 72_000);
}

#[test]
fn a_request_without_an_answer_is_given_up_after_its_time() {
    let mut bench = Bench::asking(Mode::Rest);
    assert_eq!(bench.pass(), REGISTRY_TIMEOUT);
    let [Output::Delayed(delay)] = bench.outputs() else {
        panic!("an unanswered request does not delay");
    };
    assert_eq!(delay.obstacle, Obstacle::NoAnswer(Failure::TimedOut));
}
