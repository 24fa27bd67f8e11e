//! The command line as its users meet it: each `tests/cli/*.md` is documentation that runs.

#[test]
fn transcripts_are_what_the_program_says() {
    trycmd::TestCases::new()
        .env("COLUMNS", "100")
        .case("tests/cli/*.md");
}
