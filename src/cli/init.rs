//! `mailproof init`: a configuration to start from.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};

use super::args::{InitArgs, Talk};
use super::config;
use super::exit::{Exit, Failure};
use super::talk::say;

pub fn run(talk: &Talk, args: &InitArgs) -> Result<Exit, Failure> {
    let path = args.path.display();
    // `create_new` decides and creates in one step: no file of the user's is overwritten.
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&args.path)
        .map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => Failure::usage(format!(
                "`{path}` exists already: edit it, or name another file"
            )),
            _ => Failure::usage(format!("cannot write `{path}`: {error}")),
        })?;
    file.write_all(config::TEMPLATE.as_bytes())
        .map_err(|error| Failure::usage(format!("cannot write `{path}`: {error}")))?;
    say(
        talk,
        &format!("wrote {path}: every key is explained there; `mailproof run` reads it"),
    );
    Ok(Exit::Ok)
}
