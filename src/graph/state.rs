//! What a graph carries from node to node, and what a node answers.

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The typed state of a graph. Nodes read it and return updates; only the run loop
/// changes it, between steps.
pub trait State: Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// A change to the state. Updates of nodes that ran in the same step are applied one
    /// after the other, in the order the nodes were reached.
    type Update: Serialize + DeserializeOwned + Send + Sync + 'static;

    fn apply(&mut self, update: Self::Update);
}

/// What a node answers: a change to the state, and where to go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Command<U> {
    pub update: Option<U>,
    pub goto: Goto,
}

/// Where a node leads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goto {
    /// Along the edges that were drawn from the node; the end where there are none.
    #[default]
    Edges,
    /// To these nodes, which must be among the targets the node was declared with.
    To(Vec<Cow<'static, str>>),
    /// Out of the graph the node belongs to: a sub-graph hands over to its parent.
    End,
}

impl<U> Command<U> {
    /// Changes nothing and follows the edges.
    pub fn new() -> Self {
        Command {
            update: None,
            goto: Goto::Edges,
        }
    }

    pub fn update(mut self, update: U) -> Self {
        self.update = Some(update);
        self
    }

    pub fn goto(self, node: impl Into<Cow<'static, str>>) -> Self {
        self.goto_all([node.into()])
    }

    /// Runs several nodes next, at the same time.
    pub fn goto_all(mut self, nodes: impl IntoIterator<Item = Cow<'static, str>>) -> Self {
        self.goto = Goto::To(nodes.into_iter().collect());
        self
    }

    pub fn end(mut self) -> Self {
        self.goto = Goto::End;
        self
    }
}

impl<U> Default for Command<U> {
    fn default() -> Self {
        Command::new()
    }
}
