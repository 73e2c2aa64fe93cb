//! A timeout for futures.

use super::js::glue;
use futures_util::future::{Either, select};
use std::pin::pin;

/// The output of a future, or `None` after this time. Dropping it clears its
/// timer.
pub async fn timeout<F: Future>(work: F, milliseconds: u64) -> Option<F::Output> {
    match select(pin!(work), glue::pause(milliseconds)).await {
        Either::Left((output, _)) => Some(output),
        Either::Right(_) => None,
    }
}
