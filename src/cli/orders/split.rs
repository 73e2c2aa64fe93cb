//! Splits what a command names into orders within the limits of the Worker.

use crate::cache::config::limits::{SITEMAPS_MAX, URLS_MAX};
use crate::cache::purge::order::{ORDER_BYTES_MAX, SELECTORS_MAX};
use crate::cli::output::plain;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The name of the field of an order that purges everything.
pub const EVERYTHING_FIELD: &str = "purge_everything";

/// An item of a list of an order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Item {
    /// The name of the list, such as `tags`; or the name of a field that is true
    /// without a text.
    pub list: &'static str,
    /// The text.
    pub text: String,
}

/// What an order may hold.
#[derive(Clone, Copy, Debug)]
pub struct OrderLimits {
    /// The largest number of items in all.
    pub items: usize,
    /// The largest number of items of one list.
    pub of_list: fn(&str) -> usize,
}

/// The limits of an order to purge.
pub const PURGE_LIMITS: OrderLimits = OrderLimits {
    items: SELECTORS_MAX,
    of_list: |_| SELECTORS_MAX,
};

/// The limits of an order to warm.
pub const WARM_LIMITS: OrderLimits = OrderLimits {
    items: URLS_MAX + SITEMAPS_MAX,
    of_list: |list| match list {
        "sitemaps" => SITEMAPS_MAX,
        _ => URLS_MAX,
    },
};

/// Why the input does not fit into orders.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    /// One item is longer than an order.
    #[error("nothing was sent: {0}… is longer than an order may be ({ORDER_BYTES_MAX} bytes)")]
    TooLong(String),
}

/// Returns the bodies of the orders, in the sequence of the items. All have the
/// members of `shared`; an order without `files` has no `refresh`, because it has
/// nothing to fetch. Without items, there is one order.
pub fn split(
    items: &[Item],
    shared: &Map<String, Value>,
    limits: OrderLimits,
) -> Result<Vec<String>, SplitError> {
    let mut bodies = Vec::new();
    let mut batch = Batch::new(shared, limits);
    for item in items {
        if !batch.has_room(item) {
            bodies.push(batch.body(shared));
            batch = Batch::new(shared, limits);
            if !batch.has_room(item) {
                let start: String = item.text.chars().take(60).collect();
                return Err(SplitError::TooLong(plain(&start)));
            }
        }
        batch.add(item);
    }
    if !batch.items.is_empty() || bodies.is_empty() {
        bodies.push(batch.body(shared));
    }
    Ok(bodies)
}

/// The items of one order.
struct Batch<'a> {
    items: Vec<&'a Item>,
    counts: BTreeMap<&'static str, usize>,
    bytes: usize,
    limits: OrderLimits,
}

/// `,"` and `":[]`, or `":true`: what a list or a field adds beside its name and
/// items.
const FRAME_BYTES: usize = 8;

impl<'a> Batch<'a> {
    fn new(shared: &Map<String, Value>, limits: OrderLimits) -> Self {
        Self {
            items: Vec::new(),
            counts: BTreeMap::new(),
            bytes: Value::Object(shared.clone()).to_string().len(),
            limits,
        }
    }

    /// The bytes of an item in an order.
    fn bytes_of(&self, item: &Item) -> usize {
        let text = Value::from(item.text.as_str()).to_string();
        // With its comma.
        let bytes = text.len().saturating_add(1);
        match self.count(item.list) {
            0 => bytes
                .saturating_add(item.list.len())
                .saturating_add(FRAME_BYTES),
            _ => bytes,
        }
    }

    fn count(&self, list: &str) -> usize {
        self.counts.get(list).copied().unwrap_or(0)
    }

    fn has_room(&self, item: &Item) -> bool {
        self.items.len() < self.limits.items
            && self.count(item.list) < (self.limits.of_list)(item.list)
            && self.bytes.saturating_add(self.bytes_of(item)) <= ORDER_BYTES_MAX
    }

    fn add(&mut self, item: &'a Item) {
        self.bytes = self.bytes.saturating_add(self.bytes_of(item));
        let count = self.counts.entry(item.list).or_default();
        *count = count.saturating_add(1);
        self.items.push(item);
    }

    fn body(&self, shared: &Map<String, Value>) -> String {
        let mut order = shared.clone();
        for item in &self.items {
            if item.list == EVERYTHING_FIELD {
                order.insert(item.list.to_owned(), json!(true));
                continue;
            }
            let list = order.entry(item.list).or_insert_with(|| json!([]));
            if let Value::Array(texts) = list {
                texts.push(json!(item.text));
            }
        }
        if !order.contains_key("files") {
            order.remove("refresh");
        }
        Value::Object(order).to_string()
    }
}
