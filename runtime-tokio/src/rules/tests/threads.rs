//! The threads of the evaluators: what one evaluation does to the others.

use super::*;
use crate::rules::limits::{EVALUATOR_THREADS, EVALUATOR_THREADS_AT_MOST};

/// Takes seconds in a single step, at which no clock is looked at.
fn stuck() -> Evaluation {
    let items: Vec<String> = (0..30_000).map(|number: u32| number.to_string()).collect();
    evaluation("$count($distinct($))", &format!("[{}]", items.join(",")))
}

async fn value(evaluators: &Evaluators, source: &str) -> Result<Option<String>, Cause> {
    match evaluators.evaluate(evaluation(source, "1")).await? {
        Outcome::Value(value) => Ok(value.map(|value| value.as_str().to_owned())),
        Outcome::Truth(_) => panic!("no truth was asked for"),
    }
}

fn two() -> Result<Option<String>, Cause> {
    Ok(Some("2".to_owned()))
}

#[tokio::test]
async fn a_panic_leaves_the_threads_as_they_were() {
    // As the program does at its start: a report with a stack takes longer than an evaluation may.
    silence_panics();
    let evaluators = Evaluators::start().unwrap();
    for _ in 0..2 * EVALUATOR_THREADS {
        let panics = value(&evaluators, "$toMillis(\"201802\",\"[,*-][M01]\")").await;
        assert_eq!(panics, Err(Cause::Panicked));
        assert_eq!(value(&evaluators, "1 + $").await, two());
    }
    assert_eq!(evaluators.threads(), EVALUATOR_THREADS);
}

#[tokio::test]
async fn a_truth_is_what_a_filter_asks_for() {
    let evaluators = Evaluators::start().unwrap();
    let mut question = evaluation("$ > 0", "1");
    question.question = Question::Truth;
    assert_eq!(evaluators.evaluate(question).await, Ok(Outcome::Truth(true)));
}

#[tokio::test]
async fn an_evaluation_that_is_stuck_in_one_step_fails_at_its_limit_and_holds_up_no_other() {
    let evaluators = Evaluators::start().unwrap();
    let mut waiting = Vec::new();
    for _ in 0..EVALUATOR_THREADS_AT_MOST - 1 {
        let evaluators = evaluators.clone();
        waiting.push(tokio::spawn(async move { evaluators.evaluate(stuck()).await }));
    }
    for stuck in waiting {
        assert_eq!(stuck.await.unwrap(), Err(Cause::TimeLimit));
    }
    assert_eq!(evaluators.stuck(), EVALUATOR_THREADS_AT_MOST - 1);
    assert_eq!(value(&evaluators, "1 + $").await, two());
    assert!(evaluators.threads() <= EVALUATOR_THREADS_AT_MOST);
}

#[tokio::test]
async fn threads_end_with_the_last_clone() {
    let evaluators = Evaluators::start().unwrap();
    let clone = evaluators.clone();
    assert_eq!(value(&clone, "1 + $").await, two());
    let have_ended = evaluators.have_ended();
    drop((evaluators, clone));
    let deadline = std::time::Instant::now() + PATIENCE;
    while !have_ended() {
        assert!(std::time::Instant::now() < deadline, "a thread goes on");
        std::thread::yield_now();
    }
}
