//! Why a request has no answer.

use crate::cli::remote::secret::SecretError;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The site did not answer, however often it was asked.
    #[error("{site} is out of reach after {attempts} attempts: {problem}")]
    OutOfReach {
        /// The site.
        site: String,
        /// How often it was asked.
        attempts: u32,
        /// What failed at last.
        problem: String,
    },
    /// The request could not be signed.
    #[error(transparent)]
    Secret(#[from] SecretError),
}
