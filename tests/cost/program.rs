//! `npm run cost`: what a month costs, by a model (README.md here).

mod asks;
mod beside;
mod cpu;
mod model;
mod month;
mod options;
mod prices;
mod report;
mod sample;
mod traffic;

use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match options::read(&words) {
        Ok(options) => {
            println!("{:#}", report::all(&options));
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("{problem}\n\n{}", options::USAGE);
            ExitCode::FAILURE
        }
    }
}
