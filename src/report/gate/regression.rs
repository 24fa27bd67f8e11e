//! Whether anything got worse than in the reference.

use crate::compare::{Comparison, Flip, GroupChange, KeyChange, Pair, Verdict, worst_first};
use crate::experiment::gate::Indecisive;

use super::super::compare::{distance, looks_taken, points};
use super::super::escape::shell;
use super::super::figures::{percentage, plural};
use super::{Check, GateVerdict, named};

/// The name of the check that nothing got worse.
pub(in super::super) const REGRESSION: &str = "regression";

/// Of examples that got worse, how many are named.
const FLIPS_NAMED: usize = 3;

/// One check for each pair of variants, in the comparison's order.
pub(super) fn checks(comparison: &Comparison, indecisive: Indecisive) -> Vec<Check> {
    let check = |pair| check(comparison, pair).counted(indecisive);
    comparison.pairs.iter().map(check).collect()
}

fn check(comparison: &Comparison, pair: &Pair) -> Check {
    let verdict = match pair.verdict {
        Verdict::Worse => GateVerdict::Fail,
        Verdict::Better | Verdict::Equivalent => GateVerdict::Pass,
        Verdict::CannotTell => GateVerdict::Indecisive,
    };
    Check {
        name: REGRESSION.to_owned(),
        variant: pair.candidate.clone(),
        verdict,
        counts_as: None,
        reason: reason(comparison, pair),
        fix: (verdict != GateVerdict::Pass).then(|| command(comparison, pair)),
    }
}

/// What of the pair decides, where most got worse, and how many examples changed sides.
fn reason(comparison: &Comparison, pair: &Pair) -> String {
    let gating = pair.keys.iter().filter(|key| key.gates);
    let decisive: Vec<&KeyChange> = gating.filter(|key| key.verdict == pair.verdict).collect();
    // Where all were looked at and none is as the pair is, all of them are the reason.
    let told: Vec<&KeyChange> = match &decisive[..] {
        [] => pair.keys.iter().filter(|key| key.gates).collect(),
        _ => decisive,
    };
    let mut parts: Vec<String> = told.into_iter().map(change).collect();
    if parts.is_empty() {
        parts.push("nothing that gates was scored on both sides".to_owned());
    }
    let margin = distance(comparison.rule.margin);
    parts.push(match pair.verdict {
        Verdict::CannotTell if !pair.open.is_empty() => pair.open.join("; "),
        Verdict::Worse => format!("a drop of {margin} or more is a regression"),
        Verdict::Better => "no drop".to_owned(),
        Verdict::Equivalent => format!("a drop of {margin} can be ruled out"),
        Verdict::CannotTell => format!("a drop of {margin} can be neither shown nor ruled out"),
    });
    parts.extend(comparison.looks.as_ref().map(looks_taken));
    let worst = worst_tag(pair).filter(|_| pair.verdict != Verdict::Equivalent);
    parts.extend(worst.map(|(tag, group)| {
        format!(
            "{} got worse most ({} points, {})",
            named(tag),
            points(group.difference.effect),
            plural(group.pairs, "example"),
        )
    }));
    parts.push(flips(pair));
    let reference = named(&comparison.reference.experiment);
    let against = match pair.reference == pair.candidate {
        true => reference,
        false => format!("{} of {reference}", named(&pair.reference)),
    };
    format!("against {against}, {}", parts.join("; "))
}

/// How many examples changed sides, the worst by name.
fn flips(pair: &Pair) -> String {
    let all = plural(pair.shared, "example");
    let worse: Vec<&Flip> = pair.flips.iter().filter(|it| it.effect() < 0.0).collect();
    let better = pair.flips.len() - worse.len();
    if pair.flips.is_empty() {
        return format!("none of {all} flipped");
    }
    let named: Vec<String> = worse
        .iter()
        .take(FLIPS_NAMED)
        .map(|flip| named(&flip.example))
        .collect();
    let named = match (named.is_empty(), worse.len() - named.len()) {
        (true, _) => String::new(),
        (false, 0) => format!(" ({})", named.join(", ")),
        (false, more) => format!(" ({}, and {more} more)", named.join(", ")),
    };
    format!(
        "of {all} {} got worse{named} and {better} better",
        worse.len()
    )
}

/// As in `pass_rate 84.0% → 71.0%, −13.0 points (−19.0 to −7.0; a drop of 6.1 points would show)`.
fn change(key: &KeyChange) -> String {
    let difference = &key.difference;
    let mut known = Vec::new();
    known.push(match (difference.low, difference.high) {
        (Some(low), Some(high)) => format!("{} to {}", points(low), points(high)),
        (Some(low), None) => format!("at least {}", points(low)),
        (None, Some(high)) => format!("at most {}", points(high)),
        (None, None) => "no interval".to_owned(),
    });
    known.extend(
        difference
            .mde
            .map(|mde| format!("drops of {} would show", distance(mde))),
    );
    format!(
        "{} {} → {}, {} points ({})",
        key.measure,
        percentage(key.reference),
        percentage(key.candidate),
        points(difference.effect),
        known.join("; ")
    )
}

/// The tag whose fall is the least probable by chance.
pub(crate) fn worst_tag(pair: &Pair) -> Option<(&str, &GroupChange)> {
    worst_first(&pair.tags).into_iter().next()
}

/// Shows the pair with both trajectories of what flipped.
fn command(comparison: &Comparison, pair: &Pair) -> String {
    let reference = match &comparison.reference.file {
        Some(file) => shell(&format!("{file}#{}", pair.reference)),
        None => shell(&format!(
            "{}/{}",
            comparison.reference.experiment, pair.reference
        )),
    };
    let candidate = format!("{}/{}", comparison.candidate.experiment, pair.candidate);
    format!("mailproof compare {reference} {}", shell(&candidate))
}

#[cfg(test)]
mod tests {
    use super::super::Gate;
    use super::super::fixture::{comparison, flip, pair};
    use super::*;
    use GateVerdict::{Fail, Indecisive as Open, Pass};
    use Indecisive::Exit;

    #[test]
    fn a_comparison_decides_as_its_verdict_says() {
        use Verdict::{Better, CannotTell, Equivalent, Worse};
        for (verdicts, indecisive, verdict, exit_code) in [
            (&[Worse][..], Exit, Fail, 101),
            (&[Better], Exit, Pass, 0),
            (&[Equivalent], Exit, Pass, 0),
            (&[CannotTell], Exit, Open, 3),
            (&[CannotTell], Indecisive::Pass, Pass, 0),
            // A drop that nobody saw is no regression.
            (&[CannotTell], Indecisive::Fail, Fail, 100),
            (&[Equivalent, Worse], Exit, Fail, 101),
            (&[Equivalent, CannotTell], Exit, Open, 3),
            (&[Worse, CannotTell], Indecisive::Pass, Fail, 101),
            (&[], Exit, GateVerdict::None, 0),
        ] {
            let pairs = verdicts
                .iter()
                .map(|verdict| pair("a@rules", *verdict, 0.0));
            let gate = Gate::of_comparison(&comparison(pairs.collect()), indecisive);
            let found = (gate.verdict, gate.exit_code);
            assert_eq!(found, (verdict, exit_code), "{verdicts:?} {indecisive:?}");
        }
    }

    #[test]
    fn the_reason_has_effect_interval_least_drop_tag_and_flips() {
        let reasons = |comparison: &Comparison| {
            let checks = checks(comparison, Exit).into_iter();
            let lines =
                checks.map(|check| format!("{}\n{}", check.reason, check.fix.unwrap_or_default()));
            lines.collect::<Vec<_>>().join("\n\n")
        };
        let mut steady = pair("b@rules", Verdict::Equivalent, 0.0);
        steady.flips.clear();
        let mut hostile = pair("c@rules", Verdict::CannotTell, -0.02);
        hostile.reference = "a`b\u{1b}[31m@rules".to_owned();
        hostile.keys[0].difference.low = None;
        hostile.keys[0].difference.mde = None;
        hostile.flips = vec![flip("x", [0, 1])];
        hostile.tags.clear();
        insta::assert_snapshot!(
            reasons(&comparison(vec![pair("a@rules", Verdict::Worse, -0.13), steady, hostile])),
            @r"
        against `main`, pass_rate 84.0% → 71.0%, −13.0 points (−17.0 to −8.0; drops of 6.1 points would show); a drop of 5 points or more is a regression; `billing` got worse most (−40.0 points, 12 examples); of 200 examples 2 got worse (`invoice-1`, `invoice-2`) and 1 better
        mailproof compare main/a@rules change/a@rules

        against `main`, pass_rate 84.0% → 84.0%, 0.0 points (−4.0 to +5.0; drops of 6.1 points would show); a drop of 5 points can be ruled out; none of 200 examples flipped


        against `a'b\u{1b}[31m@rules` of `main`, pass_rate 84.0% → 82.0%, −2.0 points (at most +3.0); a drop of 5 points can be neither shown nor ruled out; of 200 examples 0 got worse and 1 better
        mailproof compare 'main/a`b\u{1b}[31m@rules' change/c@rules
        "
        );
    }

    #[test]
    fn too_little_scored_is_the_reason_where_every_key_is_fine() {
        let mut pair = pair("a@rules", Verdict::Equivalent, 0.0);
        pair.verdict = Verdict::CannotTell;
        pair.open = vec!["9 of 10 attempts are scored".to_owned()];
        let checks = checks(&comparison(vec![pair]), Exit);
        let reason = &checks[0].reason;
        assert!(
            reason.contains("; 9 of 10 attempts are scored; "),
            "{reason}"
        );
        assert!(!reason.contains("neither shown nor ruled out"), "{reason}");
    }

    #[test]
    fn the_command_names_the_variant_of_a_reference_file() {
        let mut of_file = comparison(vec![pair("a@rules", Verdict::Worse, -0.13)]);
        of_file.reference.file = Some("my refs/main.jsonl".to_owned());
        of_file.pairs[0].reference = "b@rules".to_owned();
        let checks = checks(&of_file, Exit);
        assert_eq!(
            checks[0].fix.as_deref(),
            Some("mailproof compare 'my refs/main.jsonl#b@rules' change/a@rules")
        );
    }
}
