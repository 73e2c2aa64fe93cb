//! The command `edgekeep` (`cli`; docs/command-line.md).

use std::process::ExitCode;

fn main() -> ExitCode {
    edgekeep::cli::run()
}
