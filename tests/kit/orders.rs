//! Purge orders as they are read, and what they come to.

use edgekeep::cache::config::rules::Rules;
use edgekeep::cache::purge::order::{NotOrder, ParsedPurge, ResolvedPurge, read};
use serde_json::Value;

pub fn draft(rules: &Rules, order: &Value) -> Result<ParsedPurge, NotOrder> {
    read(rules, order.to_string().as_bytes(), false)
}

/// What a good order comes to.
#[track_caller]
pub fn settled(rules: &Rules, order: &Value) -> ResolvedPurge {
    let draft = draft(rules, order).expect("an order");
    assert_eq!(draft.refused, [], "{order}");
    draft.check_size().expect("of good size");
    draft.resolve(&rules.cascades).expect("not too much")
}
