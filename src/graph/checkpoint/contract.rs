//! What every checkpointer must do, as tests that each of them passes.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::join_all;
use jiff::Timestamp;
use serde_json::json;
use serde_json::value::to_raw_value;

use super::{
    Cause, Checkpoint, CheckpointError, Checkpointer, FORMAT, Interrupt, Status, TaskRecord,
};

/// Checks a checkpointer over an empty place. Run it on a runtime with several threads, or
/// the races are not real.
pub(crate) async fn check(checkpointer: Arc<dyn Checkpointer>) {
    nothing_is_known_of_a_thread_nobody_started(&*checkpointer).await;
    a_chain_comes_back_as_it_was_put(&*checkpointer).await;
    a_checkpoint_that_does_not_follow_is_refused(&*checkpointer).await;
    names_are_compared_exactly(&*checkpointer).await;
    of_writers_that_race_one_succeeds(checkpointer.clone()).await;
    threads_are_listed_by_name_and_status(&*checkpointer).await;
}

pub(crate) fn checkpoint(thread: &str, sequence: u64) -> Checkpoint {
    Checkpoint {
        format: FORMAT,
        thread: thread.to_owned(),
        sequence,
        step: sequence,
        since: 0,
        cause: Cause::Stepped,
        status: Status::Running,
        failure: None,
        state: to_raw_value(&json!({ "sequence": sequence }))
            .unwrap()
            .into(),
        next: vec!["node".to_owned()],
        interrupts: Vec::new(),
        answers: BTreeMap::new(),
        writes: BTreeMap::new(),
        tasks: BTreeMap::new(),
        runs: BTreeMap::new(),
        created_at: "2026-03-02T10:20:30.123456789Z".parse().unwrap(),
    }
}

/// A checkpoint with every part filled, with what storage is apt to spoil.
fn full(thread: &str, sequence: u64) -> Checkpoint {
    let awkward = json!({
        "z": "first: the order of keys is kept",
        "a": [u64::MAX, i64::MIN, 0.1, 1e300, null, true],
        "text": "\u{0} \u{1F4E7} e\u{301} \\ \" ' $1 %s \r\n",
        "": { "$key.with": "dots and dollars" },
        "long": "x".repeat(1 << 16),
    });
    Checkpoint {
        cause: Cause::Resumed {
            answers: BTreeMap::from([("id".to_owned(), awkward.clone())]),
        },
        status: Status::Interrupted,
        failure: Some("node `a/b` failed: \u{1F4A5}".to_owned()),
        state: to_raw_value(&awkward).unwrap().into(),
        next: vec!["outer/inner".to_owned(), "b".to_owned()],
        interrupts: vec![Interrupt::new(thread, 1, "outer/inner", 2, awkward.clone())],
        answers: BTreeMap::from([(
            "outer/inner".to_owned(),
            BTreeMap::from([(0, awkward.clone()), (11, json!(null))]),
        )]),
        writes: BTreeMap::from([("b".to_owned(), to_raw_value(&awkward).unwrap().into())]),
        tasks: BTreeMap::from([(
            "outer/inner".to_owned(),
            BTreeMap::from([
                ("a#2".to_owned(), TaskRecord::Started { key: None }),
                (
                    "b/c".to_owned(),
                    TaskRecord::Done(to_raw_value(&awkward).unwrap().into()),
                ),
            ]),
        )]),
        runs: BTreeMap::from([("outer/inner".to_owned(), 3)]),
        created_at: Timestamp::MAX,
        ..checkpoint(thread, sequence)
    }
}

fn is_conflict(result: &Result<(), CheckpointError>, thread: &str, sequence: u64) -> bool {
    matches!(result, Err(CheckpointError::Conflict { thread: t, sequence: s })
        if t == thread && *s == sequence)
}

async fn nothing_is_known_of_a_thread_nobody_started(checkpointer: &dyn Checkpointer) {
    assert!(checkpointer.latest("nobody").await.unwrap().is_none());
    assert!(checkpointer.history("nobody").await.unwrap().is_empty());
    assert!(checkpointer.list(None).await.unwrap().is_empty());
}

async fn a_chain_comes_back_as_it_was_put(checkpointer: &dyn Checkpointer) {
    // Past 10, an order by text would show.
    let chain: Vec<_> = (0..12).map(|sequence| full("chain", sequence)).collect();
    for (length, checkpoint) in chain.iter().enumerate() {
        checkpointer.put(checkpoint.clone()).await.unwrap();
        let latest = checkpointer.latest("chain").await.unwrap().unwrap();
        assert_eq!(latest.to_json(), checkpoint.to_json());
        assert_eq!(
            checkpointer.history("chain").await.unwrap().len(),
            length + 1
        );
    }
    let history = checkpointer.history("chain").await.unwrap();
    let put: Vec<_> = chain.iter().map(Checkpoint::to_json).collect();
    let got: Vec<_> = history.iter().map(Checkpoint::to_json).collect();
    assert!(put == got, "the history is the chain, oldest first");
}

async fn a_checkpoint_that_does_not_follow_is_refused(checkpointer: &dyn Checkpointer) {
    let thread = "followed";
    let refused = checkpointer.put(checkpoint(thread, 1)).await;
    assert!(
        is_conflict(&refused, thread, 1),
        "no beginning: {refused:?}"
    );
    assert!(checkpointer.latest(thread).await.unwrap().is_none());
    for sequence in 0..3 {
        checkpointer
            .put(checkpoint(thread, sequence))
            .await
            .unwrap();
    }
    for sequence in [0, 1, 2, 4, 100] {
        let mut other = checkpoint(thread, sequence);
        other.status = Status::Failed;
        let refused = checkpointer.put(other).await;
        assert!(
            is_conflict(&refused, thread, sequence),
            "{sequence}: {refused:?}"
        );
    }
    let history = checkpointer.history(thread).await.unwrap();
    let unchanged: Vec<_> = history
        .iter()
        .map(|kept| (kept.sequence, kept.status))
        .collect();
    let running = [0, 1, 2].map(|sequence| (sequence, Status::Running));
    assert_eq!(unchanged, running);
}

async fn names_are_compared_exactly(checkpointer: &dyn Checkpointer) {
    let names = [
        "n", "N", "n ", " n", "n/0", "n%", "n_", "\u{e9}", "e\u{301}", "'; --", "$n.x",
    ];
    for (step, name) in names.iter().enumerate() {
        let mut first = checkpoint(name, 0);
        first.step = step as u64;
        checkpointer.put(first).await.unwrap();
    }
    for (step, name) in names.iter().enumerate() {
        let chain = checkpointer.history(name).await.unwrap();
        let steps: Vec<_> = chain.iter().map(|kept| kept.step).collect();
        assert_eq!(steps, [step as u64], "{name:?}");
    }
}

async fn of_writers_that_race_one_succeeds(checkpointer: Arc<dyn Checkpointer>) {
    for sequence in 0..20 {
        let writers = (0..8).map(|writer| {
            let checkpointer = checkpointer.clone();
            tokio::spawn(async move {
                let mut checkpoint = checkpoint("race", sequence);
                checkpoint.since = writer;
                checkpointer.put(checkpoint).await
            })
        });
        let results: Vec<_> = join_all(writers).await;
        let results: Vec<_> = results.into_iter().map(Result::unwrap).collect();
        let winner = results
            .iter()
            .position(Result::is_ok)
            .expect("one succeeds");
        for (writer, result) in results.iter().enumerate() {
            assert!(
                writer == winner || is_conflict(result, "race", sequence),
                "{writer} after {winner}: {result:?}"
            );
        }
        let latest = checkpointer.latest("race").await.unwrap().unwrap();
        assert_eq!((latest.sequence, latest.since), (sequence, winner as u64));
    }
}

async fn threads_are_listed_by_name_and_status(checkpointer: &dyn Checkpointer) {
    let mut ended = checkpoint("ended", 0);
    ended.status = Status::Failed;
    checkpointer.put(ended.clone()).await.unwrap();
    let mut end = checkpoint("ended", 1);
    end.status = Status::Finished;
    checkpointer.put(end.clone()).await.unwrap();

    let all = checkpointer.list(None).await.unwrap();
    // By code point, whatever collation a database has.
    assert!(
        all.is_sorted_by(|a, b| a.thread < b.thread),
        "each thread once"
    );
    assert!(all.iter().any(|summary| summary.thread == "N"));
    let finished = checkpointer.list(Some(Status::Finished)).await.unwrap();
    assert_eq!(finished, [end.summary()]);
    let failed = checkpointer.list(Some(Status::Failed)).await.unwrap();
    assert_eq!(failed, [], "only the head counts");
    let interrupted = checkpointer.list(Some(Status::Interrupted)).await.unwrap();
    assert_eq!(interrupted, [full("chain", 11).summary()]);
}
