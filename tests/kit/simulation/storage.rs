//! Reads and writes of entries by the host, with their durations and faults.

use super::host::SimHost;
use super::meter::Call;
use super::page::{Bytes, STAMP};
use super::switches::Switch;
use super::tamper;
use super::tiers::Copy;
use edgekeep::cache::key::cache_key::Slot;
use edgekeep::cache::policy::entry::Entry;
use edgekeep::cache::policy::freshness::Terms;
use edgekeep::cache::store::kv_breaker::{LAST_READ_MS_MAX, READ_MS_MAX};
use edgekeep::flow::runtime::host::Tier;

/// The longest duration of a fast read of the Cache API, and of KV.
pub const CACHE_MS: u64 = 10;
pub const KV_MS: u64 = 60;
/// The longest duration of slow operations, in multiples of `max_purge_lag`.
pub const SLOW_LAGS: u64 = 2;
/// KV's shortest retention: a minute.
const KV_SECONDS_MIN: u64 = 60;

impl SimHost {
    pub async fn read_tier(
        &self,
        tier: Tier,
        slot: &Slot,
    ) -> Result<Option<(String, Option<Bytes>)>, String> {
        let (world, centre) = (&self.world, self.seat.centre);
        let faults = &world.setup.tiers;
        let now_ms = world.executor.now_ms();
        let (held, takes_ms, fails) = match tier {
            Tier::CacheApi => {
                self.meter(Call::CacheRead);
                self.exchange.looks.set(self.exchange.looks.get() + 1);
                let held = world.centres[centre].borrow().get(&slot.entry_url, now_ms);
                (held, world.up_to(CACHE_MS), faults.cache_fails)
            }
            Tier::Kv => {
                self.meter(Call::KvRead);
                let held = world.kv.borrow().get(&slot.digest, centre, now_ms);
                let slow = world.chance(world.faults(faults.kv_slow));
                let most = if slow {
                    SLOW_LAGS * world.setup.lag_ms
                } else {
                    KV_MS
                };
                (held, world.up_to(most), faults.kv_fails)
            }
        };
        if takes_ms > LAST_READ_MS_MAX {
            // Even the last lookup does not wait this long.
            self.exchange.tier_failed.set(true);
        }
        if takes_ms >= READ_MS_MAX {
            self.exchange.tier_slow.set(true);
        }
        self.pass(takes_ms).await;
        if world.chance(world.faults(fails)) {
            self.exchange.tier_failed.set(true);
            return Err("a fault".to_owned());
        }
        if tier == Tier::Kv && self.is_on(Switch::KvAlwaysMisses) {
            return Ok(None);
        }
        if held.is_some() && tier == Tier::Kv {
            world.count("read from KV");
            self.meter(Call::KvFound);
            *self.exchange.found_in_kv.borrow_mut() = Some(slot.clone());
        }
        Ok(held)
    }

    /// Writes an entry to one tier after its body has arrived.
    pub async fn write(
        self,
        tier: Tier,
        slot: Slot,
        mut entry: Entry,
        body: Option<Bytes>,
    ) -> Result<(), &'static str> {
        let world = &self.world;
        self.meter(match tier {
            Tier::CacheApi => Call::CacheWrite,
            Tier::Kv => Call::KvWrite,
        });
        let mut takes_ms = body.as_ref().map_or(0, |body| body.takes_ms);
        if world.chance(world.faults(world.setup.tiers.put_slow)) {
            takes_ms += world.up_to(SLOW_LAGS * world.setup.lag_ms);
        }
        self.pass(takes_ms + world.up_to(KV_MS)).await;
        let withdrawn = entry.terms == Terms::default();
        tamper::entry_at_landing(&self, &mut entry);
        let stamp = entry.fields.get(STAMP).and_then(|text| text.parse().ok());
        let stamp = stamp.unwrap_or(0);
        world.trace(|| {
            let (name, seen) = (&self.seat.name, entry.seen);
            format!("{name}: stamp {stamp} lands in {tier:?}, seen {seen}")
        });
        let faults = &world.setup.tiers;
        let seconds = entry.retention_seconds();
        let now_ms = world.executor.now_ms();
        let body = body.map(|body| Bytes {
            takes_ms: 0,
            ..body
        });
        let held = (entry.encode(), body);
        let copy = Copy {
            // A partial response is not a copy of the page.
            stamp: if entry.status == 206 { 0 } else { stamp },
            seen: entry.seen,
            withdrawn,
            since_ms: now_ms,
        };
        match tier {
            Tier::CacheApi if world.chance(world.faults(faults.cache_loses)) => {}
            Tier::CacheApi => {
                let mut cache = world.centres[self.seat.centre].borrow_mut();
                cache.put(&slot.entry_url, held, copy, now_ms + seconds * 1000);
            }
            Tier::Kv if world.chance(world.faults(faults.kv_fails)) => return Err("a fault"),
            Tier::Kv => {
                let until_ms = now_ms + seconds.max(KV_SECONDS_MIN) * 1000;
                let seen_from_ms = self.kv_lags(now_ms);
                let mut kv = world.kv.borrow_mut();
                kv.put(&slot.digest, held, copy, until_ms, seen_from_ms);
            }
        }
        Ok(())
    }

    /// The times from which the data centres see a write to KV of now.
    fn kv_lags(&self, now_ms: u64) -> Vec<u64> {
        let world = &self.world;
        let most = if world.is_healed() {
            0
        } else {
            world.setup.tiers.kv_lag_ms
        };
        let lag = |_| match world.chance(300) {
            true => now_ms,
            false => now_ms + world.up_to(most),
        };
        (0..world.centres.len()).map(lag).collect()
    }
}
