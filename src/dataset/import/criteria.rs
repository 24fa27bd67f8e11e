//! Criteria in the many ways they are written.

use serde_json::Value;

/// One statement each, from a list, a text with bullets, or a list written as JSON text.
pub(super) fn criteria(value: Value, notes: &mut Vec<String>) -> Result<Vec<Value>, String> {
    match value {
        Value::String(text) => {
            if text.trim_start().starts_with('[')
                && let Ok(list @ Value::Array(_)) = serde_json::from_str(&text)
            {
                return criteria(list, notes);
            }
            Ok(statements(&text, notes))
        }
        Value::Array(values) => {
            let mut all = Vec::new();
            for value in values {
                match value {
                    Value::String(text) => all.extend(statements(&text, notes)),
                    // Our own form, which is validated with the record.
                    Value::Object(map) if map.contains_key("text") => all.push(map.into()),
                    _ => return Err("a criterion is not a text".to_owned()),
                }
            }
            Ok(all)
        }
        _ => Err("the criteria are neither a text nor a list of texts".to_owned()),
    }
}

fn statements(text: &str, notes: &mut Vec<String>) -> Vec<Value> {
    bullets(text, notes).into_iter().map(Value::from).collect()
}

/// One statement a bullet, its lines joined; the whole text where there is no bullet.
pub(super) fn bullets(text: &str, notes: &mut Vec<String>) -> Vec<String> {
    // The bullet sign has no other use, so it also divides a line.
    let text = text.replace('•', "\n•");
    let has_bullets = has_bullets(&text);
    let mut statements: Vec<String> = Vec::new();
    let mut in_bullet = false;
    for line in text.lines() {
        let line = line.trim();
        match bullet(line) {
            Some(statement) => {
                in_bullet = true;
                statements.push(statement.to_owned());
            }
            None if line.is_empty() => {}
            None => {
                let heading = has_bullets && !in_bullet && line.ends_with(':');
                if heading {
                    notes.push("heading above the criteria left out".to_owned());
                } else if let Some(last) = statements.last_mut() {
                    last.push(' ');
                    last.push_str(line);
                } else {
                    statements.push(line.to_owned());
                }
            }
        }
    }
    statements.retain(|statement| !statement.trim().is_empty());
    statements
}

pub(super) fn has_bullets(text: &str) -> bool {
    text.contains('•') || text.lines().any(|line| bullet(line).is_some())
}

/// What follows the bullet sign or number that starts a line.
fn bullet(line: &str) -> Option<&str> {
    let line = line.trim();
    for sign in ["•", "·", "◦", "▪", "‣"] {
        if let Some(rest) = line.strip_prefix(sign) {
            return Some(rest.trim());
        }
    }
    for sign in ["- ", "* ", "– ", "— ", "+ "] {
        if let Some(rest) = line.strip_prefix(sign) {
            return Some(rest.trim());
        }
    }
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let rest = line[digits..].strip_prefix(['.', ')'])?;
    // "3.5 hours" is no third item.
    (digits > 0 && rest.starts_with(' ')).then(|| rest.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bullet_is_a_criterion() {
        for (text, statements) in [
            ("", &[][..]),
            ("  \n ", &[]),
            ("Names the day", &["Names the day"]),
            (
                "Names the day\nand the hour",
                &["Names the day and the hour"],
            ),
            ("• Thanks\n• Names the day", &["Thanks", "Names the day"]),
            ("• Thanks • Names the day", &["Thanks", "Names the day"]),
            (
                "\n    •Thanks\n    • Names\n      the day\n",
                &["Thanks", "Names the day"],
            ),
            ("- Thanks\n- Names the day", &["Thanks", "Names the day"]),
            ("* Thanks\n\n* Names", &["Thanks", "Names"]),
            ("1. Thanks\n2) Names", &["Thanks", "Names"]),
            ("Takes 3.5 hours", &["Takes 3.5 hours"]),
            ("3.5 hours are offered", &["3.5 hours are offered"]),
            ("The reply:\n- Thanks\n- Names", &["Thanks", "Names"]),
            ("Is polite\n- Thanks", &["Is polite", "Thanks"]),
            ("The reply:", &["The reply:"]),
            ("well-known - not a bullet", &["well-known - not a bullet"]),
        ] {
            assert_eq!(bullets(text, &mut Vec::new()), statements, "{text:?}");
        }
    }

    #[test]
    fn lists_may_be_written_as_json() {
        let text = Value::from(r#"["Thanks; twice", "• Names\n• Dates"]"#);
        let all = criteria(text, &mut Vec::new());
        assert_eq!(all.unwrap(), ["Thanks; twice", "Names", "Dates"]);
        assert!(criteria(Value::from(3), &mut Vec::new()).is_err());
        let ours = serde_json::json!([{ "text": "Names", "weight": 2 }, "- Dates"]);
        let all = criteria(ours.clone(), &mut Vec::new()).unwrap();
        assert_eq!(all, [ours[0].clone(), "Dates".into()]);
        assert!(criteria(serde_json::json!([{}]), &mut Vec::new()).is_err());
    }
}
