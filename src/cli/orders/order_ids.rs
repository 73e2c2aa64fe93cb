//! The ids of orders: a prefix and a number. An order keeps its id over all
//! attempts to send it, so that the ledger accepts it once.

use crate::cli::system;
use crate::flow::purge::signature::{ID_BYTES_MAX, is_id};

/// The longest prefix: 12 bytes are left for `-` and a number.
const PREFIX_BYTES_MAX: usize = ID_BYTES_MAX - 12;

/// A prefix of ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdPrefix(String);

/// Why there is no prefix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPrefix {
    /// It cannot be in an id.
    #[error(
        "--id-prefix has 1 to {PREFIX_BYTES_MAX} visible ASCII characters, such as deploy-2026-11-30"
    )]
    Form,
    /// None could be made.
    #[error("{0}")]
    NoRandomBytes(String),
}

impl IdPrefix {
    /// The given prefix, or a new one.
    pub fn given_or_new(given: Option<&str>) -> Result<Self, BadPrefix> {
        match given {
            Some(text) if is_id(text) && text.len() <= PREFIX_BYTES_MAX => {
                Ok(Self(text.to_owned()))
            }
            Some(_) => Err(BadPrefix::Form),
            None => {
                let bytes: [u8; 16] = system::random_bytes().map_err(BadPrefix::NoRandomBytes)?;
                Ok(Self(format!("msg_{:032x}", u128::from_be_bytes(bytes))))
            }
        }
    }

    /// The id of the order with this number, counted from 0.
    pub fn id(&self, number: usize) -> String {
        format!("{}-{}", self.0, number.saturating_add(1))
    }

    /// The prefix as text.
    pub fn text(&self) -> &str {
        &self.0
    }
}
