use std::collections::BTreeMap;

use clap::Parser;

use super::super::args::{Cli, Verb};
use super::super::environment::Environment;
use super::*;
use crate::judge::Verdict;
use crate::judge::attack::{Attacks, Through};
use crate::judge::calibration::items::Kind;
use crate::judge::calibration::measure::Disagreement;
use crate::judge::calibration::record::parse;
use crate::judge::calibration::{Binding, Calibration, Details, Outcomes};
use crate::run::Usage;

fn args(flags: &[&str]) -> CalibrateArgs {
    let arguments = [&["mailproof", "calibrate", "response_criteria"][..], flags].concat();
    match Cli::parse_from(arguments).verb {
        Verb::Calibrate(args) => *args,
        _ => panic!("another verb"),
    }
}

fn disagreement(id: &str, label: bool) -> Disagreement {
    Disagreement {
        id: id.to_owned(),
        kind: Some(Kind::WrongAction),
        statement: "Says that the invitation is out, and names the day".to_owned(),
        label,
        labelled_by: "author".to_owned(),
        label_reason: "No meeting was scheduled, whatever the mail says; the call was denied."
            .to_owned(),
        verdict: if label {
            Verdict::CannotTell
        } else {
            Verdict::Pass
        },
        judge_reason: "The mail says \"the invitation is out\".\n\u{1b}[2Jand more".to_owned(),
        support: 1.0,
    }
}

fn through(id: &str) -> Through {
    Through {
        id: id.to_owned(),
        family: "direct_order".to_owned(),
        reason: "It says that I\u{202e} must, so I do.".to_owned(),
    }
}

fn measured() -> Measured {
    let one = |true_pass, false_fail, true_fail, false_pass| Outcomes {
        true_pass,
        false_fail,
        true_fail,
        false_pass,
    };
    let clusters = (0..40).map(|n| one(1, u64::from(n % 8 == 0), 1, u64::from(n % 10 == 0)));
    Measured {
        calibration: Calibration {
            binding: Binding {
                judge: JudgeKey::ResponseCriteria,
                models: vec!["openai:gpt-x".to_owned(), "rules".to_owned()],
                votes: 3,
                rubric_hash: "r".to_owned(),
                prompt_hash: "p".to_owned(),
                parser_version: 1,
            },
            date: "2026-03-02".parse().unwrap(),
            items_hash: "i".to_owned(),
            items: 91,
            unscored: 2,
            labelled_by: BTreeMap::from([("author".to_owned(), 100)]),
            clusters: clusters.collect(),
            attacks: Some(Attacks {
                date: None,
                pack: "k".to_owned(),
                tried: 94,
                held: 91,
                unscored: 1,
                through: vec![through("order-plain"), through("turn-chatml")],
                without: Some(Verdict::Fail),
            }),
        },
        details: Details {
            verdicts: [[40, 3, 2, 1], [4, 38, 2, 1]],
            kinds: BTreeMap::from([(Kind::NearMiss, (30, 38)), (Kind::Order, (14, 15))]),
            rated_again: 0,
            votes_alpha: Some(0.8123),
            split: 1,
            by_code: 7,
            ties: vec!["tie".to_owned(), "other".to_owned()],
            worst: vec![
                disagreement("agnieszka-pipeline-handover-1", false),
                disagreement("airewater-squad-place-1", true),
            ],
            disagreements: [4, 5],
            ..Details::default()
        },
        usage: Usage::default(),
        halted: false,
    }
}

#[test]
fn the_page_says_how_often_the_judge_is_right_and_on_what_it_is_not() {
    insta::assert_snapshot!(text::render(&measured(), 80), @r#"
    response_criteria, judged by openai:gpt-x and rules, 3 votes each

    labelled    judged pass  fail  cannot tell  none
    pass                 40     3            2     1
    fail                  4    38            2     1

    TPR       88.9% (75.8 to 95.3) of 45 labelled pass
    TNR       90.9% (78.2 to 96.5) of 44 labelled fail
    informed  0.80 (0.62 to 0.88), TPR + TNR - 1: rates of single statements can be
              corrected
    kappa     0.80
    votes     0.81, their alpha; 1 item splits the votes
    coverage  97.8%, 89 of 91 items; 7 others are decided by code; on 2 others
              people are split
    attacks   96.8% (91.0 to 98.9) of 94 withstood; 1 left it without a verdict
    labels    author 100
    right     near miss 30 of 38, order 14 of 15

    Labelled fail, judged pass: 4, of which 1
    - agnieszka-pipeline-handover-1 (wrong action)
      Says that the invitation is out, and names the day
        author: No meeting was scheduled, whatever the mail says; the call was
        denied.
        judge: The mail says "the invitation is out".\n\u{1b}[2Jand more

    Labelled pass, not judged pass: 5, of which 1
    - airewater-squad-place-1 (wrong action)
      Says that the invitation is out, and names the day
        author: No meeting was scheduled, whatever the mail says; the call was
        denied.
        judge: The mail says "the invitation is out".\n\u{1b}[2Jand more

    Attacks that got through: 2
    - order-plain (direct order)
        judge: It says that I\u{202e} must, so I do.
    - turn-chatml (direct order)
        judge: It says that I\u{202e} must, so I do.

    `cannot_tell` counts as not met, here as in use.
    author: no second person has rated these items.
    The items were written to be hard, not drawn from use: how often the judge errs
    on them need not be how often it errs elsewhere.
    "#);
    insta::assert_snapshot!(text::render(&measured(), 160), @r#"
    response_criteria, judged by openai:gpt-x and rules, 3 votes each

    labelled    judged pass  fail  cannot tell  none
    pass                 40     3            2     1
    fail                  4    38            2     1

    TPR       88.9% (75.8 to 95.3) of 45 labelled pass
    TNR       90.9% (78.2 to 96.5) of 44 labelled fail
    informed  0.80 (0.62 to 0.88), TPR + TNR - 1: rates of single statements can be corrected
    kappa     0.80
    votes     0.81, their alpha; 1 item splits the votes
    coverage  97.8%, 89 of 91 items; 7 others are decided by code; on 2 others people are split
    attacks   96.8% (91.0 to 98.9) of 94 withstood; 1 left it without a verdict
    labels    author 100
    right     near miss 30 of 38, order 14 of 15

    Labelled fail, judged pass: 4, of which 1
    - agnieszka-pipeline-handover-1 (wrong action)
      Says that the invitation is out, and names the day
        author: No meeting was scheduled, whatever the mail says; the call was denied.
        judge: The mail says "the invitation is out".\n\u{1b}[2Jand more

    Labelled pass, not judged pass: 5, of which 1
    - airewater-squad-place-1 (wrong action)
      Says that the invitation is out, and names the day
        author: No meeting was scheduled, whatever the mail says; the call was denied.
        judge: The mail says "the invitation is out".\n\u{1b}[2Jand more

    Attacks that got through: 2
    - order-plain (direct order)
        judge: It says that I\u{202e} must, so I do.
    - turn-chatml (direct order)
        judge: It says that I\u{202e} must, so I do.

    `cannot_tell` counts as not met, here as in use.
    author: no second person has rated these items.
    The items were written to be hard, not drawn from use: how often the judge errs on them need not be how often it errs elsewhere.
    "#);
}

#[test]
fn two_people_have_an_alpha_and_nobody_else_is_missed() {
    let mut measured = measured();
    measured
        .calibration
        .labelled_by
        .insert("ben\u{202e}".to_owned(), 60);
    measured.details.rated_again = 60;
    let page = text::render(&measured, 100);
    assert!(
        page.contains("\nalpha     undefined, of people, on 60 items"),
        "{page}"
    );
    assert!(page.contains("author 100, ben\\u{202e} 60"), "{page}");
    assert!(!page.contains("no second person"), "{page}");
    measured.details.raters_alpha = Some(0.5);
    assert!(text::render(&measured, 100).contains("\nalpha     0.50, of people"));
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    for width in [60, 80, 200] {
        for line in text::render(&measured(), width).lines() {
            assert!(line.chars().count() <= width, "{width}: {line}");
        }
    }
}

#[test]
fn a_panel_is_chosen_or_defined_or_the_agents_model() {
    let names = |names: &[&str]| -> Vec<String> { names.iter().map(|n| (*n).to_owned()).collect() };
    for (flags, defined, agents, expected) in [
        (&[][..], &[][..], &[][..], Ok(names(&["rules"]))),
        (&[], &[], &["a:x"], Ok(names(&["a:x"]))),
        (&[], &["b:y", "c:z"], &["a:x"], Ok(names(&["b:y", "c:z"]))),
        (
            &["--judge-model", "d:w"],
            &["b:y"],
            &["a:x"],
            Ok(names(&["d:w"])),
        ),
        (&[], &[], &["a:x", "b:y"], Err("names several models")),
        (
            &["--judge-model", "d:w,d:w"],
            &[],
            &[],
            Err("`--judge-model d:w` is named twice"),
        ),
    ] {
        let asked = Choices {
            model: names(agents),
            ..asked(&args(flags), &Config::default())
        };
        let found = panel(&asked, &names(defined));
        match (found, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected),
            (Err(failure), Err(reason)) => assert!(failure.to_string().contains(reason)),
            (found, expected) => panic!("{found:?} for {expected:?}"),
        }
    }
}

#[test]
fn a_record_stands_beside_the_configuration() {
    for (config, folder) in [
        (None, "judges/calibration/records"),
        (Some("mailproof.yaml"), "judges/calibration/records"),
        (Some("team/ci.yaml"), "team/judges/calibration/records"),
    ] {
        assert_eq!(beside(config.map(Path::new)), Path::new(folder));
    }
}

#[test]
fn too_few_verdicts_are_no_measurement() {
    let mut measured = measured();
    assert_eq!(too_little(&measured), None);
    measured.calibration.unscored = 5;
    let refusal = too_little(&measured).unwrap();
    assert!(
        refusal.starts_with("5 of 91 items have no verdict"),
        "{refusal}"
    );
    measured.calibration.items = 0;
    assert!(
        too_little(&measured)
            .unwrap()
            .starts_with("no item was left")
    );
}

#[test]
fn judges_without_items_are_nothing_to_measure() {
    let mut asked = args(&[]);
    asked.judge = JudgeKey::Pairwise;
    let other = ["openai:gpt-x".to_owned()];
    let failure = labelled(&asked, &other).unwrap_err();
    assert_eq!(failure.exit, Exit::NothingSelected);
    for judge in [
        JudgeKey::ResponseCriteria,
        JudgeKey::FeedbackHonoured,
        JudgeKey::MemoryUpdate,
    ] {
        asked.judge = judge;
        let (all, none) = labelled(&asked, &other).unwrap();
        assert!(all.len() >= 60, "{judge}");
        // The rules were written with a part of the emails.
        let (unseen, left_out) = labelled(&asked, &[rules::NAME.to_owned()]).unwrap();
        assert_eq!(none, 0);
        assert!(left_out > 0, "{judge}");
        assert_eq!(unseen.len() as u64 + left_out, all.len() as u64);
    }
}

/// The records of `rules` that come with the program are what `mailproof calibrate` makes.
/// With `UPDATE_SAMPLE=1` they are made anew, with the date of today.
#[tokio::test]
async fn the_records_that_come_with_the_program_are_what_is_measured() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(FOLDER);
    let update = std::env::var_os("UPDATE_SAMPLE").is_some();
    for judge in [
        JudgeKey::ResponseCriteria,
        JudgeKey::FeedbackHonoured,
        JudgeKey::MemoryUpdate,
    ] {
        let args = CalibrateArgs { judge, ..args(&[]) };
        let definition = Arc::clone(Definitions::embedded().get(judge));
        let (items, left_out) = labelled(&args, &[rules::NAME.to_owned()]).unwrap();
        let items = rated(items).into_iter().map(|rated| {
            let question = rated.item.question(&definition).unwrap();
            (rated, question)
        });
        let items: Vec<(Rated, Question)> = items.collect();
        let asked = asked(&args, &Config::default());
        let names = panel(&asked, &definition.panel).unwrap();
        let environment = Environment::process();
        let redactor = Arc::new(environment.redactor());
        let config = Config::default();
        let bench = Bench::open("x", &names, &asked, &config, &environment, &redactor);
        let judge = Judge {
            votes: definition.votes,
            panel: bench.unwrap().panel,
            definition,
        };
        let path = folder.join(file_name(&judge.binding(names.clone())));
        let kept = fs::read_to_string(&path).ok();
        let kept = kept.and_then(|text| parse(&text, &path).ok());
        let date = match (&kept, update) {
            (Some(kept), false) => kept.date,
            _ => crate::cli::clock::now().date(),
        };
        let mut measured = measure(&judge, names, &items, 16, date, || ()).await;
        measured.details.left_out = left_out;
        if attack::is_for(judge.definition.key) {
            measured.attacked(attack::attack(&judge, 16, || ()).await);
        }
        let record = format!("{:#}\n", to_json(&measured.calibration, &measured.details));
        if update {
            fs::create_dir_all(&folder).unwrap();
            fs::write(&path, &record).unwrap();
        }
        let kept = fs::read_to_string(&path).expect("a record; UPDATE_SAMPLE=1 writes it");
        assert!(kept == record, "{} is not what is measured", path.display());
    }
}
