//! Finds many phrases in one pass over a text's words.
//!
//! A phrase is words with spaces between them: `let me|us know`, `remind*` (any word that
//! begins so), `please?` (may be missing), `_` (any one word), `<money>` (a kind of token).
//! Each phrase is a small automaton over numbered words, and all begin at one root; a token
//! costs one look-up and then as many steps as phrases go on to match, which their length
//! bounds.

use std::collections::HashMap;

use super::text::{Text, class, fold};

/// A phrase that cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("phrase `{phrase}`: {problem}")]
pub(super) struct BadPhrase {
    pub phrase: String,
    pub problem: &'static str,
}

/// A phrase found: tokens `first..last` of the text, and what was added with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hit {
    pub payload: u32,
    pub first: u32,
    pub last: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Edge {
    Any,
    Class(u8),
    Word(u32),
    Stem(u32),
}

#[derive(Debug, Default)]
struct Node {
    /// Sorted; one edge may lead to several nodes.
    edges: Vec<(Edge, u32)>,
    payload: Option<u32>,
}

#[derive(Debug)]
pub(super) struct Phrases {
    words: HashMap<String, u32>,
    /// Sorted; with the longest other stem that each one begins with.
    stems: Vec<(String, Option<u32>)>,
    /// Where the stems that begin with a byte start, and one more for the end.
    stems_by_byte: Vec<u32>,
    nodes: Vec<Node>,
    /// Where the root's edges for a word start, and one more for the end: the root has
    /// thousands, and is asked once for each token.
    root_words: Vec<u32>,
}

/// Collects phrases; [`Builder::build`] makes them searchable.
#[derive(Debug, Default)]
pub(super) struct Builder {
    phrases: Vec<(Vec<Slot>, u32)>,
}

/// One place of a phrase.
#[derive(Debug)]
struct Slot {
    /// Each of one or more elements, because `don't` is two words.
    choices: Vec<Vec<Element>>,
    optional: bool,
}

#[derive(Clone, Debug)]
enum Element {
    Any,
    Class(u8),
    Word(String),
    Stem(String),
}

impl Builder {
    pub fn add(&mut self, phrase: &str, payload: u32) -> Result<(), BadPhrase> {
        let bad = |problem| BadPhrase {
            phrase: phrase.to_owned(),
            problem,
        };
        let mut slots = Vec::new();
        for part in phrase.split_whitespace() {
            let (part, optional) = match part.strip_suffix('?') {
                Some(part) => (part, true),
                None => (part, false),
            };
            let choices: Result<Vec<_>, _> = part.split('|').map(elements).collect();
            slots.push(Slot {
                choices: choices.map_err(bad)?,
                optional,
            });
        }
        let is_firm = |slot: &Slot| {
            let any = |choice: &Vec<Element>| choice.iter().all(|e| matches!(e, Element::Any));
            !slot.optional && !slot.choices.iter().any(any)
        };
        if !slots.iter().any(is_firm) {
            return Err(bad("could match without any word of its own"));
        }
        self.phrases.push((slots, payload));
        Ok(())
    }

    pub fn build(self) -> Phrases {
        let elements = self
            .phrases
            .iter()
            .flat_map(|(slots, _)| slots)
            .flat_map(|slot| &slot.choices)
            .flatten();
        let mut stems: Vec<String> = elements
            .filter_map(|element| match element {
                Element::Stem(stem) => Some(stem.clone()),
                _ => None,
            })
            .collect();
        stems.sort();
        stems.dedup();
        let parents: Vec<Option<u32>> = (0..stems.len())
            .map(|i| {
                let shorter = |j: &usize| stems[i].starts_with(stems[*j].as_str());
                (0..i).rev().find(shorter).map(|j| j as u32)
            })
            .collect();
        let stems_by_byte = (0..=256_usize)
            .map(|byte| stems.partition_point(|stem| usize::from(stem.as_bytes()[0]) < byte) as u32)
            .collect();
        let mut phrases = Phrases {
            words: HashMap::new(),
            stems_by_byte,
            stems: stems.into_iter().zip(parents).collect(),
            nodes: vec![Node::default()],
            root_words: Vec::new(),
        };
        for (slots, payload) in &self.phrases {
            phrases.insert(slots, *payload);
        }
        for node in &mut phrases.nodes {
            node.edges.sort_unstable();
        }
        let root = &phrases.nodes[0].edges;
        phrases.root_words = (0..=phrases.words.len() as u32)
            .map(|word| root.partition_point(|(edge, _)| *edge < Edge::Word(word)) as u32)
            .collect();
        phrases
    }
}

fn elements(choice: &str) -> Result<Vec<Element>, &'static str> {
    if choice == "_" {
        return Ok(vec![Element::Any]);
    }
    if let Some(name) = choice.strip_prefix('<').and_then(|c| c.strip_suffix('>')) {
        let class = match name {
            "number" => class::NUMBER,
            "url" => class::URL,
            "address" => class::ADDRESS,
            "money" => class::MONEY,
            "percent" => class::PERCENT,
            _ => return Err("unknown kind of token"),
        };
        return Ok(vec![Element::Class(class)]);
    }
    let (word, is_stem) = match choice.strip_suffix('*') {
        Some(word) => (word, true),
        None => (choice, false),
    };
    let text = Text::new(word.to_owned());
    let mut elements: Vec<Element> = (0..text.tokens.len())
        .map(|i| {
            let mut folded = String::new();
            fold(text.token(i), &mut folded);
            Element::Word(folded)
        })
        .collect();
    match elements.pop() {
        None => Err("has an empty word"),
        Some(Element::Word(last)) if is_stem => {
            if last.chars().count() < 3 {
                return Err("a stem needs three letters");
            }
            elements.push(Element::Stem(last));
            Ok(elements)
        }
        Some(last) => {
            elements.push(last);
            Ok(elements)
        }
    }
}

/// What the phrases know about one token.
#[derive(Clone, Copy)]
struct Known {
    word: Option<u32>,
    stem: Option<u32>,
    class: u8,
    sentence: u32,
}

impl Phrases {
    /// All phrases in `text`, in order of their first token. None crosses a sentence.
    pub fn find(&self, text: &Text) -> Vec<Hit> {
        let mut folded = String::new();
        let known: Vec<Known> = (0..text.tokens.len())
            .map(|i| {
                folded.clear();
                let token = text.tokens[i];
                // Links and addresses are what they are, not the words inside of them.
                if token.class & (class::URL | class::ADDRESS) == 0 {
                    fold(text.token(i), &mut folded);
                }
                Known {
                    word: self.words.get(folded.as_str()).copied(),
                    stem: self.stem(&folded),
                    class: token.class,
                    sentence: token.sentence,
                }
            })
            .collect();
        let mut hits = Vec::new();
        for first in 0..known.len() {
            self.follow(&known, first, first, 0, &mut hits);
        }
        hits
    }

    fn follow(&self, known: &[Known], first: usize, at: usize, node: u32, hits: &mut Vec<Hit>) {
        if let Some(payload) = self.nodes[node as usize].payload {
            hits.push(Hit {
                payload,
                first: first as u32,
                last: at as u32,
            });
        }
        let Some(token) = known.get(at) else { return };
        if token.sentence != known[first].sentence {
            return;
        }
        let mut step = |edge: Edge| {
            for (_, next) in self.edges(node, edge) {
                self.follow(known, first, at + 1, *next, hits);
            }
        };
        if let Some(word) = token.word {
            step(Edge::Word(word));
        }
        let mut stem = token.stem;
        while let Some(index) = stem {
            step(Edge::Stem(index));
            stem = self.stems[index as usize].1;
        }
        if token.class & !class::CAPITAL != 0 {
            for class in [
                class::NUMBER,
                class::URL,
                class::ADDRESS,
                class::MONEY,
                class::PERCENT,
            ] {
                if token.class & class != 0 {
                    step(Edge::Class(class));
                }
            }
        }
        step(Edge::Any);
    }

    fn edges(&self, node: u32, edge: Edge) -> &[(Edge, u32)] {
        let edges = &self.nodes[node as usize].edges;
        let start = match edge {
            Edge::Any => 0,
            Edge::Word(word) if node == 0 => {
                let range = self.root_words[word as usize]..self.root_words[word as usize + 1];
                return &edges[range.start as usize..range.end as usize];
            }
            _ => edges.partition_point(|(known, _)| *known < edge),
        };
        let length = edges[start..]
            .iter()
            .take_while(|(known, _)| *known == edge)
            .count();
        &edges[start..start + length]
    }

    /// The longest stem that `word` begins with.
    fn stem(&self, word: &str) -> Option<u32> {
        let first = usize::from(*word.as_bytes().first()?);
        let range = self.stems_by_byte[first]..self.stems_by_byte[first + 1];
        // A longer stem stands after those it begins with.
        range
            .rev()
            .find(|index| word.starts_with(self.stems[*index as usize].0.as_str()))
    }

    fn insert(&mut self, slots: &[Slot], payload: u32) {
        // Where the phrase may be after the slots so far.
        let mut ends: Vec<u32> = vec![0];
        for slot in slots {
            let next = self.new_node();
            for choice in &slot.choices {
                let (last, before) = choice.split_last().expect("an element at least");
                for end in &ends {
                    let mut node = *end;
                    for element in before {
                        let between = self.new_node();
                        self.connect(node, element, between);
                        node = between;
                    }
                    self.connect(node, last, next);
                }
            }
            if !slot.optional {
                ends.clear();
            }
            ends.push(next);
        }
        for end in ends {
            self.nodes[end as usize].payload = Some(payload);
        }
    }

    fn new_node(&mut self) -> u32 {
        self.nodes.push(Node::default());
        self.nodes.len() as u32 - 1
    }

    fn connect(&mut self, node: u32, element: &Element, next: u32) {
        let edge = match element {
            Element::Any => Edge::Any,
            Element::Class(class) => Edge::Class(*class),
            Element::Stem(stem) => {
                let found = self.stems.binary_search_by(|(known, _)| known.cmp(stem));
                Edge::Stem(found.expect("every stem was collected") as u32)
            }
            Element::Word(word) => match self.words.get(word) {
                Some(number) => Edge::Word(*number),
                None => {
                    let number = self.words.len() as u32;
                    self.words.insert(word.clone(), number);
                    Edge::Word(number)
                }
            },
        };
        self.nodes[node as usize].edges.push((edge, next));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(phrases: &[&str], text: &str) -> Vec<(u32, String)> {
        let mut builder = Builder::default();
        for (payload, phrase) in phrases.iter().enumerate() {
            builder.add(phrase, payload as u32).unwrap();
        }
        let text = Text::new(text.to_owned());
        let hits = builder.build().find(&text);
        hits.iter()
            .map(|hit| {
                let start = text.tokens[hit.first as usize].start as usize;
                let end = text.tokens[hit.last as usize - 1].end as usize;
                (hit.payload, text.source[start..end].to_owned())
            })
            .collect()
    }

    #[test]
    fn phrases_match_words_whatever_their_case_breaks_and_accents() {
        for (phrase, text, matched) in [
            ("let me know", "Please LET\nme know.", Some("LET\nme know")),
            ("let me know", "let it know", None),
            ("let me|us know", "let us know", Some("let us know")),
            (
                "could you please? send",
                "Could you send it?",
                Some("Could you send"),
            ),
            (
                "could you please? send",
                "could you please send",
                Some("could you please send"),
            ),
            ("invoic*", "two Invoices", Some("Invoices")),
            ("the _ day", "the other day", Some("the other day")),
            ("pay <money>", "pay €500 now", Some("pay €500")),
            ("don't reply", "do not. Don’t reply", Some("Don’t reply")),
            ("könnten sie", "Könnten Sie kommen", Some("Könnten Sie")),
            ("good morning", "good. Morning", None),
            ("お願い", "よろしくお願いします", Some("お願い")),
            ("unsubscribe", "https://a.example/unsubscribe", None),
        ] {
            let hits = found(&[phrase], text);
            let expected: Vec<_> = matched.into_iter().map(|m| (0, m.to_owned())).collect();
            assert_eq!(hits, expected, "{phrase} in {text}");
        }
    }

    #[test]
    fn nested_stems_all_match() {
        assert_eq!(
            found(&["sub*", "subscri*", "subscribex*"], "subscriber").len(),
            2
        );
        assert_eq!(found(&["abc*", "abcd*"], "abce").len(), 1);
    }

    #[test]
    fn a_phrase_without_words_is_refused() {
        for phrase in ["", "_", "please?", "<colour>", "ab*", "-"] {
            assert!(Builder::default().add(phrase, 0).is_err(), "{phrase:?}");
        }
    }

    proptest! {
        #[test]
        fn finding_never_panics_and_hits_lie_in_the_text(text in "\\PC{0,300}") {
            let mut builder = Builder::default();
            for phrase in ["a|b _ c?  a", "abc*", "<number> a", "a b c d e f"] {
                builder.add(phrase, 0).unwrap();
            }
            let text = Text::new(text);
            for hit in builder.build().find(&text) {
                prop_assert!(hit.first < hit.last && hit.last as usize <= text.tokens.len());
            }
        }
    }
}
