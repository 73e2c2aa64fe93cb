//! A limit of time for a piece of work.

use super::host::Host;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

/// What a future gives within some time; after that it is dropped.
pub async fn within<H: Host, F: Future>(host: &H, milliseconds: u64, work: F) -> Option<F::Output> {
    let mut work = pin!(work);
    let mut timer = pin!(host.sleep(milliseconds));
    poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => timer.as_mut().poll(context).map(|()| None),
    })
    .await
}
