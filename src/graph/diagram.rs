//! Pictures of a graph: Mermaid and DOT.
//!
//! An edge that is always followed is solid; one that a route or a `goto` may take is
//! dashed. A sub-graph is a cluster with a start and an end of its own. A node with a
//! breakpoint says so under its name.

use std::fmt::Write;

use super::compiled::{CompiledGraph, Kind, Scope, Target};
use super::state::State;

impl<S: State, C> CompiledGraph<S, C> {
    /// The graph as a Mermaid flowchart.
    pub fn mermaid(&self) -> String {
        let mut text = "flowchart TD\n".to_owned();
        self.write_scope(&mut text, 0, 1, &MERMAID);
        for edge in self.drawn_edges() {
            let arrow = if edge.dashed { "-.->" } else { "-->" };
            line(&mut text, 1, &format!("{} {arrow} {}", edge.from, edge.to));
        }
        text
    }

    /// The graph in Graphviz's language.
    pub fn dot(&self) -> String {
        let mut text = "digraph {\n".to_owned();
        line(&mut text, 1, "node [shape=box, style=rounded];");
        self.write_scope(&mut text, 0, 1, &DOT);
        for edge in self.drawn_edges() {
            let style = if edge.dashed { " [style=dashed]" } else { "" };
            let edge = format!("{} -> {}{style};", edge.from, edge.to);
            line(&mut text, 1, &edge);
        }
        text.push_str("}\n");
        text
    }

    /// Writes the points of a scope: its ends, its nodes, and the scopes inside it.
    fn write_scope(&self, text: &mut String, scope: usize, depth: usize, format: &Format) {
        for (id, label) in [(start_id(scope), "start"), (end_id(scope), "end")] {
            line(text, depth, &(format.end)(&id, label));
        }
        for vertex in &self.scopes[scope].vertices {
            let name = (format.escape)(&vertex.name);
            match vertex.kind {
                Kind::Node(index) => {
                    let node = &self.nodes[index];
                    let mut label = name;
                    for (set, note) in [
                        (node.interrupt_before, "interrupt before"),
                        (node.interrupt_after, "interrupt after"),
                    ] {
                        if set {
                            label.push_str(format.line_break);
                            label.push_str(note);
                        }
                    }
                    line(text, depth, &(format.node)(&node_id(index), &label));
                }
                Kind::Subgraph(inner) => {
                    line(text, depth, &(format.open)(inner, &name));
                    self.write_scope(text, inner, depth + 1, format);
                    line(text, depth, format.close);
                }
            }
        }
    }

    fn drawn_edges(&self) -> Vec<Edge> {
        let mut edges: Vec<Edge> = Vec::new();
        for (index, scope) in self.scopes.iter().enumerate() {
            let mut draw = |from: &str, target: Target, dashed| {
                let edge = Edge {
                    from: from.to_owned(),
                    to: target_id(scope, index, target),
                    dashed,
                };
                if !edges.contains(&edge) {
                    edges.push(edge);
                }
            };
            let vertices = scope.vertices.iter().map(|vertex| {
                let from = match vertex.kind {
                    Kind::Node(node) => node_id(node),
                    Kind::Subgraph(inner) => end_id(inner),
                };
                (from, &vertex.exits, vertex.targets.as_slice())
            });
            let start = (start_id(index), &scope.start, [].as_slice());
            for (from, exits, gotos) in std::iter::once(start).chain(vertices) {
                for target in &exits.edges {
                    draw(&from, *target, false);
                }
                let branches = exits.branches.iter().flat_map(|branch| &branch.targets);
                for (_, target) in branches.chain(gotos) {
                    draw(&from, *target, true);
                }
                // Where nothing leads on, the graph ends.
                if exits.targets().next().is_none() && gotos.is_empty() {
                    draw(&from, Target::End, false);
                }
            }
        }
        edges
    }
}

#[derive(PartialEq)]
struct Edge {
    from: String,
    to: String,
    dashed: bool,
}

/// How one language writes points.
struct Format {
    escape: fn(&str) -> String,
    line_break: &'static str,
    /// From id and label.
    end: fn(&str, &str) -> String,
    /// From id and escaped label.
    node: fn(&str, &str) -> String,
    /// From scope and escaped label.
    open: fn(usize, &str) -> String,
    close: &'static str,
}

const MERMAID: Format = Format {
    escape: escape_mermaid,
    line_break: "<br/>",
    end: |id, label| format!("{id}([\"{label}\"])"),
    node: |id, label| format!("{id}[\"{label}\"]"),
    open: |scope, label| format!("subgraph s{scope}[\"{label}\"]"),
    close: "end",
};

const DOT: Format = Format {
    escape: escape_dot,
    line_break: "\\n",
    end: |id, label| format!("{id} [label=\"{label}\", shape=oval];"),
    node: |id, label| format!("{id} [label=\"{label}\"];"),
    open: |scope, label| format!("subgraph cluster_{scope} {{ label=\"{label}\";"),
    close: "}",
};

fn node_id(node: usize) -> String {
    format!("n{node}")
}

fn start_id(scope: usize) -> String {
    format!("s{scope}_start")
}

fn end_id(scope: usize) -> String {
    format!("s{scope}_end")
}

fn target_id<S>(scope: &Scope<S>, index: usize, target: Target) -> String {
    match target {
        Target::End => end_id(index),
        Target::Vertex(vertex) => match scope.vertices[vertex].kind {
            Kind::Node(node) => node_id(node),
            Kind::Subgraph(inner) => start_id(inner),
        },
    }
}

fn line(text: &mut String, depth: usize, content: &str) {
    for _ in 0..depth {
        text.push_str("    ");
    }
    text.push_str(content);
    text.push('\n');
}

/// Mermaid reads HTML, Markdown, and entities in labels, so all but plain characters are
/// written as its `#code;`.
fn escape_mermaid(name: &str) -> String {
    let mut escaped = String::with_capacity(name.len());
    for character in name.chars() {
        match character {
            ' ' | '_' | '-' => escaped.push(character),
            _ if character.is_alphanumeric() => escaped.push(character),
            _ if character.is_control() => escaped.push(' '),
            _ => write!(escaped, "#{};", u32::from(character)).expect("a string takes all"),
        }
    }
    escaped
}

fn escape_dot(name: &str) -> String {
    let mut escaped = String::with_capacity(name.len());
    for character in name.chars() {
        match character {
            '"' | '\\' => escaped.extend(['\\', character]),
            _ if character.is_control() => escaped.push(' '),
            _ => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use futures_util::future::{BoxFuture, ready};

    use crate::graph::{Command, END, Graph, NodeContext, NodeResult, START, State};

    impl State for () {
        type Update = ();
        fn apply(&mut self, (): ()) {}
    }

    fn idle<'a>((): &'a (), _: &'a NodeContext<()>) -> BoxFuture<'a, NodeResult<()>> {
        ready(Ok(Command::new())).boxed()
    }

    fn sample() -> Graph<(), ()> {
        let review = Graph::new()
            .node("ask", &["act", END], idle)
            .node("act", &[], idle)
            .edge(START, "ask")
            .interrupt_before("ask")
            .interrupt_after("ask");
        Graph::new()
            .node("triage \"<b>\" \\", &["review"], idle)
            .subgraph("review", review)
            .node("log", &[], idle)
            .edge(START, "triage \"<b>\" \\")
            .edge("review", "log")
            .conditional_edge("log", &["triage \"<b>\" \\", END], |()| vec![END])
    }

    #[test]
    fn mermaid_shows_clusters_breakpoints_and_dashed_choices() {
        insta::assert_snapshot!(sample().compile().unwrap().mermaid(), @r###"
        flowchart TD
            s0_start(["start"])
            s0_end(["end"])
            n0["triage #34;#60;b#62;#34; #92;"]
            subgraph s1["review"]
                s1_start(["start"])
                s1_end(["end"])
                n1["ask<br/>interrupt before<br/>interrupt after"]
                n2["act"]
            end
            n3["log"]
            s0_start --> n0
            n0 -.-> s1_start
            s1_end --> n3
            n3 -.-> n0
            n3 -.-> s0_end
            s1_start --> n1
            n1 -.-> n2
            n1 -.-> s1_end
            n2 --> s1_end
        "###);
    }

    #[test]
    fn dot_shows_clusters_breakpoints_and_dashed_choices() {
        insta::assert_snapshot!(sample().compile().unwrap().dot(), @r#"
        digraph {
            node [shape=box, style=rounded];
            s0_start [label="start", shape=oval];
            s0_end [label="end", shape=oval];
            n0 [label="triage \"<b>\" \\"];
            subgraph cluster_1 { label="review";
                s1_start [label="start", shape=oval];
                s1_end [label="end", shape=oval];
                n1 [label="ask\ninterrupt before\ninterrupt after"];
                n2 [label="act"];
            }
            n3 [label="log"];
            s0_start -> n0;
            n0 -> s1_start [style=dashed];
            s1_end -> n3;
            n3 -> n0 [style=dashed];
            n3 -> s0_end [style=dashed];
            s1_start -> n1;
            n1 -> n2 [style=dashed];
            n1 -> s1_end [style=dashed];
            n2 -> s1_end;
        }
        "#);
    }
}
