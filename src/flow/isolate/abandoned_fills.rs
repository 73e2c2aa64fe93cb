//! Fills whose client has disconnected. They continue, because the next request
//! is likely to want the response. Their number per host is limited: each holds
//! a permit of the origin, and disconnecting costs a client nothing.

use futures_channel::oneshot;
use futures_util::future::{Either, select};
use std::cell::RefCell;
use std::collections::HashMap;
use std::pin::pin;

/// The number of fills that continue without their client, by host.
#[derive(Debug, Default)]
pub struct AbandonedFills(RefCell<HashMap<String, u64>>);

/// One such fill, while it continues.
struct FillPermit<'a> {
    all: &'a AbandonedFills,
    site: &'a str,
}

impl AbandonedFills {
    /// How many of an origin's `most` permits the abandoned fills of one host
    /// may hold: a quarter, at least one.
    pub fn limit(most: u64) -> u64 {
        (most / 4).max(1)
    }

    fn enter<'a>(&'a self, site: &'a str, most: u64) -> Option<FillPermit<'a>> {
        let mut counts = self.0.borrow_mut();
        let count = counts.entry(site.to_owned()).or_default();
        if *count >= Self::limit(most) {
            return None;
        }
        *count = count.saturating_add(1);
        Some(FillPermit { all: self, site })
    }

    /// The output of a fill for `client`. `None` if the client disconnects and
    /// the host already has its share of such fills; then the work is dropped.
    pub async fn run_within_limit<T, A>(
        &self,
        site: &str,
        most: u64,
        client: &mut oneshot::Sender<A>,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        match select(pin!(work), pin!(client.cancellation())).await {
            Either::Left((output, _)) => Some(output),
            Either::Right(((), work)) => {
                let _permit = self.enter(site, most)?;
                Some(work.await)
            }
        }
    }
}

impl Drop for FillPermit<'_> {
    fn drop(&mut self) {
        let mut counts = self.all.0.borrow_mut();
        if let Some(count) = counts.get_mut(self.site) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counts.remove(self.site);
            }
        }
    }
}
