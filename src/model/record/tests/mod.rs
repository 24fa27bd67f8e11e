mod files;
mod keys;
mod misses;

use std::fs::{self, File};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::message::{Message, Prompt, ToolSpec};
use crate::model::scripted::{Scripted, call, text};
use crate::model::{ErrorKind, ModelError, Origin, Reply, Request, ToolChoice};
use crate::run::{Stop, TokenUsage};

const VARIANT: &str = "workflow-m";

/// A folder for recordings.
struct Place(TempDir);

impl Place {
    fn new() -> Place {
        Place(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn options(&self, replay: Option<&str>, record: Option<&str>) -> Options {
        Options {
            replay: replay.map(|name| self.path(name)),
            record: record.map(|name| self.path(name)),
            resume: false,
            date: "2026-03-02".parse().unwrap(),
            seed: 7,
            created: "2026-03-02T10:00:00Z".parse().unwrap(),
            redactor: Arc::new(Redactor::new([])),
        }
    }

    fn open(&self, replay: Option<&str>, record: Option<&str>) -> Arc<Recording> {
        Recording::open(self.options(replay, record)).unwrap_or_else(|error| panic!("{error}"))
    }

    fn refused(&self, options: Options) -> String {
        let error = Recording::open(options).expect_err("it opened");
        let here = self.0.path().display().to_string();
        error.to_string().replace(&format!("{here}/"), "")
    }

    /// Records these answers to these requests, in order.
    async fn record(&self, name: &str, requests: &[Request], answers: Vec<Reply>) {
        let recording = self.open(None, Some(name));
        let model = recording.agent(Some(Arc::new(Scripted::new(answers))));
        for request in requests {
            model.ask(request).await.unwrap();
        }
        recording.finish(Unused::Kept).unwrap();
    }

    /// All files of a recording, with their texts.
    fn files(&self, name: &str) -> BTreeMap<String, String> {
        let files = fs::read_dir(self.path(name)).unwrap();
        let files = files.map(|file| file.unwrap());
        files
            .map(|file| {
                let name = file.file_name().into_string().unwrap();
                (name, fs::read_to_string(file.path()).unwrap())
            })
            .collect()
    }

    fn lines(&self, name: &str, file: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.path(name).join(file)).unwrap();
        let lines = text.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

impl Recording {
    fn agent(self: &Arc<Self>, inner: Option<Arc<dyn Model>>) -> Arc<dyn Model> {
        self.halting(inner, Halt::default())
    }

    fn halting(self: &Arc<Self>, inner: Option<Arc<dyn Model>>, halt: Halt) -> Arc<dyn Model> {
        let settings = Settings::default();
        self.model(
            inner,
            VARIANT,
            ModelRole::Agent,
            "openai:m",
            &settings,
            halt,
        )
        .unwrap_or_else(|error| panic!("{error}"))
    }
}

const AGENT: &str = "workflow-m.agent.jsonl";

fn request(case: &str, content: &str) -> Request {
    asked(&Origin::new(case, 0), content)
}

fn asked(origin: &Origin, content: &str) -> Request {
    let tool = ToolSpec {
        name: "done".to_owned(),
        description: "The email is dealt with.".to_owned(),
        parameters: json!({"type": "object"}),
    };
    Request {
        role: ModelRole::Agent,
        prompt: Prompt::new("Answer emails with care.".to_owned(), vec![tool]),
        messages: vec![Message::user("m0", content)],
        tool_choice: ToolChoice::Required,
        output: None,
        origin: origin.clone(),
    }
}

fn costly(content: &str) -> Reply {
    Reply {
        usage: TokenUsage {
            input_tokens: 120,
            output_tokens: 8,
            cached_input_tokens: 100,
            cost: Some(Cost::of_trillionths(2_500_000)),
        },
        stop: Some(Stop::Length),
        latency: Some(Duration::from_micros(1_234_500)),
        ..call("done", json!({"z": content, "a": [1, 2.5, null]}))
    }
}

#[tokio::test]
async fn a_replay_answers_as_it_was_recorded_and_asks_nobody() {
    let place = Place::new();
    let reply = costly("Grüße");
    place
        .record("rec", &[request("e", "hello")], vec![reply.clone()])
        .await;
    let recording = place.open(Some("rec"), None);
    let model = recording.agent(None);
    let request = request("e", "hello");
    let mark = request.origin.clock().mark();
    assert_eq!(model.ask(&request).await, Ok(reply));
    assert!(request.origin.clock().since(&mark) >= Duration::from_millis(1234));
    let traffic = Traffic {
        replayed: 1,
        replayed_cost: Cost::of_trillionths(2_500_000),
        ..Traffic::default()
    };
    let counted = [(VARIANT.to_owned(), traffic)];
    assert_eq!(recording.traffic(), BTreeMap::from(counted));
}

#[tokio::test]
async fn equal_requests_keep_their_own_answers_by_order_attempt_and_vote() {
    let place = Place::new();
    let all = || {
        let mut vote = Origin::new("e", 0);
        vote.vote = 1;
        let (first, again) = (Origin::new("e", 0), Origin::new("e", 1));
        [
            asked(&first, "hello"),
            asked(&first, "hello"),
            asked(&again, "hello"),
            asked(&vote, "hello"),
        ]
    };
    let answers = ["one", "two", "three", "four"];
    place
        .record("rec", &all(), answers.map(text).to_vec())
        .await;
    let model = place.open(Some("rec"), None).agent(None);
    // In any order of attempts.
    for place in [3, 2, 0, 1] {
        let request = &all()[place];
        // Each call of `all` counts anew: the second of two is asked after the first.
        if place == 1 {
            model.ask(request).await.unwrap();
        }
        assert_eq!(
            model.ask(request).await,
            Ok(text(answers[place])),
            "{place}"
        );
    }
}

#[tokio::test]
async fn equal_requests_that_wait_at_once_are_recorded_each() {
    let place = Place::new();
    let recording = place.open(None, Some("rec"));
    let model = recording.agent(Some(Arc::new(Scripted::new([text("a"), text("b")]))));
    let origin = Origin::new("e", 0);
    let (one, other) = (asked(&origin, "hello"), asked(&origin, "hello"));
    let (one, other) = tokio::join!(model.ask(&one), model.ask(&other));
    recording.finish(Unused::Kept).unwrap();
    let model = place.open(Some("rec"), None).agent(None);
    let origin = Origin::new("e", 0);
    let replayed = [
        model.ask(&asked(&origin, "hello")).await,
        model.ask(&asked(&origin, "hello")).await,
    ];
    assert_eq!(replayed, [one, other]);
}

#[tokio::test]
async fn a_case_is_answered_with_its_own_calls_and_one_that_was_renamed_with_the_first() {
    let place = Place::new();
    let requests = [request("b", "hello"), request("a", "hello")];
    let answers = vec![text("of b"), text("of a")];
    place.record("rec", &requests, answers).await;
    let model = place.open(Some("rec"), None).agent(None);
    for (case, answer) in [("a", "of a"), ("b", "of b"), ("renamed", "of a")] {
        let reply = model.ask(&request(case, "hello")).await;
        assert_eq!(reply, Ok(text(answer)), "{case}");
    }
}

#[tokio::test]
async fn what_is_new_is_asked_where_that_is_allowed_and_the_rest_is_kept() {
    let place = Place::new();
    place
        .record("rec", &[request("a", "old")], vec![text("kept")])
        .await;
    let before = place.lines("rec", AGENT);
    let recording = place.open(Some("rec"), Some("rec"));
    let scripted = Arc::new(Scripted::new([text("asked")]));
    let model = recording.agent(Some(Arc::clone(&scripted) as Arc<dyn Model>));
    assert_eq!(model.ask(&request("a", "old")).await, Ok(text("kept")));
    assert_eq!(model.ask(&request("b", "new")).await, Ok(text("asked")));
    assert_eq!(scripted.requests().len(), 1);
    let traffic = recording.traffic()[VARIANT];
    assert_eq!((traffic.replayed, traffic.recorded), (1, 1));
    recording.finish(Unused::Kept).unwrap();
    let after = place.lines("rec", AGENT);
    assert_eq!((after.len(), &after[0]), (2, &before[0]));
}

#[tokio::test]
async fn replaying_one_folder_into_another_copies_what_was_used() {
    let place = Place::new();
    let requests = [request("a", "one"), request("b", "two")];
    place
        .record("rec", &requests, vec![costly("1"), costly("2")])
        .await;
    let recording = place.open(Some("rec"), Some("copy"));
    let model = recording.agent(Some(Arc::new(Scripted::new([]))));
    model.ask(&request("b", "two")).await.unwrap();
    recording.finish(Unused::Kept).unwrap();
    assert_eq!(place.lines("copy", AGENT), place.lines("rec", AGENT)[1..]);
    assert_eq!(place.files("copy")[PROMPTS], place.files("rec")[PROMPTS]);
}

#[tokio::test]
async fn failures_are_recorded_by_whether_they_say_something_of_the_request() {
    use ErrorKind::*;
    let never = [Halted, Budget, BadKey, UnknownModel, Quota];
    let transient = [
        RateLimited,
        Overloaded,
        Server,
        Network,
        RequestTimeout,
        Unreadable,
    ];
    let failed = |kind| ModelError::new("openai:m", kind, "it broke");
    for kind in [BadRequest].into_iter().chain(transient).chain(never) {
        let place = Place::new();
        let recording = place.open(None, Some("rec"));
        let scripted = Scripted::with_failures([Err(failed(kind))]);
        let asked = recording
            .agent(Some(Arc::new(scripted)))
            .ask(&request("e", "hello"))
            .await;
        assert_eq!(asked, Err(failed(kind)));
        recording.finish(Unused::Kept).unwrap();
        // Alone, a replay fails as the run did; asked again, only lasting failures stay.
        let replayed = place
            .open(Some("rec"), None)
            .agent(None)
            .ask(&request("e", "hello"))
            .await;
        let scripted = Scripted::new([text("better")]);
        let both = place.open(Some("rec"), Some("rec"));
        let again = both
            .agent(Some(Arc::new(scripted)))
            .ask(&request("e", "hello"))
            .await;
        if never.contains(&kind) {
            assert_eq!(replayed.unwrap_err().kind, Halted, "{kind:?}");
            assert_eq!(again, Ok(text("better")), "{kind:?}");
        } else {
            assert_eq!(replayed, Err(failed(kind)), "{kind:?}");
            let lasting = if kind == BadRequest {
                Err(failed(kind))
            } else {
                Ok(text("better"))
            };
            assert_eq!(again, lasting, "{kind:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_cut_short_is_so_again_and_takes_its_time() {
    let place = Place::new();
    let slow = || Arc::new(Scripted::new([text("late")]).slow(Duration::from_secs(60)));
    for (cut, name) in [(true, "cut"), (false, "dropped")] {
        let recording = place.open(None, Some(name));
        let model = recording.agent(Some(slow()));
        let request = request("e", "hello");
        let mut asking = model.ask(&request);
        let waited = tokio::time::timeout(Duration::from_secs(20), &mut asking).await;
        waited.unwrap_err();
        match cut {
            true => request.origin.clock().cut_short(asking),
            false => drop(asking),
        }
        recording.finish(Unused::Kept).unwrap();
    }
    let model = place.open(Some("cut"), None).agent(None);
    let request = request("e", "hello");
    let mark = request.origin.clock().mark();
    let error = model.ask(&request).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::CutShort);
    assert_eq!(request.origin.clock().since(&mark), Duration::from_secs(20));
    assert!(!place.path("dropped").join(AGENT).exists());
}

#[tokio::test]
async fn what_cannot_be_written_ends_the_run() {
    let place = Place::new();
    let recording = place.open(None, Some("rec"));
    let halt = Halt::default();
    let model = recording.halting(Some(Arc::new(Scripted::new([text("a")]))), halt.clone());
    // A part that takes no line: a full disk.
    let full = File::options().write(true).open("/dev/full");
    let Ok(full) = full else { return };
    recording
        .sink()
        .unwrap()
        .part(AGENT)
        .unwrap()
        .exchange(full);
    let error = model.ask(&request("e", "hello")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Halted);
    assert_eq!(
        halt.reason().unwrap().because,
        super::super::halt::Because::Recording
    );
    assert!(
        halt.reason().unwrap().reason.contains("cannot write"),
        "{halt:?}"
    );
}
