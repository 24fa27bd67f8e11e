use proptest::prelude::*;

use super::*;

fn price(yaml: &str) -> Price {
    read(yaml).unwrap_or_else(|error| panic!("{yaml}: {error}"))
}

fn tokens(input_tokens: u64, cached_input_tokens: u64, output_tokens: u64) -> TokenUsage {
    TokenUsage {
        input_tokens,
        cached_input_tokens,
        output_tokens,
        cost: None,
    }
}

#[test]
fn a_decimal_price_is_kept_exactly() {
    for (usd, kept) in [
        (0.0, 0),
        (0.075, 75_000),
        (0.1, 100_000),
        (2.5, 2_500_000),
        (0.000001, 1),
        (9999.999999, 9_999_999_999),
    ] {
        assert_eq!(trillionths(usd), Ok(kept), "{usd}");
    }
}

#[test]
fn a_price_is_refused_where_it_cannot_be_meant() {
    for (written, word) in [
        ("{ input: -1, output: 1 }", "from 0 to 10000"),
        ("{ input: .nan, output: 1 }", "from 0 to 10000"),
        ("{ input: .inf, output: 1 }", "from 0 to 10000"),
        ("{ input: 1, output: 10001 }", "from 0 to 10000"),
        ("{ input: 0.0750001, output: 1 }", "at most 6 decimals"),
        ("{ input: 1e-7, output: 1 }", "at most 6 decimals"),
        ("{ input: 1, output: 1, cached_input: -0.1 }", "from 0"),
        ("{ input: 1 }", "output"),
        ("{ input: 1, output: 1, ouput: 1 }", "ouput"),
        (
            "{ input: 1, output: 1, long_prompt: { above: 0, input: 1, output: 1 } }",
            "at least 1",
        ),
        ("{ input: cheap, output: 1 }", "cheap"),
    ] {
        let error = read::<Price>(written).expect_err(written);
        assert!(error.to_string().contains(word), "{written}: {error}");
    }
}

#[test]
fn cached_tokens_cost_their_price_or_that_of_others() {
    let with = price("{ input: 2.5, cached_input: 1.25, output: 10 }");
    let without = price("{ input: 2.5, output: 10 }");
    for (price, usage, trillionths) in [
        (with, tokens(1000, 0, 100), 2_500_000_000 + 1_000_000_000),
        (
            with,
            tokens(1000, 400, 0),
            600 * 2_500_000 + 400 * 1_250_000,
        ),
        (without, tokens(1000, 400, 0), 1000 * 2_500_000),
        // More cached than sent cannot be; it is not paid twice.
        (with, tokens(10, 40, 0), 10 * 1_250_000),
        // What may have been put into a cache is priced as if it was.
        (
            price("{ input: 2, cached_input: 0.5, cache_write: 2.5, output: 1 }"),
            tokens(1000, 400, 0),
            600 * 2_500_000 + 400 * 500_000,
        ),
        (Price::FREE, tokens(u64::MAX, 0, u64::MAX), 0),
    ] {
        assert_eq!(price.cost(&usage).trillionths(), trillionths, "{usage:?}");
    }
}

#[test]
fn a_long_prompt_changes_the_price_of_every_token() {
    let price = price(
        "{ input: 1, output: 10, long_prompt: { above: 200, input: 2, cached_input: 0.5, output: 15 } }",
    );
    for (usage, millionths) in [
        (tokens(200, 100, 1), 200 + 10),
        (tokens(201, 100, 1), 101 * 2 + 50 + 15),
    ] {
        let found = price.cost(&usage).trillionths();
        assert_eq!(found, millionths * 1_000_000, "{usage:?}");
    }
    assert_eq!(price.most(200, 1).trillionths(), 210_000_000);
    assert_eq!(price.most(201, 1).trillionths(), 417_000_000);
}

#[test]
fn no_number_of_tokens_overflows_or_leaves_what_a_journal_reads() {
    let price = price("{ input: 10000, output: 10000 }");
    let most = price.cost(&tokens(u64::MAX, 0, u64::MAX));
    assert_eq!(Cost::try_from(most.usd()), Ok(most));
    let more = most.plus(most);
    assert_eq!(Cost::try_from(more.usd()), Ok(more));
}

#[test]
fn a_model_has_the_price_that_names_it_best() {
    let stated: Table = read(
        "
        'openai:gpt-4o': { input: 1, output: 1 }
        'openai:mine-*': { input: 2, output: 2 }
        'openai:mine-large-*': { input: 3, output: 3 }
        'openai:mine-large-x': { input: 4, output: 4 }
        'ollama:*': { input: 0, output: 0 }
        ",
    )
    .unwrap();
    let prices = Prices::with(stated);
    let published = Prices::embedded();
    let dollars = |prices: &Prices, name: &str| {
        let price = prices.of(name)?;
        Some(price.cost(&tokens(1_000_000, 0, 0)).usd())
    };
    for (name, stated, embedded) in [
        ("rules", Some(0.0), Some(0.0)),
        ("openai:gpt-4o", Some(1.0), Some(2.5)),
        ("openai:gpt-4o-2024-08-06", Some(1.0), Some(2.5)),
        // A snapshot that the table lists by itself still has the stated price of its model.
        ("openai:gpt-4o-2024-05-13", Some(1.0), Some(5.0)),
        ("openai:gpt-4o-mini", Some(0.15), Some(0.15)),
        ("openai:gpt-4o-mini-2024-07-18", Some(0.15), Some(0.15)),
        ("openai:gpt-4o-audio", None, None),
        ("openai:gpt-4o-2024-8-6", None, None),
        ("openai:mine-small", Some(2.0), None),
        ("openai:mine-large-y", Some(3.0), None),
        ("openai:mine-large-x", Some(4.0), None),
        ("openai:mine-large-x-20260101", Some(4.0), None),
        ("ollama:llama3.2:1b", Some(0.0), None),
        ("mirror:gpt-4o", None, None),
        ("gpt-4o", None, None),
        ("openai:é-2024-08-06", None, None),
    ] {
        assert_eq!(dollars(&prices, name), stated, "{name}, stated");
        assert_eq!(dollars(&published, name), embedded, "{name}, embedded");
    }
    assert!(prices.stated("openai:gpt-4o-mini").is_none());
    assert!(prices.stated("openai:gpt-4o").is_some());
}

#[test]
fn a_stated_price_names_a_model_or_the_start_of_one() {
    for wrong in [
        "gpt-4o",
        ":x",
        "openai:",
        "openai:*-mini",
        "openai:a**",
        "*",
    ] {
        let yaml = format!("'{wrong}': {{ input: 1, output: 1 }}");
        let error = read::<Table>(&yaml).expect_err(wrong);
        assert!(error.to_string().contains("no model's name"), "{error}");
    }
}

#[test]
fn the_published_table_is_dated_sourced_and_plausible() {
    assert!(as_of() >= Date::constant(2026, 11, 1));
    for (provider, published) in &PUBLISHED.providers {
        assert!(published.source.starts_with("https://"), "{provider}");
        assert!(!published.models.is_empty(), "{provider}");
        for (model, price) in &published.models {
            let Rates {
                input,
                cached_input,
                output,
            } = price.rates;
            assert!(0 < cached_input && cached_input <= input, "{model}");
            assert!(input <= output, "{model}");
            let long = price.long.is_none_or(|(_, long)| long.input >= input);
            assert!(long, "{model}");
        }
    }
}

fn rates([input, cached_input, output]: [u64; 3]) -> Rates {
    Rates {
        input,
        cached_input,
        output,
    }
}

prop_compose! {
    fn prices()(
        short in prop::array::uniform3(0u64..10_000_000),
        long in prop::option::of((1u64..5_000, prop::array::uniform3(0u64..10_000_000))),
    ) -> Price {
        Price {
            rates: rates(short),
            long: long.map(|(above, of)| (above, rates(of))),
        }
    }
}

proptest! {
    #[test]
    fn no_call_costs_more_than_its_most(
        price in prices(),
        other in prices(),
        prompt in 0u64..10_000,
        used in 0u64..=100,
        cached in 0u64..=100,
        reply in 0u64..4_000,
        written in 0u64..=100,
    ) {
        let input = prompt * used / 100;
        let usage = tokens(input, input * cached / 100, reply * written / 100);
        let most = price.most(prompt, reply);
        prop_assert!(price.cost(&usage) <= most);
        prop_assert!(most <= price.or_dearer(other).most(prompt, reply));
        prop_assert!(most <= other.or_dearer(price).most(prompt, reply));
    }

    #[test]
    fn the_most_of_several_calls_is_the_sum_of_their_mosts(
        price in prices(),
        calls in 0u64..40,
        prompt in 0u64..6_000,
        more in 0u64..500,
        reply in 0u64..1_000,
    ) {
        let each = (0..calls).map(|call| price.most(prompt + call * more, reply));
        let sum = each.fold(Cost::ZERO, Cost::plus);
        prop_assert_eq!(price.most_of(calls, prompt, more, reply), sum);
    }
}
