//! Email addresses as people and models write them.

use std::collections::BTreeSet;

use serde_json::Value;

/// The addresses in a text or a list of texts; `None` for anything else.
pub fn addresses(value: &Value) -> Option<BTreeSet<String>> {
    match value {
        Value::String(text) => {
            if let Ok(list @ Value::Array(_)) = serde_json::from_str(text) {
                return addresses(&list);
            }
            Some(addresses_in(text).into_iter().collect())
        }
        Value::Array(elements) => {
            let mut found = BTreeSet::new();
            for element in elements {
                found.extend(addresses_in(element.as_str()?));
            }
            Some(found)
        }
        _ => None,
    }
}

/// `Ana Ruiz <Ana@northwind.example>, sam@acme.example` → `ana@northwind.example`,
/// `sam@acme.example`. What has no address stays as the name it is.
fn addresses_in(text: &str) -> Vec<String> {
    let mut parts: Vec<String> = vec![String::new()];
    let (mut quoted, mut bracketed) = (false, false);
    for letter in text.chars() {
        match letter {
            '"' if !bracketed => quoted = !quoted,
            '<' if !quoted => bracketed = true,
            '>' if !quoted => bracketed = false,
            ',' | ';' if !quoted && !bracketed => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        parts.last_mut().expect("starts with one part").push(letter);
    }
    // In `Ruiz, Ana <ana@northwind.example>` the comma belongs to the name.
    let surname = |at: usize| {
        !parts[at].contains('@') && parts.get(at + 1).is_some_and(|next| next.contains('<'))
    };
    (0..parts.len())
        .filter(|&at| !surname(at))
        .map(|at| {
            let part = parts[at].as_str();
            let address = match part.rsplit_once('<') {
                Some((_, address)) => address.split('>').next().unwrap_or(address),
                None => part,
            };
            address.trim().to_lowercase()
        })
        .filter(|address| !address.is_empty())
        .collect()
}
