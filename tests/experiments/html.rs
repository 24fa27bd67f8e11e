//! The page to click through, in a browser.

use std::fs;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::Place;

/// What would be seen in the page if anything of an email ran or became markup.
const MARK: &str = "data-pwned";

/// Chromium: the one that is named, or the first that is installed. Where there is none, what
/// needs it is not tested, and the test says so.
fn browser() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("MAILPROOF_CHROMIUM") {
        return Some(named.into());
    }
    let path = std::env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let found = std::env::split_paths(&path)
        .flat_map(|folder| names.map(|name| folder.join(name)))
        .find(|program| program.is_file());
    if found.is_none() {
        eprintln!("NOT TESTED in a browser: there is no Chromium (scripts/test installs one)");
    }
    found
}

/// What a browser makes of a page: its elements, and what it complains of.
struct Seen {
    dom: String,
    complaints: Vec<String>,
}

fn see(place: &Place, browser: &Path, page: &Path, address: &str, arguments: &[&str]) -> Seen {
    let output = Command::new(browser)
        .args([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--dump-dom",
        ])
        .args(["--enable-logging=stderr", "--v=0", "--no-first-run"])
        .arg(format!(
            "--user-data-dir={}",
            place.path("browser").display()
        ))
        .args(arguments)
        .arg(format!("file://{}{address}", page.display()))
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    let complaints = log.lines().filter(|line| line.contains("CONSOLE"));
    Seen {
        dom: String::from_utf8(output.stdout).unwrap(),
        complaints: complaints.map(str::to_owned).collect(),
    }
}

/// An email of everything that harms a page, a terminal, or a reader.
fn hostile(server: &str) -> Value {
    let body = format!(
        "Could you please tell me by Friday whether invoice 1042 was paid?\n\
         <script>document.documentElement.setAttribute('{MARK}', 'script')</script>\n\
         <img src=\"http://{server}/html.png\" onerror=\"document.documentElement.setAttribute('{MARK}', 'img')\">\n\
         <svg/onload=\"document.documentElement.setAttribute('{MARK}', 'svg')\">\n\
         </script></pre></template><script>document.documentElement.setAttribute('{MARK}', 'end')</script>\n\
         <!-- <script> --><style>body {{ display: none }}</style><iframe src=\"http://{server}/frame\"></iframe>\n\
         ![tracking](http://{server}/markdown.png) [click](javascript:alert(1))\n\
         \x1b[2J\x1b]0;owned\x07 \u{202e}reversed\u{2066} {{{{ 7 * 7 }}}} {{% raw %}}\n\
         {}\n\nAna",
        "A".repeat(200_000)
    );
    json!({
        "id": "<img src=x onerror=alert(1)>/\"'&\u{202e}",
        "email": {
            "from": "\"><script>document.documentElement.setAttribute('data-pwned', 'from')</script> <ana@northwind.example>",
            "to": "Sam Lee <sam@acme.example>",
            "subject": "</title><script>document.documentElement.setAttribute('data-pwned', 'subject')</script>",
            "body": body,
        },
        "tags": ["<b onmouseover=alert(1)>bold</b>", "billing"],
        "split": "</script>",
        "expect": {
            "triage": "respond",
            "tool_calls": [{ "write_email": { "content": { "contains": "</script><script>alert(1)</script>" } } }],
        },
    })
}

fn plain(id: &str) -> Value {
    json!({
        "id": id,
        "email": { "from": "Ben Roth <ben@northwind.example>", "to": "Sam Lee <sam@acme.example>",
            "subject": "Lunch", "body": "Hi Sam,\n\nWould you like to have lunch on Thursday? Please let me know.\n\nBen" },
        "tags": ["private"],
        "split": "test",
        "expect": { "triage": "respond", "tool_calls": ["write_email"] },
    })
}

/// A page of an experiment with two variants, two attempts each, over emails that are given.
fn page(place: &Place, examples: &[Value]) -> PathBuf {
    let lines: Vec<String> = examples.iter().map(Value::to_string).collect();
    place.write("mail.jsonl", &(lines.join("\n") + "\n"));
    let run = [
        "run",
        "triage",
        "response",
        "-d",
        "mail.jsonl",
        "-a",
        "baseline",
        "-a",
        "hitl",
        "-e",
        "seen",
        "--repeat",
        "2",
        "-o",
        "page.html",
    ];
    place.run(&run, 0);
    place.path("page.html")
}

/// The elements of a kind that would run.
fn scripts(dom: &str) -> usize {
    let opened = dom.split("<script").skip(1);
    opened
        .filter(|script| !script.starts_with(" type=\"application/json\""))
        .count()
}

#[test]
fn a_hostile_email_is_shown_and_does_nothing() {
    let place = Place::new();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    server.set_nonblocking(true).unwrap();
    let email = hostile(&server.local_addr().unwrap().to_string());
    let page = page(&place, &[email, plain("lunch")]);
    let text = fs::read_to_string(&page).unwrap();
    assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'));
    assert!(!text.contains(&"A".repeat(20_001)), "a line is bounded");
    assert_eq!(scripts(&text), 1);

    let Some(browser) = browser() else {
        return;
    };
    let id = "%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E%2F%22'%26%5Cu%7B202e%7D";
    let example = format!("#/example/{id}");
    for address in ["", example.as_str()] {
        let seen = see(&place, &browser, &page, address, &[]);
        let dom = &seen.dom;
        assert_eq!(seen.complaints, [""; 0], "{address}");
        assert!(
            !dom.contains(&format!("{MARK}=")),
            "{address}: something ran"
        );
        assert_eq!(scripts(dom), 1, "{address}");
        for element in ["<img", "<iframe", "<b ", "href=\"javascript:"] {
            assert!(!dom.contains(element), "{address}: {element}");
        }
    }
    let seen = see(&place, &browser, &page, &example, &[]);
    let (_, example) = seen.dom.split_once("<article id=\"example\"").unwrap();
    for shown in [
        "&lt;script&gt;document.documentElement",
        "![tracking](http://127.0.0.1",
        "\\u{1b}[2J",
        "\\u{202e}reversed",
        "{{ 7 * 7 }}",
        "more characters not shown]",
    ] {
        assert!(example.contains(shown), "{shown}");
    }
    let asked = server.accept().map(|(_, from)| from);
    assert_eq!(
        asked.unwrap_err().kind(),
        ErrorKind::WouldBlock,
        "the page asked a server"
    );
}

#[test]
fn the_table_of_examples_is_filtered_and_sorted_by_its_address() {
    let Some(browser) = browser() else {
        return;
    };
    let place = Place::new();
    let mut examples: Vec<Value> = (0..130)
        .map(|number| plain(&format!("lunch-{number:03}")))
        .collect();
    examples[7]["split"] = json!("dev");
    examples[7]["tags"] = json!(["rare tag", "private"]);
    // No email of ours says this, so every attempt fails.
    examples[9]["expect"]["tool_calls"] =
        json!([{ "write_email": { "content": { "contains": "zebra crossing" } } }]);
    let page = page(&place, &examples);
    let rows = |dom: &str| -> Vec<String> {
        let (_, list) = dom.split_once("<div id=\"list\">").unwrap();
        let (list, _) = list.split_once("</section>").unwrap();
        let links = list.split("href=\"#/example/").skip(1);
        links
            .map(|link| link.split('"').next().unwrap().to_owned())
            .collect()
    };
    for (address, first, number, count) in [
        ("", "lunch-000", 100, "130 cases, the first 100 shown"),
        ("#/examples?tag=rare+tag", "lunch-007", 1, "1 of 130 cases"),
        ("#/examples?split=dev", "lunch-007", 1, "1 of 130 cases"),
        (
            "#/examples?is=failed&variant=1",
            "lunch-009",
            1,
            "1 of 130 cases",
        ),
        ("#/examples?q=LUNCH-12", "lunch-120", 10, "10 of 130 cases"),
        (
            "#/examples?sort=example&down=1",
            "lunch-129",
            100,
            "130 cases, the first 100 shown",
        ),
        (
            "#/examples?sort=v0",
            "lunch-009",
            100,
            "130 cases, the first 100 shown",
        ),
        ("#/examples?q=nothing-like-it", "", 0, "0 of 130 cases"),
    ] {
        let seen = see(&place, &browser, &page, address, &[]);
        assert_eq!(seen.complaints, [""; 0], "{address}");
        let rows = rows(&seen.dom);
        assert_eq!(rows.len(), number, "{address}");
        assert_eq!(rows.first().map_or("", String::as_str), first, "{address}");
        assert!(seen.dom.contains(&format!(">{count}</p>")), "{address}");
    }
}

#[test]
fn an_example_has_a_page_with_its_trajectories() {
    let Some(browser) = browser() else {
        return;
    };
    let place = Place::new();
    let page = page(&place, &[plain("lunch")]);
    let seen = see(&place, &browser, &page, "#/example/lunch", &[]);
    assert_eq!(seen.complaints, [""; 0]);
    let (report, example) = seen.dom.split_once("<article id=\"example\">").unwrap();
    let (example, _) = example.split_once("</article>").unwrap();
    assert!(
        report.contains("<div id=\"report\" hidden"),
        "one page at a time"
    );
    for told in [
        "<title>lunch - mailproof</title>",
        "<dt>Subject</dt><dd>Lunch</dd>",
        "Would you like to have lunch on Thursday?",
        "aria-pressed=\"true\"",
        "triage.accuracy",
        "write_email ran",
        "[the email]",
    ] {
        assert!(seen.dom.contains(told), "{told}");
    }
    assert!(!example.contains("Summarised"), "it is here whole");
}

#[test]
fn opening_writes_the_page_beside_the_journal_and_starts_a_browser() {
    let place = Place::new();
    page(&place, &[plain("lunch")]);
    let beside = place.path("reports/seen/report.html");
    assert!(!beside.exists(), "nobody asked for it");

    // Nothing on the path can open it: that is said, and no failure.
    let empty = place.path("empty");
    fs::create_dir(&empty).unwrap();
    let mut command = place.command(&["report", "seen", "--open"]);
    let output = command.env("PATH", &empty).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("cannot start `xdg-open`"), "{said}");
    assert!(
        said.contains("reports/seen/report.html in a browser"),
        "{said}"
    );
    let page = fs::read_to_string(&beside).unwrap();
    assert_eq!(page, fs::read_to_string(place.path("page.html")).unwrap());

    let opener = empty.join("xdg-open");
    fs::write(&opener, "#!/bin/sh\necho \"shows $1\" >&2\n").unwrap();
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&opener, executable).unwrap();
    let mut command = place.command(&["report", "seen", "--open", "-q"]);
    // Ends when the opener has closed its end too.
    let output = command.env("PATH", &empty).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let shown = beside.canonicalize().unwrap();
    assert!(
        said.contains(&format!("shows {}", shown.display())),
        "{said}"
    );
}

/// Two runs on emails that differ under the same ids, so that replies do too and what the first
/// passed the second fails; the second's page.
fn flips(place: &Place, before: &[Value], after: &[Value]) -> PathBuf {
    for (name, examples) in [("before", before), ("after", after)] {
        let lines: Vec<String> = examples.iter().map(Value::to_string).collect();
        place.write(&format!("{name}.jsonl"), &(lines.join("\n") + "\n"));
        let dataset = format!("{name}.jsonl");
        let run = [
            "run", "triage", "response", "-d", &dataset, "-a", "workflow", "-e", name,
        ];
        place.run(&run, 0);
    }
    let mut command = place.command(&[
        "report",
        "after",
        "--reference",
        "before",
        "-o",
        "flips.html",
    ]);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        [Some(3), Some(101)].contains(&output.status.code()),
        "{said}"
    );
    place.path("flips.html")
}

/// An email that asks about an invoice, of which the reply must tell that of the first.
fn invoice(id: &str, number: &str) -> Value {
    json!({
        "id": id,
        "email": { "from": "Ana Ruiz <ana@northwind.example>", "to": "Sam Lee <sam@acme.example>",
            "subject": format!("Invoice {number}"),
            "body": format!("Hi Sam,\n\nCould you please tell me by Friday whether invoice {number} was paid?\n\nAna") },
        "tags": ["billing"],
        "expect": { "triage": "respond", "tool_calls": [{ "write_email": { "content": { "contains": "1042" } } }] },
    })
}

#[test]
fn a_flip_is_seen_from_both_sides_word_by_word() {
    let place = Place::new();
    let page = flips(
        &place,
        &[invoice("paid", "1042")],
        &[invoice("paid", "2077")],
    );
    // The same from the command that compares.
    let compare = ["compare", "before", "after", "-o", "compared.html"];
    let output = place.command(&compare).output().unwrap();
    assert_ne!(output.status.code(), Some(2));
    let text = fs::read_to_string(&page).unwrap();
    assert_eq!(
        text,
        fs::read_to_string(place.path("compared.html")).unwrap()
    );
    assert!(text.contains("1 flip: open an example to see both sides, aligned."));

    let Some(browser) = browser() else {
        return;
    };
    let seen = see(&place, &browser, &page, "#/example/paid", &[]);
    assert_eq!(seen.complaints, [""; 0]);
    let (_, example) = seen.dom.split_once("<article id=\"example\">").unwrap();
    for told in [
        "▼ worse</span> workflow@rules against before/workflow@rules",
        "They were not told the same email",
        "~ differs</span> write_email",
        "<del>1042</del>",
        "<ins>2077</ins>",
        "<p class=\"note\">The same: to.</p>",
        "= the same</span> done",
    ] {
        assert!(example.contains(told), "{told} in {example}");
    }
    // What went is on the left and what came on the right, there and in the trajectories.
    let place_of = |text: &str| example.find(text).unwrap_or_else(|| panic!("no {text}"));
    assert!(place_of("<del>1042") < place_of("<ins>2077"));
    let (left, right) = (
        place_of("aria-label=\"reference: before/workflow@rules, attempt 1\""),
        place_of("aria-label=\"workflow@rules, attempt 1\""),
    );
    assert!(left < right);
    assert_eq!(
        example.matches("Trajectory</h3>").count(),
        2,
        "both are whole"
    );
}

#[test]
fn a_reference_without_trajectories_is_said_to_have_none() {
    let place = Place::new();
    flips(
        &place,
        &[invoice("paid", "1042")],
        &[invoice("paid", "2077")],
    );
    place.run(&["reference", "set", "before"], 0);
    let page = |output: &str| {
        let report = [
            "report",
            "after",
            "--reference",
            "mailproof-reference.jsonl",
            "-o",
            output,
        ];
        place.command(&report).output().unwrap();
        fs::read_to_string(place.path(output)).unwrap()
    };
    // The experiment that the file was made of is still here.
    assert!(page("here.html").contains("id=\"f0-0\""));
    fs::remove_dir_all(place.path("reports/before")).unwrap();
    let text = page("gone.html");
    assert!(!text.contains("id=\"f0-0\""));
    assert!(text.contains("The reference is a file of scores: what it did is not on this page"));
    if let Some(browser) = browser() {
        let gone = place.path("gone.html");
        let seen = see(&place, &browser, &gone, "#/example/paid", &[]);
        assert_eq!(seen.complaints, [""; 0]);
        assert!(
            seen.dom
                .contains("What the reference did is not on this page.")
        );
    }
    let compare = [
        "compare",
        "after",
        "mailproof-reference.jsonl",
        "-o",
        "x.html",
    ];
    let told = place.fail(&compare, 2);
    assert!(told.contains("name an experiment second"), "{told}");
}

#[test]
fn nothing_of_a_hostile_email_runs_from_either_side() {
    let place = Place::new();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    server.set_nonblocking(true).unwrap();
    let address = server.local_addr().unwrap().to_string();
    // Both are hostile, in other words, and the reply quotes them.
    let mut before = hostile(&address);
    let mut after = hostile(&address);
    before["expect"]["tool_calls"] =
        json!([{ "write_email": { "content": { "contains": "1042" } } }]);
    after["expect"] = before["expect"].clone();
    let body = after["email"]["body"].as_str().unwrap();
    after["email"]["body"] = json!(body.replace("invoice 1042", "<b>invoice</b> 2077\u{202e}"));
    let page = flips(&place, &[before, plain("lunch")], &[after, plain("lunch")]);
    let text = fs::read_to_string(&page).unwrap();
    assert!(!text.contains(['\u{1b}', '\u{202e}']));
    assert!(text.contains("id=\"f0-0\""), "it flipped");
    assert!(
        text.len() < 2_000_000,
        "a line of 200 KB is bounded: {}",
        text.len()
    );
    let Some(browser) = browser() else {
        return;
    };
    let id = "%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E%2F%22'%26%5Cu%7B202e%7D";
    let seen = see(&place, &browser, &page, &format!("#/example/{id}"), &[]);
    assert_eq!(seen.complaints, [""; 0]);
    assert!(
        seen.dom.contains("<del>") && seen.dom.contains("<ins>"),
        "{}",
        seen.dom
    );
    assert!(!seen.dom.contains(&format!("{MARK}=")), "something ran");
    assert_eq!(scripts(&seen.dom), 1);
    for element in ["<img", "<iframe", "<b>", "<b ", "href=\"javascript:"] {
        assert!(!seen.dom.contains(element), "{element}");
    }
    let asked = server.accept().map(|(_, from)| from);
    assert_eq!(asked.unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_page_tells_of_earlier_experiments_and_of_no_part_of_one() {
    let place = Place::new();
    let run = |name: &str, more: &[&str]| {
        let base = [
            "run",
            "triage",
            "-a",
            "workflow",
            "-e",
            name,
            "-o",
            "page.html",
        ];
        place.run(&[&base[..], more].concat(), 0);
        fs::read_to_string(place.path("page.html")).unwrap()
    };
    assert!(
        !run("first", &[]).contains("id=\"history\""),
        "nothing was before"
    );
    run("second", &[]);
    run("some", &["--limit", "9"]);
    run("other", &["-a", "baseline", "--tag", "finance"]);
    assert!(!run("part", &["--shard", "1/2"]).contains("id=\"history\""));
    fs::create_dir(place.path("reports/broken")).unwrap();
    place.write("reports/broken/journal.jsonl", "{\n");
    let page = run("third", &[]);
    let (_, section) = page.split_once("<section id=\"history\"").unwrap();
    let (section, _) = section.split_once("</section>").unwrap();
    let rows: Vec<&str> = section
        .split("<tr><th scope=\"row\">")
        .skip(1)
        .map(|row| row.split("</th>").next().unwrap())
        .collect();
    let expected = [
        "1. <code>first</code>",
        "2. <code>second</code>",
        "3. <code>third</code> (this one)",
    ];
    assert_eq!(rows[..3], expected);
    assert_eq!(
        rows[3..],
        expected,
        "a table for the pass rate, and one for triage"
    );
    assert!(section.contains("1 experiment cannot be read"), "{section}");
    // What it was shown among is no part of a report.
    let of = |name: &str| {
        let mut report = place.report(name);
        report["environment"].take();
        report["experiment"].take();
        for variant in report["variants"].as_array_mut().unwrap() {
            variant["latency_ms"].take();
        }
        report
    };
    assert_eq!(of("first"), of("third"));
}

/// Findings of axe-core, in a copy of the page that lets it run, at a width, in a scheme.
fn axe(
    place: &Place,
    browser: &Path,
    axe: &str,
    page: &Path,
    address: &str,
    width: u32,
    dark: bool,
) -> Value {
    let text = fs::read_to_string(page).unwrap();
    let (start, rest) = text.split_once("<meta http-equiv=").unwrap();
    let (_, rest) = rest.split_once('>').unwrap();
    let run = "axe.run(document, { resultTypes: ['violations'] }).then((it) => parent.postMessage(JSON.stringify({ \
        width: innerWidth, dark: matchMedia('(prefers-color-scheme: dark)').matches, \
        found: it.violations.map((one) => [one.impact, one.id, one.nodes[0].html]) }), '*'))";
    let end = format!("<script>{axe}</script><script>{run}</script></body>");
    let (rest, _) = rest.rsplit_once("</body>").unwrap();
    place.write("inner.html", &format!("{start}{rest}{end}</html>"));
    let outer = format!(
        "<!doctype html><iframe src=\"inner.html{address}\" width=\"{width}\" height=\"1000\"></iframe><pre id=\"found\"></pre>\
         <script>addEventListener('message', (it) => {{ document.getElementById('found').textContent = it.data; }})</script>"
    );
    place.write("outer.html", &outer);
    let scheme = format!("--blink-settings=preferredColorScheme={}", i32::from(!dark));
    let arguments = [
        scheme.as_str(),
        "--virtual-time-budget=60000",
        "--window-size=1400,1100",
    ];
    let seen = see(place, browser, &place.path("outer.html"), "", &arguments);
    let (_, found) = seen.dom.split_once("<pre id=\"found\">").unwrap();
    let (found, _) = found.split_once("</pre>").unwrap();
    let found = found
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&");
    serde_json::from_str(&found).unwrap_or_else(|_| panic!("axe did not end: {found}"))
}

#[test]
fn axe_finds_nothing_serious() {
    let Some(path) = std::env::var_os("MAILPROOF_AXE") else {
        eprintln!(
            "NOT TESTED by axe-core: MAILPROOF_AXE does not name axe.min.js (scripts/test fetches it)"
        );
        return;
    };
    let script = fs::read_to_string(path).unwrap();
    let Some(browser) = browser() else {
        return;
    };
    let place = Place::new();
    let whole = page(&place, &[plain("lunch"), hostile("127.0.0.1:9")]);
    let flips = flips(
        &place,
        &[invoice("paid", "1042")],
        &[invoice("paid", "2077")],
    );
    // Among earlier ones.
    for name in ["again", "third"] {
        let run = [
            "run",
            "triage",
            "response",
            "-d",
            "after.jsonl",
            "-a",
            "workflow",
            "-e",
            name,
        ];
        place.run(&run, 0);
    }
    let report = [
        "report",
        "third",
        "--reference",
        "before",
        "-o",
        "flips.html",
    ];
    place.command(&report).output().unwrap();
    assert!(
        fs::read_to_string(&flips)
            .unwrap()
            .contains("id=\"history\"")
    );
    for (width, dark) in [(390, false), (390, true), (1280, false), (1280, true)] {
        for (page, address) in [
            (&whole, ""),
            (&whole, "#/example/lunch"),
            (&flips, ""),
            (&flips, "#/example/paid"),
        ] {
            let came = axe(&place, &browser, &script, page, address, width, dark);
            assert_eq!(
                (&came["width"], &came["dark"]),
                (&json!(width), &json!(dark))
            );
            let found = came["found"].as_array().unwrap();
            let grave = |it: &&Value| ["serious", "critical"].contains(&it[0].as_str().unwrap());
            let grave: Vec<&Value> = found.iter().filter(grave).collect();
            assert!(
                grave.is_empty(),
                "{address} at {width}, dark {dark}: {grave:?}"
            );
        }
    }
}
