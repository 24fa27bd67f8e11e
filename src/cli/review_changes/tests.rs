use super::dialogue::Answer;

#[test]
fn answers_are_letters_or_words() {
    for (text, answer) in [
        ("a", Some(Answer::Accept)),
        (" A \r\n", Some(Answer::Accept)),
        ("both\n", Some(Answer::Both)),
        ("r", Some(Answer::Reject)),
        ("all", Some(Answer::All)),
        ("", None),
        ("yes", None),
    ] {
        assert_eq!(Answer::read(text), answer, "{text:?}");
    }
}
