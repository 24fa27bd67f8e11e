//! JSON text (RFC 8259) to one tree a record, with positions, which serde_json's values lack.

use serde_json::Number;

use super::error::{Found, Problem, Shown};
use super::read::{Limits, Sink};
use super::tree::{Entry, Node, Position, Value};

/// Reads a file that is one list of records.
pub(super) fn read_list(text: &str, limits: &Limits, sink: &mut Sink) {
    let mut parser = Parser::new(text, Position::START, limits);
    if let Err(stop) = parser.list_of_records(sink) {
        sink(stop.at, Err(stop.problem));
    }
}

/// Reads a text that is one value, such as a line of JSONL, whose first character stands at `start`.
pub(super) fn read_value(
    text: &str,
    start: Position,
    limits: &Limits,
) -> Result<Node, (Position, Problem)> {
    let mut parser = Parser::new(text, start, limits);
    parser.only_value().map_err(|stop| (stop.at, stop.problem))
}

struct Stop {
    at: Position,
    problem: Problem,
}

struct Parser<'a> {
    text: &'a str,
    limits: &'a Limits,
    index: usize,
    /// The position of `counted`, which follows `index` when a position is asked for.
    at: Position,
    counted: usize,
    depth: usize,
    values: usize,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str, start: Position, limits: &'a Limits) -> Self {
        Parser {
            text,
            limits,
            index: 0,
            at: start,
            counted: 0,
            depth: 0,
            values: 0,
        }
    }

    fn list_of_records(&mut self, sink: &mut Sink) -> Result<(), Stop> {
        self.space();
        match self.byte() {
            None => return Ok(()),
            Some(b'[') => self.index += 1,
            Some(_) => {
                let at = self.position();
                let found = Found::of(&self.value()?.value);
                return Err(Stop {
                    at,
                    problem: Problem::NotAList { found },
                });
            }
        }
        self.space();
        if self.byte() == Some(b']') {
            self.index += 1;
        } else {
            loop {
                self.values = 0;
                let node = self.value()?;
                sink(node.at, Ok(node));
                self.space();
                match self.byte() {
                    Some(b',') => self.index += 1,
                    Some(b']') => break self.index += 1,
                    _ => return Err(self.expected("`,` or `]`")),
                }
                self.space();
            }
        }
        self.end()
    }

    fn only_value(&mut self) -> Result<Node, Stop> {
        self.space();
        let node = self.value()?;
        self.end()?;
        Ok(node)
    }

    fn end(&mut self) -> Result<(), Stop> {
        self.space();
        match self.byte() {
            None => Ok(()),
            Some(_) => Err(self.expected("nothing more")),
        }
    }

    fn value(&mut self) -> Result<Node, Stop> {
        let at = self.position();
        self.values += 1;
        if self.values > self.limits.record_values {
            let limit = self.limits.record_values;
            return Err(Stop {
                at,
                problem: Problem::TooManyValues { limit },
            });
        }
        let value = match self.byte() {
            Some(b'{') => self.map(at)?,
            Some(b'[') => self.list(at)?,
            Some(b'"') => Value::Text(self.string()?),
            Some(b'-' | b'0'..=b'9') => self.number(at)?,
            _ if self.word("true") => Value::Bool(true),
            _ if self.word("false") => Value::Bool(false),
            _ if self.word("null") => Value::Null,
            _ => return Err(self.expected("a value")),
        };
        Ok(Node { at, value })
    }

    fn map(&mut self, at: Position) -> Result<Value, Stop> {
        self.enter(at)?;
        let mut entries = Vec::new();
        if self.byte() == Some(b'}') {
            self.leave();
            return Ok(Value::Map(entries));
        }
        loop {
            if self.byte() != Some(b'"') {
                return Err(self.expected("a key in double quotes"));
            }
            let key_at = self.position();
            let key = self.string()?;
            self.space();
            if self.byte() != Some(b':') {
                return Err(self.expected("`:`"));
            }
            self.index += 1;
            self.space();
            let value = self.value()?;
            entries.push(Entry { key, key_at, value });
            self.space();
            match self.byte() {
                Some(b',') => self.index += 1,
                Some(b'}') => break,
                _ => return Err(self.expected("`,` or `}`")),
            }
            self.space();
        }
        self.leave();
        Ok(Value::Map(entries))
    }

    fn list(&mut self, at: Position) -> Result<Value, Stop> {
        self.enter(at)?;
        let mut nodes = Vec::new();
        if self.byte() == Some(b']') {
            self.leave();
            return Ok(Value::List(nodes));
        }
        loop {
            nodes.push(self.value()?);
            self.space();
            match self.byte() {
                Some(b',') => self.index += 1,
                Some(b']') => break,
                _ => return Err(self.expected("`,` or `]`")),
            }
            self.space();
        }
        self.leave();
        Ok(Value::List(nodes))
    }

    /// Goes past an opening bracket. The bound on depth is what makes recursion safe here.
    fn enter(&mut self, at: Position) -> Result<(), Stop> {
        let limit = self.limits.depth;
        self.depth += 1;
        if self.depth > limit {
            return Err(Stop {
                at,
                problem: Problem::TooDeep { limit },
            });
        }
        self.index += 1;
        self.space();
        Ok(())
    }

    fn leave(&mut self) {
        self.depth -= 1;
        self.index += 1;
    }

    fn number(&mut self, at: Position) -> Result<Value, Stop> {
        let rest = &self.text[self.index..];
        let end = rest
            .find(|c: char| !matches!(c, '0'..='9' | '+' | '-' | '.' | 'e' | 'E'))
            .unwrap_or(rest.len());
        match rest[..end].parse::<Number>() {
            Ok(number) => {
                self.index += end;
                Ok(Value::Number(number))
            }
            Err(_) => Err(Stop {
                at,
                problem: syntax(format!("{} is not a number", Shown(&rest[..end]))),
            }),
        }
    }

    fn string(&mut self) -> Result<String, Stop> {
        self.index += 1;
        let mut text = String::new();
        loop {
            let rest = &self.text[self.index..];
            let Some(end) = rest
                .bytes()
                .position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20))
            else {
                self.index = self.text.len();
                return Err(self.expected("`\"` to end the text"));
            };
            if text.is_empty() {
                text = rest[..end].to_owned();
            } else {
                text.push_str(&rest[..end]);
            }
            self.index += end;
            match self.byte() {
                Some(b'"') => {
                    self.index += 1;
                    text.shrink_to_fit();
                    return Ok(text);
                }
                Some(b'\\') => text.push(self.escape()?),
                _ => {
                    let at = self.position();
                    let message = "a control character or line break inside a text".to_owned();
                    return Err(Stop {
                        at,
                        problem: syntax(message),
                    });
                }
            }
        }
    }

    fn escape(&mut self) -> Result<char, Stop> {
        let at = self.position();
        let wrong = || Stop {
            at,
            problem: syntax("an escape that JSON does not have".to_owned()),
        };
        self.index += 1;
        let Some(byte) = self.byte() else {
            return Err(self.expected("`\"` to end the text"));
        };
        let c = match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                self.index += 1;
                let first = self.hex().ok_or_else(wrong)?;
                let code = if (0xd800..0xdc00).contains(&first) {
                    if !self.text[self.index..].starts_with("\\u") {
                        return Err(wrong());
                    }
                    self.index += 2;
                    let second = self.hex().ok_or_else(wrong)?;
                    if !(0xdc00..0xe000).contains(&second) {
                        return Err(wrong());
                    }
                    0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
                } else {
                    first
                };
                return char::from_u32(code).ok_or_else(wrong);
            }
            _ => return Err(wrong()),
        };
        self.index += 1;
        Ok(c)
    }

    fn hex(&mut self) -> Option<u32> {
        let digits = self.text.get(self.index..self.index + 4)?;
        // `from_str_radix` would also take a sign.
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        self.index += 4;
        u32::from_str_radix(digits, 16).ok()
    }

    fn word(&mut self, word: &str) -> bool {
        let found = self.text[self.index..].starts_with(word);
        if found {
            self.index += word.len();
        }
        found
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.byte() {
            self.index += 1;
        }
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.index).copied()
    }

    fn expected(&mut self, what: &str) -> Stop {
        let found = match self.text[self.index..].chars().next() {
            Some(c) => Shown(c.encode_utf8(&mut [0; 4])).to_string(),
            None => "the end, as if the rest were cut off".to_owned(),
        };
        Stop {
            at: self.position(),
            problem: syntax(format!("expected {what}, found {found}")),
        }
    }

    /// Counts on from the last position asked for, so that all of them together cost one
    /// pass over the text.
    fn position(&mut self) -> Position {
        let (mut line, mut column) = (self.at.line as usize, self.at.column as usize);
        // Most of what lies between two positions is a few bytes, for which a search costs more.
        for byte in &self.text.as_bytes()[self.counted..self.index] {
            match byte {
                b'\n' => (line, column) = (line + 1, 1),
                // What goes on with a character (RFC 3629, section 3).
                0x80..0xc0 => {}
                _ => column += 1,
            }
        }
        self.counted = self.index;
        self.at = Position::new(line, column);
        self.at
    }
}

fn syntax(message: String) -> Problem {
    Problem::Syntax {
        format: "JSON",
        message,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<serde_json::Value, (Position, Problem)> {
        read_value(text, Position::START, &Limits::default()).map(Node::into_json)
    }

    #[test]
    fn positions_count_lines_and_characters() {
        let text = "{\"é\": [1,\n  {\"b\": \"\\n\"}], \"ü\": x}";
        let (at, problem) = read(text).unwrap_err();
        assert_eq!(
            at,
            Position {
                line: 2,
                column: 22
            }
        );
        assert_eq!(
            problem.to_string(),
            "not valid JSON: expected a value, found `x`"
        );
    }

    fn value() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<f64>().prop_map(Into::into),
            any::<String>().prop_map(Into::into),
        ];
        leaf.prop_recursive(5, 30, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Into::into),
                prop::collection::hash_map(any::<String>(), inner, 0..5)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_serde_json_writes_is_read_as_it_reads_it(value in value()) {
            for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
                let expected: serde_json::Value = serde_json::from_str(&text).unwrap();
                prop_assert_eq!(read(&text).ok(), Some(expected));
            }
        }

        #[test]
        fn what_serde_json_refuses_is_refused(
            text in r#"[\[\]{}:,"\\ untrefalsd0-9.eE+\-/bu8D]{0,12}|"(\\u[dD][89a-f][0-9a-f]{2}|\\u00e9|a){0,3}""#
        ) {
            let expected: Option<serde_json::Value> = serde_json::from_str(&text).ok();
            prop_assert_eq!(read(&text).ok(), expected);
        }
    }
}
