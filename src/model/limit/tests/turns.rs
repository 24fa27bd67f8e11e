//! Whose turn it is, and when.

use super::*;

#[tokio::test(start_paused = true)]
async fn no_more_are_in_flight_than_allowed_and_all_are_answered() {
    let fake = Fake::new(|_| async {
        pass(1.0).await;
        reply()
    });
    let model = limited(&fake, limits(8), &Halt::default());
    let start = Instant::now();
    let answers = ask(&model, 1000).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(start.elapsed(), seconds_of(125));
    let traffic = model.limiter.traffic();
    let expected = Traffic {
        requests: 1000,
        replies: 1000,
        retries: 0,
        failures: Default::default(),
        most_in_flight: 8,
        fewest_allowed: 8,
        // Eight wait for nothing, eight for a second, and so on.
        waited_ms: (0..125).sum::<u64>() * 8 * 1000,
        cost: None,
    };
    assert_eq!(traffic, expected);
}

#[tokio::test(start_paused = true)]
async fn turns_come_in_the_order_they_were_asked_for() {
    let limiter = Limiter::new(limits(3), Halt::default());
    let order = Arc::new(Mutex::new(Vec::new()));
    let mut calls = Vec::new();
    for number in 0..1000 {
        let (limiter, order) = (Arc::clone(&limiter), Arc::clone(&order));
        calls.push(tokio::spawn(async move {
            let _turn = limiter.turn(1).await.unwrap();
            order.lock().unwrap().push(number);
            pass(1.0).await;
        }));
        // Each asks before the next does.
        tokio::task::yield_now().await;
    }
    for call in calls {
        call.await.unwrap();
    }
    assert_eq!(*order.lock().unwrap(), (0..1000).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn whoever_gives_up_leaves_the_turn_to_the_next() {
    let limiter = Limiter::new(limits(1), Halt::default());
    let first = limiter.turn(1).await.unwrap();
    let waiting: Vec<_> = (0..4)
        .map(|_| {
            let limiter = Arc::clone(&limiter);
            tokio::spawn(async move { drop(limiter.turn(1).await.unwrap()) })
        })
        .collect();
    tokio::task::yield_now().await;
    // The front of the line, which is woken and gone before it looks, and one within.
    drop(first);
    waiting[0].abort();
    waiting[2].abort();
    for (number, call) in waiting.into_iter().enumerate() {
        assert_eq!(call.await.is_err(), number % 2 == 0, "{number}");
    }
    let _last = limiter.turn(1).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_dropped_or_panics_gives_its_place_back() {
    let fake = Fake::new(|number| async move {
        match number {
            0 => future::pending().await,
            1 => panic!("a defect"),
            _ => reply(),
        }
    });
    let model = limited(&fake, limits(1), &Halt::default());
    let request = request();
    let late = tokio::time::timeout(seconds_of(1), model.ask(&request)).await;
    assert!(late.is_err());
    let other = Arc::clone(&model);
    let broken = tokio::spawn(async move { other.ask(&super::request()).await }).await;
    assert!(broken.unwrap_err().is_panic());
    assert_eq!(model.ask(&request).await.unwrap().usage.input_tokens, 10);
    let traffic = model.limiter.traffic();
    assert_eq!((traffic.requests, traffic.replies), (3, 1));
}

#[tokio::test(start_paused = true)]
async fn requests_of_a_minute_are_spread_and_never_more_than_allowed() {
    for (a_minute, calls, seconds) in [(1, 3, 120), (30, 61, 120), (600, 1201, 120)] {
        let fake = Fake::new(|_| async { reply() });
        let limits = Limits {
            requests_per_minute: NonZeroU32::new(a_minute),
            ..limits(64)
        };
        let model = limited(&fake, limits, &Halt::default());
        let start = Instant::now();
        ask(&model, calls).await;
        let at = fake.at();
        assert!(most_in_a_minute(&at) <= a_minute as usize, "{a_minute}");
        let took = (at[calls - 1] - start).as_secs_f64();
        // All but nothing is lost to caution and to timers.
        let most = f64::from(seconds) * 1.005 + 0.01;
        assert!(
            (f64::from(seconds)..most).contains(&took),
            "{a_minute}: {took}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn requests_that_come_seldom_do_not_wait() {
    let fake = Fake::new(|_| async { reply() });
    let limits = Limits {
        requests_per_minute: NonZeroU32::new(60),
        ..limits(64)
    };
    let model = limited(&fake, limits, &Halt::default());
    for _ in 0..10 {
        ask(&model, 1).await;
        pass(1.1).await;
    }
    assert_eq!(model.limiter.traffic().waited_ms, 0);
    // The time without requests is not saved up.
    pass(600.0).await;
    let start = Instant::now();
    ask(&model, 3).await;
    assert!(start.elapsed() >= Duration::from_millis(1900));
}

#[tokio::test(start_paused = true)]
async fn tokens_of_a_minute_are_what_requests_came_to() {
    let fake = Fake::new(|_| async {
        pass(1.0).await;
        Answer {
            result: Ok(used(200, 50)),
            ..reply()
        }
    });
    // About 105 tokens are expected of each.
    let expected = limited(&fake, limits(1), &Halt::default()).expected(Size::of(&request()));
    assert_eq!(expected, 110);
    let limits = Limits {
        tokens_per_minute: NonZeroU64::new(1000),
        ..limits(4)
    };
    let model = limited(&fake, limits, &Halt::default());
    let start = Instant::now();
    ask(&model, 8).await;
    let at: Vec<_> = fake.at().iter().map(|at| (*at - start).as_secs()).collect();
    // Four fill the minute with 1000; the others wait until those are a minute old.
    assert_eq!(at, [0, 0, 0, 0, 60, 60, 60, 60]);
}

#[tokio::test(start_paused = true)]
async fn a_request_of_more_tokens_than_a_minute_has_waits_until_it_is_alone() {
    let limits = Limits {
        tokens_per_minute: NonZeroU64::new(100),
        ..limits(4)
    };
    let limiter = Limiter::new(limits, Halt::default());
    let start = Instant::now();
    for (tokens, at) in [(60, 0), (5000, 60), (1, 120)] {
        limiter.turn(tokens).await.unwrap();
        assert_eq!(start.elapsed(), seconds_of(at), "{tokens}");
    }
    // What a provider claims is bounded.
    let turn = limiter.turn(1).await.unwrap();
    turn.replied(Allowance::default(), u64::MAX, None);
    limiter.turn(u64::MAX).await.unwrap();
    assert_eq!(start.elapsed(), seconds_of(180));
}

#[tokio::test(start_paused = true)]
async fn what_a_provider_says_is_left_is_kept() {
    let allowance = |remaining, reset| Allowance {
        requests: Some(Left {
            remaining,
            reset: seconds_of(reset),
        }),
        tokens: None,
    };
    let tokens = |remaining, reset| Allowance {
        requests: None,
        tokens: allowance(remaining, reset).requests,
    };
    for (case, allowance, least, most) in [
        ("nothing said", Allowance::default(), 0.0, 0.0),
        ("plenty", allowance(100, 60), 0.0, 0.0),
        ("nothing left", allowance(0, 20), 20.0, 22.0),
        ("nothing left for an hour", allowance(0, 3600), 60.0, 62.0),
        ("nothing left until now", allowance(0, 0), 0.0, 0.0),
        // 20 s for five requests, give or take half.
        ("four left", allowance(4, 20), 2.0, 6.0),
        ("tokens for four", tokens(440, 20), 2.0, 6.0),
        ("tokens for less than one", tokens(109, 20), 20.0, 22.0),
        ("tokens for many", tokens(100_000, 20), 0.0, 0.0),
    ] {
        let limiter = Limiter::new(limits(4), Halt::default());
        let start = Instant::now();
        limiter
            .turn(110)
            .await
            .unwrap()
            .replied(allowance, 110, None);
        // What was said holds from the request after the next on.
        limiter.turn(110).await.unwrap();
        let spaced = start.elapsed();
        limiter.turn(110).await.unwrap();
        let waited = start.elapsed().max(spaced).as_secs_f64();
        assert!((least..=most).contains(&waited), "{case}: {waited}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_crowd_comes_back_one_by_one_after_a_pause() {
    let fake = Fake::new(|number| async move {
        pass(0.1).await;
        match number {
            0 => leave_alone(20),
            _ => reply(),
        }
    });
    let model = limited(&fake, limits(32), &Halt::default());
    let start = Instant::now();
    let first = ask(&model, 1);
    let others = async {
        pass(0.2).await;
        ask(&model, 31).await
    };
    let (first, others) = tokio::join!(first, others);
    assert!(first.iter().chain(&others).all(Result::is_ok));
    let mut at = fake.at();
    assert_eq!(at.remove(0), start);
    let paused = start + Duration::from_secs_f64(20.1);
    assert!(at.iter().all(|at| *at >= paused), "all wait");
    let spread = at[31 - 1] - at[0];
    assert!(spread > Duration::from_millis(300), "{spread:?}");
    let apart = at.windows(2).filter(|two| two[0] < two[1]).count();
    // The first sixteen: no more can be in flight at once after the failure.
    assert!(apart >= 12, "{apart} of 31 start apart");
    assert!(at[30] <= paused + seconds_of(4), "and nobody for long");
}

#[tokio::test(start_paused = true)]
async fn a_halt_ends_all_waiting_and_what_is_in_flight() {
    let fake = Fake::new(|number| async move {
        match number {
            0 => leave_alone(100),
            _ => future::pending().await,
        }
    });
    let halt = Halt::default();
    let one = limited(&fake, limits(2), &halt);
    // One backs off, two wait for the pause to end; at another account one is in flight.
    let other = limited(&Fake::new(|_| future::pending()), limits(1), &halt);
    let waiting = tokio::spawn({
        let (one, other) = (Arc::clone(&one), Arc::clone(&other));
        async move { tokio::join!(ask(&one, 3), ask(&other, 2)) }
    });
    pass(1.0).await;
    let stopped = Instant::now();
    halt.stop(Because::RunTimeout, "time is up");
    let (answers, others) = waiting.await.unwrap();
    assert_eq!(stopped.elapsed(), Duration::ZERO);
    for answer in answers.into_iter().chain(others) {
        let error = answer.unwrap_err();
        assert_eq!(
            (error.kind, &*error.reason),
            (ErrorKind::Halted, "time is up")
        );
    }
    let sent = (fake.sent(), one.ask(&request()).await.unwrap_err().kind);
    assert_eq!(sent, (1, ErrorKind::Halted), "and none is sent any more");
}
