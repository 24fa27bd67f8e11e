//! Files: what is written when, what is refused, and what never gets into them.

use super::*;

/// Three cases of two attempts, two calls each, asked in the order of `order`.
async fn recorded(place: &Place, name: &str, order: &[usize]) {
    let recording = place.open(None, Some(name));
    let origins: Vec<Origin> = (0..6)
        .map(|number| Origin::new(["b", "a", "c"][number % 3], number as u32 / 3))
        .collect();
    for (turn, &number) in order.iter().enumerate() {
        let origin = &origins[number];
        // Each attempt's second call comes later in the order.
        let is_first = !order[..turn].contains(&number);
        let content = if is_first { "first" } else { "second" };
        let answer = format!("{content} of {number}");
        let model = recording.agent(Some(Arc::new(Scripted::new([text(answer)]))));
        model.ask(&asked(origin, content)).await.unwrap();
    }
    recording.finish(Unused::Kept).unwrap();
}

#[tokio::test]
async fn a_recording_is_the_same_in_whatever_order_calls_ended() {
    let place = Place::new();
    recorded(&place, "one", &[0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]).await;
    recorded(&place, "other", &[5, 3, 0, 4, 1, 2, 2, 1, 0, 5, 3, 4]).await;
    assert_eq!(place.files("one"), place.files("other"));
    let placed: Vec<_> = place
        .lines("one", AGENT)
        .iter()
        .map(|line| {
            let case = line["case"].as_str().unwrap();
            format!("{case}{}{}", line["attempt"], line["call"])
        })
        .collect();
    let sorted = [
        "a00", "a01", "a10", "a11", "b00", "b01", "b10", "b11", "c00", "c01", "c10", "c11",
    ];
    assert_eq!(placed, sorted);
}

#[tokio::test]
async fn a_recording_reads_well() {
    let place = Place::new();
    place
        .record("rec", &[request("e", "hello")], vec![costly("x")])
        .await;
    let files = place.files("rec");
    insta::assert_snapshot!(files[INFO].replace(env!("CARGO_PKG_VERSION"), "VERSION"), @r#"
    {
      "format": "mailproof.recording/1",
      "date": "2026-03-02",
      "seed": 7,
      "version": "VERSION",
      "created": "2026-03-02T10:00:00Z"
    }
    "#);
    insta::assert_snapshot!(files[PROMPTS], @r#"{"prompt":{"hash":"e7a1faa61c3a0f74","system":"Answer emails with care.","tools":[{"name":"done","description":"The email is dealt with.","parameters":{"type":"object"}}]}}"#);
    insta::assert_snapshot!(files[AGENT], @r#"{"case":"e","attempt":0,"call":0,"key":"e2887bc21b7bf230110ccb389e59a94a","model":"openai:m","prompt":"e7a1faa61c3a0f74","tool_choice":"required","messages":[{"role":"user","content":"hello"}],"answer":{"reply":{"content":"","tool_calls":[{"id":"","name":"done","arguments":{"z":"x","a":[1,2.5,null]}}],"usage":{"input_tokens":120,"output_tokens":8,"cached_input_tokens":100,"cost_usd":2.5e-6},"stop":"length"}},"latency_ms":1234.5}"#);
}

#[tokio::test]
async fn a_run_that_was_killed_loses_no_call_that_was_answered() {
    let place = Place::new();
    let killed = place.open(None, Some("rec"));
    let model = killed.agent(Some(Arc::new(Scripted::new([text("one"), text("two")]))));
    model.ask(&request("a", "1")).await.unwrap();
    model.ask(&request("b", "2")).await.unwrap();
    drop((model, killed));
    // What was being written when it died.
    let part = place.path("rec").join(format!("{AGENT}.part"));
    let mut torn = fs::read_to_string(&part).unwrap();
    torn.push_str("{\"case\":\"c\",\"att");
    fs::write(&part, torn).unwrap();

    let unfinished = place.refused(place.options(Some("rec"), None));
    insta::assert_snapshot!(unfinished, @"the recording in rec was not finished: go on with its run (`--resume --record rec`), or take it as it is and add to it (`--replay rec --record rec`)");
    let mut options = place.options(None, Some("rec"));
    assert!(place.refused(options.clone()).contains("`--resume"));
    options.resume = true;
    let resumed = Recording::open(options).unwrap();
    let model = resumed.agent(Some(Arc::new(Scripted::new([text("three")]))));
    model.ask(&request("c", "3")).await.unwrap();
    resumed.finish(Unused::Kept).unwrap();

    let names: Vec<String> = place.files("rec").into_keys().collect();
    assert_eq!(names, [PROMPTS, INFO, AGENT].map(str::to_owned));
    let replay = place.open(Some("rec"), None);
    let model = replay.agent(None);
    for (case, content, answer) in [("a", "1", "one"), ("b", "2", "two"), ("c", "3", "three")] {
        let reply = model.ask(&request(case, content)).await;
        assert_eq!(reply, Ok(text(answer)));
    }
}

#[tokio::test]
async fn pruning_leaves_what_the_run_used_and_what_that_needs() {
    let place = Place::new();
    let mut other = request("b", "two");
    other.prompt = Prompt::new("Another prompt.".to_owned(), Vec::new());
    let requests = [request("a", "one"), other];
    place
        .record("rec", &requests, vec![text("1"), text("2")])
        .await;
    assert_eq!(place.lines("rec", PROMPTS).len(), 2);
    let kept = place.lines("rec", AGENT)[0].clone();
    for (unused, calls, prompts) in [(Unused::Kept, 2, 2), (Unused::Dropped, 1, 1)] {
        let recording = place.open(Some("rec"), Some("rec"));
        let model = recording.agent(Some(Arc::new(Scripted::new([]))));
        model.ask(&request("a", "one")).await.unwrap();
        recording.finish(unused).unwrap();
        let lines = place.lines("rec", AGENT);
        assert_eq!((lines.len(), &lines[0]), (calls, &kept), "{unused:?}");
        assert_eq!(place.lines("rec", PROMPTS).len(), prompts, "{unused:?}");
    }
}

#[tokio::test]
async fn what_would_mix_or_lose_recordings_is_refused_with_the_ways_out() {
    let place = Place::new();
    place
        .record("rec", &[request("e", "hello")], vec![text("a")])
        .await;
    let exists = place.refused(place.options(None, Some("rec")));
    insta::assert_snapshot!(exists, @"rec holds a recording: `--replay rec --record rec` asks only what is not in it and adds that; for a new one, remove the folder or name another");
    let missing = place.refused(place.options(Some("none"), None));
    insta::assert_snapshot!(missing, @"no recording in none: `mailproof run --record none` makes one");
    let mut later = place.options(Some("rec"), None);
    later.date = "2026-03-09".parse().unwrap();
    insta::assert_snapshot!(place.refused(later), @"the recording in rec was made with the date 2026-03-02, and this run has the date 2026-03-09: prompts would differ, so record anew");
    let mut seeded = place.options(Some("rec"), Some("rec"));
    seeded.seed = 8;
    insta::assert_snapshot!(place.refused(seeded), @"the recording in rec was made with the seed 7, and this run has the seed 8: prompts would differ, so record anew");
    fs::create_dir(place.path("data")).unwrap();
    fs::write(place.path("data").join("mine.jsonl"), "{}\n").unwrap();
    let foreign = place.refused(place.options(None, Some("data")));
    insta::assert_snapshot!(foreign, @"data holds other files of that kind and no recording: name an empty folder, or a new one");

    let running = place.open(Some("rec"), Some("rec"));
    let locked = place.refused(place.options(Some("rec"), Some("rec")));
    insta::assert_snapshot!(locked, @"another process records into rec: wait for it, or name another folder");
    running.finish(Unused::Kept).unwrap();
    drop(running);
    place.open(Some("rec"), Some("rec"));
}

#[tokio::test]
async fn a_recording_of_nothing_is_no_obstacle() {
    let place = Place::new();
    place.open(None, Some("rec")).finish(Unused::Kept).unwrap();
    place.open(None, Some("rec")).finish(Unused::Kept).unwrap();
    // Killed before its first call.
    drop(place.open(None, Some("rec")));
    place.open(None, Some("rec"));
}

#[tokio::test]
async fn a_file_that_was_changed_is_refused_by_its_line() {
    let place = Place::new();
    let requests = [request("a", "one"), request("b", "two")];
    place
        .record("rec", &requests, vec![text("1"), text("2")])
        .await;
    let whole = fs::read_to_string(place.path("rec").join(AGENT)).unwrap();
    let (first, second) = whole.split_once('\n').unwrap();
    let second = second.trim_end();
    let broken = [
        ("cut off", format!("{first}\n{}\n", &second[..50])),
        ("torn", format!("{first}\n{}", &second[..second.len() - 1])),
        ("no object", format!("{first}\n[]\n")),
        ("an empty line", format!("{first}\n\n{second}\n")),
        (
            "no key",
            format!("{first}\n{}\n", second.replace("\"key\":\"", "\"key\":\"x")),
        ),
        (
            "no number",
            format!("{first}\n{}\n", second.replace("\"call\":0", "\"call\":-1")),
        ),
        ("deep", format!("{first}\n{}\n", "[".repeat(100_000))),
        ("not UTF-8", format!("{first}\n\u{0}\n")),
    ];
    for (what, text) in broken {
        fs::write(place.path("rec").join(AGENT), text).unwrap();
        let error = place
            .open(Some("rec"), None)
            .model(
                None,
                VARIANT,
                ModelRole::Agent,
                "openai:m",
                &Settings::default(),
                Halt::default(),
            )
            .err()
            .unwrap_or_else(|| panic!("{what} was read"));
        assert!(
            error.to_string().contains(&format!("{AGENT}:2: ")),
            "{what}: {error}"
        );
    }
    // What only a use shows is located too, and ends the run.
    let unknown = whole.replace("\"tool_choice\"", "\"tool_whim\"");
    fs::write(place.path("rec").join(AGENT), unknown).unwrap();
    let halt = Halt::default();
    let model = place.open(Some("rec"), None).halting(None, halt.clone());
    model.ask(&request("b", "two")).await.unwrap_err();
    let reason = &halt.reason().unwrap().reason;
    assert!(reason.contains(&format!("{AGENT}:2: ")), "{reason}");
    assert!(reason.contains("tool_whim"), "{reason}");
}

#[tokio::test]
async fn a_recording_of_another_format_is_not_read() {
    let place = Place::new();
    place
        .record("rec", &[request("e", "hello")], vec![text("a")])
        .await;
    let path = place.path("rec").join(INFO);
    let info = fs::read_to_string(&path).unwrap();
    let large = format!("{info}{}", " ".repeat(1 << 17));
    for (text, error) in [
        (
            info.replace("recording/1", "recording/2"),
            "recording.json has the format `mailproof.recording/2`, and this version reads `mailproof.recording/1`",
        ),
        ("{}".to_owned(), "recording.json: missing field `format`"),
        (
            info.replace("2026-03-02\"", "yesterday\""),
            "recording.json: ",
        ),
        (large, "recording.json: larger than 64 KiB"),
    ] {
        fs::write(&path, text).unwrap();
        let refused = place.refused(place.options(Some("rec"), None));
        assert!(refused.contains(error), "{refused}");
    }
}

#[tokio::test]
async fn a_secret_gets_into_no_file_wherever_it_stood() {
    const KNOWN: &str = "canary-Pa55-word\"with\\quotes";
    const SHAPED: &str = "sk-canary0123456789abcdef";
    let place = Place::new();
    let mut options = place.options(None, Some("rec"));
    options.redactor = Arc::new(Redactor::new([KNOWN.to_owned()]));
    let recording = Recording::open(options.clone()).unwrap();
    let secret = format!("{KNOWN} and {SHAPED}");
    let mut request = request("e", &format!("my key is {secret}"));
    request.prompt = Prompt::new(format!("Use {secret}."), Vec::new());
    let reply = Reply {
        content: format!("you said {secret}"),
        ..call(
            "write_email",
            json!({ "content": secret, &secret: [&secret] }),
        )
    };
    let failure = ModelError::new("openai:m", ErrorKind::BadRequest, format!("bad {secret}"));
    let scripted = Scripted::with_failures([Ok(reply), Err(failure)]);
    let model = recording.agent(Some(Arc::new(scripted)));
    model.ask(&request).await.unwrap();
    let written = place.files("rec").into_values().collect::<String>();
    model.ask(&request).await.unwrap_err();
    recording.finish(Unused::Kept).unwrap();
    let written = written + &place.files("rec").into_values().collect::<String>();
    let known = serde_json::to_string(KNOWN).unwrap();
    for canary in [KNOWN, known.trim_matches('"'), "canary"] {
        assert!(!written.contains(canary), "{written}");
    }
    // Neither does a miss show one.
    options.replay = options.record.take();
    let halt = Halt::default();
    let model = Recording::open(options)
        .unwrap()
        .halting(None, halt.clone());
    request
        .messages
        .push(Message::user("m1", format!("again: {secret}")));
    model.ask(&request).await.unwrap_err();
    let reason = &halt.reason().unwrap().reason;
    assert!(
        reason.contains("again:") && !reason.contains("canary"),
        "{reason}"
    );
}

#[tokio::test]
async fn a_conversation_that_went_on_with_what_looked_like_a_secret_replays() {
    let place = Place::new();
    let said = "use sk-canary0123456789abcdef";
    let talk = |reply: &str| {
        let origin = Origin::new("e", 0);
        let mut second = asked(&origin, "which key?");
        second
            .messages
            .push(Message::assistant("m1", reply, Vec::new()));
        (asked(&origin, "which key?"), second)
    };
    let (first, second) = talk(said);
    place
        .record("rec", &[first, second], vec![text(said), text("sent")])
        .await;
    let model = place.open(Some("rec"), None).agent(None);
    let (first, _) = talk(said);
    let reply = model.ask(&first).await.unwrap();
    assert!(!reply.content.contains("canary"));
    let mut second = talk(&reply.content).1;
    second.origin = first.origin;
    assert_eq!(model.ask(&second).await, Ok(text("sent")));
}
