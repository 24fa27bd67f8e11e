//! What is said of a request that was not recorded.

use super::*;
use crate::model::halt::Because;

/// What a replay of `rec` says when it is asked this.
async fn missed(place: &Place, request: &Request) -> String {
    missed_with(place, request, "openai:m", Settings::default()).await
}

async fn missed_with(place: &Place, request: &Request, model: &str, settings: Settings) -> String {
    let recording = place.open(Some("rec"), None);
    let halt = Halt::default();
    let model = recording
        .model(
            None,
            VARIANT,
            ModelRole::Agent,
            model,
            &settings,
            halt.clone(),
        )
        .unwrap();
    let error = model.ask(request).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Halted);
    assert_eq!(recording.traffic()[VARIANT].missed, 1);
    let halted = halt.reason().unwrap();
    assert_eq!(halted.because, Because::ReplayMiss);
    let here = format!("{}/", place.0.path().display());
    halted.reason.replace(&here, "")
}

async fn recorded() -> Place {
    let place = Place::new();
    let one = request(
        "invoice",
        "Please pay the invoice by Friday.\nThank you,\nAda",
    );
    let other = request("lunch", "Shall we have lunch on Friday?");
    place
        .record("rec", &[one, other], vec![text("1"), text("2")])
        .await;
    place
}

#[tokio::test]
async fn a_miss_names_the_part_and_the_words_that_differ() {
    let place = recorded().await;
    let mut prompt = request(
        "invoice",
        "Please pay the invoice by Friday.\nThank you,\nAda",
    );
    prompt.prompt = Prompt::new(
        "Answer emails with great care.".to_owned(),
        prompt.prompt.tools().to_vec(),
    );
    insta::assert_snapshot!(missed(&place, &prompt).await, @r"
    no recorded answer: workflow-m asks as agent about `invoice` (attempt 1, call 1) what is not in rec
    the nearest recorded request is call 1 of `invoice`, attempt 1 (rec/workflow-m.agent.jsonl:1)
    the system prompt:
      Answer emails with {+great +}care.
    `--replay rec --record rec` asks for what is new, and keeps the rest
    ");
    let message = request(
        "invoice",
        "Please pay the invoice by Monday.\nThank you,\nAda",
    );
    insta::assert_snapshot!(missed(&place, &message).await, @r"
    no recorded answer: workflow-m asks as agent about `invoice` (attempt 1, call 1) what is not in rec
    the nearest recorded request is call 1 of `invoice`, attempt 1 (rec/workflow-m.agent.jsonl:1)
    message 1 (user):
      pay the invoice by [-Friday.-]{+Monday.+}⏎Thank you,⏎Ada
    `--replay rec --record rec` asks for what is new, and keeps the rest
    ");
    // A new case: whichever resembles it.
    let case = request("dinner", "Shall we have dinner on Friday?");
    insta::assert_snapshot!(missed(&place, &case).await, @r"
    no recorded answer: workflow-m asks as agent about `dinner` (attempt 1, call 1) what is not in rec
    the nearest recorded request is call 1 of `lunch`, attempt 1 (rec/workflow-m.agent.jsonl:2)
    message 1 (user):
      Shall we have [-lunch-]{+dinner+} on Friday?
    `--replay rec --record rec` asks for what is new, and keeps the rest
    ");
}

#[tokio::test]
async fn a_miss_tells_of_tools_settings_models_and_counts() {
    let place = recorded().await;
    let lunch = || request("lunch", "Shall we have lunch on Friday?");
    let mut tools = lunch();
    let mut tool = tools.prompt.tools()[0].clone();
    tool.description = "The email is finished.".to_owned();
    tools.prompt = Prompt::new(tools.prompt.system().to_owned(), vec![tool]);
    tools.tool_choice = ToolChoice::Auto;
    insta::assert_snapshot!(missed(&place, &tools).await, @r#"
    no recorded answer: workflow-m asks as agent about `lunch` (attempt 1, call 1) what is not in rec
    the nearest recorded request is call 1 of `lunch`, attempt 1 (rec/workflow-m.agent.jsonl:2)
    the tools:
      {"description": "The email is [-dealt with.",-]{+finished.",+} "name": "done", "parameters": {"type":
    the tool choice:
      [-required-]{+auto+}
    `--replay rec --record rec` asks for what is new, and keeps the rest
    "#);

    let settings = Settings {
        max_tokens: Some(100),
        ..Settings::default()
    };
    let other = missed_with(&place, &lunch(), "openai:n", settings).await;
    insta::assert_snapshot!(other, @r#"
    no recorded answer: workflow-m asks as agent about `lunch` (attempt 1, call 1) what is not in rec
    the nearest recorded request is call 1 of `lunch`, attempt 1 (rec/workflow-m.agent.jsonl:2)
    the model's name:
      [-openai:m-]{+openai:n+}
    the model's settings:
      [-{}-]{+{"max_tokens":100}+}
    `--replay rec --record rec` asks for what is new, and keeps the rest
    "#);

    let mut attempt = lunch();
    attempt.origin = Origin::new("lunch", 1);
    insta::assert_snapshot!(missed(&place, &attempt).await, @r"
    no recorded answer: workflow-m asks as agent about `lunch` (attempt 2, call 1) what is not in rec
    the nearest recorded request is call 1 of `lunch`, attempt 1 (rec/workflow-m.agent.jsonl:2)
    the same request is recorded of attempt 1, not of attempt 2
    `--replay rec --record rec` asks for what is new, and keeps the rest
    ");

    let twice = lunch();
    let model = place.open(Some("rec"), None).agent(None);
    model.ask(&twice).await.unwrap();
    let twice = missed(&place, &twice).await;
    assert!(
        twice.contains("recorded of repetition 1, not of repetition 2"),
        "{twice}"
    );

    let mut longer = lunch();
    longer
        .messages
        .push(Message::assistant("m1", "Gladly.", Vec::new()));
    let longer = missed(&place, &longer).await;
    assert!(
        longer.contains("message 2 (assistant), which was not recorded:\n  {+Gladly.+}"),
        "{longer}"
    );
}

#[tokio::test]
async fn a_miss_in_an_empty_recording_says_that_there_is_none() {
    let place = Place::new();
    place.open(None, Some("rec")).finish(Unused::Kept).unwrap();
    insta::assert_snapshot!(missed(&place, &request("e", "hello")).await, @r"
    no recorded answer: workflow-m asks as agent about `e` (attempt 1, call 1) what is not in rec
    nothing is recorded that was asked in this role
    `--replay rec --record rec` asks for what is new, and keeps the rest
    ");
}

#[tokio::test]
async fn a_miss_is_bounded_however_much_differs() {
    let place = Place::new();
    let long = |word: &str| format!("{word} ").repeat(50_000);
    let old = [request("e", &long("old")), request("e", "short")];
    place.record("rec", &old, vec![text("1"), text("2")]).await;
    // Far enough apart to be places of their own.
    let mixed: String = (0..50_000)
        .map(|number| if number % 40 == 0 { "new " } else { "old " })
        .collect();
    for content in [long("new"), mixed, "x".repeat(1 << 20)] {
        let said = missed(&place, &request("e", &content)).await;
        assert!(said.len() < 4000, "{}", said.len());
    }
}

#[tokio::test]
async fn after_a_miss_nothing_is_asked() {
    let place = recorded().await;
    let recording = place.open(Some("rec"), None);
    let halt = Halt::default();
    let model = recording.halting(None, halt.clone());
    model.ask(&request("e", "unknown")).await.unwrap_err();
    let known = request("lunch", "Shall we have lunch on Friday?");
    assert_eq!(model.ask(&known).await.unwrap_err().kind, ErrorKind::Halted);
}
