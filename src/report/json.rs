//! `report.json`, and the schema it promises to keep.

use schemars::Schema;

use super::Report;

/// Indented, keys in the order of the types, with a newline at the end.
pub fn render(report: &Report) -> String {
    let mut text = serde_json::to_string_pretty(report).expect("a report has string keys only");
    text.push('\n');
    text
}

/// The JSON Schema of `report.json`, as published in `docs/report.schema.json`.
pub fn schema() -> Schema {
    schemars::schema_for!(Report)
}
