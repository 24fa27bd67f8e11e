//! Facts about the person's world.

use super::*;

/// A run that is over, in which the person answered so.
fn over(bench: &Bench, triage: Triage, answers: &[(&str, Response)]) -> AgentState {
    let mut state = bench.state();
    state.triage = Some(triage);
    state.over = true;
    state.messages.push(Message::user("m0", "The email."));
    for (action, response) in answers {
        state.steps.push(asked(action, response.clone()));
    }
    state
}

fn facts(memory: &Memory) -> BTreeMap<String, String> {
    let mut entries = memory.0["background"].clone();
    entries.remove(DEFAULT_KEY);
    entries
}

#[tokio::test]
async fn facts_are_taken_when_the_behaviour_wants_them() {
    use Response::{Accept, Ignore};
    let said = || Response::Respond("Shorter.".into());
    for (case, answers, triage, extract, accept) in [
        ("nothing asked", vec![], Triage::Respond, true, false),
        (
            "sent",
            vec![("write_email", Accept)],
            Triage::Respond,
            true,
            true,
        ),
        (
            "booked",
            vec![("schedule_meeting", Accept)],
            Triage::Respond,
            true,
            true,
        ),
        (
            "changed",
            vec![("write_email", said())],
            Triage::Respond,
            true,
            false,
        ),
        (
            "answered",
            vec![("question", said())],
            Triage::Respond,
            true,
            false,
        ),
        (
            "turned down",
            vec![("write_email", Ignore)],
            Triage::Respond,
            false,
            false,
        ),
        (
            "known",
            vec![("notify", Accept)],
            Triage::Notify,
            true,
            false,
        ),
        (
            "dismissed",
            vec![("notify", Ignore)],
            Triage::Notify,
            false,
            false,
        ),
        ("ignored", vec![], Triage::Ignore, false, false),
    ] {
        for (background, wanted) in [
            (Background::Extract, extract),
            (Background::Accept, accept),
            (Background::Off, false),
        ] {
            let replies = vec![facts_reply(&["Ana keeps Northwind's books."])];
            let bench = Bench::with(replies, Arc::new(MemoryStore::new()), background, 25);
            seed(&*bench.store, &defaults()).await.unwrap();
            let before = bench.memory().await;
            let state = bench.run(over(&bench, triage, &answers)).await;
            assert_eq!(state.failure, None);
            assert_eq!(
                bench.model.requests().len(),
                usize::from(wanted),
                "{case} {background:?}"
            );
            let mut memory = bench.memory().await;
            assert_eq!(
                facts(&memory).len(),
                usize::from(wanted),
                "{case} {background:?}"
            );
            assert_eq!(changes(&state).len(), usize::from(wanted));
            for key in facts(&memory).keys() {
                memory.0.get_mut("background").unwrap().remove(key);
            }
            assert_eq!(memory, before, "the rest is as it was");
        }
    }
}

#[tokio::test]
async fn no_facts_are_taken_from_a_run_that_goes_on() {
    let bench = Bench::with(
        vec![],
        Arc::new(MemoryStore::new()),
        Background::Extract,
        25,
    );
    let mut state = over(&bench, Triage::Respond, &[]);
    state.over = false;
    assert_eq!(bench.run(state).await.failure, None);
    assert!(bench.model.requests().is_empty());
}

#[tokio::test]
async fn the_model_is_told_what_is_known_and_what_happened() {
    let replies = vec![facts_reply(&[])];
    let bench = Bench::with(
        replies,
        Arc::new(MemoryStore::new()),
        Background::Extract,
        25,
    );
    write(
        &*bench.store,
        Namespace::Background,
        "1",
        "Ana </background> is at Northwind.",
    )
    .await
    .unwrap();
    let state = bench.run(over(&bench, Triage::Respond, &[])).await;
    assert_eq!(changes(&state), []);
    let requests = bench.model.requests();
    assert_eq!(requests[0].output.as_ref().unwrap().name, "facts");
    assert!(
        requests[0]
            .prompt
            .system()
            .contains("at most 300 characters. At most 10 facts")
    );
    assert_eq!(requests[0].messages[0].content, "The email.");
    insta::assert_snapshot!(last(&requests[0]), @r"
    <background>
    Sam works at Acme.
    Ana &lt;/background> is at Northwind.
    </background>
    ");
}

#[tokio::test]
async fn a_fact_is_kept_once_however_often_it_is_found() {
    let store = Arc::new(MemoryStore::new());
    let replies = vec![facts_reply(&[
        " Ana keeps\nNorthwind's books. ",
        "ANA keeps Northwind's books.",
    ])];
    let bench = Bench::with(replies, Arc::clone(&store) as _, Background::Extract, 25);
    let state = bench.run(over(&bench, Triage::Respond, &[])).await;
    insta::assert_debug_snapshot!(changes(&state), @r#"
    [
        (
            "background",
            "b493c58b29bc6072",
            None,
            "Ana keeps Northwind's books.",
        ),
    ]
    "#);
    let before = store.list(None).await.unwrap();

    let replies = vec![facts_reply(&["Ana keeps Northwind's books."])];
    let bench = Bench::with(replies, Arc::clone(&store) as _, Background::Extract, 25);
    let state = bench.run(over(&bench, Triage::Respond, &[])).await;
    assert_eq!(changes(&state), []);
    assert_eq!(store.list(None).await.unwrap(), before);
}

#[tokio::test]
async fn facts_are_bounded_in_length_and_number() {
    let long = "x".repeat(MAX_FACT_CHARS + 1);
    let many: Vec<String> = (0..30).map(|number| format!("Fact {number}.")).collect();
    let mut found: Vec<&str> = vec![&long, "", " \n"];
    found.extend(many.iter().map(String::as_str));
    let bench = Bench::with(
        vec![facts_reply(&found)],
        Arc::new(MemoryStore::new()),
        Background::Extract,
        25,
    );
    let state = bench.run(over(&bench, Triage::Respond, &[])).await;
    let kept: Vec<String> = changes(&state).into_iter().map(|change| change.3).collect();
    assert_eq!(kept, many[..MAX_FACTS]);
}

#[tokio::test]
async fn a_reply_that_is_no_list_of_facts_is_asked_for_again_once() {
    let mut errors = String::new();
    for bad in [
        json!({ "reasoning": "x" }),
        json!({ "reasoning": "x", "facts": "Ana" }),
        json!({ "reasoning": "x", "facts": ["Ana", 1] }),
        json!({ "reasoning": 1, "facts": [] }),
        json!({ "reasoning": "x", "facts": [], "profile": "x" }),
    ] {
        let bad = || text(bad.to_string());
        let replies = vec![bad(), facts_reply(&["Ana is the chair."])];
        let bench = Bench::with(
            replies,
            Arc::new(MemoryStore::new()),
            Background::Extract,
            25,
        );
        let state = bench.run(over(&bench, Triage::Respond, &[])).await;
        assert_eq!((state.failure.clone(), changes(&state).len()), (None, 1));

        let bench = Bench::with(
            vec![bad(), bad()],
            Arc::new(MemoryStore::new()),
            Background::Extract,
            25,
        );
        let state = bench.run(over(&bench, Triage::Respond, &[])).await;
        let failure = state.failure.unwrap();
        assert_eq!(failure.outcome, Outcome::Protocol);
        assert!(bench.store.list(None).await.unwrap().is_empty());
        errors.push_str(&failure.error);
        errors.push('\n');
    }
    insta::assert_snapshot!(errors, @r"
    the memory's reply was no list of facts: `facts` was missing; after a reminder: `facts` was missing
    the memory's reply was no list of facts: `facts` was not a list; after a reminder: `facts` was not a list
    the memory's reply was no list of facts: `facts` held what is no string; after a reminder: `facts` held what is no string
    the memory's reply was no list of facts: `reasoning` was not a string; after a reminder: `reasoning` was not a string
    the memory's reply was no list of facts: it had a key that was not asked for, `profile`; after a reminder: it had a key that was not asked for, `profile`
    ");
}

/// Items with times of their own.
struct Dated(Vec<Item>);

impl Store for Dated {
    fn put<'a>(
        &'a self,
        _: &'a str,
        _: &'a str,
        _: Value,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        unreachable!("reading writes nothing")
    }

    fn get<'a>(
        &'a self,
        namespace: &'a str,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<Item>, StoreError>> {
        let mut items = self.0.iter();
        let item = items.find(|item| item.namespace == namespace && item.key == key);
        let item = item.cloned();
        Box::pin(async { Ok(item) })
    }

    fn delete<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Result<bool, StoreError>> {
        unreachable!("reading deletes nothing")
    }

    fn list<'a>(
        &'a self,
        namespace: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Vec<Item>, StoreError>> {
        let wanted = |item: &&Item| namespace.is_none_or(|name| item.namespace == name);
        let items = self.0.iter().filter(wanted).cloned().collect();
        Box::pin(async { Ok(items) })
    }
}

#[tokio::test]
async fn a_prompt_holds_the_newest_facts_in_an_order_without_a_clock() {
    // Keys fall as time goes on, so that neither order stands for the other.
    let items = (0..MAX_FACTS_TOLD + 5).rev().map(|number| {
        let at = jiff::Timestamp::from_second(number as i64).unwrap();
        Item {
            namespace: Namespace::Background.path().to_owned(),
            key: format!("{:04}", 9_999 - number),
            value: format!("Fact {number}.").into(),
            created_at: at,
            updated_at: at,
        }
    });
    let told = background(&Dated(items.collect()), &defaults())
        .await
        .unwrap();
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines.len(), 1 + MAX_FACTS_TOLD);
    assert_eq!(lines[0], "Sam works at Acme.");
    assert_eq!(lines[1], format!("Fact {}.", MAX_FACTS_TOLD + 4));
    assert_eq!(lines[MAX_FACTS_TOLD], "Fact 5.");
}
