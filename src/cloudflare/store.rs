//! Writes entries to their tiers.

use super::body::Copy;
use super::js::message;
use super::platform::Platform;
use super::tiers;
use crate::cache::key::cache_key::Slot;
use crate::cache::store::kv_breaker::BODY_FAILED;
use crate::flow::response::request_log::log_problem;
use crate::flow::runtime::host::{Host, StoreRequest, Tier};
use std::rc::Rc;
use wasm_bindgen::JsValue;

impl Platform {
    /// Logs that a body broke off, and reports the failure for each tier.
    pub(super) fn lost_body(&self, keep: &StoreRequest, problem: &str) {
        let told = format!("{BODY_FAILED}{problem}");
        for (tier, _) in &keep.places {
            keep.landed.tell(*tier, Err(&told));
        }
        log_problem(self, "body", problem);
        self.lost("body", problem);
    }

    /// Writes an entry to its tiers.
    pub(super) fn store(&self, mut keep: StoreRequest, copy: Result<Copy, JsValue>) {
        if let Ok(copy) = &copy {
            // The length is known now, even if the origin did not send it:
            // later responses can state it. A status without a body has no
            // length either (RFC 9110 §8.6).
            let bodiless = matches!(keep.entry.status, 204 | 205 | 304);
            let length = copy.length().filter(|_| !bodiless);
            keep.entry.length = length.or(keep.entry.length);
        }
        let copies = match (copy, keep.places.len()) {
            (Ok(copy), 2) => copy.twice().map(|(one, other)| vec![one, other]),
            (Ok(copy), _) => Ok(vec![copy]),
            (Err(error), _) => Err(error),
        };
        let copies = match copies {
            Ok(copies) => copies,
            Err(error) => {
                return self.lost_body(&keep, &message(&error));
            }
        };
        let keep = Rc::new(keep);
        for ((tier, slot), copy) in keep.places.clone().into_iter().zip(copies) {
            let (host, keep) = (self.clone(), Rc::clone(&keep));
            self.later(async move { host.write(tier, &slot, &keep, &copy).await });
        }
    }

    /// Writes an entry to one tier. If the write fails or the body breaks off,
    /// nothing of the entry may stay in the tier.
    async fn write(&self, tier: Tier, slot: &Slot, keep: &StoreRequest, body: &Copy) {
        let entry = &keep.entry;
        let written = match tier {
            Tier::CacheApi => tiers::keep_in_cache(slot, entry, body, self.request()).await,
            Tier::Kv => match self.kv() {
                Ok(kv) => tiers::keep_in_kv(&kv, slot, entry, body).await,
                Err(problem) => Err(problem.into()),
            },
        };
        let Err(error) = written else {
            return keep.landed.tell(tier, Ok(()));
        };
        let problem = message(&error);
        // A long body that breaks off makes the write fail. The tier is not the
        // cause then, unless the error says that it is full.
        let whole = body.rest.is_none();
        match whole {
            true => keep.landed.tell(tier, Err(&problem)),
            false => keep
                .landed
                .tell(tier, Err(&format!("{BODY_FAILED}{problem}"))),
        }
        if tier == Tier::Kv {
            self.lost(tier.word(), &problem);
        }
        // For a short body, the observer has logged the failure of KV.
        if tier == Tier::CacheApi || !whole {
            log_problem(self, tier.word(), &problem);
        }
        if whole {
            return;
        }
        // Local workerd stores what it received of a long body that broke off,
        // a moment after the write has failed. So look several times.
        let text = entry.encode();
        for pause_ms in [0, 10, 50, 200, 800] {
            self.sleep(pause_ms).await;
            let left = self.recall(tier, slot).await;
            let ours = matches!(&left, Ok(Some((left, _))) if *left == text);
            if ours && let Err(problem) = self.forget(tier, slot).await {
                log_problem(self, tier.word(), &problem);
            }
        }
    }

    async fn forget(&self, tier: Tier, slot: &Slot) -> Result<(), String> {
        let forgotten = match tier {
            Tier::CacheApi => tiers::forget_in_cache(slot).await,
            Tier::Kv => tiers::forget_in_kv(&self.kv()?, slot).await,
        };
        forgotten.map_err(|error| message(&error))
    }
}
