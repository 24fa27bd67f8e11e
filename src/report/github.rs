//! What GitHub reads beside a report: annotations, a job's summary, a comment, and a log
//! in which nobody else's text gives orders.
//!
//! A runner takes a line of stdout or stderr for a command where it begins with `::NAME `,
//! white space apart, and, as older runners did, where `##[NAME ` stands anywhere in it.
//! Source: actions/runner, `ActionCommand.cs` and `OutputManager.cs`; GitHub documentation,
//! "Workflow commands for GitHub Actions".

use std::borrow::Cow;
use std::fmt::Write;

use super::each::shown;
use super::gitlab::Location;
use super::{GateVerdict, Report, VariantReport, WorstExample, figures};
use crate::experiment::CaseKind;
use crate::redact::Redactor;

/// Annotations of one kind that GitHub shows for a step; what comes after is dropped.
const MOST_ANNOTATIONS: usize = 10;

/// Bytes of a step's summary, above which GitHub shows nothing of it.
pub const MOST_SUMMARY: usize = 1024 * 1024;

/// Characters of a comment, above which GitHub refuses it: 65,536, and some to spare.
const MOST_COMMENT: usize = 65_000;

/// One line for the person who reads a pipeline's page.
#[derive(Debug)]
struct Annotation {
    title: String,
    message: String,
    location: Option<Location>,
}

/// The commands that annotate a run: an error for each check of the gate that failed, a
/// warning for each that could not decide, and for the examples that did worst. `locate` says
/// where an example stands.
pub fn annotations(
    report: &Report,
    locate: &dyn Fn(&str) -> Option<Location>,
    redactor: &Redactor,
) -> Vec<String> {
    let checks = |verdict: GateVerdict, word: &str| -> Vec<Annotation> {
        let checks = report.gate.checks.iter();
        checks
            .filter(|check| check.verdict == verdict)
            .map(|check| Annotation {
                title: shown(
                    redactor,
                    &format!("{word}: {} of {}", check.name, check.variant),
                ),
                message: match &check.fix {
                    Some(fix) => shown(redactor, &format!("{}; to do: {fix}", check.reason)),
                    None => shown(redactor, &check.reason),
                },
                location: None,
            })
            .collect()
    };
    let errors = checks(GateVerdict::Fail, "gate failed");
    let mut warnings = checks(GateVerdict::Indecisive, "cannot decide");
    let mut failed = 0;
    for variant in &report.variants {
        failed += variant.failed_cases.values().sum::<u64>();
        let worst = variant.worst.iter();
        warnings.extend(worst.map(|worst| example(variant, worst, locate, redactor)));
    }
    let told: usize = report
        .variants
        .iter()
        .map(|variant| variant.worst.len())
        .sum();
    let untold = usize::try_from(failed)
        .unwrap_or(usize::MAX)
        .saturating_sub(told);
    let mut lines = commands("error", errors, 0, redactor, report);
    lines.extend(commands("warning", warnings, untold, redactor, report));
    lines
}

fn example(
    variant: &VariantReport,
    worst: &WorstExample,
    locate: &dyn Fn(&str) -> Option<Location>,
    redactor: &Redactor,
) -> Annotation {
    let kind = match worst.kind {
        CaseKind::Example => String::new(),
        kind => format!("{} ", kind.name()),
    };
    let mut message = vec![figures::worst_title(worst, |text| shown(redactor, text))];
    let findings = figures::worst_findings(worst);
    message.extend(findings.iter().map(|finding| shown(redactor, finding)));
    Annotation {
        title: shown(
            redactor,
            &format!("{}: {kind}{} failed", variant.name, worst.example),
        ),
        message: message.join("\n"),
        location: locate(&worst.example),
    }
}

/// As many commands of a kind as are shown; the last says of how many more it does not.
fn commands(
    kind: &str,
    mut annotations: Vec<Annotation>,
    untold: usize,
    redactor: &Redactor,
    report: &Report,
) -> Vec<String> {
    let all = annotations.len().saturating_add(untold);
    if all > MOST_ANNOTATIONS {
        annotations.truncate(MOST_ANNOTATIONS - 1);
        let more = all - annotations.len();
        annotations.push(Annotation {
            title: format!("{more} more"),
            message: shown(
                redactor,
                &format!(
                    "GitHub shows {MOST_ANNOTATIONS} {kind}s of a step; the report of {} has all",
                    report.experiment
                ),
            ),
            location: None,
        });
    }
    annotations
        .iter()
        .map(|annotation| command(kind, annotation))
        .collect()
}

fn command(kind: &str, annotation: &Annotation) -> String {
    let mut text = format!("::{kind} ");
    if let Some(Location { path, lines }) = &annotation.location {
        write!(text, "file={},line={},", property(path), lines.begin)
            .expect("a String takes any text");
    }
    let title = property(&annotation.title);
    let message = data(&annotation.message);
    write!(text, "title={title}::{message}").expect("a String takes any text");
    text
}

/// The text of a command.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// The value of a command's property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// Text for a log in which no line is a command. One that would be has an escape in it, in
/// JSON one that means the same.
pub fn inert(text: &str) -> Cow<'_, str> {
    const OLD: &str = "##[";
    // What is printed as JSON is an object or an array; no other text begins like that.
    if text.trim_start().starts_with(['{', '[']) {
        return match text.contains(OLD) {
            true => Cow::Owned(text.replace(OLD, "\\u0023#[")),
            false => Cow::Borrowed(text),
        };
    }
    // Colour is taken out where nobody wants any, and what it kept apart comes together.
    let acts = |line: &str| line.contains(OLD) || line.trim_start().starts_with("::");
    let plain = anstream::adapter::strip_str(text).to_string();
    if !plain.split(['\n', '\r']).any(acts) {
        return Cow::Borrowed(text);
    }
    let lines = text.split_inclusive(['\n', '\r']).map(|line| {
        let plain = anstream::adapter::strip_str(line).to_string();
        if !acts(&plain) {
            return line.to_owned();
        }
        let plain = plain.replace(OLD, "\\u{23}#[");
        let text = plain.trim_start();
        match text.strip_prefix("::") {
            Some(rest) => {
                let space = &plain[..plain.len() - text.len()];
                format!("{space}\\u{{3a}}:{rest}")
            }
            None => plain,
        }
    });
    Cow::Owned(lines.collect())
}

/// A report in Markdown that fits into the summary of a step which holds `used` bytes
/// already. `whole` names the place of the whole report.
pub fn summary(markdown: &str, used: usize, whole: &str) -> String {
    let room = MOST_SUMMARY.saturating_sub(used);
    cut(markdown, room, "GitHub shows 1 MiB of a summary", whole)
}

/// A report in Markdown as the body of a comment. It begins with a mark that nobody sees, by
/// which the next report of this dataset finds the comment it takes the place of.
pub fn comment(markdown: &str, report: &Report) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let name = report.dataset.name.chars().take(80);
    // Two hyphens would end what hides the mark.
    let name: String = name.map(|c| if safe(c) { c } else { '_' }).collect();
    let mark = format!("<!-- mailproof:{} -->\n", name.replace("--", "-_"));
    let room = MOST_COMMENT - mark.len();
    let whole = format!("reports/{}/report.md", report.experiment);
    let body = cut(
        markdown,
        room,
        "GitHub takes 65,536 characters of a comment",
        &whole,
    );
    mark + &body
}

/// As many whole sections of `markdown` as fit into `room` bytes, and why there are no more;
/// where not even the first fits, as many of its lines. Nothing where there is no room to say so.
fn cut(markdown: &str, room: usize, why: &str, whole: &str) -> String {
    if markdown.len() <= room {
        return markdown.to_owned();
    }
    let whole = super::escape::markdown(&super::escape::bounded(whole, 200));
    let note = format!("\n*The rest is cut, because {why}. All of it is in {whole}.*\n");
    let Some(room) = room.checked_sub(note.len()) else {
        return String::new();
    };
    let (mut section, mut line) = (0, 0);
    for (start, is_heading) in breaks(markdown) {
        if start > room {
            break;
        }
        line = start;
        if is_heading {
            section = start;
        }
    }
    let end = if section > 0 { section } else { line };
    format!("{}{note}", &markdown[..end])
}

/// Where a text can be cut: at the beginnings of lines outside folds and code blocks, and
/// whether a section begins there.
fn breaks(markdown: &str) -> impl Iterator<Item = (usize, bool)> {
    let (mut folds, mut fence, mut next) = (0_usize, 0_usize, 0_usize);
    markdown.split_inclusive('\n').filter_map(move |line| {
        let start = next;
        next += line.len();
        let is_open = folds > 0 || fence > 0;
        let ticks = line.len() - line.trim_start_matches('`').len();
        if fence > 0 {
            if ticks >= fence && line[ticks..].trim().is_empty() {
                fence = 0;
            }
        } else if ticks >= 3 {
            fence = ticks;
        } else if line.starts_with("<details") {
            folds += 1;
        } else if line.starts_with("</details>") {
            folds = folds.saturating_sub(1);
        }
        (!is_open).then(|| (start, line.starts_with("## ")))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::report::each::tests::{hostile, hostile_texts, redactor, varied};
    use crate::report::fixture::report;
    use crate::report::gitlab::Lines;
    use crate::report::markdown;

    /// A command as the runner reads it: name, properties, text.
    type Command = (String, Vec<(String, String)>, String);

    /// What the runner makes of a line, in the newer form and the older one.
    fn command_in(line: &str) -> Option<Command> {
        let unescape = |text: &str| {
            text.replace("%0D", "\r")
                .replace("%0A", "\n")
                .replace("%3A", ":")
                .replace("%2C", ",")
                .replace("%25", "%")
        };
        if let Some(rest) = line.trim_start().strip_prefix("::")
            && let Some((info, data)) = rest.split_once("::")
        {
            let (name, properties) = info.split_once(' ').unwrap_or((info, ""));
            let properties = properties
                .split(',')
                .filter_map(|pair| pair.split_once('='));
            let properties = properties.map(|(key, value)| (key.into(), unescape(value)));
            return Some((name.into(), properties.collect(), unescape(data)));
        }
        let (_, rest) = line.split_once("##[")?;
        let (info, data) = rest.split_once(']')?;
        Some((info.into(), Vec::new(), data.into()))
    }

    fn nowhere(_: &str) -> Option<Location> {
        None
    }

    #[test]
    fn failed_checks_are_errors_and_failed_examples_warnings() {
        let (mut header, attempts) = varied();
        header.min_pass_rate = Some(0.9);
        let report = report(header, &attempts);
        let locate = |id: &str| {
            Some(Location {
                path: "datasets/a,b:c%.yaml".into(),
                lines: Lines { begin: 12 },
            })
            .filter(|_| id == "example-2")
        };
        let lines = annotations(&report, &locate, &redactor());
        insta::assert_snapshot!(lines.join("\n"), @r"
        ::error title=gate failed%3A min_pass_rate of baseline@rules::4 of 8 scored attempts passed (50.0%25); a share of 0.9 must
        ::warning title=cannot decide%3A coverage of baseline@rules::8 of 9 attempts scored (1 ended in errors, 0 were not made); at least 95%25 must be
        ::warning title=cannot decide%3A coverage of workflow@rules::6 of 9 attempts scored (3 ended in errors, 0 were not made); at least 95%25 must be
        ::warning file=datasets/a%2Cb%3Ac%25.yaml,line=12,title=baseline@rules%3A example-2 failed::example-2 (test): 0 of 3 attempts passed; expected ignore, found no decision%0Atriage.accuracy: expected ignore, no decision: it said `maybe`
        ::warning title=baseline@rules%3A example-1 failed::example-1 (test): 1 of 2 attempts passed; expected notify, found notify 1×, no decision 1×%0Atriage.accuracy: expected notify, no decision: it said `maybe`
        ");
        let placed = lines.iter().find(|line| line.contains("file=")).unwrap();
        let (_, properties, _) = command_in(placed).unwrap();
        assert_eq!(
            properties[..2],
            [
                ("file".into(), "datasets/a,b:c%.yaml".into()),
                ("line".into(), "12".into())
            ]
        );
    }

    #[test]
    fn github_is_not_given_more_than_it_shows() {
        let (header, attempts) = hostile();
        let report = report(header, &attempts);
        let lines = annotations(&report, &nowhere, &redactor());
        let of = |kind: &str| {
            let commands = lines.iter().filter_map(|line| command_in(line));
            commands
                .filter(|(name, ..)| name == kind)
                .collect::<Vec<_>>()
        };
        assert_eq!(lines.len(), of("error").len() + of("warning").len());
        let warnings = of("warning");
        assert_eq!(warnings.len(), MOST_ANNOTATIONS);
        let failed: u64 = report
            .variants
            .iter()
            .flat_map(|variant| variant.failed_cases.values())
            .sum();
        let undecided = report.gate.checks.iter();
        let undecided = undecided.filter(|check| check.verdict == GateVerdict::Indecisive);
        let more = failed as usize + undecided.count() - (MOST_ANNOTATIONS - 1);
        assert!(more > 1);
        let (_, properties, _) = warnings.last().unwrap();
        assert_eq!(properties[..], [("title".into(), format!("{more} more"))]);
    }

    #[test]
    fn an_annotation_is_one_line_and_one_command() {
        let (header, attempts) = hostile();
        let report = report(header, &attempts);
        for line in annotations(&report, &nowhere, &redactor()) {
            assert!(!line.contains(['\n', '\r', '\u{1b}', '\u{202e}']), "{line}");
            assert!(!line.contains("canary"));
            assert!(line.len() < 8_000);
            let (name, properties, _) = command_in(&line).unwrap();
            assert!(["error", "warning"].contains(&&*name), "{line}");
            let names: Vec<&str> = properties.iter().map(|(name, _)| &**name).collect();
            assert_eq!(names, ["title"], "{line}");
        }
    }

    #[test]
    fn no_line_of_a_log_is_a_command() {
        for text in hostile_texts() {
            let text = format!("{text}\nand {text}\n  {text}\r\u{1b}[1m{text}\u{1b}[0m");
            for line in inert(&text).split(['\n', '\r']) {
                let plain = anstream::adapter::strip_str(line).to_string();
                assert_eq!(command_in(&plain), None, "{plain:?}");
            }
        }
        for (text, shown) in [
            ("a :: b\nc::d", "a :: b\nc::d"),
            ("  ::error::x\ny", "  \\u{3a}:error::x\ny"),
            ("a ##[error]x", "a \\u{23}#[error]x"),
            ("\u{1b}[1m::error::x\u{1b}[0m\n", "\\u{3a}:error::x\n"),
            ("#\u{1b}[1m#[error]x\u{1b}[0m", "\\u{23}#[error]x"),
            ("\u{1b}[1mbold\u{1b}[0m", "\u{1b}[1mbold\u{1b}[0m"),
        ] {
            assert_eq!(inert(text), shown);
        }
    }

    proptest! {
        #[test]
        fn no_text_at_all_is_a_command(text in r"(?s)([:#\[\]\n\r \t\x1b]|error|\x1b\[1m|.){0,40}") {
            let inert = inert(&text);
            let plain = anstream::adapter::strip_str(&inert).to_string();
            for line in plain.split(['\n', '\r']) {
                prop_assert_eq!(command_in(line).filter(|_| !text.trim_start().starts_with(['{', '['])), None);
            }
        }

        #[test]
        fn json_stays_the_same_data(text in r"([#\[\]\\:]|set-env|.){0,40}") {
            let json = serde_json::json!({ "text": text }).to_string();
            let inert = inert(&json);
            prop_assert!(!inert.contains("##["));
            let read: serde_json::Value = serde_json::from_str(&inert).unwrap();
            prop_assert_eq!(read["text"].as_str(), Some(&*text));
        }
    }

    const LONG: &str = "# report\n\nhead\n\n## One\n\n<details>\n<summary>x</summary>\n\n## not a section\n\n</details>\n\n## Two\n\n```diff\n\n## neither\n```\n\n## Three\n\nand a last section that is longer than what is said of a cut, so that there is something to cut\n";

    #[test]
    fn a_summary_is_cut_between_sections() {
        assert_eq!(summary(LONG, 0, "whole"), LONG);
        let kept = |room: usize| {
            let text = cut(LONG, room, "why", "whole");
            assert!(text.len() <= room, "{room}: {}", text.len());
            let (kept, note) = text.split_once("\n*The rest is cut").expect("a note");
            assert_eq!(note, ", because why. All of it is in `whole`.*\n");
            kept.to_owned()
        };
        let note = "\n*The rest is cut, because why. All of it is in `whole`.*\n".len();
        let at = |heading: &str| LONG.find(heading).unwrap();
        for (room, end) in [
            (note + at("## Three"), at("## Three")),
            (note + at("## Three") - 1, at("## Two")),
            (note + at("## neither") + 9, at("## Two")),
            (note + at("## not") + 3, at("## One")),
            (note + at("## One"), at("## One")),
            // Not even the first section.
            (note + at("## One") - 1, at("## One") - 1),
            (note + at("head"), at("head")),
            (note, 0),
        ] {
            assert_eq!(kept(room), LONG[..end], "{room}");
        }
        assert_eq!(cut(LONG, note - 1, "why", "whole"), "");
    }

    #[test]
    fn a_summary_leaves_room_for_what_is_there() {
        let section = format!("## Section\n\n{}\n\n", "text\n".repeat(20_000));
        let text = format!("# report\n\n{}", section.repeat(20));
        for used in [0, 100, 500_000, MOST_SUMMARY - 1_000] {
            let summary = summary(&text, used, "reports/x/report.md");
            assert!(summary.len() + used <= MOST_SUMMARY);
            assert!(summary.contains("The rest is cut"));
        }
        assert!(summary(&text, 0, "x").len() > MOST_SUMMARY - section.len() - 200);
    }

    #[test]
    fn a_comment_says_whose_it_is_and_fits() {
        let (header, attempts) = hostile();
        let report = report(header, &attempts);
        let text = redactor().text(&markdown(&report)).into_owned();
        let long = format!("{text}\n## More\n\n{}", "many words\n".repeat(10_000));
        let comment = comment(&long, &report);
        let (mark, body) = comment.split_once('\n').unwrap();
        assert_eq!(mark, "<!-- mailproof:__-__-____-_data -->");
        assert!(body.starts_with("# mailproof report\n"));
        assert!(comment.len() <= 65_536, "{}", comment.len());
        assert!(body.contains("The rest is cut") && !body.contains("## More"));
        assert!(body.contains(&text[..text.len() - 1]));
        let lines = |begin: &str| body.lines().filter(|line| line.starts_with(begin)).count();
        assert_eq!(lines("<details>"), lines("</details>"));
    }
}
