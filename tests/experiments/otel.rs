//! Spans for collectors of OpenTelemetry, through the program.

#[cfg(feature = "otel")]
#[path = "otel/built.rs"]
mod built;

#[cfg(not(feature = "otel"))]
#[test]
fn a_build_without_it_says_how_to_make_one_with_it() {
    let place = super::Place::new();
    let output = place.output(&["push", "otel", "it"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("--features otel"), "{said}");
}
