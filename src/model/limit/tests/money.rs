//! What calls cost, and that no more is spent than allowed.

use proptest::prelude::*;

use super::*;
use crate::run::Cost;

/// A dollar for a million tokens, and ten for those of replies.
fn price() -> Price {
    serde_json::from_str(r#"{"input": 1, "output": 10}"#).unwrap()
}

fn paid(fake: &Arc<Fake>, width: usize, budget: &Arc<Budget>, halt: &Halt) -> Arc<Limited> {
    let limiter = Limiter::new(limits(width), halt.clone());
    let provider = Arc::clone(fake) as Arc<dyn Provider>;
    let budget = Some(Arc::clone(budget));
    Arc::new(Limited::new(
        provider,
        limiter,
        Some(price()),
        Some(100),
        budget,
    ))
}

fn millionths(millionths: u64) -> Cost {
    Cost::of_trillionths(millionths * 1_000_000)
}

/// Of [`request`], with a reply of 100 tokens.
fn worst() -> Cost {
    price().most(Size::of(&request()).most_tokens(), 100)
}

#[test]
fn the_most_a_request_can_have_is_all_its_bytes() {
    let small = Size::of(&request()).most_tokens();
    let mut long = request();
    long.messages[0].content = "ü€𝄞".to_owned();
    let bytes = 2 + 3 + 4 - "Hello".len() as u64;
    assert_eq!(Size::of(&long).most_tokens(), small + bytes);
    long.messages[0].tool_calls = vec![crate::message::ToolCall {
        id: "c".to_owned(),
        name: "done".to_owned(),
        arguments: serde_json::json!({ "a": [1] }),
    }];
    let call = "c".len() + "done".len() + r#"{"a":[1]}"#.len();
    assert_eq!(Size::of(&long).most_tokens(), small + bytes + call as u64);
    let spec = crate::message::ToolSpec {
        name: "done".to_owned(),
        description: "Ends.".to_owned(),
        parameters: serde_json::json!({}),
    };
    let tools = serde_json::to_string(&spec).unwrap().len() as u64;
    let with_tools = Request {
        prompt: Prompt::new("Be brief.".to_owned(), vec![spec]),
        ..request()
    };
    assert_eq!(Size::of(&with_tools).most_tokens(), small + tools);
    let schema = crate::model::OutputSchema {
        name: "answer".to_owned(),
        schema: serde_json::json!({ "type": "object" }),
    };
    let with_schema = Request {
        output: Some(Arc::new(schema)),
        ..request()
    };
    let bytes = "answer".len() + r#"{"type":"object"}"#.len();
    assert_eq!(Size::of(&with_schema).most_tokens(), small + bytes as u64);
}

#[tokio::test(start_paused = true)]
async fn a_reply_says_what_it_cost_where_that_is_known() {
    let free = Some(Price::FREE);
    for (case, price, usage, cost) in [
        ("priced", Some(price()), (10, 5), Some(millionths(60))),
        ("without a price", None, (10, 5), None),
        ("tokens not counted", Some(price()), (0, 0), None),
        ("free", free, (10, 5), Some(Cost::ZERO)),
        ("free and not counted", free, (0, 0), Some(Cost::ZERO)),
    ] {
        let fake = Fake::new(move |_| async move {
            Answer {
                result: Ok(used(usage.0, usage.1)),
                ..reply()
            }
        });
        let limiter = Limiter::new(limits(1), Halt::default());
        let model = Limited::new(fake, limiter, price, None, None);
        let reply = model.ask(&request()).await.unwrap();
        assert_eq!(reply.usage.cost, cost, "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_try_costs_what_its_provider_may_ask_for_it() {
    use ErrorKind::{
        BadRequest, Network, Overloaded, RateLimited, RequestTimeout, Server, Unreadable,
    };
    let most = worst();
    for (first, spent) in [
        (reply(), millionths(60)),
        (
            Answer {
                result: Ok(used(0, 0)),
                ..reply()
            },
            most,
        ),
        (failure(RateLimited), millionths(60)),
        (failure(Overloaded), millionths(60)),
        (failure(Server), millionths(60)),
        (failure(BadRequest), Cost::ZERO),
        (failure(Network), most.plus(millionths(60))),
        (failure(RequestTimeout), most.plus(millionths(60))),
        (failure(Unreadable), most.plus(millionths(60))),
    ] {
        let case = format!("{:?}", first.result);
        let fake = Fake::new(move |number| {
            let answer = if number == 0 { first.clone() } else { reply() };
            async { answer }
        });
        let budget = Budget::new(millionths(1_000_000), Cost::ZERO);
        let model = paid(&fake, 4, &budget, &Halt::default());
        let _ = model.ask(&request()).await;
        assert_eq!(budget.spent(), spent, "{case}");
    }
    // Nobody saw the answer of a call that was dropped.
    let budget = Budget::new(millionths(1_000_000), Cost::ZERO);
    let model = paid(
        &Fake::new(|_| future::pending()),
        4,
        &budget,
        &Halt::default(),
    );
    let late = tokio::time::timeout(seconds_of(1), ask(&model, 1)).await;
    assert!(late.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_does_not_fit_waits_for_others_and_then_ends_the_run() {
    // Each could cost about twenty times as much as it does.
    let fake = Fake::new(|_| async {
        pass(1.0).await;
        reply()
    });
    let most = worst().trillionths();
    let limit = Cost::of_trillionths(most * 2 + most / 2);
    let budget = Budget::new(limit, Cost::ZERO);
    let halt = Halt::default();
    let model = paid(&fake, 64, &budget, &halt);
    let answers = ask(&model, 64).await;
    let answered = answers.iter().filter(|answer| answer.is_ok()).count() as u64;
    // As many as fit one after the other, although two at most were ever in flight.
    let cost = millionths(60).trillionths();
    assert_eq!(answered, (limit.trillionths() - most) / cost + 1);
    assert_eq!(budget.spent().trillionths(), answered * cost);
    let kinds: std::collections::BTreeMap<_, usize> = answers
        .iter()
        .filter_map(|answer| answer.as_ref().err())
        .fold(Default::default(), |mut kinds, error| {
            *kinds.entry(error.kind).or_default() += 1;
            kinds
        });
    let others = 64 - answered as usize;
    assert_eq!(kinds.values().sum::<usize>(), others);
    assert!(kinds.contains_key(&ErrorKind::Budget), "{kinds:?}");
    let halted = halt.reason().unwrap();
    assert_eq!(halted.because, Because::Budget);
    assert!(
        halted
            .reason
            .starts_with("the next call of `openai:m` could cost 0.00")
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_in_flight_when_the_budget_is_gone_is_paid_for_and_answered() {
    let fake = Fake::new(|_| async {
        pass(1.0).await;
        reply()
    });
    let budget = Budget::new(worst(), Cost::ZERO);
    let halt = Halt::default();
    let model = paid(&fake, 4, &budget, &halt);
    let asking = tokio::spawn({
        let model = Arc::clone(&model);
        async move { ask(&model, 1).await }
    });
    pass(0.5).await;
    halt.stop(Because::Budget, "another model's call did not fit");
    assert!(asking.await.unwrap()[0].is_ok());
    assert_eq!(budget.spent(), millionths(60));
}

#[test]
#[should_panic(expected = "a budget is for models of a known price")]
fn a_model_without_a_price_has_no_budget() {
    let limiter = Limiter::new(Limits::default(), Halt::default());
    let budget = Budget::new(Cost::ZERO, Cost::ZERO);
    let fake = Fake::new(|_| async { reply() });
    Limited::new(fake, limiter, None, Some(100), Some(budget));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn no_more_is_ever_asked_for_than_the_budget_whatever_happens(
        limit in 0u64..20_000,
        calls in prop::collection::vec((0u64..1000, 0u64..=100, 0u8..10, 0u64..50), 64..65),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            // What the provider puts on the bill, replies and lost answers alike.
            let bill = Arc::new(AtomicU64::new(0));
            let (budget, halt) = (Budget::new(millionths(limit), Cost::ZERO), Halt::default());
            let (billed, within) = (Arc::clone(&bill), Arc::clone(&budget));
            let fake = Fake::new(move |number| {
                let (input, output, end, tenths) = calls[number as usize % calls.len()];
                let (billed, within) = (Arc::clone(&billed), Arc::clone(&within));
                async move {
                    let refused = matches!(end, 0 | 1);
                    let reply = used(input, output);
                    let cost = price().cost(&reply.usage).trillionths();
                    if !refused {
                        billed.fetch_add(cost, Ordering::SeqCst);
                    }
                    let bill = billed.load(Ordering::SeqCst);
                    assert!(bill <= within.limit().trillionths(), "{bill}");
                    pass(tenths as f64 / 10.0).await;
                    match end {
                        0 => failure(ErrorKind::RateLimited),
                        1 => failure(ErrorKind::Server),
                        2 => failure(ErrorKind::RequestTimeout),
                        3 => failure(ErrorKind::Network),
                        _ => Answer { result: Ok(reply), ..super::reply() },
                    }
                }
            });
            let model = paid(&fake, 64, &budget, &halt);
            let answers = ask(&model, 200).await;
            let spent = budget.spent();
            assert!(spent <= budget.limit());
            assert!(bill.load(Ordering::SeqCst) <= spent.trillionths());
            let over = answers.iter().flat_map(|answer| answer.as_ref().err());
            let over = over.filter(|error| error.kind == ErrorKind::Budget).count();
            assert_eq!(over > 0, halt.reason().is_some_and(|halted| halted.because == Because::Budget));
        });
    }
}
