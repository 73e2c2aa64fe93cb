//! Says whether a file's settings are right, by the code that the worker
//! itself uses: `npm run check -- FILE`.

use edgekeep::cache::rules::Rules;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(file) = std::env::args().nth(1) else {
        eprintln!(
            "Usage: npm run check -- FILE   (a wrangler.toml, or a file with its [vars.EDGEKEEP] table)"
        );
        return ExitCode::from(2);
    };
    match check(&file) {
        Ok(rules) => {
            println!("{file}: the settings are right ({rules} rules).");
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("{file}: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn check(file: &str) -> Result<usize, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("cannot be read: {error}"))?;
    let file: toml::Table = text
        .parse()
        .map_err(|error| format!("is not TOML: {error}"))?;
    let settings = file
        .get("vars")
        .and_then(|vars| vars.get("EDGEKEEP"))
        .ok_or("has no table [vars.EDGEKEEP]")?;
    // As the worker gets it: TOML becomes JSON on the way.
    let json = serde_json::to_string(settings).map_err(|error| error.to_string())?;
    let rules = Rules::read_json(&json)
        .map_err(|error| format!("[vars.EDGEKEEP] {}: {}", error.path, error.problem))?;
    Ok(rules.len())
}
