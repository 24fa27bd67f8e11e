//! `mailproof completions`: a script for the user's shell.

use clap::CommandFactory;
use clap_complete::Shell;

use super::args::Cli;
use super::exit::{Exit, Failure};
use super::talk;

pub fn run(shell: Shell) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "mailproof", &mut script);
    talk::print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Ok)
}
