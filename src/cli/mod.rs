//! The command `edgekeep`: checks settings, explains what they mean for a URL,
//! and sends signed orders to a deployed Worker.
//!
//! It is compiled natively only, with the feature `cli`. Keys, rules, limits and
//! the text of signatures are those of the floors below; nothing is implemented
//! twice. Each command is a module with a function `run`. The clock, random
//! bytes, the environment and files are read in [`system`] alone.

pub mod advise;
pub mod args;
pub mod check;
pub mod client;
pub mod completions;
pub mod explain;
pub mod explanation;
pub mod failure;
pub mod history;
pub mod new_secret;
pub mod order_ids;
pub mod output;
pub mod probe;
pub mod progress;
pub mod purge;
pub mod receipt;
pub mod reply;
pub mod retry;
pub mod secret;
pub mod selectors;
pub mod send_error;
pub mod send_orders;
pub mod settings_file;
pub mod site;
pub mod split;
pub mod system;
pub mod wait;
pub mod warm;

use args::{Cli, Command};
use clap::Parser;
use failure::Failure;
use std::process::ExitCode;

/// Reads the arguments and runs the command. An invalid argument ends the
/// process with exit code 2.
pub fn run() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Check(args) => check::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Purge(args) => purge::run(&args),
        Command::Warm(args) => warm::run(&args),
        Command::History(args) => history::run(&args),
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
