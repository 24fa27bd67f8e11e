//! What several people said of the same item.

use std::collections::HashMap;

use super::super::Verdict;
use super::items::Item;

/// An item, with the labels of everybody who labelled it.
#[derive(Clone, Debug, PartialEq)]
pub struct Rated {
    /// As its first rater wrote it.
    pub item: Item,
    /// What the others wrote of the same, in order.
    pub again: Vec<Item>,
}

/// Puts the lines of different people about one item together, in the order in which items
/// are first met. Lines with the same id are about the same: [`read`](super::items::read)
/// sees to that.
pub fn rated(items: Vec<Item>) -> Vec<Rated> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut rated: Vec<Rated> = Vec::new();
    for item in items {
        match places.get(&item.id) {
            Some(&place) => rated[place].again.push(item),
            None => {
                places.insert(item.id.clone(), rated.len());
                rated.push(Rated {
                    item,
                    again: Vec::new(),
                });
            }
        }
    }
    rated
}

impl Rated {
    /// One line for each person.
    pub fn lines(&self) -> impl Iterator<Item = &Item> {
        std::iter::once(&self.item).chain(&self.again)
    }

    /// How many people said pass, and how many did not.
    pub fn counts(&self) -> [u64; 2] {
        let passes = self.lines().filter(|line| passes(line)).count();
        [passes as u64, (self.lines().count() - passes) as u64]
    }

    /// Whether most people let it pass, with the line of the first who says as most do;
    /// `None` where as many say one as the other.
    pub fn label(&self) -> Option<(bool, &Item)> {
        let [for_it, against] = self.counts();
        let pass = for_it > against;
        let line = self.lines().find(|line| passes(line) == pass)?;
        (for_it != against).then_some((pass, line))
    }
}

/// A person who cannot tell says that it was not shown to hold, as a judge does.
fn passes(line: &Item) -> bool {
    line.label == Verdict::Pass
}
