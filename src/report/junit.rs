//! `.junit.xml`: what test reporters of pipelines show.
//!
//! A suite a variant, a case an example (scenario, episode), and every attempt at it in the
//! elements that Surefire gave reruns. A case passed if any attempt did: then what the others
//! lacked stands in `flakyFailure` and `flakyError`. Else its first failed attempt is its
//! `failure`, or its first one its `error` where nothing was scored, and the rest stand in
//! `rerunFailure` and `rerunError`. `docs/ci.md` says so to users.
//!
//! The library builds whole documents in memory. Of a large experiment that would be the
//! largest thing in the process, so it is given the suites without cases, and the cases a few
//! at a time; the pieces are put together as it would have.

use std::io::Write;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Property, TestCase, TestCaseStatus, TestRerun, TestSuite};
use serde::de::IgnoredAny;

use super::each::{FormError, Item, Standing, Told, shown};
use super::{Report, each};
use crate::experiment::layer::{Ordered, Place};
use crate::experiment::{Attempt, CaseKind, Header, Verdict};
use crate::redact::Redactor;

/// Cases that are in memory at once.
const BATCH: usize = 256;

/// Where the cases of a suite come to an end, as the library writes it.
const SUITE_ENDS: &str = "\n    </testsuite>";
/// Where one begins.
const CASE_BEGINS: &str = "\n        <testcase";

/// Writes the attempts of an experiment as JUnit XML.
///
/// # Errors
/// Those of reading attempts again, and of writing.
pub fn write(
    report: &Report,
    attempts: &mut Ordered,
    redactor: &Redactor,
    out: &mut dyn Write,
) -> Result<(), FormError> {
    let Ordered {
        header,
        places,
        source,
    } = attempts;
    let skeleton = skeleton(report, header, places, redactor).to_string()?;
    let mut parts = skeleton.split(SUITE_ENDS);
    let mut suites = suites(places, header.variants.len()).into_iter();
    let mut part = parts.next().expect("splitting leaves a first part");
    for (suite, next) in suites.by_ref().zip(parts) {
        out.write_all(part.as_bytes())?;
        part = next;
        let mut batch = Vec::with_capacity(BATCH);
        for item in Ordered::items(suite) {
            let read = item.iter().map(|place| source.attempt(place));
            let read: Vec<Attempt<IgnoredAny>> = read.collect::<Result<_, _>>()?;
            let item = Item::of(&read, redactor).expect("an item has attempts");
            let variant = &header.variants[read[0].case.variant as usize].name;
            batch.push(case(header, &shown(redactor, variant), &item));
            if batch.len() == BATCH {
                write_cases(&mut batch, out)?;
            }
        }
        write_cases(&mut batch, out)?;
        out.write_all(SUITE_ENDS.as_bytes())?;
    }
    assert!(suites.next().is_none(), "each variant has a suite");
    out.write_all(part.as_bytes())?;
    Ok(())
}

/// The places of each variant, those without any too.
fn suites(places: &[Place], variants: usize) -> Vec<&[Place]> {
    let mut rest = places;
    let mut suites = Vec::with_capacity(variants);
    for variant in 0..variants {
        let own = rest.partition_point(|place| place.case.variant as usize <= variant);
        let (suite, others) = rest.split_at(own);
        suites.push(suite);
        rest = others;
    }
    suites
}

/// The document without its cases.
fn skeleton(
    report: &Report,
    header: &Header,
    places: &[Place],
    redactor: &Redactor,
) -> quick_junit::Report {
    let mut document = quick_junit::Report::new(shown(redactor, &report.experiment));
    let mut total = Duration::ZERO;
    let suites = suites(places, header.variants.len());
    for (variant, places) in report.variants.iter().zip(suites) {
        let mut suite = TestSuite::new(shown(redactor, &variant.name));
        let mut time = Duration::ZERO;
        for item in Ordered::items(places) {
            suite.tests += 1;
            match Standing::of(item.iter().map(|place| place.verdict)) {
                Standing::Passed | Standing::Flaky => {}
                Standing::Failed => suite.failures += 1,
                Standing::Error => suite.errors += 1,
            }
            for place in item {
                time = time.saturating_add(duration(place.latency_ms));
            }
        }
        suite.set_time(time);
        total = total.saturating_add(time);
        // Both libraries know the format of RFC 3339, and neither the other's times.
        suite.timestamp = report.environment.created.to_string().parse().ok();
        for (name, value) in [
            ("agent", &variant.agent),
            ("model", &variant.model),
            ("dataset", &report.dataset.name),
            ("dataset_hash", &report.dataset.hash),
            ("examples_hash", &report.plan.examples_hash),
            ("seed", &report.plan.seed.to_string()),
            ("mailproof", &report.environment.tool_version),
        ] {
            suite.add_property(Property::new(name, shown(redactor, value)));
        }
        document.add_test_suite(suite);
    }
    document.set_time(total);
    document
}

/// Writes cases as they stand in a suite.
fn write_cases(cases: &mut Vec<TestCase>, out: &mut dyn Write) -> Result<(), FormError> {
    if cases.is_empty() {
        return Ok(());
    }
    let mut suite = TestSuite::new("");
    suite.add_test_cases(cases.drain(..));
    let mut document = quick_junit::Report::unnamed();
    document.add_test_suite(suite);
    let text = document.to_string()?;
    // Neither stands in a text or an attribute, where `<` is an entity.
    let begin = text.find(CASE_BEGINS).expect("the suite has cases");
    let end = text.rfind(SUITE_ENDS).expect("the suite has an end");
    out.write_all(&text.as_bytes()[begin..end])?;
    Ok(())
}

fn case(header: &Header, variant: &str, item: &Item) -> TestCase {
    let show = |told: &Told| each::show(header, variant, &item.id, told.repeat);
    let attempts = &item.attempts;
    let first = |wanted| attempts.iter().find(|told| told.verdict == wanted);
    let main = first(Verdict::Passed)
        .or_else(|| first(Verdict::Failed))
        .unwrap_or(&attempts[0]);
    let mut status = match kind(main) {
        None => TestCaseStatus::success(),
        Some(kind) => {
            let mut status = TestCaseStatus::non_success(kind);
            status.set_type(main.cause.as_str());
            if let Some(first) = main.findings.first() {
                status.set_message(first.as_str());
            }
            status.set_description(details(main, show(main)));
            status
        }
    };
    for told in attempts {
        if told.repeat == main.repeat {
            continue;
        }
        if let Some(kind) = kind(told) {
            let mut rerun = TestRerun::new(kind);
            rerun.set_type(told.cause.as_str());
            rerun.set_time(duration(told.latency_ms));
            if let Some(first) = told.findings.first() {
                rerun.set_message(first.as_str());
            }
            // Where Surefire has the text of a rerun.
            rerun.set_stack_trace(details(told, show(told)));
            status.add_rerun(rerun);
        }
    }
    let mut case = TestCase::new(item.id.as_str(), status);
    case.set_classname(variant);
    case.set_time(duration(main.latency_ms));
    if item.kind != CaseKind::Example {
        case.add_property(Property::new("kind", item.kind.name()));
    }
    if let Some(split) = &item.split {
        case.add_property(Property::new("split", split.as_str()));
    }
    if !item.tags.is_empty() {
        case.add_property(Property::new("tags", item.tags.join(", ")));
    }
    if attempts.len() > 1 {
        case.add_property(Property::new("attempts", attempts.len().to_string()));
        case.add_property(Property::new("passed", item.passed().to_string()));
    }
    if !main.asides.is_empty() {
        case.set_system_out(main.asides.join("\n"));
    }
    case
}

/// `None` where it passed.
fn kind(told: &Told) -> Option<NonSuccessKind> {
    match told.verdict {
        Verdict::Passed => None,
        Verdict::Failed => Some(NonSuccessKind::Failure),
        Verdict::Unscored => Some(NonSuccessKind::Error),
    }
}

/// What was found, and where to read on.
fn details(told: &Told, show: String) -> String {
    let mut lines = told.findings.clone();
    lines.push(show);
    lines.join("\n")
}

/// A time that a file claims: nothing where it is none.
fn duration(milliseconds: f64) -> Duration {
    Duration::try_from_secs_f64(milliseconds / 1_000.0).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::each::tests::{experiment, hostile, redactor, varied};
    use crate::report::fixture::{attempt, header};

    fn written(header: Header, attempts: &[Attempt<()>]) -> String {
        let (report, mut ordered) = experiment(header, attempts);
        let mut text = Vec::new();
        write(&report, &mut ordered, &redactor(), &mut text).unwrap();
        String::from_utf8(text).unwrap()
    }

    fn read_back(text: &str) -> quick_junit::Report {
        quick_junit::Report::deserialize_from_str(text).unwrap()
    }

    #[test]
    fn a_case_is_what_its_attempts_came_to() {
        let (header, attempts) = varied();
        let text = written(header, &attempts);
        let text = text.replace(&"0123456789abcdef".repeat(4), "HASH");
        let text = text.replace(&"fedcba9876543210".repeat(4), "HASH");
        insta::assert_snapshot!(text, @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites name="2026-03-02-1015-abc1234" tests="6" skipped="0" failures="1" errors="1" time="0.008">
            <testsuite name="baseline@rules" tests="3" skipped="0" errors="0" failures="1" timestamp="2026-03-02T10:15:00.000+00:00" time="0.004">
                <properties>
                    <property name="agent" value="baseline"/>
                    <property name="model" value="rules"/>
                    <property name="dataset" value="email"/>
                    <property name="dataset_hash" value="HASH"/>
                    <property name="examples_hash" value="HASH"/>
                    <property name="seed" value="0"/>
                    <property name="mailproof" value="0.1.0"/>
                </properties>
                <testcase name="example-0" classname="baseline@rules" time="0.000">
                    <properties>
                        <property name="split" value="dev"/>
                        <property name="tags" value="work"/>
                        <property name="attempts" value="3"/>
                        <property name="passed" value="3"/>
                    </properties>
                </testcase>
                <testcase name="example-1" classname="baseline@rules" time="0.000">
                    <properties>
                        <property name="split" value="test"/>
                        <property name="tags" value="work"/>
                        <property name="attempts" value="3"/>
                        <property name="passed" value="1"/>
                    </properties>
                    <flakyFailure time="0.000" message="triage.accuracy: expected notify, no decision: it said `maybe`" type="triage.accuracy">
                        <stackTrace>triage.accuracy: expected notify, no decision: it said `maybe`
        mailproof show 2026-03-02-1015-abc1234/baseline@rules example-1 --attempt 1</stackTrace>
                    </flakyFailure>
                    <flakyError time="0.000" message="provider: 503 from the provider" type="provider">
                        <stackTrace>provider: 503 from the provider
        mailproof show 2026-03-02-1015-abc1234/baseline@rules example-1 --attempt 2</stackTrace>
                    </flakyError>
                </testcase>
                <testcase name="example-2" classname="baseline@rules" time="0.001">
                    <properties>
                        <property name="split" value="test"/>
                        <property name="tags" value="work"/>
                        <property name="attempts" value="3"/>
                        <property name="passed" value="0"/>
                    </properties>
                    <failure message="triage.accuracy: expected ignore, no decision: it said `maybe`" type="triage.accuracy">triage.accuracy: expected ignore, no decision: it said `maybe`
        mailproof show 2026-03-02-1015-abc1234/baseline@rules example-2 --attempt 1</failure>
                    <rerunFailure time="0.001" message="step_limit: 25 calls and no end" type="step_limit">
                        <stackTrace>step_limit: 25 calls and no end
        mailproof show 2026-03-02-1015-abc1234/baseline@rules example-2 --attempt 2</stackTrace>
                    </rerunFailure>
                    <rerunFailure time="0.001" message="triage.accuracy: expected ignore, no decision: it said `maybe`" type="triage.accuracy">
                        <stackTrace>triage.accuracy: expected ignore, no decision: it said `maybe`
        mailproof show 2026-03-02-1015-abc1234/baseline@rules example-2 --attempt 3</stackTrace>
                    </rerunFailure>
                </testcase>
            </testsuite>
            <testsuite name="workflow@rules" tests="3" skipped="0" errors="1" failures="0" timestamp="2026-03-02T10:15:00.000+00:00" time="0.004">
                <properties>
                    <property name="agent" value="workflow"/>
                    <property name="model" value="rules"/>
                    <property name="dataset" value="email"/>
                    <property name="dataset_hash" value="HASH"/>
                    <property name="examples_hash" value="HASH"/>
                    <property name="seed" value="0"/>
                    <property name="mailproof" value="0.1.0"/>
                </properties>
                <testcase name="example-0" classname="workflow@rules" time="0.000">
                    <properties>
                        <property name="split" value="dev"/>
                        <property name="tags" value="work"/>
                        <property name="attempts" value="3"/>
                        <property name="passed" value="0"/>
                    </properties>
                    <error message="provider: 503 from the provider" type="provider">provider: 503 from the provider
        mailproof show 2026-03-02-1015-abc1234/workflow@rules example-0 --attempt 1</error>
                    <rerunError time="0.000" message="provider: 503 from the provider" type="provider">
                        <stackTrace>provider: 503 from the provider
        mailproof show 2026-03-02-1015-abc1234/workflow@rules example-0 --attempt 2</stackTrace>
                    </rerunError>
                    <rerunError time="0.000" message="provider: 503 from the provider" type="provider">
                        <stackTrace>provider: 503 from the provider
        mailproof show 2026-03-02-1015-abc1234/workflow@rules example-0 --attempt 3</stackTrace>
                    </rerunError>
                </testcase>
                <testcase name="example-1" classname="workflow@rules" time="0.000">
                    <properties>
                        <property name="split" value="test"/>
                        <property name="tags" value="work"/>
                        <property name="attempts" value="3"/>
                        <property name="passed" value="3"/>
                    </properties>
                </testcase>
                <testcase name="example-2" classname="workflow@rules" time="0.001">
                    <properties>
                        <property name="split" value="test"/>
                        <property name="tags" value="work"/>
                        <property name="attempts" value="3"/>
                        <property name="passed" value="3"/>
                    </properties>
                </testcase>
            </testsuite>
        </testsuites>
        "#);
    }

    #[test]
    fn pieces_are_put_together_as_the_library_writes_the_whole() {
        // More than a batch, and a variant of which nothing was made.
        let count = BATCH * 2 + 7;
        let attempts: Vec<_> = (0..count)
            .map(|position| attempt(0, u32::try_from(position).unwrap(), 0))
            .collect();
        let (varied, hostile) = (varied(), hostile());
        for (header, attempts) in [(header(count, 1), attempts), varied, hostile] {
            let (report, mut ordered) = experiment(header, &attempts);
            let mut text = Vec::new();
            write(&report, &mut ordered, &redactor(), &mut text).unwrap();
            let Ordered {
                header,
                places,
                source,
            } = &mut ordered;
            let mut document = skeleton(&report, header, places, &redactor());
            for places in Ordered::items(places) {
                let variant = places[0].case.variant as usize;
                let read = places.iter().map(|place| source.attempt(place).unwrap());
                let read: Vec<Attempt<IgnoredAny>> = read.collect();
                let item = Item::of(&read, &redactor()).unwrap();
                let name = shown(&redactor(), &header.variants[variant].name);
                let case = case(header, &name, &item);
                document.test_suites[variant].test_cases.push(case);
            }
            let text = String::from_utf8(text).unwrap();
            assert_eq!(document.to_string().unwrap(), text);
            let document = read_back(&text);
            for suite in &document.test_suites {
                let mut counted = TestSuite::new("");
                counted.add_test_cases(suite.test_cases.iter().cloned());
                assert_eq!(
                    (counted.tests, counted.failures, counted.errors),
                    (suite.tests, suite.failures, suite.errors)
                );
            }
            let tests = document.test_suites.iter().map(|suite| suite.tests);
            assert_eq!(tests.sum::<usize>(), document.tests);
        }
    }

    #[test]
    fn the_order_of_the_journal_changes_nothing() {
        let (header, mut attempts) = varied();
        let one = written(header.clone(), &attempts);
        attempts.sort_by_key(|attempt| (attempt.case.repeat, attempt.case.example.clone()));
        assert_eq!(one, written(header, &attempts));
    }

    #[test]
    fn nothing_hostile_comes_through_and_nothing_is_long() {
        let (header, attempts) = hostile();
        let text = written(header, &attempts);
        assert!(!text.contains("canary"));
        assert!(!text.contains("]]>") && !text.contains("<script"));
        let control = |c: char| c.is_control() && c != '\n';
        let acts = ['\u{202e}', '\u{2066}', '\u{fffe}', '\u{ffff}'];
        assert!(!text.contains(control) && !text.contains(acts));
        let longest = text.lines().map(str::len).max().unwrap();
        assert!(longest < 6_000, "a line of {longest}");
        let document = read_back(&text);
        assert_eq!(document.test_suites.len(), 2);
        let names: Vec<&str> = document.test_suites[0]
            .test_cases
            .iter()
            .map(|case| case.name.as_str())
            .collect();
        assert_eq!(names[0], "<script>alert(1)</script>");
        assert!(names.contains(&"over\\u{202e}etirw\\u{2066}"), "{names:?}");
    }

    #[test]
    fn a_time_that_is_none_is_nothing() {
        for (milliseconds, seconds) in [
            (1_500.0, 1.5),
            (0.0, 0.0),
            (-1.0, 0.0),
            (f64::NAN, 0.0),
            (f64::INFINITY, 0.0),
            (1e300, 0.0),
        ] {
            let found = duration(milliseconds).as_secs_f64();
            assert_eq!(found, seconds, "{milliseconds}");
        }
    }
}
