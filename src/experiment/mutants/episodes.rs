//! Mutants that learn nothing, or the wrong thing.

use futures_util::future::BoxFuture;

use super::stores::{Fault, OnStore};
use super::*;
use crate::agent::Attempt as Context;
use crate::agent::memory::Namespace;
use crate::agent::state::AgentState;
use crate::agent::steps::{self, Turn};
use crate::dataset::Episode;
use crate::graph::{NodeContext, NodeResult};

type Node<'a> = &'a NodeContext<Context>;
type Stepped<'a> = BoxFuture<'a, NodeResult<AgentState>>;

const KIND: AgentKind = AgentKind::HitlMemory;

/// Learns nothing, and says it did.
fn forgets<'a>(state: &'a AgentState, node: Node<'a>) -> Stepped<'a> {
    Box::pin(async move {
        let mut turn = Turn::new(state, node);
        turn.update.remembered = true;
        Ok(match state.over {
            true => turn.end(),
            false => turn.go_on(),
        })
    })
}

/// Learns everything about something else.
fn misfiles<'a>(state: &'a AgentState, node: Node<'a>) -> Stepped<'a> {
    Box::pin(async move {
        let mut state = state.clone();
        for lesson in &mut state.lessons {
            lesson.namespace = match lesson.namespace {
                Namespace::TriagePreferences => Namespace::CalPreferences,
                Namespace::ResponsePreferences => Namespace::TriagePreferences,
                Namespace::CalPreferences => Namespace::ResponsePreferences,
                Namespace::Background => Namespace::Background,
            };
        }
        steps::remember(&state, node).await
    })
}

/// Writes down what it was not taught.
fn invents<'a>(state: &'a AgentState, node: Node<'a>) -> Stepped<'a> {
    Box::pin(async move {
        let store = &*node.context().store;
        for namespace in Namespace::ALL
            .into_iter()
            .filter(|namespace| namespace.is_profile())
        {
            let text = "Whatever the sender wants is fine.";
            store
                .put(namespace.path(), "invented", text.into())
                .await
                .expect("a store in memory");
        }
        steps::remember(state, node).await
    })
}

/// What a mutant must fail, in episodes that ask for it.
struct Mutant {
    name: &'static str,
    target: fn() -> Arc<dyn Target>,
    shows: fn(&Episode) -> bool,
    fails: (&'static str, &'static [CheckName]),
}

fn wired(wiring: Wiring) -> Arc<dyn Target> {
    rules(KIND, wiring)
}

fn on(fault: Fault) -> Arc<dyn Target> {
    Arc::new(OnStore {
        target: wired(Wiring::HONEST),
        fault,
    })
}

/// Whether something must be learnt that a person says, facts apart.
fn is_taught(episode: &Episode) -> bool {
    let profile = |(namespace, _): &(String, _)| namespace != Namespace::Background.name();
    let mut memory = episode.steps.iter().flat_map(|step| &step.memory);
    !episode.control && memory.any(profile)
}

fn mutants() -> Vec<Mutant> {
    use CheckName::*;
    vec![
        Mutant {
            name: "memory not written",
            target: || {
                wired(Wiring {
                    remember: forgets,
                    ..Wiring::HONEST
                })
            },
            shows: is_taught,
            fails: ("learns-length-from-an-edit", &[Remembered, Behaviour]),
        },
        Mutant {
            name: "memory not kept",
            target: || on(Fault::Unwritten),
            shows: is_taught,
            fails: ("learns-sign-off", &[Remembered, Behaviour]),
        },
        Mutant {
            name: "lesson about something else",
            target: || {
                wired(Wiring {
                    remember: misfiles,
                    ..Wiring::HONEST
                })
            },
            shows: is_taught,
            fails: ("learns-length-from-an-edit", &[Remembered, Behaviour]),
        },
        Mutant {
            name: "wrong namespace",
            target: || on(Fault::Misfiled),
            shows: is_taught,
            fails: (
                "learns-length-from-an-edit",
                &[Remembered, Unchanged, Behaviour],
            ),
        },
        Mutant {
            name: "memory not read",
            target: || on(Fault::Unread),
            shows: is_taught,
            fails: ("learns-sign-off", &[Behaviour]),
        },
        Mutant {
            name: "memory invented",
            target: || {
                wired(Wiring {
                    remember: invents,
                    ..Wiring::HONEST
                })
            },
            shows: |episode| !episode.unchanged.is_empty(),
            fails: ("learns-length-from-an-edit", &[Unchanged]),
        },
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn each_agent_that_learns_wrongly_fails_the_checks_about_it() {
    let honest = play(shipped(), KIND, Suite::Memory, wired(Wiring::HONEST)).await;
    let episodes = shipped().episodes;
    let mut problems = Vec::new();
    for Mutant {
        name,
        target,
        shows,
        fails: (id, checks),
    } in mutants()
    {
        let found = play(shipped(), KIND, Suite::Memory, target()).await;
        let mut shown = 0;
        for Episode { id, .. } in episodes.iter().filter(|episode| shows(episode)) {
            if honest[id].verdict() == Verdict::Passed {
                shown += 1;
                if found[id].verdict() == Verdict::Passed {
                    problems.push(format!("{name}: passes {id}"));
                }
            }
        }
        if shown == 0 {
            problems.push(format!("{name}: shows nowhere"));
        }
        let about = not_failed(&honest, &found, id, checks);
        problems.extend(about.map(|problem| format!("{name}: {problem}")));
    }
    assert_eq!(problems.join("\n"), "");
}
