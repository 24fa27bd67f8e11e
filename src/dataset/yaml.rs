//! YAML text to one tree a record.
//!
//! Built on the parser's events rather than on serde, because every mistake of a file is
//! to be reported: positions of keys, repeated keys, and records that follow a broken one
//! are all lost in a typed reading. Scalars keep their text, so none of YAML 1.1's
//! surprises (`no` as a boolean, `0755` as a number) can happen.

use std::collections::HashMap;

use serde_yaml::granit_parser::{Event, Marker, Parser, ScalarStyle, Tag, options};

use super::error::{Found, Problem};
use super::read::{Limits, Sink};
use super::tree::{Entry, Node, Position, Value};

/// Reads the records of a file, and goes on after a broken one.
pub(super) fn read(text: &str, limits: &Limits, sink: &mut Sink) {
    let mut offset = 0;
    let mut lines_before = 0;
    // Each try may read to the end of the text, so that a hostile file with a mistake in
    // every record would take the square of its length.
    let mut budget = SECOND_READING + 2 * text.len();
    loop {
        let mut reading = Reading::new(limits, lines_before, sink);
        let Err(broken) = reading.file(&text[offset..]) else {
            return;
        };
        sink(broken.at, Err(broken.problem));
        let rest = &text[offset..];
        budget = budget.saturating_sub(rest.len());
        let Some(record) = broken.record_line.filter(|_| budget > 0) else {
            return;
        };
        let Some(next) = next_record(rest, record as usize - lines_before) else {
            return;
        };
        lines_before += rest[..next].matches('\n').count();
        offset += next;
    }
}

/// Bytes that may be read again in files of any size, so that all mistakes of a file of the
/// usual size are found.
const SECOND_READING: usize = 16 << 20;

/// A mistake after which the parser cannot go on.
struct Broken {
    at: Position,
    problem: Problem,
    /// Where the record started that it stands in.
    record_line: Option<u32>,
}

/// Where the next record starts after the one on the given line (from 1): a hyphen in the first column
/// is always an entry of the outermost list, because what belongs to an entry is indented.
fn next_record(text: &str, line: usize) -> Option<usize> {
    let mut start = 0;
    for (index, content) in text.split_inclusive('\n').enumerate() {
        if index >= line && content.starts_with("- ") {
            return Some(start);
        }
        start += content.len();
    }
    None
}

/// An anchored value, kept for its aliases.
struct Anchored {
    node: Node,
    size: Size,
}

#[derive(Clone, Copy, Default)]
struct Size {
    values: usize,
    bytes: usize,
    depth: usize,
}

impl Size {
    fn of(node: &Node) -> Size {
        let children = match &node.value {
            Value::List(nodes) => nodes.iter().map(Size::of).fold(Size::default(), Size::join),
            Value::Map(entries) => entries
                .iter()
                .map(|entry| Size::of(&entry.value))
                .fold(Size::default(), Size::join),
            Value::Text(text) | Value::Plain(text) => Size {
                bytes: text.len(),
                ..Size::default()
            },
            Value::Null | Value::Bool(_) | Value::Number(_) => Size::default(),
        };
        Size {
            values: children.values + 1,
            bytes: children.bytes + size_of::<Entry>(),
            depth: children.depth + 1,
        }
    }

    fn join(self, other: Size) -> Size {
        Size {
            values: self.values + other.values,
            bytes: self.bytes + other.bytes,
            depth: self.depth.max(other.depth),
        }
    }
}

/// A list or map that is not closed yet.
struct Open {
    at: Position,
    anchor: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    /// With the key that waits for its value.
    Map(Vec<Entry>, Option<(String, Position)>),
}

struct Reading<'a, 'b> {
    limits: &'a Limits,
    lines_before: usize,
    sink: &'a mut Sink<'b>,
    open: Vec<Open>,
    anchors: HashMap<usize, Anchored>,
    alias_bytes: usize,
    record_values: usize,
    record_line: Option<u32>,
    /// Set while the rest of a refused record is passed over: how many of its lists and
    /// maps are open.
    skipping: Option<usize>,
}

impl<'a, 'b> Reading<'a, 'b> {
    fn new(limits: &'a Limits, lines_before: usize, sink: &'a mut Sink<'b>) -> Self {
        Reading {
            limits,
            lines_before,
            sink,
            open: Vec::new(),
            anchors: HashMap::new(),
            alias_bytes: 0,
            record_values: 0,
            record_line: None,
            skipping: None,
        }
    }

    fn file(&mut self, text: &str) -> Result<(), Broken> {
        let mut documents = 0;
        let mut in_list = false;
        let options = options! { emit_comments: false };
        for next in Parser::new_from_str_with_options(text, options) {
            let (event, span) = next.map_err(|error| Broken {
                at: self.position(error.marker()),
                problem: Problem::Syntax {
                    format: "YAML",
                    message: error.info(),
                },
                record_line: self.record_line,
            })?;
            let at = self.position(&span.start);
            match event {
                Event::DocumentStart(..) => {
                    documents += 1;
                    if documents > 1 {
                        (self.sink)(at, Err(Problem::SecondDocument));
                        return Ok(());
                    }
                }
                Event::SequenceStart(..) if !in_list && documents == 1 => in_list = true,
                Event::SequenceEnd if self.open.is_empty() && self.skipping.is_none() => {
                    in_list = false;
                }
                Event::MappingStart(..) if !in_list => {
                    let found = Found::of(&Value::Map(Vec::new()));
                    (self.sink)(at, Err(Problem::NotAList { found }));
                    return Ok(());
                }
                Event::Scalar(text, style, ..) if !in_list => {
                    let node = scalar(at, text.into_owned(), style);
                    // A file of comments alone has one empty scalar.
                    if !node.is_null() {
                        let found = Found::of(&node.value);
                        (self.sink)(at, Err(Problem::NotAList { found }));
                    }
                    return Ok(());
                }
                event => self.event(event, at),
            }
        }
        Ok(())
    }

    fn event(&mut self, event: Event<'_>, at: Position) {
        if let Some(depth) = &mut self.skipping {
            match event {
                Event::SequenceStart(..) | Event::MappingStart(..) => *depth += 1,
                Event::SequenceEnd | Event::MappingEnd => *depth -= 1,
                _ => {}
            }
            if *depth == 0 {
                self.skipping = None;
            }
            return;
        }
        if self.open.is_empty() {
            self.record_line = Some(at.line);
            self.record_values = 0;
        }
        match event {
            Event::Scalar(text, style, anchor, tag) => match tag {
                None => self.value(scalar(at, text.into_owned(), style), anchor),
                Some(tag) if tag.is_yaml_core_schema_tag("str") => {
                    let value = Value::Text(text.into_owned());
                    self.value(Node { at, value }, anchor);
                }
                Some(tag) => self.refuse_tag(at, &tag),
            },
            Event::SequenceStart(_, anchor, tag) => {
                self.start(at, anchor, tag.as_deref(), Content::List(Vec::new()));
            }
            Event::MappingStart(_, anchor, tag) => {
                self.start(at, anchor, tag.as_deref(), Content::Map(Vec::new(), None));
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(Open {
                    at,
                    anchor,
                    content,
                }) = self.open.pop()
                else {
                    return;
                };
                let value = match content {
                    Content::List(nodes) => Value::List(nodes),
                    Content::Map(entries, _) => Value::Map(entries),
                };
                self.value(Node { at, value }, anchor);
            }
            Event::Alias(anchor) => self.alias(at, anchor),
            _ => {}
        }
    }

    fn start(&mut self, at: Position, anchor: usize, tag: Option<&Tag>, content: Content) {
        let limit = self.limits.depth;
        self.open.push(Open {
            at,
            anchor,
            content,
        });
        if let Some(tag) = tag {
            self.refuse_tag(at, tag);
        } else if self.open.len() > limit {
            self.refuse(at, Problem::TooDeep { limit });
        }
    }

    fn alias(&mut self, at: Position, anchor: usize) {
        // The anchor of a list that is still open, or of a record that was refused.
        let Some(anchored) = self.anchors.get(&anchor) else {
            self.refuse(
                at,
                Problem::Syntax {
                    format: "YAML",
                    message: "the alias stands inside the value it names, or for a refused one"
                        .to_owned(),
                },
            );
            return;
        };
        let Size {
            values,
            bytes,
            depth,
        } = anchored.size;
        let limit = self.limits.depth;
        if self.open.len() + depth > limit {
            return self.refuse(at, Problem::TooDeep { limit });
        }
        self.record_values += values;
        self.alias_bytes += bytes;
        if let Some(problem) = self.alias_limit() {
            return self.refuse(at, problem);
        }
        // An error inside the value is best looked for where the value is written.
        let node = self.anchors[&anchor].node.clone();
        self.value(node, 0);
    }

    fn alias_limit(&self) -> Option<Problem> {
        let limit = self.limits.record_values;
        if self.record_values > limit {
            return Some(Problem::TooManyValues { limit });
        }
        let limit = self.limits.alias_bytes;
        (self.alias_bytes > limit).then_some(Problem::AliasesTooLarge { limit })
    }

    /// Puts a complete value where it belongs.
    fn value(&mut self, node: Node, anchor: usize) {
        let at = node.at;
        self.record_values += 1;
        if anchor > 0 {
            let size = Size::of(&node);
            self.alias_bytes += size.bytes;
            let node = node.clone();
            self.anchors.insert(anchor, Anchored { node, size });
        }
        if let Some(problem) = self.alias_limit() {
            return self.refuse(at, problem);
        }
        let Some(parent) = self.open.last_mut() else {
            return (self.sink)(at, Ok(node));
        };
        match &mut parent.content {
            Content::List(nodes) => nodes.push(node),
            Content::Map(entries, key) => match key.take() {
                Some((key, key_at)) => entries.push(Entry {
                    key,
                    key_at,
                    value: node,
                }),
                None => match node.value {
                    Value::Text(text) | Value::Plain(text) => *key = Some((text, at)),
                    value => {
                        let problem = Problem::WrongType {
                            what: "a key".to_owned(),
                            wanted: "a text",
                            found: Found::of(&value),
                        };
                        self.refuse(at, problem);
                    }
                },
            },
        }
    }

    fn refuse_tag(&mut self, at: Position, tag: &Tag) {
        let message = format!("the tag `{tag}` has no meaning in a dataset");
        self.refuse(
            at,
            Problem::Syntax {
                format: "YAML",
                message,
            },
        );
    }

    /// Reports a mistake that spoils the record, and passes over the rest of it.
    fn refuse(&mut self, at: Position, problem: Problem) {
        (self.sink)(at, Err(problem));
        self.skipping = Some(self.open.len()).filter(|open| *open > 0);
        self.open.clear();
    }

    fn position(&self, marker: &Marker) -> Position {
        Position::new(marker.line() + self.lines_before, marker.col() + 1)
    }
}

fn scalar(at: Position, text: String, style: ScalarStyle) -> Node {
    let value = match style {
        ScalarStyle::Plain => Value::Plain(text),
        _ => Value::Text(text),
    };
    Node { at, value }
}
