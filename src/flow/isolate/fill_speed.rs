//! Which sites' fills were fast or slow lately.

use crate::cache::policy::remembered::ExpiringSet;
use std::cell::RefCell;

/// How long a fill counts as recent.
const RECENT_MS: u64 = 60_000;

/// By host name, whether recent fills were fast, that is, ended before they
/// would be announced to the other isolates of the data centre.
///
/// A miss of a fast site need not look for announcements, which saves one of
/// its two lookups in the Cache API. The first slow fill costs one request to
/// the origin per isolate at most.
#[derive(Debug, Default)]
pub struct FillSpeeds {
    fast: RefCell<ExpiringSet>,
    slow: RefCell<ExpiringSet>,
}

impl FillSpeeds {
    /// Records a fill of a site that ended before it was announced.
    pub fn record_fast(&self, site: &str, now_ms: u64) {
        add(&self.fast, site, now_ms);
    }

    /// Records a fill of a site that was announced.
    pub fn record_slow(&self, site: &str, now_ms: u64) {
        add(&self.slow, site, now_ms);
    }

    /// Whether there were recent fills of a site, and all of them were fast.
    pub fn are_fast(&self, site: &str, now_ms: u64) -> bool {
        self.fast.borrow().holds(site, now_ms) && !self.slow.borrow().holds(site, now_ms)
    }
}

fn add(sites: &RefCell<ExpiringSet>, site: &str, now_ms: u64) {
    let until_ms = now_ms.saturating_add(RECENT_MS);
    sites.borrow_mut().add(site, until_ms, now_ms);
}
