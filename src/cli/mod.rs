//! The command `edgekeep`: checks settings, explains what they mean for a URL,
//! and sends signed orders to a deployed Worker.
//!
//! It is compiled natively only, with the feature `cli`. Keys, rules, limits and
//! the text of signatures are those of the floors below; nothing is implemented
//! twice. Each command is a module with a function `run`. The clock, random
//! bytes, the environment and files are read in [`system`] alone.

pub mod advise;
pub mod args;
pub mod completions;
pub mod failure;
pub mod new_secret;
pub mod orders;
pub mod output;
pub mod probe;
pub mod remote;
pub mod rules;
pub mod shadow_stats;
pub mod stats;
pub mod system;

use args::{Cli, Command};
use clap::Parser;
use failure::Failure;
use std::process::ExitCode;

/// Reads the arguments and runs the command. An invalid argument ends the
/// process with exit code 2.
pub fn run() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Check(args) => rules::check::run(&args),
        Command::Explain(args) => rules::explain::run(&args),
        Command::Purge(args) => orders::purge::run(&args),
        Command::Warm(args) => orders::warm::run(&args),
        Command::History(args) => orders::history::run(&args),
        Command::Stats(args) => stats::run(&args),
        Command::Probe(args) => probe::run(&args),
        Command::Secret { action } => new_secret::run(&action),
        Command::Advise(args) => advise::run(&args),
        Command::Completions { shell } => completions::run(shell),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // The reader of a pipe has ended, such as `head`.
        Err(Failure::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(failure) => {
            failure.report();
            failure.code()
        }
    }
}
