//! The functions that every attempt passes through, and those that grow with the dataset.
//!
//! `cargo bench` prints the median time of one call of each. Plain timing of many calls is
//! enough to see a function become twice as slow, which is what this is for.

use std::hint::black_box;
use std::time::{Duration, Instant};

use mailproof::agent::prompts::{Preferences, router};
use mailproof::dataset::Dataset;
use mailproof::message::{Message, Prompt};
use mailproof::model::rules::Rules;
use mailproof::model::{Model, OutputSchema, Request, ToolChoice};
use mailproof::redact::Redactor;
use mailproof::run::ModelRole;
use mailproof::statistics::{Z_95, bootstrap_interval, mean_interval, wilson_interval};

/// Samples of each function, of which the median is told.
const SAMPLES: usize = 25;
/// How long one sample takes at least.
const SAMPLE: Duration = Duration::from_millis(10);

fn bench<T>(name: &str, mut call: impl FnMut() -> T) {
    let mut calls = 1;
    loop {
        let start = Instant::now();
        for _ in 0..calls {
            black_box(call());
        }
        if start.elapsed() >= SAMPLE {
            break;
        }
        calls *= 2;
    }
    let mut samples: Vec<f64> = (0..SAMPLES)
        .map(|_| {
            let start = Instant::now();
            for _ in 0..calls {
                black_box(call());
            }
            start.elapsed().as_secs_f64() / f64::from(calls)
        })
        .collect();
    samples.sort_by(f64::total_cmp);
    println!("{name:44} {:>12.2} µs", samples[SAMPLES / 2] * 1e6);
}

fn main() {
    bench("load the embedded dataset", Dataset::embedded);

    let dataset = Dataset::embedded();
    let rules = Rules::new();
    let prompt = Prompt::new(router(&Preferences::default()), Vec::new());
    let schema = serde_json::json!({
        "type": "object",
        "properties": {
            "reasoning": { "type": "string" },
            "classification": { "type": "string", "enum": ["ignore", "notify", "respond"] },
        },
        "required": ["reasoning", "classification"],
    });
    let output = std::sync::Arc::new(OutputSchema {
        name: "triage".to_owned(),
        schema,
    });
    let requests: Vec<Request> = dataset
        .examples
        .iter()
        .map(|example| Request {
            role: ModelRole::Router,
            prompt: prompt.clone(),
            messages: vec![Message::user("r0", example.email.to_prompt())],
            tool_choice: ToolChoice::None,
            output: Some(output.clone()),
            origin: Default::default(),
        })
        .collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime without drivers");
    let mut next = 0;
    bench("triage one email by rules", || {
        next = (next + 1) % requests.len();
        runtime
            .block_on(rules.ask(&requests[next]))
            .expect("rules always answer")
    });

    let redactor = Redactor::new(["a-secret-of-the-environment".to_owned()]);
    let line = serde_json::json!({ "text": dataset.examples[0].email.body.repeat(8) }).to_string();
    bench("redact a line with nothing to hide", || {
        redactor.json(&line).len()
    });

    bench("wilson interval", || {
        wilson_interval(black_box(140), 168, Z_95)
    });
    let values: Vec<f64> = (0..1_000).map(|n| f64::from(n % 3) / 2.0).collect();
    let clusters: Vec<u32> = (0..1_000).map(|n| n / 4).collect();
    bench("clustered interval of 1,000 means", || {
        mean_interval(&values, &clusters, Z_95)
    });
    bench("bootstrap of 1,000 means, all resamples", || {
        bootstrap_interval(values.len(), 7, 0.95, |units| {
            units.iter().map(|unit| values[*unit]).sum::<f64>() / units.len() as f64
        })
    });
}
