//! What the world of stories shows at a moment, for explanations.

use super::World;
use crate::still::Peek;
use edgekeep::cache::key::cache_key::Slot;
use edgekeep::cache::purge::feed::PurgeFeed;
use edgekeep::cache::store::kv_breaker::READ_MS_MAX;
use edgekeep::flow::purge::sync::LEDGER_WAIT_MS;
use edgekeep::flow::runtime::host::{Host, Tier};

impl Peek for World {
    fn now_ms(&self) -> u64 {
        Host::now_ms(self)
    }

    fn peek(&self, tier: Tier, slot: &Slot) -> Result<Option<String>, String> {
        if tier == Tier::Kv && self.takes_ms("kv") >= READ_MS_MAX {
            return Err(format!("no answer within {READ_MS_MAX} ms"));
        }
        if self.is_down(tier.word()) {
            return Err("down".to_owned());
        }
        Ok(self.held(tier, slot).map(|(text, _)| text))
    }

    fn peek_feed(&self, after: u64) -> Result<PurgeFeed, String> {
        if self.is_down("ledger") || self.takes_ms("ledger") >= LEDGER_WAIT_MS {
            return Err("down".to_owned());
        }
        let feed = self.ledger.borrow().read_feed(after, self.ledger_ms());
        PurgeFeed::decode(&feed?).map_err(|error| error.to_string())
    }
}

impl World {
    fn takes_ms(&self, part: &str) -> u64 {
        self.state.borrow().slow.get(part).copied().unwrap_or(0)
    }
}
