//! `edgekeep completions`: the completions of a shell.

use crate::cli::args::{Cli, Shell};
use crate::cli::failure::Failure;
use clap::CommandFactory;
use clap_complete::generate;
use clap_complete::shells::{Bash, Fish, Zsh};
use std::io::Write;

/// Prints the completions.
pub fn run(shell: Shell) -> Result<(), Failure> {
    let mut command = Cli::command();
    let mut text = Vec::new();
    match shell {
        Shell::Bash => generate(Bash, &mut command, "edgekeep", &mut text),
        Shell::Zsh => generate(Zsh, &mut command, "edgekeep", &mut text),
        Shell::Fish => generate(Fish, &mut command, "edgekeep", &mut text),
    }
    Ok(std::io::stdout().lock().write_all(&text)?)
}
