//! Variables that flags overrule: what somebody types wins over what the environment says, as
//! well where the two cannot stand beside each other.

use std::collections::{BTreeSet, HashSet};
use std::env;
use std::ffi::OsStr;

use clap::builder::{FalseyValueParser, Resettable, StyledStr, TypedValueParser};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, CommandFactory, Error, FromArgMatches, Parser};

use super::Cli;

impl Cli {
    /// Reads the command line and the variables behind its flags, and what there is to say of
    /// variables that were passed over. Ends the process for `--help`, `--version`, and mistakes.
    pub fn read() -> (Cli, Vec<String>) {
        match Cli::try_parse() {
            Ok(cli) => (cli, Vec::new()),
            Err(error) if error.kind() == ErrorKind::ArgumentConflict => {
                read_again().unwrap_or_else(|error| error.exit())
            }
            Err(error) => error.exit(),
        }
    }
}

/// Without the variables that cannot stand beside a flag that was written, and those of switches
/// that say no.
fn read_again() -> Result<(Cli, Vec<String>), Error> {
    let written = Written::read();
    let mut command = Cli::command();
    command.build();
    let (mut unused, mut told, mut contrary) = (HashSet::new(), Vec::new(), BTreeSet::new());
    for command in chain(&command, &written.verbs) {
        let mut given: Vec<(&Arg, Option<&str>)> = Vec::new();
        for arg in command.get_arguments() {
            let variable = arg.get_env().and_then(OsStr::to_str);
            let value = variable.and_then(env::var_os);
            match (variable, value) {
                _ if written.ids.contains(arg.get_id().as_str()) => given.push((arg, None)),
                (_, Some(value)) if says_no(command, arg, &value) => {
                    unused.insert(arg.get_id().clone());
                }
                (Some(variable), Some(_)) => given.push((arg, Some(variable))),
                _ => {}
            }
        }
        for (arg, variable) in &given {
            let Some(variable) = variable else { continue };
            for (other, set) in given.iter().filter(|(other, _)| apart(command, arg, other)) {
                if set.is_some() {
                    contrary.insert(variable.to_string());
                } else if unused.insert(arg.get_id().clone()) {
                    let flag = said(other);
                    told.push(format!("`{variable}` is not used beside `{flag}`"));
                }
            }
        }
    }
    let read = without(Cli::command(), &|arg| unused.contains(arg.get_id()))
        .try_get_matches()
        .and_then(|matches| Cli::from_arg_matches(&matches));
    let read = read.map_err(|mut error| {
        if error.kind() == ErrorKind::ArgumentConflict && !contrary.is_empty() {
            let set = contrary.into_iter().collect::<Vec<_>>().join(", ");
            let set = StyledStr::from(format!("set in the environment: {set}"));
            error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![set]));
        }
        error
    });
    Ok((read?, told))
}

/// What stands on the command line itself.
#[derive(Default)]
struct Written {
    verbs: Vec<String>,
    ids: HashSet<String>,
}

impl Written {
    fn read() -> Written {
        let mut written = Written::default();
        // Whatever else is wrong is found when all of it is read.
        let command = without(Cli::command(), &|_| true).ignore_errors(true);
        let Ok(matches) = command.try_get_matches() else {
            return written;
        };
        let mut level: Option<&ArgMatches> = Some(&matches);
        while let Some(matches) = level {
            let typed = |id: &&clap::Id| {
                matches.value_source(id.as_str()) == Some(ValueSource::CommandLine)
            };
            let typed = matches.ids().filter(typed).map(ToString::to_string);
            written.ids.extend(typed);
            let verb = matches.subcommand();
            written.verbs.extend(verb.map(|(verb, _)| verb.to_owned()));
            level = verb.map(|(_, matches)| matches);
        }
        written
    }
}

/// The command, its verb, and the verb's.
fn chain<'a>(command: &'a Command, verbs: &[String]) -> Vec<&'a Command> {
    let mut chain = vec![command];
    for verb in verbs {
        chain.extend(chain.last().and_then(|last| last.find_subcommand(verb)));
    }
    chain
}

/// The command, and those below it, with no variable behind the flags chosen.
fn without(command: Command, chosen: &impl Fn(&Arg) -> bool) -> Command {
    let command = command.mut_args(|arg| match chosen(&arg) {
        true => arg.env(Resettable::Reset),
        false => arg,
    });
    command.mut_subcommands(|verb| without(verb, chosen))
}

/// Whether the two cannot stand beside each other, whichever of them says so.
fn apart(command: &Command, one: &Arg, other: &Arg) -> bool {
    let refuses = |one: &Arg, other: &Arg| {
        let refused = command.get_arg_conflicts_with(one);
        refused.iter().any(|it| it.get_id() == other.get_id())
    };
    refuses(one, other) || refuses(other, one)
}

/// Whether it is a switch, and its variable leaves it off.
fn says_no(command: &Command, arg: &Arg, value: &OsStr) -> bool {
    let switch = matches!(arg.get_action(), ArgAction::SetTrue);
    switch
        && matches!(
            FalseyValueParser::new().parse_ref(command, Some(arg), value),
            Ok(false)
        )
}

fn said(flag: &Arg) -> String {
    match (flag.get_long(), flag.get_short()) {
        (Some(long), _) => format!("--{long}"),
        (None, Some(short)) => format!("-{short}"),
        (None, None) => flag.get_id().to_string(),
    }
}
