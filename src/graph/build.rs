//! Drawing a graph: nodes, edges, sub-graphs, and breakpoints, checked as a whole.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::compiled::{Branch, CompiledGraph, Exits, Kind, Node, Route, Scope, Target, Vertex};
use super::node::{NodeContext, NodeFn, NodeResult};
use super::retry::RetryPolicy;
use super::state::State;

/// Where a graph begins; the source of its first edges.
pub const START: &str = "__start__";
/// Where a graph ends; a target of edges.
pub const END: &str = "__end__";

/// A graph being drawn. Names are local to the graph, also when it becomes a sub-graph of
/// another. Mistakes are found by [`compile`](Self::compile).
pub struct Graph<S: State, C> {
    vertices: Vec<Drawn<S, C>>,
    edges: Vec<(String, String)>,
    branches: Vec<(String, Vec<String>, Route<S>)>,
    retries: Vec<(String, RetryPolicy)>,
    interrupt_before: Vec<String>,
    interrupt_after: Vec<String>,
}

struct Drawn<S: State, C> {
    name: String,
    what: What<S, C>,
}

enum What<S: State, C> {
    Node {
        targets: Vec<String>,
        run: NodeFn<S, C>,
    },
    Subgraph(Graph<S, C>),
}

/// Why a drawing is not a graph. Names are full: `outer/inner` in a sub-graph.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    #[error(
        "`{0}` cannot be a node's name: names are not empty, hold no `/`, and are neither `{START}` nor `{END}`"
    )]
    BadName(String),
    #[error("two nodes are called `{0}`")]
    DuplicateNode(String),
    /// An edge, a declared target, or a breakpoint names no node.
    #[error("{place} names `{node}`, which is no node; known: {}", known.join(", "))]
    UnknownNode {
        place: String,
        node: String,
        known: Vec<String>,
    },
    #[error("no edge leaves `{START}`{}", of_subgraph(.0))]
    NoStart(String),
    /// It could be passed through for ever without a step being taken.
    #[error("`{START}` leads to `{END}` in sub-graph `{0}`; decide before entering it")]
    EmptySubgraph(String),
    #[error("node `{0}` cannot be reached: no edge and no declared target leads to it")]
    Unreachable(String),
    /// Breakpoints and retry policies are about one node; a sub-graph is several.
    #[error("a breakpoint or a retry policy names sub-graph `{0}`; set it on a node inside")]
    OnSubgraph(String),
}

fn of_subgraph(path: &str) -> String {
    match path {
        "" => String::new(),
        path => format!(" of sub-graph `{path}`"),
    }
}

impl<S: State, C: Send + Sync + 'static> Default for Graph<S, C> {
    fn default() -> Self {
        Graph::new()
    }
}

impl<S: State, C: Send + Sync + 'static> Graph<S, C> {
    pub fn new() -> Self {
        Graph {
            vertices: Vec::new(),
            edges: Vec::new(),
            branches: Vec::new(),
            retries: Vec::new(),
            interrupt_before: Vec::new(),
            interrupt_after: Vec::new(),
        }
    }

    /// Adds a node. `targets` are the nodes (or [`END`]) it may `goto`; none for a node
    /// that only follows edges.
    pub fn node<F>(mut self, name: &str, targets: &[&str], run: F) -> Self
    where
        F: for<'a> Fn(&'a S, &'a NodeContext<C>) -> BoxFuture<'a, NodeResult<S>>
            + Send
            + Sync
            + 'static,
    {
        self.vertices.push(Drawn {
            name: name.to_owned(),
            what: What::Node {
                targets: owned(targets),
                run: Arc::new(run),
            },
        });
        self
    }

    /// Adds a graph as one node of this one. Its nodes are called `name/inner`; when none
    /// of them is left to run, the edges from `name` are followed.
    pub fn subgraph(mut self, name: &str, graph: Graph<S, C>) -> Self {
        self.vertices.push(Drawn {
            name: name.to_owned(),
            what: What::Subgraph(graph),
        });
        self
    }

    /// After `from` (or [`START`]) comes `to` (or [`END`]). Several edges from one node
    /// lead to all of their targets at the same time.
    pub fn edge(mut self, from: &str, to: &str) -> Self {
        self.edges.push((from.to_owned(), to.to_owned()));
        self
    }

    /// After `from` (or [`START`]) come those of `targets` that `route` names.
    pub fn conditional_edge<F>(mut self, from: &str, targets: &[&str], route: F) -> Self
    where
        F: Fn(&S) -> Vec<&'static str> + Send + Sync + 'static,
    {
        self.branches
            .push((from.to_owned(), owned(targets), Arc::new(route)));
        self
    }

    /// Runs the node again when it fails, as `policy` says; the last policy given counts.
    pub fn retry(mut self, node: &str, policy: RetryPolicy) -> Self {
        self.retries.push((node.to_owned(), policy));
        self
    }

    /// Pauses before the node runs, every time.
    pub fn interrupt_before(mut self, node: &str) -> Self {
        self.interrupt_before.push(node.to_owned());
        self
    }

    /// Pauses when the node has run and something comes after it.
    pub fn interrupt_after(mut self, node: &str) -> Self {
        self.interrupt_after.push(node.to_owned());
        self
    }

    /// Checks the drawing and makes it runnable.
    ///
    /// # Errors
    /// The first mistake found.
    pub fn compile(self) -> Result<CompiledGraph<S, C>, CompileError> {
        let mut compiled = CompiledGraph {
            scopes: Vec::new(),
            nodes: Vec::new(),
        };
        self.flatten(String::new(), None, &mut compiled)?;
        Ok(compiled)
    }

    /// Adds this graph, found at `path`, and the graphs inside it to `compiled`.
    fn flatten(
        self,
        path: String,
        parent: Option<(usize, usize)>,
        compiled: &mut CompiledGraph<S, C>,
    ) -> Result<usize, CompileError> {
        let names = Names::new(&path, &self.vertices)?;
        let mut start = Exits::default();
        let mut exits: Vec<Exits<S>> = Vec::new();
        exits.resize_with(self.vertices.len(), Exits::default);
        for (from, to) in &self.edges {
            let place = || format!("edge `{}` → `{to}`", join(&path, from));
            let target = names.target(to, place)?;
            let exits = match from.as_str() {
                START => &mut start,
                from => &mut exits[names.vertex(from, place)?],
            };
            if !exits.edges.contains(&target) {
                exits.edges.push(target);
            }
        }
        for (from, targets, route) in self.branches {
            let place = || format!("conditional edge from `{}`", join(&path, &from));
            let targets = names.targets(targets, place)?;
            let exits = match from.as_str() {
                START => &mut start,
                from => &mut exits[names.vertex(from, place)?],
            };
            exits.branches.push(Branch { targets, route });
        }
        if start.targets().next().is_none() {
            return Err(CompileError::NoStart(path));
        }
        if parent.is_some() && start.targets().any(|target| target == Target::End) {
            return Err(CompileError::EmptySubgraph(path));
        }
        let breakpoints = |place: &str, nodes: &[String]| {
            let vertex = |node: &String| names.vertex(node, || place.to_owned());
            nodes.iter().map(vertex).collect::<Result<Vec<_>, _>>()
        };
        let before = breakpoints("interrupt_before", &self.interrupt_before)?;
        let after = breakpoints("interrupt_after", &self.interrupt_after)?;

        let mut retries = HashMap::new();
        for (node, policy) in self.retries {
            let vertex = names.vertex(&node, || "a retry policy".to_owned())?;
            retries.insert(vertex, policy);
        }

        let scope = compiled.scopes.len();
        compiled.scopes.push(Scope {
            path: path.clone(),
            vertices: Vec::new(),
            start,
            parent,
        });
        for (index, (drawn, exits)) in self.vertices.into_iter().zip(exits).enumerate() {
            let full = join(&path, &drawn.name);
            let (interrupt_before, interrupt_after) =
                (before.contains(&index), after.contains(&index));
            let retry = retries.remove(&index);
            let (kind, targets) = match drawn.what {
                What::Node { targets, run } => {
                    let place = || format!("the declaration of `{full}`");
                    let targets = names.targets(targets, place)?;
                    compiled.nodes.push(Node {
                        name: full.into(),
                        run,
                        scope,
                        vertex: index,
                        retry,
                        interrupt_before,
                        interrupt_after,
                    });
                    (Kind::Node(compiled.nodes.len() - 1), targets)
                }
                What::Subgraph(_) if interrupt_before || interrupt_after || retry.is_some() => {
                    return Err(CompileError::OnSubgraph(full));
                }
                What::Subgraph(graph) => {
                    let inner = graph.flatten(full, Some((scope, index)), compiled)?;
                    (Kind::Subgraph(inner), Vec::new())
                }
            };
            compiled.scopes[scope].vertices.push(Vertex {
                name: drawn.name,
                kind,
                exits,
                targets,
            });
        }
        compiled.check_reachable(scope)?;
        Ok(scope)
    }
}

/// The names of one graph's vertices, each well formed and given once.
struct Names(Vec<String>);

impl Names {
    fn new<S: State, C>(path: &str, vertices: &[Drawn<S, C>]) -> Result<Self, CompileError> {
        let mut names: Vec<String> = Vec::with_capacity(vertices.len());
        for Drawn { name, .. } in vertices {
            if name.is_empty() || name.contains('/') || [START, END].contains(&name.as_str()) {
                return Err(CompileError::BadName(join(path, name)));
            }
            if names.contains(name) {
                return Err(CompileError::DuplicateNode(join(path, name)));
            }
            names.push(name.clone());
        }
        Ok(Names(names))
    }

    fn vertex(&self, name: &str, place: impl Fn() -> String) -> Result<usize, CompileError> {
        let found = self.0.iter().position(|known| known == name);
        found.ok_or_else(|| CompileError::UnknownNode {
            place: place(),
            node: name.to_owned(),
            known: self.0.clone(),
        })
    }

    fn target(&self, name: &str, place: impl Fn() -> String) -> Result<Target, CompileError> {
        match name {
            END => Ok(Target::End),
            name => self.vertex(name, place).map(Target::Vertex),
        }
    }

    fn targets(
        &self,
        names: Vec<String>,
        place: impl Fn() -> String,
    ) -> Result<Vec<(String, Target)>, CompileError> {
        let resolve = |name: String| {
            let target = self.target(&name, &place)?;
            Ok((name, target))
        };
        names.into_iter().map(resolve).collect()
    }
}

fn join(path: &str, name: &str) -> String {
    match path {
        "" => name.to_owned(),
        path => format!("{path}/{name}"),
    }
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}
