//! Plans that several processes carry out, and that are put together again.

use super::*;

/// What of a plan runs on every shard: everything of a few emails, twice, with judges.
const PLAN: [&str; 6] = ["run", "--limit", "6", "--repeat", "2", "--offline"];

fn part<'a>(shard: &'a str, name: &'a str) -> Vec<&'a str> {
    [&PLAN[..], &["--shard", shard, "-e", name]].concat()
}

fn markdown(place: &Place, name: &str) -> String {
    let path = place.path(&format!("reports/{name}/report.md"));
    let text = fs::read_to_string(path).unwrap();
    comparable_markdown(&text).replace(&format!(" {name}/"), " NAME/")
}

#[test]
fn four_processes_and_a_merge_report_what_one_run_does() {
    let place = Place::new();
    // Enough for some to be wrong, which the gate refuses.
    let plan = "run --limit 14 --repeat 2 --offline --min-pass-rate 1";
    let plan: Vec<&str> = plan.split(' ').collect();
    place.run(&[&plan[..], &["-e", "whole"]].concat(), 100);
    let shards = ["1/4", "2/4", "3/4", "4/4"];
    let running = shards.map(|shard| {
        let mut command = place.command(&[&plan[..], &["--shard", shard, "-e", "parts"]].concat());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    });
    for (child, shard) in running.into_iter().zip(shards) {
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{shard}: {stderr}");
        let stdout = String::from_utf8_lossy(&output.stdout);
        assert!(
            stdout.contains(&format!("shard {shard}, decided")),
            "{stdout}"
        );
        assert!(stderr.contains("`mailproof merge -e parts`"), "{stderr}");
    }
    let (mut cases, mut planned) = (BTreeSet::new(), 0);
    for index in 1..=4 {
        let name = format!("parts.{index}-of-4");
        let of_it = place.attempts(&name);
        planned += of_it.len();
        cases.extend(of_it.iter().map(case));
        assert_eq!(place.report(&name)["coverage"]["planned"], of_it.len());
        assert_eq!(place.report(&name)["gate"]["checks"], serde_json::json!([]));
    }
    assert_eq!(cases.len(), planned, "a case was run twice");

    let shown = place.run(&["merge", "-e", "parts"], 100);
    let (whole, parts) = (place.report("whole"), place.report("parts"));
    assert!(whole["variants"][3]["judges"][0]["canaries"].is_object());
    assert_eq!(comparable(whole), comparable(parts));
    assert_eq!(markdown(&place, "whole"), markdown(&place, "parts"));
    assert!(shown.starts_with("FAILED"), "{shown}");
    assert_eq!(
        place.report("parts")["environment"]["sessions"]
            .as_array()
            .unwrap()
            .len(),
        4
    );
    // It is an experiment like any other.
    assert_eq!(place.run(&["report", "parts"], 100), shown);
    let listed = place.run(&["list"], 0);
    assert!(!listed.contains("unfinished"), "{listed}");
}

#[test]
fn a_killed_shard_is_named_and_run_again_by_the_command_that_is_told() {
    let place = Place::new();
    let journal = place.path("reports/parts.2-of-2/journal.jsonl");
    // Long enough to be killed in the middle of it.
    let plan = "run triage -a workflow --limit 100 --repeat 20 --offline";
    let plan: Vec<&str> = plan.split(' ').collect();
    let long = [&plan[..], &["-e", "parts", "--shard"]].concat();
    place.run(&[&long[..], &["1/2"]].concat(), 0);
    let mut second = place.command(&[&long[..], &["2/2", "-j", "1"]].concat());
    second.stdout(Stdio::null()).stderr(Stdio::null());
    kill_when(second.spawn().unwrap(), &journal, 300);

    let told = place.fail(&["merge", "-e", "parts"], 5);
    assert!(
        told.contains("1 of 2 shards is not there, or not whole"),
        "{told}"
    );
    assert!(told.contains("2/2: reports/parts.2-of-2 has"), "{told}");
    assert!(!place.path("reports/parts").exists());
    let command = told
        .lines()
        .find_map(|line| line.trim().strip_prefix("mailproof "));
    let command: Vec<&str> = command.expect("a command that helps").split(' ').collect();
    assert!(command.contains(&"--resume"), "{command:?}");
    place.run(&command, 0);
    place.run(&["merge", "-e", "parts"], 0);
    place.run(&[&plan[..], &["-e", "whole"]].concat(), 0);
    assert_eq!(
        comparable(place.report("whole")),
        comparable(place.report("parts"))
    );
}

#[test]
fn a_missing_shard_is_named_and_run_by_the_command_that_is_told() {
    let place = Place::new();
    place.run(
        &[&part("2/2", "parts")[..], &["--date", "2026-03-02"]].concat(),
        0,
    );
    let told = place.fail(&["merge", "-e", "parts"], 5);
    insta::assert_snapshot!(told, @"
    error: 1 of 2 shards is not there, or not whole
      1/2: not there
           mailproof run --limit 6 --repeat 2 --offline --shard 1/2 --date 2026-03-02 -e parts
    ");
    let command = told
        .lines()
        .find_map(|line| line.trim().strip_prefix("mailproof "));
    let command: Vec<&str> = command.expect("a command that helps").split(' ').collect();
    place.run(&command, 0);
    place.run(&["merge", "-e", "parts"], 0);
    let header = &lines(&place.path("reports/parts/journal.jsonl"))[0]["header"];
    assert_eq!(header["date"], "2026-03-02");
    assert!(header.get("shard").is_none(), "{header}");
}

#[test]
fn shards_are_found_by_name_by_folder_and_in_a_folder() {
    let place = Place::new();
    for shard in ["1/2", "2/2"] {
        place.run(&part(shard, "parts"), 0);
    }
    // As artifacts of two jobs are laid out.
    fs::create_dir(place.path("artifacts")).unwrap();
    for name in ["parts.1-of-2", "parts.2-of-2"] {
        let there = place.path("artifacts").join(name);
        fs::create_dir(&there).unwrap();
        let journal = place.path(&format!("reports/{name}/journal.jsonl"));
        fs::copy(journal, there.join("journal.jsonl")).unwrap();
    }
    for (name, shards) in [
        ("one", &["parts.1-of-2", "artifacts/parts.2-of-2"][..]),
        (
            "two",
            &["reports/parts.2-of-2/journal.jsonl", "parts.1-of-2"],
        ),
    ] {
        place.run(&[&["merge", "-e", name, "-q"][..], shards].concat(), 0);
    }
    place.run(&["merge", "artifacts", "-e", "parts"], 0);
    assert_eq!(
        comparable(place.report("one")),
        comparable(place.report("parts"))
    );
    let told = place.output(&[
        "merge",
        "-e",
        "three",
        "artifacts/parts.1-of-2",
        "parts.1-of-2",
        "parts.2-of-2",
    ]);
    assert_eq!(told.status.code(), Some(0));
    let told = String::from_utf8(told.stderr).unwrap();
    assert!(
        told.contains("shard 1/2 was given twice, with the same attempts"),
        "{told}"
    );

    let told = place.fail(&["merge", "artifacts", "-e", "other"], 2);
    assert!(told.contains("no shard of `other` in artifacts"), "{told}");
    let told = place.fail(&["merge", "-e", "parts"], 2);
    assert!(told.contains("experiment `parts` exists"), "{told}");
    place.run(&[&PLAN[..], &["-e", "parts.1-of-3"]].concat(), 0);
    let told = place.fail(&["merge", "-e", "x", "parts.1-of-3"], 2);
    assert!(
        told.contains("parts.1-of-3 is a whole experiment and no shard"),
        "{told}"
    );
}

#[test]
fn a_shard_without_cases_is_done_at_once_and_one_that_stops_early_is_not() {
    let place = Place::new();
    let tiny = [
        "run", "triage", "-a", "workflow", "--limit", "1", "-e", "tiny", "--shard",
    ];
    for index in 1..=3 {
        place.run(&[&tiny[..], &[&format!("{index}/3")]].concat(), 0);
    }
    assert_eq!(
        place.attempts("tiny.1-of-3").len()
            + place.attempts("tiny.2-of-3").len()
            + place.attempts("tiny.3-of-3").len(),
        1
    );
    place.run(&["merge", "-e", "tiny"], 0);

    place.run(
        &[
            "run", "--limit", "40", "-x", "-j", "1", "-e", "early", "--shard", "1/2",
        ],
        5,
    );
    place.fail(&["merge", "-e", "early"], 5);
}

#[test]
fn a_job_tells_its_shard_and_a_shard_goes_on_without_being_told_again() {
    let place = Place::new();
    let run = |arguments: &[&str], variables: &[(&str, &str)], code| {
        let mut command = place.command(&[&PLAN[..], arguments].concat());
        let output = command.envs(variables.iter().copied()).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{stderr}");
        stderr
    };
    let gitlab = [("CI_NODE_INDEX", "1"), ("CI_NODE_TOTAL", "2")];
    run(&["-e", "parts", "--shard", "auto"], &gitlab, 0);
    let kubernetes = [("JOB_COMPLETION_INDEX", "1"), ("MAILPROOF_SHARD", "auto/2")];
    run(&["-e", "parts"], &kubernetes, 0);
    assert!(place.path("reports/parts.2-of-2/report.json").is_file());
    let told = run(&["-e", "parts", "--shard", "auto"], &[], 2);
    assert!(told.contains("matrix.shard"), "{told}");

    for arguments in [
        &["run", "--resume", "-e", "parts.1-of-2"][..],
        &["run", "--resume", "-e", "parts", "--shard", "1/2"],
        &["run", "--resume", "-e", "parts.1-of-2", "--shard", "1/2"],
    ] {
        place.run(arguments, 0);
    }
    let told = place.fail(
        &["run", "--resume", "-e", "parts.1-of-2", "--shard", "2/2"],
        2,
    );
    assert!(
        told.contains("no experiment in reports/parts.1-of-2.2-of-2"),
        "{told}"
    );
    let told = place.fail(
        &[
            "run",
            "--resume",
            "-e",
            "parts.1-of-2",
            "--date",
            "1999-12-31",
        ],
        2,
    );
    assert!(
        told.contains("names 1999") || told.contains("`--date` is 1999-12-31"),
        "{told}"
    );
    place.run(&["merge", "-e", "parts"], 0);
}

#[test]
fn a_dry_run_of_a_shard_counts_its_part() {
    let place = Place::new();
    let plan = |more: &[&str]| -> Value {
        let dry = ["--dry-run", "--json"];
        serde_json::from_str(&place.run(&[&PLAN[..], &dry, more].concat(), 0)).unwrap()
    };
    let whole = plan(&[]);
    let parts: Vec<Value> = ["1/3", "2/3", "3/3"]
        .iter()
        .map(|shard| plan(&["--shard", shard]))
        .collect();
    let sum = |field: &str| {
        parts
            .iter()
            .map(|part| part[field].as_u64().unwrap())
            .sum::<u64>()
    };
    assert_eq!(sum("attempts"), whole["attempts"].as_u64().unwrap());
    assert_eq!(parts[1]["shard"], "2/3");
    // Each shows judges their canaries; everything else adds up.
    let judge = |plan: &Value| plan["model_calls"]["judge"]["typical"].as_u64().unwrap();
    let agents = |plan: &Value| plan["typical_model_calls"].as_u64().unwrap() - judge(plan);
    assert_eq!(parts.iter().map(agents).sum::<u64>(), agents(&whole));
    assert!(parts.iter().map(judge).sum::<u64>() > judge(&whole));
}

#[test]
fn what_shards_run_on_is_written_as_its_readers_expect() {
    let folder = root().join("deploy");
    let mut manifests = 0;
    for entry in fs::read_dir(folder.join("kubernetes")).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        for manifest in text.split("\n---\n") {
            let manifest: Value = serde_yaml::from_str(manifest).unwrap();
            let kind = manifest["kind"].as_str().unwrap();
            assert!(["Job", "PersistentVolumeClaim"].contains(&kind), "{kind}");
            if manifest["spec"]["completionMode"] == "Indexed" {
                let spec = &manifest["spec"];
                let shards = format!("auto/{}", spec["completions"]);
                let environment = &spec["template"]["spec"]["containers"][0]["env"];
                let set = environment.as_array().unwrap().iter();
                let shard = set
                    .clone()
                    .find(|it| it["name"] == "MAILPROOF_SHARD")
                    .unwrap();
                assert_eq!(shard["value"], shards, "{}", path.display());
                manifests += 1;
            }
        }
    }
    assert_eq!(manifests, 2);
    for script in ["deploy/slurm/array.sh", "scripts/s3"] {
        let checked = Command::new("bash")
            .arg("-n")
            .arg(root().join(script))
            .output()
            .unwrap();
        assert!(checked.status.success(), "{script}: {checked:?}");
    }
}

#[cfg(feature = "object-store")]
mod stored {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use super::*;

    fn server() -> String {
        std::env::var("MAILPROOF_TEST_S3_URL")
            .expect("`scripts/s3 COMMAND…` runs a command with a server")
    }

    /// Asks the server itself, which takes requests without a signature.
    fn ask(method: &str, path: &str) -> String {
        let server = server();
        let address = server.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// A bucket of its own.
    fn bucket(name: &str) {
        let answer = ask("PUT", &format!("/{name}"));
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    const SECRET: &str = "canary-secret-0123456789";

    fn on_server(place: &Place, arguments: &[&str], code: i32) -> String {
        let mut command = place.command(arguments);
        command.envs([
            ("AWS_ENDPOINT_URL", server().as_str()),
            ("AWS_ACCESS_KEY_ID", "canary-key"),
            ("AWS_SECRET_ACCESS_KEY", SECRET),
            ("AWS_REGION", "us-east-1"),
        ]);
        let output = command.output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
        assert!(!stderr.contains(SECRET), "{stderr}");
        stderr
    }

    #[test]
    fn shards_meet_in_an_object_store() {
        bucket("meet");
        let whole = Place::new();
        whole.run(&[&PLAN[..], &["-e", "whole"]].concat(), 0);
        for shard in ["1/3", "2/3", "3/3"] {
            // A machine each: nothing is shared but the store.
            let place = Place::new();
            let upload = ["--upload", "s3://meet/evaluations/"];
            let said = on_server(&place, &[&part(shard, "night")[..], &upload].concat(), 0);
            let name = shard.replace('/', "-of-");
            assert!(
                said.contains(&format!(
                    "copied to s3://meet/evaluations/night.{name}/journal.jsonl"
                )),
                "{said}"
            );
            if shard == "2/3" {
                // Another experiment beside it.
                on_server(&place, &[&part(shard, "other")[..], &upload].concat(), 0);
                let merging = Place::new();
                let told = on_server(
                    &merging,
                    &["merge", "s3://meet/evaluations", "-e", "night"],
                    5,
                );
                assert!(told.contains("3/3: not there"), "{told}");
                assert_eq!(fs::read_dir(merging.path("reports")).unwrap().count(), 0);
            }
        }
        let merging = Place::new();
        on_server(
            &merging,
            &["merge", "s3://meet/evaluations", "-e", "night", "--offline"],
            0,
        );
        assert_eq!(
            comparable(whole.report("whole")),
            comparable(merging.report("night"))
        );
        let left: Vec<_> = fs::read_dir(merging.path("reports")).unwrap().collect();
        assert_eq!(left.len(), 1, "{left:?}");
        let each = ["1", "2", "3"].map(|index| format!("s3://meet/evaluations/night.{index}-of-3"));
        on_server(
            &merging,
            &["merge", &each[0], &each[1], &each[2], "-e", "again"],
            0,
        );
    }

    #[test]
    fn a_shard_that_is_not_whole_is_copied_too_and_what_takes_its_place_is_whole() {
        bucket("again");
        let place = Place::new();
        let upload = ["--upload", "s3://again"];
        let stopped = ["run", "--limit", "40", "-e", "night", "--shard", "1/1"];
        on_server(
            &place,
            &[&stopped[..], &["-x", "-j", "1"], &upload].concat(),
            5,
        );
        let merging = Place::new();
        let told = on_server(&merging, &["merge", "s3://again", "-e", "night"], 5);
        assert!(
            told.contains("1/1: s3://again/night.1-of-1/journal.jsonl has"),
            "{told}"
        );
        assert!(told.contains("--shard 1/1 --date"), "{told}");
        on_server(&place, &[&stopped[..], &["--resume"], &upload].concat(), 0);
        on_server(&merging, &["merge", "s3://again", "-e", "night"], 0);
    }

    #[test]
    fn a_journal_of_several_parts_arrives_whole() {
        bucket("large");
        let place = Place::new();
        let body = "Lorem ipsum dolor sit amet. ".repeat(7_000);
        let mails: String = (0..120)
            .map(|number| {
                let email = serde_json::json!({
                    "from": "ana@northwind.example", "to": "sam@acme.example",
                    "subject": format!("Report {number}"), "body": body,
                });
                let example = serde_json::json!({ "id": format!("m{number}"), "email": email, "expect": { "triage": "notify" } });
                format!("{example}\n")
            })
            .collect();
        place.write("large.jsonl", &mails);
        let run = [
            "run",
            "triage",
            "-a",
            "baseline",
            "-d",
            "large.jsonl",
            "-e",
            "large",
            "--shard",
            "1/1",
            "--upload",
            "s3://large/a b",
        ];
        on_server(&place, &run, 0);
        let here = fs::read(place.path("reports/large.1-of-1/journal.jsonl")).unwrap();
        assert!(here.len() > 17 << 20, "{}: two parts and more", here.len());
        on_server(&place, &["merge", "s3://large/a b", "-e", "large"], 0);
        assert_eq!(place.attempts("large").len(), 120);
    }

    #[test]
    fn a_store_that_refuses_makes_the_shard_incomplete_and_keeps_its_results() {
        let place = Place::new();
        let upload = ["--upload", "s3://no-such-bucket/x"];
        let told = on_server(&place, &[&part("1/2", "night")[..], &upload].concat(), 5);
        assert!(
            told.contains(
                "cannot copy the journal to s3://no-such-bucket/x/night.1-of-2/journal.jsonl"
            ),
            "{told}"
        );
        assert!(place.path("reports/night.1-of-2/report.json").is_file());
        on_server(&place, &["merge", "s3://no-such-bucket", "-e", "night"], 5);
        let mut away = place.command(&["merge", "s3://bucket", "-e", "night", "--offline"]);
        let output = away.env("AWS_ACCESS_KEY_ID", "key").output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.contains("`--offline` refuses s3://bucket"), "{told}");
    }
}
