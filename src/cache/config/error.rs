//! The error of invalid settings.

/// An error in the settings: where it is, and what is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {problem}")]
pub struct RulesError {
    /// Path of the field, such as `rules[2].edge_ttl`.
    pub path: String,
    /// What is wrong there, and what would be valid.
    pub problem: String,
}

/// Makes an error for a path of the settings.
pub fn wrong(path: &str, problem: impl Into<String>) -> RulesError {
    RulesError {
        path: path.to_owned(),
        problem: problem.into(),
    }
}

/// Returns a number or its default, if it is within limits; otherwise an error.
pub fn within(
    path: &str,
    value: Option<u64>,
    default: u64,
    (least, most): (u64, u64),
    unit: &str,
) -> Result<u64, RulesError> {
    let value = value.unwrap_or(default);
    if (least..=most).contains(&value) {
        return Ok(value);
    }
    let problem = format!("must be from {least} to {most} {unit}, not {value}");
    Err(wrong(path, problem))
}
