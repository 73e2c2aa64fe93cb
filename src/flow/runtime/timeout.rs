//! A time limit for a future.

use super::host::Host;
use futures_util::future::{Either, select};
use std::pin::pin;

/// The output of a future within some time; `None` after that, and the future
/// is dropped.
pub async fn with_timeout<H: Host, F: Future>(
    host: &H,
    milliseconds: u64,
    work: F,
) -> Option<F::Output> {
    match select(pin!(work), pin!(host.sleep(milliseconds))).await {
        Either::Left((output, _)) => Some(output),
        Either::Right(_) => None,
    }
}
