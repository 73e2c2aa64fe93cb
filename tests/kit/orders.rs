//! Parses and resolves purge orders.

use edgekeep::cache::config::rules::Rules;
use edgekeep::cache::purge::order::{NotOrder, ParsedPurge, ResolvedPurge, read};
use serde_json::Value;

/// Parses an order in which files may not have `headers`.
pub fn parse_order(rules: &Rules, order: &Value) -> Result<ParsedPurge, NotOrder> {
    read(rules, order.to_string().as_bytes(), false)
}

/// The resolved selectors of a valid order.
#[track_caller]
pub fn resolve_order(rules: &Rules, order: &Value) -> ResolvedPurge {
    let parsed = parse_order(rules, order).expect("an order");
    assert_eq!(parsed.refused, [], "{order}");
    parsed.check_size().expect("of valid size");
    parsed.resolve(&rules.cascades).expect("not too much")
}
