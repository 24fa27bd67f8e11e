use super::*;

#[test]
fn only_the_lines_that_changed_are_shown() {
    let before = "a\nb\nc\nd\ne\nf\n";
    for (case, after, shown) in [
        ("nothing", "a\nb\nc\nd\ne\nf\n", ""),
        ("one line", "a\nb\nc\nX\ne\nf\n", "…| c|-d|+X| e|…"),
        ("at the start", "X\na\nb\nc\nd\ne\nf\n", "+X| a|…"),
        ("at the end", "a\nb\nc\nd\ne\nf\ng\n", "…| f|+g"),
        ("both ends", "X\nb\nc\nd\ne\nY\n", "-a|+X| b|…| e|-f|+Y"),
    ] {
        let lines: Vec<String> = changes(before, after)
            .into_iter()
            .map(|(sign, line)| format!("{sign}{line}"))
            .collect();
        assert_eq!(lines.join("|"), shown, "{case}");
    }
    assert_eq!(changes("", "new"), [('+', "new".to_owned())]);
}

#[test]
fn an_email_begins_at_its_subject() {
    for (told, start) in [
        ("**Subject**: Hi\n\nBody", Some(0)),
        ("Deal with it.\n\n**Subject**: Hi\n", Some(15)),
        ("It says **Subject**: in passing", None),
        ("", None),
    ] {
        assert_eq!(email(told), start, "{told:?}");
    }
    assert_eq!(subject("**Subject**: Hi there\n**From**: a"), "Hi there");
    assert_eq!(subject(""), "");
}

#[test]
fn arguments_are_text() {
    let arguments =
        serde_json::json!({ "to": "a@b.example", "days": [1, 2], "$text": { "x": "y" } });
    let shown = named(&arguments);
    let expected = [
        ("to", "a@b.example"),
        ("days", "[1,2]"),
        ("$text", "{\"x\":\"y\"}"),
    ];
    assert_eq!(
        shown,
        expected.map(|(name, value)| (name, value.to_owned()))
    );
    assert_eq!(named(&Value::Null), [("", "null".to_owned())]);
}
