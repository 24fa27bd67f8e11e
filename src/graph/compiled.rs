//! A graph that can run: sub-graphs flattened to nodes, every name resolved.

use std::sync::Arc;

use super::build::{CompileError, END, START};
use super::failure::RunError;
use super::node::NodeFn;
use super::retry::RetryPolicy;
use super::state::{Goto, State};

/// A checked graph, shared by all runs. Made by [`Graph::compile`](super::Graph::compile).
pub struct CompiledGraph<S: State, C> {
    /// The graph itself first, then the graphs inside it.
    pub(super) scopes: Vec<Scope<S>>,
    pub(super) nodes: Vec<Node<S, C>>,
}

pub(super) struct Scope<S> {
    /// Full name of the sub-graph; empty for the outermost graph.
    pub path: String,
    pub vertices: Vec<Vertex<S>>,
    pub start: Exits<S>,
    /// Scope and vertex that stand for this graph in its parent.
    pub parent: Option<(usize, usize)>,
}

pub(super) struct Vertex<S> {
    pub name: String,
    pub kind: Kind,
    pub exits: Exits<S>,
    /// Where the node may `goto`, by local name.
    pub targets: Vec<(String, Target)>,
}

#[derive(Clone, Copy)]
pub(super) enum Kind {
    Node(usize),
    Subgraph(usize),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    Vertex(usize),
    End,
}

pub(super) struct Exits<S> {
    pub edges: Vec<Target>,
    pub branches: Vec<Branch<S>>,
}

/// Names the targets to go to, by local name.
pub(super) type Route<S> = Arc<dyn Fn(&S) -> Vec<&'static str> + Send + Sync>;

pub(super) struct Branch<S> {
    pub targets: Vec<(String, Target)>,
    pub route: Route<S>,
}

pub(super) struct Node<S: State, C> {
    /// Full name.
    pub name: Arc<str>,
    pub run: NodeFn<S, C>,
    pub scope: usize,
    pub vertex: usize,
    pub retry: Option<RetryPolicy>,
    pub interrupt_before: bool,
    pub interrupt_after: bool,
}

impl<S> Default for Exits<S> {
    fn default() -> Self {
        Exits {
            edges: Vec::new(),
            branches: Vec::new(),
        }
    }
}

impl<S> Exits<S> {
    pub fn targets(&self) -> impl Iterator<Item = Target> {
        let branches = self.branches.iter().flat_map(|branch| &branch.targets);
        (self.edges.iter().copied()).chain(branches.map(|(_, target)| *target))
    }
}

impl<S: State, C> CompiledGraph<S, C> {
    /// Full names of the nodes, in the order they were added.
    pub fn node_names(&self) -> impl Iterator<Item = &str> {
        self.nodes.iter().map(|node| &*node.name)
    }

    pub(super) fn has_breakpoints(&self) -> bool {
        self.nodes
            .iter()
            .any(|node| node.interrupt_before || node.interrupt_after)
    }

    pub(super) fn node_index(&self, name: &str) -> Result<usize, RunError> {
        self.nodes
            .iter()
            .position(|node| &*node.name == name)
            .ok_or_else(|| RunError::UnknownNode {
                from: "the thread's state".to_owned(),
                node: name.to_owned(),
                known: self.node_names().map(str::to_owned).collect(),
            })
    }

    pub(super) fn check_reachable(&self, scope: usize) -> Result<(), CompileError> {
        let scope = &self.scopes[scope];
        let mut reached = vec![false; scope.vertices.len()];
        let mut todo: Vec<Target> = scope.start.targets().collect();
        while let Some(target) = todo.pop() {
            let Target::Vertex(index) = target else {
                continue;
            };
            if !std::mem::replace(&mut reached[index], true) {
                let vertex = &scope.vertices[index];
                todo.extend(vertex.exits.targets());
                todo.extend(vertex.targets.iter().map(|(_, target)| *target));
            }
        }
        match reached.iter().position(|reached| !reached) {
            None => Ok(()),
            Some(index) => {
                let name = &scope.vertices[index].name;
                Err(CompileError::Unreachable(match scope.path.as_str() {
                    "" => name.clone(),
                    path => format!("{path}/{name}"),
                }))
            }
        }
    }

    /// Checks that a node's `goto` names declared targets only.
    pub(super) fn check_goto(&self, node: usize, goto: &Goto) -> Result<(), RunError> {
        let Goto::To(names) = goto else {
            return Ok(());
        };
        let node = &self.nodes[node];
        if names.is_empty() {
            return Err(RunError::NoTarget {
                from: format!("`goto` of `{}`", node.name),
            });
        }
        let declared = &self.scopes[node.scope].vertices[node.vertex].targets;
        for name in names {
            if name != END && !declared.iter().any(|(known, _)| known == name) {
                return Err(RunError::UnknownNode {
                    from: format!("`goto` of `{}`", node.name),
                    node: name.clone().into_owned(),
                    known: declared.iter().map(|(known, _)| known.clone()).collect(),
                });
            }
        }
        Ok(())
    }

    /// The nodes the graph begins with.
    pub(super) fn entry(&self, state: &S) -> Result<Vec<usize>, RunError> {
        let mut next = Vec::new();
        self.follow(0, START, &self.scopes[0].start, state, &mut next)?;
        Ok(next)
    }

    /// The nodes that come after a step in which `done` ran and went `goto`, in the order
    /// they are reached. [`check_goto`](Self::check_goto) has passed the `goto`s.
    pub(super) fn successors(
        &self,
        done: &[(usize, Goto)],
        state: &S,
    ) -> Result<Vec<usize>, RunError> {
        let mut next = Vec::new();
        for (index, goto) in done {
            let node = &self.nodes[*index];
            let vertex = &self.scopes[node.scope].vertices[node.vertex];
            match goto {
                Goto::Edges => {
                    self.follow(node.scope, &node.name, &vertex.exits, state, &mut next)?;
                }
                Goto::End => {}
                Goto::To(names) => {
                    for name in names.iter().filter(|name| *name != END) {
                        let target = vertex.targets.iter().find(|(known, _)| known == name);
                        let (_, target) = target.expect("`check_goto` found it");
                        self.enter(node.scope, *target, state, &mut next)?;
                    }
                }
            }
        }
        // A sub-graph is left when nothing in it is left to run. Innermost first, as what
        // leaving one leads to may keep the one around it going; and those of one depth
        // are judged before any is left, as one may lead into another.
        let mut ended: Vec<Vec<usize>> = Vec::new();
        for (index, _) in done {
            let around = self.scopes_around(*index);
            ended.resize_with(ended.len().max(around.len()), Vec::new);
            for (depth, scope) in around.into_iter().rev().enumerate() {
                if !ended[depth].contains(&scope) {
                    ended[depth].push(scope);
                }
            }
        }
        for mut scopes in ended.into_iter().rev() {
            scopes.retain(|scope| {
                let inside = |node: &usize| self.scopes_around(*node).contains(scope);
                !next.iter().any(inside)
            });
            for scope in scopes {
                let Scope { path, parent, .. } = &self.scopes[scope];
                let (parent, vertex) = parent.expect("only sub-graphs are left");
                let exits = &self.scopes[parent].vertices[vertex].exits;
                self.follow(parent, path, exits, state, &mut next)?;
            }
        }
        Ok(next)
    }

    /// The sub-graphs a node is in, innermost first.
    fn scopes_around(&self, node: usize) -> Vec<usize> {
        let mut around = Vec::new();
        let mut scope = self.nodes[node].scope;
        while let Some((parent, _)) = self.scopes[scope].parent {
            around.push(scope);
            scope = parent;
        }
        around
    }

    fn follow(
        &self,
        scope: usize,
        from: &str,
        exits: &Exits<S>,
        state: &S,
        next: &mut Vec<usize>,
    ) -> Result<(), RunError> {
        for target in &exits.edges {
            self.enter(scope, *target, state, next)?;
        }
        for branch in &exits.branches {
            let names = (branch.route)(state);
            if names.is_empty() {
                return Err(RunError::NoTarget {
                    from: format!("the conditional edge from `{from}`"),
                });
            }
            for name in names {
                let target = branch.targets.iter().find(|(known, _)| known == name);
                let Some((_, target)) = target else {
                    return Err(RunError::UnknownNode {
                        from: format!("the conditional edge from `{from}`"),
                        node: name.to_owned(),
                        known: branch
                            .targets
                            .iter()
                            .map(|(known, _)| known.clone())
                            .collect(),
                    });
                };
                self.enter(scope, *target, state, next)?;
            }
        }
        Ok(())
    }

    fn enter(
        &self,
        scope: usize,
        target: Target,
        state: &S,
        next: &mut Vec<usize>,
    ) -> Result<(), RunError> {
        let Target::Vertex(vertex) = target else {
            return Ok(());
        };
        match self.scopes[scope].vertices[vertex].kind {
            Kind::Node(node) => {
                if !next.contains(&node) {
                    next.push(node);
                }
                Ok(())
            }
            Kind::Subgraph(inner) => {
                let Scope { path, start, .. } = &self.scopes[inner];
                self.follow(inner, path, start, state, next)
            }
        }
    }
}
