use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::experiment::execute::execute;
use crate::experiment::journal::{FILE, Journal, Reader};
use crate::experiment::record::Panel;
use crate::experiment::tests::{Bench, choices, dataset, redactor, right};
use crate::judge::calibration::Standing;
use crate::judge::{JudgeKey, Ruling, Verdict};
use crate::model::settings::Settings;
use crate::redact::Redactor;
use crate::run::{Run, TokenUsage};
use crate::score::{Key, Score};

/// An experiment of four attempts, and the folder it is kept in.
async fn experiment() -> (Bench, PathBuf) {
    let bench = Bench::new(&choices(), dataset(2));
    execute(bench.execution(bench.create(), right(), 1))
        .await
        .unwrap();
    let folder = bench.path().parent().unwrap().to_owned();
    (bench, folder)
}

fn header(folder: &Path) -> Header {
    let journal = Reader::open(&folder.join(FILE)).unwrap();
    Header {
        format: FORMAT.into(),
        number: 0,
        experiment: "bench".into(),
        tool_version: "9.9.9".into(),
        created: Timestamp::UNIX_EPOCH,
        journal: journal.header_hash().into(),
        dataset_hash: journal.header().dataset.hash.clone(),
        scorers: Scorers::All,
        judges: Vec::new(),
        judge_models: vec![Vec::new(), vec!["openai:x".into()]],
        models: BTreeMap::new(),
    }
}

/// What the records of a journal say, in its order.
fn recorded(folder: &Path) -> Vec<Scores> {
    let mut journal = Reader::open(&folder.join(FILE)).unwrap();
    let attempts = journal.attempts::<Run>();
    attempts
        .map(|entry| Scores::of(&entry.unwrap().attempt))
        .collect()
}

fn judged(verdict: Option<Verdict>) -> Judged {
    Judged {
        judge: JudgeKey::ResponseCriteria,
        rulings: vec![Ruling {
            statement: "Names the invoice".into(),
            weight: 1.0,
            critical: false,
            verdict,
            reason: "It does.".into(),
            quotes: Vec::new(),
            votes: Vec::new(),
        }],
    }
}

/// Writes a layer, and returns its number.
fn write(folder: &Path, header: &Header, scores: &[Scores], is_complete: bool) -> u32 {
    let mut layer = Writer::create(folder, header, redactor()).unwrap();
    for scores in scores {
        layer.add(scores).unwrap();
    }
    let number = layer.number();
    if is_complete {
        let attempts = layer.attempts();
        let spent = Some(Cost::ZERO);
        layer.end(End { attempts, spent }).unwrap();
    }
    number
}

fn read(folder: &Path, number: Option<u32>) -> Result<Vec<Attempt<Run>>, LayerError> {
    let mut scored = Scored::open(folder, number)?;
    let mut attempts = Vec::new();
    while let Some(entry) = scored.next_attempt()? {
        attempts.push(entry.attempt);
    }
    Ok(attempts)
}

#[tokio::test]
async fn a_layer_stands_in_the_place_of_what_the_run_found() {
    let (_bench, folder) = experiment().await;
    let plan = JudgePlan {
        judge: JudgeKey::ResponseCriteria,
        version: 7,
        rubric_hash: "r".into(),
        prompt_hash: "p".into(),
        parser_version: 1,
        votes: 3,
        threshold: None,
        trusted: false,
        panels: vec![Panel {
            models: vec!["openai:x".into()],
            standing: Standing::Uncalibrated,
        }],
    };
    let asked = AskedModel {
        model: "openai:x".into(),
        settings: BTreeMap::from([(ModelRole::Judge, Settings::default())]),
    };
    let header = Header {
        judges: vec![plan.clone()],
        models: BTreeMap::from([("x".to_owned(), asked.clone())]),
        ..header(&folder)
    };
    let mut scores = recorded(&folder);
    for scores in &mut scores {
        scores.feedback[0].score = Score::WORST;
        scores.judged = vec![judged(Some(Verdict::Pass))];
        scores.usage.record(ModelRole::Judge, TokenUsage::default());
    }
    scores[3].broken = Some("panicked: at the disco".into());
    assert_eq!(write(&folder, &header, &scores, true), 1);

    let run = read(&folder, Some(0)).unwrap();
    let layer = read(&folder, None).unwrap();
    assert_eq!((run.len(), layer.len()), (4, 4));
    for (n, (before, after)) in run.iter().zip(&layer).enumerate() {
        assert_eq!(after.case, before.case);
        assert_eq!(before.feedback[0].score, Score::BEST);
        assert_eq!(after.feedback, scores[n].feedback);
        assert_eq!(
            (&before.judged, &after.judged),
            (&vec![], &scores[n].judged)
        );
        assert_eq!((before.usage.calls(), after.usage.calls()), (1, 2));
        assert_eq!(after.runs, before.runs, "what happened stays as it is");
        let broken = (Outcome::Harness, Some("panicked: at the disco".to_owned()));
        let ended = (after.outcome, after.error.clone());
        assert_eq!(
            ended,
            if n == 3 {
                broken
            } else {
                (Outcome::Finished, None)
            }
        );
    }

    let mut scored = Scored::open(&folder, None).unwrap();
    assert_eq!(scored.layer().unwrap().number, 1);
    assert_eq!(scored.header().judges, [plan]);
    assert_eq!(scored.header().variants[1].judge_models, ["openai:x"]);
    assert_eq!(scored.header().models["x"], asked);
    assert!(scored.end().is_none(), "not before all was read");
    while scored.next_attempt::<Run>().unwrap().is_some() {}
    assert_eq!(scored.end().map(|end| end.attempts), Some(4));
    let own = Scored::open(&folder, Some(0)).unwrap();
    assert!(own.layer().is_none() && own.header().judges.is_empty());
}

#[tokio::test]
async fn judges_that_scored_again_leave_nothing_of_those_of_the_run() {
    let (_bench, folder) = experiment().await;
    let mut attempt = read(&folder, Some(0)).unwrap().remove(0);
    attempt.judged = vec![judged(None)];
    attempt
        .usage
        .record(ModelRole::Judge, TokenUsage::default());
    assert_eq!(Scores::of(&attempt).usage.calls(), 1, "the judges' alone");
    let mut scores = Scores::of(&attempt);
    scores.judged = vec![judged(Some(Verdict::Fail))];
    scores.usage.record(ModelRole::Judge, TokenUsage::default());
    scores.clone().apply(&mut attempt);
    assert_eq!(attempt.judged, scores.judged);
    let calls = |role| attempt.usage.0[&role].calls;
    assert_eq!((calls(ModelRole::Router), calls(ModelRole::Judge)), (1, 2));
}

#[tokio::test]
async fn the_newest_complete_layer_is_shown_and_no_other_in_its_place() {
    let (_bench, folder) = experiment().await;
    let shown = |number| {
        let scored = Scored::open(&folder, number);
        scored.map(|scored| {
            let number = scored.layer().map_or(0, |layer| layer.number);
            (number, scored.unfinished().to_vec())
        })
    };
    assert_eq!(shown(None).unwrap(), (0, vec![]));
    let missing = shown(Some(1)).unwrap_err().to_string();
    assert!(missing.starts_with("no layer 1 in ") && missing.contains("there is none;"));

    let (header, scores) = (header(&folder), recorded(&folder));
    assert_eq!(write(&folder, &header, &scores, true), 1);
    assert_eq!(write(&folder, &header, &scores, true), 2);
    assert_eq!(shown(None).unwrap(), (2, vec![]));
    assert_eq!(shown(Some(1)).unwrap(), (1, vec![]));
    // Interrupted, and with a torn end.
    assert_eq!(write(&folder, &header, &scores, false), 3);
    assert_eq!(write(&folder, &header, &scores, true), 4);
    let torn = path(&folder, 4);
    let text = fs::read_to_string(&torn).unwrap();
    fs::write(&torn, text.trim_end()).unwrap();
    fs::write(path(&folder, 5), "").unwrap();
    fs::write(folder.join(FOLDER).join("notes.txt"), "mine").unwrap();
    assert_eq!(shown(None).unwrap(), (2, vec![5, 4, 3]));
    for number in [3, 4, 5] {
        let refused = shown(Some(number)).unwrap_err();
        assert!(
            matches!(refused, LayerError::Incomplete { .. }),
            "{refused}"
        );
        let words = "`mailproof rescore` makes a new one, and layer 0 is what the run itself found";
        assert!(refused.to_string().ends_with(words), "{refused}");
    }
    let missing = shown(Some(9)).unwrap_err().to_string();
    assert!(missing.contains("there is 1, 2, 3, 4, 5;"), "{missing}");
    assert_eq!(
        write(&folder, &header, &scores, true),
        6,
        "no number is used again"
    );
}

#[test]
fn layers_are_files_called_by_a_number() {
    for (file, expected) in [
        ("1.jsonl", Some(1)),
        ("12.jsonl", Some(12)),
        ("0.jsonl", None),
        ("01.jsonl", None),
        ("+1.jsonl", None),
        ("1.json", None),
        ("x.jsonl", None),
        ("99999999999.jsonl", None),
    ] {
        assert_eq!(number(file), expected, "{file}");
    }
}

/// Writes a layer whose lines went through `change`, and tells what reading it says.
fn changed(folder: &Path, change: impl FnOnce(&mut Vec<Value>)) -> String {
    let number = write(folder, &header(folder), &recorded(folder), true);
    let path = path(folder, number);
    let text = fs::read_to_string(&path).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    let mut lines: Vec<Value> = lines.collect();
    change(&mut lines);
    let lines: Vec<String> = lines.iter().map(|line| format!("{line}\n")).collect();
    fs::write(&path, lines.concat()).unwrap();
    let error = match read(folder, Some(number)) {
        Ok(attempts) => format!("{} attempts", attempts.len()),
        Err(error) => error.to_string(),
    };
    let error = error.replace(&path.display().to_string(), "LAYER");
    error.replace(&folder.display().to_string(), "FOLDER")
}

#[tokio::test]
async fn a_layer_that_does_not_fit_its_journal_is_an_error_that_names_the_line() {
    let (_bench, folder) = experiment().await;
    assert_eq!(changed(&folder, |_| ()), "4 attempts");
    let changes: [fn(&mut Vec<Value>); 11] = [
        |lines| lines.swap(1, 2),
        |lines| {
            lines.remove(4);
            lines[4]["end"]["attempts"] = json!(3);
        },
        |lines| {
            lines.insert(5, lines[4].clone());
            lines[6]["end"]["attempts"] = json!(5);
        },
        |lines| lines[5]["end"]["attempts"] = json!(3),
        |lines| lines.insert(1, lines[0].clone()),
        |lines| lines.insert(2, lines[5].clone()),
        |lines| lines[0]["header"]["journal"] = json!("cafe"),
        |lines| lines[0]["header"]["format"] = json!("mailproof.layer/2"),
        |lines| lines[0]["header"]["judge_models"] = json!([[]]),
        |lines| lines[2]["attempt"]["feedback"][0]["score"] = json!(2),
        |lines| drop(lines.remove(0)),
    ];
    let told: Vec<String> = changes.map(|change| changed(&folder, change)).into();
    insta::assert_snapshot!(told.join("\n"), @r"
    LAYER:2: scores of `e0` (variant 1, repeat 0), where the journal has `e0` (variant 0, repeat 0); the file was changed after it was written
    LAYER:5: the layer ends here, and the journal has more attempts than these 3: the run went on since; `mailproof rescore` makes a new layer, and layer 0 is what the run itself found
    LAYER:6: scores of `e1`, an attempt that the journal does not have; the file was changed after it was written
    LAYER:6: the end of 3 attempts, after 4; the file was changed after it was written
    LAYER:2: a second header; the file was changed after it was written
    LAYER:3: the end of 4 attempts, after 1; the file was changed after it was written
    LAYER scores another journal than the one beside it: `mailproof rescore` makes a new layer, and layer 0 is what the run itself found
    LAYER has the format `mailproof.layer/2`, and this version reads `mailproof.layer/1`: use the version that wrote it
    LAYER:1: `judge_models` has not one entry for each variant of the journal; the file was changed after it was written
    LAYER:3: a score must be from 0 to 1, not 2 at byte 119; the file was changed after it was written
    LAYER:1: missing field `header` at byte 124; the file was changed after it was written
    ");
}

#[tokio::test]
async fn what_is_written_is_redacted() {
    let (_bench, folder) = experiment().await;
    let secret = "canary/Variable+0123456789==";
    let mut scores = recorded(&folder);
    scores[0].feedback[0].comment = Some(format!("wrong key: {secret}"));
    scores[1].judged = vec![judged(None)];
    scores[1].judged[0].rulings[0].reason = format!("the judge said {secret}");
    scores[2].broken = Some("Bearer canary0123456789abcdef".into());
    let mut header = header(&folder);
    header.judge_models[0] = vec![secret.into()];
    let redactor = Arc::new(Redactor::new([secret.to_owned()]));
    let mut layer = Writer::create(&folder, &header, redactor).unwrap();
    for scores in &scores {
        layer.add(scores).unwrap();
    }
    let path = layer.path().to_owned();
    layer
        .end(End {
            attempts: 4,
            spent: None,
        })
        .unwrap();
    let text = fs::read_to_string(path).unwrap();
    assert!(!text.contains("canary"), "{text}");
    assert_eq!(text.matches("[redacted]").count(), 4);
    let found = read(&folder, None).unwrap()[0].feedback[0].clone();
    assert_eq!(found.key, Key::TriageAccuracy);
    assert_eq!(found.comment.as_deref(), Some("wrong key: [redacted]"));
}

#[tokio::test]
async fn nobody_writes_a_journal_that_is_scored_again() {
    let (bench, folder) = experiment().await;
    let journal = folder.join(FILE);
    let go_on = || Journal::reopen(&journal, redactor(), |_| Ok::<_, JournalError>(()));
    let one = Reader::open_at_rest(&journal).unwrap();
    let other = Reader::open_at_rest(&journal).unwrap();
    assert!(matches!(go_on(), Err(JournalError::Locked { .. })));
    drop((one, other));
    let writer = go_on().unwrap();
    let refused = Reader::open_at_rest(&journal);
    assert!(matches!(refused, Err(JournalError::Locked { .. })));
    drop((writer, bench));
}
