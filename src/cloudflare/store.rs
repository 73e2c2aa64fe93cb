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
    pub(super) fn report_lost_body(&self, store_request: &StoreRequest, problem: &str) {
        let failure = format!("{BODY_FAILED}{problem}");
        for (tier, _) in &store_request.places {
            store_request.observer.report(*tier, Err(&failure));
        }
        log_problem(self, "body", problem);
        self.record_lost_copy("body", problem);
    }

    /// Writes an entry to its tiers.
    pub(super) fn write_to_tiers(
        &self,
        mut store_request: StoreRequest,
        copy: Result<Copy, JsValue>,
    ) {
        if let Ok(copy) = &copy {
            // The length is known now, even if the origin did not send it:
            // later responses can state it. A status without a body has no
            // length either (RFC 9110 §8.6).
            let bodiless = matches!(store_request.entry.status, 204 | 205 | 304);
            let length = copy.length().filter(|_| !bodiless);
            store_request.entry.length = length.or(store_request.entry.length);
        }
        let copies = match (copy, store_request.places.len()) {
            (Ok(copy), 2) => copy.twice().map(|(one, other)| vec![one, other]),
            (Ok(copy), _) => Ok(vec![copy]),
            (Err(error), _) => Err(error),
        };
        let copies = match copies {
            Ok(copies) => copies,
            Err(error) => {
                return self.report_lost_body(&store_request, &message(&error));
            }
        };
        let store_request = Rc::new(store_request);
        for ((tier, slot), copy) in store_request.places.clone().into_iter().zip(copies) {
            let (host, store_request) = (self.clone(), Rc::clone(&store_request));
            self.later(async move { host.write_to_tier(tier, &slot, &store_request, &copy).await });
        }
    }

    /// Writes an entry to one tier. If the write fails or the body breaks off,
    /// nothing of the entry may stay in the tier.
    async fn write_to_tier(
        &self,
        tier: Tier,
        slot: &Slot,
        store_request: &StoreRequest,
        body: &Copy,
    ) {
        let entry = &store_request.entry;
        let written = match tier {
            Tier::CacheApi => tiers::write_to_cache(slot, entry, body, self.request()).await,
            Tier::Kv => match self.kv() {
                Ok(kv) => tiers::write_to_kv(&kv, slot, entry, body).await,
                Err(problem) => Err(problem.into()),
            },
        };
        let Err(error) = written else {
            return store_request.observer.report(tier, Ok(()));
        };
        let problem = message(&error);
        // A long body that breaks off makes the write fail. The tier is not the
        // cause then, unless the error says that it is full.
        let whole = body.rest.is_none();
        match whole {
            true => store_request.observer.report(tier, Err(&problem)),
            false => store_request
                .observer
                .report(tier, Err(&format!("{BODY_FAILED}{problem}"))),
        }
        if tier == Tier::Kv {
            self.record_lost_copy(tier.word(), &problem);
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
            let left = self.read_slot(tier, slot).await;
            let ours = matches!(&left, Ok(Some((left, _))) if *left == text);
            if ours && let Err(problem) = self.delete_entry(tier, slot).await {
                log_problem(self, tier.word(), &problem);
            }
        }
    }

    async fn delete_entry(&self, tier: Tier, slot: &Slot) -> Result<(), String> {
        let deleted = match tier {
            Tier::CacheApi => tiers::delete_from_cache(slot).await,
            Tier::Kv => tiers::delete_from_kv(&self.kv()?, slot).await,
        };
        deleted.map_err(|error| message(&error))
    }
}
