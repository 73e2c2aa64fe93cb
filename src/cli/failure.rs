//! Why a command fails, and its exit code.

use crate::cli::orders::order_ids::BadPrefix;
use crate::cli::orders::send_error::SendError;
use crate::cli::orders::split::SplitError;
use crate::cli::output::{self, BAD, styled};
use crate::cli::remote::reply::RefusedReply;
use crate::cli::remote::secret::SecretError;
use crate::cli::remote::site::SiteError;
use std::process::ExitCode;

/// The end of a command that did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The arguments or the input are wrong. Nothing was sent.
    #[error("{0}")]
    Usage(String),
    /// There is no usable secret. Nothing was sent.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The site is no URL of a site. Nothing was sent.
    #[error(transparent)]
    Site(#[from] SiteError),
    /// The ids cannot be made. Nothing was sent.
    #[error(transparent)]
    Prefix(#[from] BadPrefix),
    /// The input does not fit into orders. Nothing was sent.
    #[error(transparent)]
    Split(#[from] SplitError),
    /// The command worked and found something wrong.
    #[error("{0}")]
    Found(String),
    /// The Worker refused a request.
    #[error(transparent)]
    RefusedReply(#[from] RefusedReply),
    /// The site did not answer.
    #[error(transparent)]
    Send(#[from] SendError),
    /// Standard output is closed or full.
    #[error("standard output: {0}")]
    Output(#[from] std::io::Error),
}

impl Failure {
    /// Writes it to standard error.
    pub fn report(&self) {
        match self {
            // A result, not an error.
            Self::Found(text) => output::note(text),
            _ => output::note(format!("{} {self}", styled(BAD, "error:"))),
        }
    }

    /// Whether the site gave no answer, or cannot do what was asked now.
    pub fn is_out_of_reach(&self) -> bool {
        match self {
            Self::RefusedReply(refused) => refused.is_unavailable(),
            Self::Send(_) => true,
            _ => false,
        }
    }

    /// 1: refused, or something was found; 2: usage; 3: out of reach.
    pub fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            _ if self.is_out_of_reach() => 3,
            Self::Found(_) | Self::Output(_) => 1,
            Self::Usage(_) | Self::Secret(_) | Self::Site(_) | Self::Prefix(_) | Self::Split(_) => {
                2
            }
            Self::RefusedReply(_) | Self::Send(_) => 1,
        })
    }
}
