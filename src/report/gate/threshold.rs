//! Whether a figure reaches its limit.

use super::super::judges::keys;
use super::super::metrics::{Estimate, Group, rounded};
use super::super::{VariantReport, cost, figures};
use super::{Finding, GateVerdict, Subject, decimals, doubts, named};
use crate::experiment::gate::{Direction, Figure, Spread, Threshold};
use crate::run::Cost;

pub(super) fn check(subject: &Subject<'_>, threshold: &Threshold, bound: bool) -> Finding {
    match threshold.figure {
        Figure::PassRate
        | Figure::Key(_)
        | Figure::MacroF1
        | Figure::TriageCost
        | Figure::MemoryGain => estimated(subject, threshold, bound),
        Figure::Coverage => covered(subject, threshold),
        Figure::Latency(spread) => timed(subject.report, threshold, spread),
        Figure::Cost => paid(
            subject.report,
            threshold,
            subject.report.cost_usd,
            "all attempts",
        ),
        Figure::AttemptCost => {
            let mean = subject.report.attempt_cost_usd.map(|each| each.mean);
            paid(subject.report, threshold, mean, "an attempt on average")
        }
    }
}

fn decided(threshold: &Threshold, holds: bool, found: &str, limit: &str) -> Finding {
    let verdict = match holds {
        true => GateVerdict::Pass,
        false => GateVerdict::Fail,
    };
    let words = threshold.figure.direction().words();
    Finding::new(verdict, format!("{found}; {words} {limit} is wanted"))
}

fn estimated(subject: &Subject<'_>, threshold: &Threshold, bound: bool) -> Finding {
    let figure = threshold.figure;
    let Some((estimate, value)) = estimate(subject, threshold).and_then(|it| Some((it, it.value?)))
    else {
        return Finding::open(match &threshold.group {
            Some(group) => format!(
                "nothing was scored under `{figure}` in {}",
                named(&group.to_string())
            ),
            None => format!("nothing was scored under `{figure}`"),
        });
    };
    // Figures have six decimals, and what they are held to has no more.
    let limit = rounded(threshold.limit);
    let direction = figure.direction();
    let interval = match (estimate.low, estimate.high) {
        (Some(low), Some(high)) => {
            format!("95% interval {} to {}", decimals(low), decimals(high))
        }
        _ => "no interval".to_owned(),
    };
    let found = format!("{} (n = {}, {interval})", shown(value, limit), estimate.n);
    let mut finding = if bound {
        // The end that could be worse, and the one that could be better.
        let ends = match direction {
            Direction::AtLeast => (estimate.low, estimate.high),
            Direction::AtMost => (estimate.high, estimate.low),
        };
        let words = format!(
            "{found}; the whole interval must be {} {limit}",
            direction.words()
        );
        match ends {
            (Some(worse), _) if direction.holds(worse, limit) => {
                Finding::new(GateVerdict::Pass, words)
            }
            (_, Some(better)) if !direction.holds(better, limit) => {
                Finding::new(GateVerdict::Fail, words)
            }
            _ => Finding::open(words),
        }
    } else {
        decided(
            threshold,
            direction.holds(value, limit),
            &found,
            &limit.to_string(),
        )
    };
    let judged = match figure {
        Figure::Key(key) => {
            let mut judges = subject.report.judges.iter();
            judges.find(|judge| keys(judge.judge).contains(&key))
        }
        _ => None,
    };
    if let Some(judge) = judged {
        finding.doubt(doubts(judge));
    }
    finding
}

/// `None` where nobody scored it.
fn estimate(subject: &Subject<'_>, threshold: &Threshold) -> Option<Estimate> {
    let figure = threshold.figure;
    let Some(group) = &threshold.group else {
        return match figure {
            Figure::PassRate => Some(subject.report.pass_rate),
            _ => subject.report.metrics.get(figure.name()).copied(),
        };
    };
    let cases = subject.cases.iter();
    let cases = cases.filter(|(facts, _)| facts.is_in(group));
    let tried = cases.filter_map(|(facts, cell)| Some((*facts, (*cell)?)));
    let group = Group::new(tried.collect(), subject.header);
    match figure {
        Figure::PassRate => Some(group.pass_rate()),
        Figure::Key(key) => Some(group.mean(|cell| cell.scores(key).mean())),
        _ => group.metrics().get(figure.name()).copied(),
    }
}

fn covered(subject: &Subject<'_>, threshold: &Threshold) -> Finding {
    let (scored, planned) = (subject.report.counts.scored, subject.planned);
    let share = scored as f64 / planned as f64;
    let found = format!(
        "{} of {} scored ({})",
        figures::count(scored),
        figures::plural(planned, "planned attempt"),
        decimals(share)
    );
    decided(
        threshold,
        threshold.holds(share),
        &found,
        &threshold.limit.to_string(),
    )
}

fn timed(report: &VariantReport, threshold: &Threshold, spread: Spread) -> Finding {
    let Some(latency) = report.latency_ms else {
        return Finding::open("no attempt was scored, so there is no latency".to_owned());
    };
    let value = match spread {
        Spread::P50 => latency.p50,
        Spread::P90 => latency.p90,
        Spread::P99 => latency.p99,
        Spread::Max => latency.max,
        Spread::Mean => latency.mean,
    };
    let found = format!("{value} ms");
    decided(
        threshold,
        threshold.holds(value),
        &found,
        &format!("{} ms", threshold.limit),
    )
}

fn paid(report: &VariantReport, threshold: &Threshold, cost: Option<Cost>, of: &str) -> Finding {
    if report.counts.attempts == 0 {
        return Finding::open("no attempt was made, so nothing was paid".to_owned());
    }
    let Some(cost) = cost else {
        return Finding::open(
            "the price of a model that took part is not known: state it under `prices` in mailproof.yaml"
                .to_owned(),
        );
    };
    let limit = Cost::try_from(threshold.limit).expect("limits of money were checked when read");
    let found = format!("{} USD for {of}", cost::usd(cost));
    decided(
        threshold,
        cost <= limit,
        &found,
        &format!("{} USD", threshold.limit),
    )
}

/// A value beside its limit: with as many decimals as tell them apart.
fn shown(value: f64, limit: f64) -> String {
    match decimals(value) {
        short if short == decimals(limit) => value.to_string(),
        short => short,
    }
}
