//! When asking on is pointless.

use super::*;

#[tokio::test(start_paused = true)]
async fn what_is_wrong_with_the_account_ends_the_run_with_one_error() {
    for (kind, because, reason) in [
        (
            ErrorKind::BadKey,
            Because::Key,
            "`openai:m` cannot be asked with this key: not now",
        ),
        (
            ErrorKind::UnknownModel,
            Because::Model,
            "`openai:m` is not to be found (are its name and its address right?): not now",
        ),
        (
            ErrorKind::Quota,
            Because::Quota,
            "the account of `openai:m` is used up: not now",
        ),
    ] {
        let fake = Fake::new(move |number| async move {
            match number {
                0..8 => reply(),
                8 => failure(kind),
                // In flight, or slower to say the same.
                _ => {
                    pass(1.0).await;
                    failure(kind)
                }
            }
        });
        let halt = Halt::default();
        let model = limited(&fake, limits(4), &halt);
        let start = Instant::now();
        let mut kinds = Vec::new();
        for answer in ask(&model, 40).await {
            kinds.extend(answer.err().map(|error| error.kind));
        }
        assert_eq!(start.elapsed(), Duration::ZERO, "{kind:?}");
        kinds.sort();
        assert_eq!(kinds.len(), 32);
        assert_eq!(kinds.iter().filter(|other| **other == kind).count(), 1);
        assert_eq!(kinds.last(), Some(&ErrorKind::Halted));
        let halted = halt.reason().unwrap();
        assert_eq!((halted.because, &*halted.reason), (because, reason));
        assert!(fake.sent() <= 12);
    }
}

/// How the run ended, after how many requests and how long, where requests fail from one
/// number on with an answer that takes a second.
async fn fails_from(first: u64, answer: fn() -> Answer, width: usize) -> (Halt, u64, Duration) {
    let fake = Fake::new(move |number| async move {
        pass(1.0).await;
        if number < first { reply() } else { answer() }
    });
    let halt = Halt::default();
    let model = limited(&fake, limits(width), &halt);
    let start = Instant::now();
    // As cases do: the next when one has ended.
    let one_by_one = (0..width).map(|_| {
        let (model, halt) = (Arc::clone(&model), halt.clone());
        tokio::spawn(async move {
            while halt.reason().is_none() {
                let _ = model.ask(&request()).await;
            }
        })
    });
    for done in one_by_one.collect::<Vec<_>>() {
        done.await.unwrap();
    }
    (halt, fake.sent(), start.elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_stays_down_is_given_up() {
    let words: [(fn() -> Answer, _); 4] = [
        (|| failure(ErrorKind::RateLimited), "it seems to be down"),
        (|| failure(ErrorKind::Server), "it seems to be down"),
        (|| leave_alone(2), "it seems to be down"),
        (
            || failure(ErrorKind::BadRequest),
            "it seems not to take such requests: look at the model's settings",
        ),
    ];
    for (answer, words) in words {
        for width in [1, 64] {
            let (halt, sent, took) = fails_from(100, answer, width).await;
            let Halted { because, reason } = halt.reason().unwrap();
            assert_eq!(*because, Because::CircuitOpen);
            let start = "`openai:m` failed 12 times in a row, for ";
            assert!(reason.starts_with(start), "{reason}");
            assert!(reason.contains(words), "{reason}");
            // Two rounds of all, between them one that comes too soon to count, and then one
            // request at a time.
            assert!(sent <= 100 + 3 * width as u64 + 10, "{sent} at {width}");
            assert!(took >= seconds_of(11), "{took:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_failures_is_one_round_and_a_reply_ends_the_count() {
    let fake = Fake::new(|number| async move {
        pass(1.0).await;
        // 64 at once, and later one after the other, but for one.
        match number {
            0..=74 | 76..=86 => failure(ErrorKind::Server),
            _ => reply(),
        }
    });
    let halt = Halt::default();
    let limits = Limits {
        max_retries: 0,
        ..limits(64)
    };
    let model = limited(&fake, limits, &halt);
    assert!(ask(&model, 64).await.iter().all(Result::is_err));
    for number in 64..100 {
        let answer = model.ask(&request()).await;
        assert_eq!(answer.is_ok(), number == 75 || number >= 87, "{number}");
    }
    assert_eq!(halt.reason(), None);
}

#[tokio::test(start_paused = true)]
async fn failures_in_quick_succession_are_not_an_outage_yet() {
    // As a server that starts anew: connections are refused at once.
    let up = Instant::now() + seconds_of(4);
    let fake = Fake::new(move |_| async move {
        match Instant::now() < up {
            true => failure(ErrorKind::Network),
            false => reply(),
        }
    });
    let halt = Halt::default();
    let model = limited(&fake, limits(64), &halt);
    let answers = ask(&model, 64).await;
    assert_eq!(halt.reason(), None);
    assert!(
        answers.iter().all(Result::is_ok),
        "none used its retries up"
    );
    // Those in flight at once and soon after, and then two a second.
    assert!(fake.sent() < 4 * 64, "{}", fake.sent());
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_wants_to_be_left_alone_for_long_ends_the_run() {
    for (pause, ends) in [(600, false), (601, true), (u64::MAX, true)] {
        let fake = Fake::new(move |number| async move {
            match number {
                0 => leave_alone(pause),
                _ => reply(),
            }
        });
        let halt = Halt::default();
        let model = limited(&fake, limits(4), &halt);
        assert_eq!(model.ask(&request()).await.is_err(), ends);
        let halted = halt.reason().map(|halted| halted.because);
        assert_eq!(halted, ends.then_some(Because::CircuitOpen));
        if pause == 601 {
            let expected = "`openai:m` asks to be left alone for 601 s, longer than a run waits (600 s): slow down";
            assert_eq!(halt.reason().unwrap().reason, expected);
        }
    }
}
