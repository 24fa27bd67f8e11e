use tempfile::TempDir;

use super::gather::{Task, in_order};
use super::*;
use crate::email::Email;
use crate::judge::calibration::items::{Call, Done, Fate, Item, Work};
use crate::redact::Redactor;

fn item(id: &str) -> Item {
    Item {
        id: id.into(),
        kind: None,
        label: Verdict::CannotTell,
        reason: String::new(),
        labelled_by: "nobody".into(),
        email: Email {
            from: "ana@northwind.example".into(),
            to: "sam@acme.example".into(),
            subject: "Invoice".into(),
            body: format!("About {id}"),
            date: None,
        },
        cluster: id.into(),
        work: Work::Reply {
            criterion: "Is polite".into(),
            done: Done::default(),
        },
    }
}

fn open(folder: &TempDir, who: &str) -> Result<Sheet, Failure> {
    let redactor = Redactor::new(["hunter2-hunter2".to_owned()]);
    Sheet::open(&folder.path().join("new/x.jsonl"), who, &[], redactor)
}

fn text(folder: &TempDir) -> String {
    std::fs::read_to_string(folder.path().join("new/x.jsonl")).unwrap()
}

#[test]
fn labels_are_appended_and_the_last_ones_of_a_sitting_can_be_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut sheet = open(&folder, "ana").unwrap();
    sheet
        .add(item("one"), Verdict::Pass, "it thanks".into())
        .unwrap();
    let first = text(&folder);
    assert!(
        first.contains(r#""label":"pass","reason":"it thanks","labelled_by":"ana""#),
        "{first}"
    );
    sheet
        .add(item("two"), Verdict::Fail, "hunter2-hunter2".into())
        .unwrap();
    assert!(!text(&folder).contains("hunter2"), "{}", text(&folder));
    sheet.take_back().unwrap();
    assert_eq!(text(&folder), first);
    assert_eq!(
        (sheet.label("one"), sheet.label("two")),
        (Some(Verdict::Pass), None)
    );
    sheet
        .add(item("two"), Verdict::CannotTell, String::new())
        .unwrap();
    drop(sheet);

    let sheet = open(&folder, "ana").unwrap();
    assert_eq!(sheet.label("two"), Some(Verdict::CannotTell));
    assert_eq!((sheet.mine(), sheet.items().len()), (2, 2));
    drop(sheet);
    let sheet = open(&folder, "ben").unwrap();
    assert_eq!((sheet.mine(), sheet.items().len()), (0, 2));
}

#[test]
fn items_that_look_alike_and_have_one_id_are_kept_as_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut sheet = open(&folder, "ana").unwrap();
    let add = |sheet: &mut Sheet, item| sheet.add(item, Verdict::Pass, String::new()).unwrap();
    add(&mut sheet, item("one"));
    drop(sheet);
    let mut sheet = open(&folder, "ben").unwrap();
    // Another variant decided by a call, which people are not shown.
    let mut other = item("one");
    let Work::Reply { done, .. } = &mut other.work else {
        unreachable!("as made above");
    };
    done.calls.push(Call {
        name: "triage_email".into(),
        arguments: Default::default(),
        result: Fate::Done,
    });
    add(&mut sheet, other);
    drop(sheet);
    let sheet = open(&folder, "ana").unwrap();
    let [one, two] = sheet.items() else {
        panic!("both labels are there");
    };
    assert_eq!(one.work, two.work);
    assert_eq!((&*one.labelled_by, &*two.labelled_by), ("ana", "ben"));
}

#[test]
fn two_sittings_over_one_file_are_one_after_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let sheet = open(&folder, "ana").unwrap();
    let said = open(&folder, "ben").err().unwrap().to_string();
    assert!(said.contains("somebody labels into"), "{said}");
    drop(sheet);
    open(&folder, "ben").unwrap();
}

#[test]
fn a_torn_last_line_is_cut_off_and_a_whole_one_is_ended() {
    let folder = tempfile::tempdir().unwrap();
    let mut sheet = open(&folder, "ana").unwrap();
    sheet
        .add(item("one"), Verdict::Pass, String::new())
        .unwrap();
    sheet
        .add(item("two"), Verdict::Pass, String::new())
        .unwrap();
    drop(sheet);
    let whole = text(&folder);
    let path = folder.path().join("new/x.jsonl");

    std::fs::write(&path, &whole[..whole.len() - 20]).unwrap();
    let sheet = open(&folder, "ana").unwrap();
    assert!(
        sheet
            .note()
            .unwrap()
            .ends_with("its last line was torn, and is cut off")
    );
    assert_eq!(sheet.items().len(), 1);
    drop(sheet);
    assert_eq!(Some(text(&folder).trim_end()), whole.lines().next());

    std::fs::write(&path, whole.trim_end()).unwrap();
    let mut sheet = open(&folder, "ana").unwrap();
    assert_eq!((sheet.note(), sheet.items().len()), (None, 2));
    sheet
        .add(item("three"), Verdict::Pass, String::new())
        .unwrap();
    assert_eq!(text(&folder).lines().count(), 3);
}

#[test]
fn a_file_of_something_else_is_refused_and_left_as_it_is() {
    for other in [
        "{\"id\":7}\n",
        "shopping list",
        "{\"emails\": [",
        "[]\n{\"id\":",
    ] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("new")).unwrap();
        std::fs::write(folder.path().join("new/x.jsonl"), other).unwrap();
        let failure = open(&folder, "ana").err().unwrap();
        assert_eq!(failure.exit, Exit::Usage);
        assert!(failure.to_string().contains("x.jsonl:1:"), "{failure}");
        // What is whole stays; the beginning of an item after it may go.
        assert!(
            text(&folder).starts_with(other.lines().next().unwrap()),
            "{other}"
        );
    }
}

#[test]
fn statements_come_round_by_round_so_that_equal_ones_are_far_apart() {
    let groups = |names: &[(&str, usize)]| {
        let group = |(name, count): &(&str, usize)| {
            let tasks = (0..*count).map(|n| Task::new(&format!("{name}{n}"), n as u64, 0));
            (
                ((*name).to_owned(), "Is polite".to_owned()),
                tasks.collect::<Vec<_>>(),
            )
        };
        names.iter().map(group).collect::<BTreeMap<_, _>>()
    };
    let order = |seed| -> Vec<String> {
        let names = [("a", 3), ("b", 3), ("c", 3), ("d", 3), ("e", 3), ("f", 1)];
        let tasks = in_order(groups(&names), seed);
        tasks.into_iter().map(|task| task.id).collect()
    };
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..20 {
        let order = order(seed);
        assert_eq!(order.len(), 16);
        for (at, id) in order.iter().enumerate() {
            let next = order[at + 1..]
                .iter()
                .position(|other| other[..1] == id[..1]);
            assert!(next.is_none_or(|between| between >= 4), "{order:?}");
        }
        seen.insert(order);
    }
    assert_eq!(order(7), order(7));
    assert!(seen.len() > 15, "the seed decides");
}

#[test]
fn who_labels_has_a_name() {
    assert_eq!(identity(Some(" Ana Ruiz ")).unwrap(), "Ana Ruiz");
    for unfit in ["", " ", "a\u{1b}b", &"x".repeat(101)] {
        assert_eq!(
            identity(Some(unfit)).unwrap_err().exit,
            Exit::Usage,
            "{unfit:?}"
        );
    }
}
