//! A dataset that was edited here is changed there by what differs, and by nothing else.

use serde_json::Value;

use super::bench::{Bench, server};
use super::multipart::parts;
use super::server::{Asked, Server};

fn mail(id: &str, subject: &str) -> String {
    format!(
        "- id: {id}\n  email: {{ from: a@x.example, to: b@y.example, subject: \"{subject}\", body: Hello }}\n  \
         expect: {{ triage: respond }}\n"
    )
}

/// What changed the dataset since `writes`: the method, and how many examples were in it.
fn changes(server: &Server, writes: usize) -> Vec<(String, usize)> {
    let asked: Vec<Asked> = server.asked();
    let writes = asked.iter().filter(|it| it.request.is_write()).skip(writes);
    let changes = writes.filter(|it| it.request.path.ends_with("/examples"));
    let changes = changes.map(|it| {
        let request = &it.request;
        let count = match request.method.as_str() {
            "DELETE" => request.all("example_ids").len(),
            _ => {
                let kind = request.header("content-type").unwrap();
                let parts = parts(kind, &request.body).unwrap();
                parts.iter().filter(|part| !part.name.contains('.')).count()
            }
        };
        (request.method.clone(), count)
    });
    changes.collect()
}

#[test]
fn one_changed_one_added_one_removed_are_three_changes() {
    let bench = Bench::new();
    let [a, b, c] = [mail("a", "One"), mail("b", "Two"), mail("c", "Three")];
    bench.write("mails.yaml", &[a.as_str(), &b, &c].concat());
    bench.run("e", &["-a", "workflow"]);
    let server = server();
    bench.push(&server).exits(0);
    assert_eq!(changes(&server, 0), [("POST".to_owned(), 3)]);
    let subjects = |server: &Server| {
        let state = server.state();
        let examples = state["examples"].as_object().unwrap().values();
        let mut subjects: Vec<(String, String)> = examples
            .map(|it| {
                (
                    it["metadata"]["mailproof_id"].to_string(),
                    it["inputs"].to_string(),
                )
            })
            .collect();
        subjects.sort();
        subjects
    };

    bench.write(
        "mails.yaml",
        &[a, mail("b", "Two, changed"), mail("d", "Four")].concat(),
    );
    bench.run("later", &["-a", "workflow"]);
    let writes = server.writes();
    let push = ["push", "langsmith", "later"];
    let told = bench.mailproof(Some(&server), &push).exits(0);
    let mut changed = changes(&server, writes);
    changed.sort();
    assert_eq!(changed, [("PATCH".to_owned(), 1), ("POST".to_owned(), 1)]);
    let there = subjects(&server);
    let ids: Vec<&str> = there.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids, [r#""a""#, r#""b""#, r#""c""#, r#""d""#]);
    assert!(there[1].1.contains("Two, changed"), "{there:?}");
    // What is there and no longer here is named, not deleted.
    let told = format!("{}{}", told.stdout, told.stderr);
    assert!(told.contains("(`--prune` deletes): c"), "{told}");

    let writes = server.writes();
    bench.mailproof(Some(&server), &push).exits(0);
    assert_eq!(server.writes(), writes);
    bench
        .mailproof(Some(&server), &[&push[..], &["--prune"]].concat())
        .exits(0);
    assert_eq!(changes(&server, writes), [("DELETE".to_owned(), 1)]);
    assert_eq!(server.writes(), writes + 1);
    assert_eq!(subjects(&server).len(), 3);

    // The first experiment is of what was then: pushing it again changes no example back.
    let writes = server.writes();
    bench.push(&server);
    assert_eq!(changes(&server, writes), []);
}

#[test]
fn runs_show_what_the_agents_were_told_before_the_dataset_was_edited() {
    let bench = Bench::new();
    bench.write("mails.yaml", &mail("a", "One"));
    bench.run("e", &["-a", "workflow"]);
    let server = server();
    bench.push(&server).exits(0);
    bench.write("mails.yaml", &mail("a", "One, changed"));
    let again = ["push", "langsmith", "e", "--as", "again"];
    bench.mailproof(Some(&server), &again).exits(0);
    let state = server.state();
    let runs = state["runs"].as_object().unwrap().values();
    let roots: Vec<&Value> = runs.filter(|it| it["parent_run_id"].is_null()).collect();
    assert_eq!(roots.len(), 2);
    for root in roots {
        assert_eq!(root["inputs"]["email"]["subject"], "One", "{root:#}");
    }
}
