//! What is tried again, how often, and when.

use super::*;

#[tokio::test(start_paused = true)]
async fn what_may_pass_is_tried_again_as_often_as_allowed_and_nothing_else_is() {
    use ErrorKind::*;
    for (kind, transient) in [
        (RateLimited, true),
        (Overloaded, true),
        (Server, true),
        (Network, true),
        (RequestTimeout, true),
        (Unreadable, true),
        (BadRequest, false),
        (BadKey, false),
        (UnknownModel, false),
        (Quota, false),
    ] {
        for max_retries in [0, 1, 5] {
            let fake = Fake::new(move |_| async move { failure(kind) });
            let limits = Limits {
                max_retries,
                ..limits(1)
            };
            let model = limited(&fake, limits, &Halt::default());
            let error = model.ask(&request()).await.unwrap_err();
            assert_eq!((error.kind, &*error.reason), (kind, "not now"));
            let retries = if transient { u64::from(max_retries) } else { 0 };
            let traffic = model.limiter.traffic();
            assert_eq!(fake.sent(), 1 + retries, "{kind:?}");
            assert_eq!((traffic.requests, traffic.retries), (1 + retries, retries));
            assert_eq!(traffic.failures, [(kind, 1 + retries)].into());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_after_failures_is_the_answer_and_they_cost_the_attempt_no_time() {
    let fake = Fake::new(|number| async move {
        pass(3.0).await;
        match number {
            0..4 => failure(ErrorKind::Server),
            _ => reply(),
        }
    });
    let model = limited(&fake, limits(1), &Halt::default());
    let request = request();
    let (clock, start) = (request.origin.clock(), Instant::now());
    let mark = clock.mark();
    let asking = model.ask(&request);
    let looking = async {
        // Within the first try, and within the wait after it, which the first retry's is.
        pass(1.0).await;
        assert!(!clock.is_waiting());
        pass(2.0).await;
        tokio::task::yield_now().await;
        assert!(clock.is_waiting());
    };
    let (answer, ()) = tokio::join!(asking, looking);
    assert_eq!(answer.unwrap().usage.output_tokens, 5);
    assert!(!clock.is_waiting());
    assert!(start.elapsed() > seconds_of(15));
    assert_eq!(clock.since(&mark), seconds_of(3), "the last try's");
}

#[test]
fn a_retry_waits_between_nothing_and_twice_as_long_as_the_one_before() {
    let limits = Limits::default();
    for (retry, most) in [
        (0, 0.5),
        (1, 1.0),
        (2, 2.0),
        (5, 16.0),
        (6, 30.0),
        (u32::MAX, 30.0),
    ] {
        let most = Duration::from_secs_f64(most);
        assert_eq!(limits.backoff(retry, 0.0), Duration::ZERO);
        assert_eq!(limits.backoff(retry, 0.5), most / 2);
        assert_eq!(limits.backoff(retry, 1.0), most);
    }
}

#[tokio::test(start_paused = true)]
async fn calls_that_failed_together_come_back_one_by_one() {
    let fake = Fake::new(|number| async move {
        match number {
            0..32 => failure(ErrorKind::Server),
            _ => reply(),
        }
    });
    // One round of failures: nobody is held up but by its own wait.
    let model = limited(&fake, limits(32), &Halt::default());
    let start = Instant::now();
    assert!(ask(&model, 32).await.iter().all(Result::is_ok));
    let mut waits: Vec<_> = fake.at()[32..].iter().map(|at| *at - start).collect();
    waits.sort();
    // The timer's millisecond is added to half a second at most.
    assert!(waits[31] <= Duration::from_millis(502), "{:?}", waits[31]);
    assert!(waits[31] - waits[0] > Duration::from_millis(250));
    let apart = waits.windows(2).filter(|two| two[0] < two[1]).count();
    assert!(apart > 20, "{apart} of 31 come back apart");
}

#[tokio::test(start_paused = true)]
async fn a_provider_s_own_time_counts_where_it_is_longer() {
    for (asked, least) in [(0, 0), (7, 7), (500, 500)] {
        let fake = Fake::new(move |number| async move {
            match number {
                0 => leave_alone(asked),
                _ => reply(),
            }
        });
        let model = limited(&fake, limits(4), &Halt::default());
        let start = Instant::now();
        model.ask(&request()).await.unwrap();
        // Half a second of our own, and up to a second to part the crowd.
        let waited = start.elapsed();
        assert!(waited >= seconds_of(least), "{asked}: {waited:?}");
        assert!(waited < seconds_of(least + 2), "{asked}: {waited:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn fewer_are_in_flight_after_overload_and_more_again_after_replies() {
    let fake = Fake::new(|number| async move {
        pass(1.0).await;
        match number {
            0..16 => failure(ErrorKind::Overloaded),
            _ => reply(),
        }
    });
    let model = limited(&fake, limits(16), &Halt::default());
    let start = Instant::now();
    assert!(ask(&model, 200).await.iter().all(Result::is_ok));
    let traffic = model.limiter.traffic();
    assert_eq!((traffic.requests, traffic.fewest_allowed), (216, 8));
    let at = fake.at();
    let sent = |from: f64, to: f64| {
        let within = |at: &&Instant| (from..to).contains(&(**at - start).as_secs_f64());
        at.iter().filter(within).count()
    };
    // One more after each eight, nine, … replies, which is about one a second.
    assert_eq!([sent(0.0, 0.5), sent(0.5, 1.5), sent(1.5, 2.5)], [16, 8, 9]);
    let last = (at[215] - start).as_secs_f64();
    assert!(
        sent(last - 1.5, last - 0.5) >= 15,
        "as wide as at the start"
    );
}

/// A provider that answers some requests at once and refuses the others: the width finds it.
#[tokio::test(start_paused = true)]
async fn a_provider_that_takes_few_at_once_gets_few() {
    let busy = Arc::new(AtomicU64::new(0));
    let fake = Fake::new(move |_| {
        let busy = Arc::clone(&busy);
        async move {
            if busy.fetch_add(1, Ordering::SeqCst) >= 10 {
                busy.fetch_sub(1, Ordering::SeqCst);
                return failure(ErrorKind::RateLimited);
            }
            pass(1.0).await;
            busy.fetch_sub(1, Ordering::SeqCst);
            reply()
        }
    });
    let limits = Limits {
        max_retries: 20,
        ..limits(64)
    };
    let model = limited(&fake, limits, &Halt::default());
    let start = Instant::now();
    assert!(ask(&model, 2000).await.iter().all(Result::is_ok));
    let traffic = model.limiter.traffic();
    assert_eq!(traffic.retries, traffic.failed());
    assert!(traffic.failed() < 400, "{} of 2000", traffic.failed());
    // 200 s would be ideal.
    assert!(start.elapsed() < seconds_of(300), "{:?}", start.elapsed());
}
