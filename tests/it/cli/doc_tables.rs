//! The commands in the documents and in the help are commands that exist.

use clap::{CommandFactory, Parser};
use edgekeep::cli::args::Cli;
use std::fs;
use std::path::{Path, PathBuf};

/// The pages that may name commands.
fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = fs::read_dir(root.join("docs")).expect("the docs");
    let docs = docs.map(|item| item.expect("an item").path());
    let pages = docs.filter(|path| path.extension().is_some_and(|e| e == "md"));
    pages.chain([root.join("README.md")]).collect()
}

/// The words of a command of a shell, up to a comment, a pipe or a redirection.
fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = command.trim_start();
    while let Some(first) = rest.chars().next() {
        if matches!(first, '#' | '|' | '>' | ';' | '&') {
            break;
        }
        let (word, after) = match first {
            '\'' => rest[1..].split_once('\'').expect("a closing quote"),
            _ => rest.split_once(' ').unwrap_or((rest, "")),
        };
        words.push(word.to_owned());
        rest = after.trim_start();
    }
    words
}

/// The commands `edgekeep …` in a text of lines, also behind a pipe.
fn commands(text: &str) -> Vec<Vec<String>> {
    let starts = |line: &str| {
        let start = line.trim_start();
        let piped = line.split("| ").last().unwrap_or_default();
        let found = [start, piped]
            .into_iter()
            .find(|l| l.starts_with("edgekeep "));
        found.map(words)
    };
    text.lines().filter_map(starts).collect()
}

#[track_caller]
fn check(place: &str, command: &[String]) {
    match Cli::try_parse_from(command) {
        Ok(_) => {}
        Err(error) if !error.use_stderr() => {} // --help and --version
        Err(error) => panic!("{place}: {}: {error}", command.join(" ")),
    }
}

#[test]
fn commands_in_documents_exist() {
    let mut count = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).expect("a page");
        let blocks = text.split("```").skip(1).step_by(2);
        for command in blocks.flat_map(commands) {
            count += 1;
            check(&page.to_string_lossy(), &command);
        }
    }
    assert!(count > 15, "only {count} commands found");
}

#[test]
fn commands_in_the_help_exist() {
    let mut count = 0;
    let mut open = vec![Cli::command()];
    while let Some(command) = open.pop() {
        let help = command.get_after_help().map(ToString::to_string);
        for example in commands(&help.unwrap_or_default()) {
            count += 1;
            check(command.get_name(), &example);
        }
        open.extend(command.get_subcommands().cloned());
    }
    assert!(count >= 10, "only {count} commands found");
}

#[test]
fn no_option_takes_a_secret() {
    let mut open = vec![Cli::command()];
    while let Some(command) = open.pop() {
        for argument in command.get_arguments() {
            let name = argument.get_id().as_str();
            let is_secret = ["secret", "token", "password", "key"].contains(&name);
            let takes_text = argument.get_action().takes_values();
            assert!(
                !(is_secret && takes_text),
                "{} --{name}",
                command.get_name()
            );
        }
        open.extend(command.get_subcommands().cloned());
    }
}

#[test]
fn words_of_a_command_end_at_a_comment_or_a_pipe() {
    let words = |text: &str| words(text).join("|");
    assert_eq!(words("edgekeep a 'b c' --d=e"), "edgekeep|a|b c|--d=e");
    assert_eq!(words("edgekeep a   # b"), "edgekeep|a");
    assert_eq!(words("edgekeep a > b"), "edgekeep|a");
    assert_eq!(commands("  x | edgekeep y -").len(), 1);
    assert_eq!(commands("the edgekeep command").len(), 0);
}
