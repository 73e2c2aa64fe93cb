//! A limit of time for a piece of work.

use super::host::Host;
use futures_util::future::{Either, select};
use std::pin::pin;

/// What a future gives within some time; after that it is dropped.
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
