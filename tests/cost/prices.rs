//! What a month costs: the published prices (`prices.json`), and what is used.

use serde_json::Value;

/// Prices of one month of the paid plan.
#[derive(Debug)]
pub struct Prices {
    /// When they were looked up.
    pub looked_up: String,
    /// The plan's fee.
    pub month_dollars: f64,
    requests: Price,
    cpu_ms: Price,
    kv_reads: Price,
    kv_writes: Price,
    kv_gb_months: Price,
    object_requests: Price,
    object_gb_seconds: Price,
    object_rows_read: Price,
    object_rows_written: Price,
}

/// What is included in the fee, and what a million more costs.
#[derive(Clone, Copy, Debug)]
pub struct Price {
    pub included: f64,
    pub dollars_per_million: f64,
}

impl Price {
    /// A millionth is a gigabyte-month where that is the unit.
    fn of_all(self, used: f64) -> f64 {
        used * self.dollars_per_million / 1e6
    }

    fn beyond_included(self, used: f64) -> f64 {
        self.of_all((used - self.included).max(0.0))
    }
}

/// What a month uses of all that has a price, and of what has none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Use {
    pub requests: f64,
    pub cpu_ms: f64,
    pub kv_reads: f64,
    pub kv_writes: f64,
    pub kv_gb_months: f64,
    pub object_requests: f64,
    pub object_gb_seconds: f64,
    pub object_rows_read: f64,
    pub object_rows_written: f64,
    /// Calls of the Cache API, which are free.
    pub cache_calls: f64,
    /// Requests to the origin, which Cloudflare does not bill.
    pub origin: f64,
}

impl Prices {
    /// The published ones.
    pub fn published() -> Self {
        let text = include_str!("prices.json");
        let all: Value = serde_json::from_str(text).expect("prices.json");
        let number = |value: &Value| value.as_f64().expect("a number");
        let price = |name: &str| Price {
            included: number(&all[name]["included"]),
            dollars_per_million: number(&all[name]["dollars_per_million"]),
        };
        Self {
            looked_up: all["looked_up"].as_str().expect("a date").to_owned(),
            month_dollars: number(&all["month_dollars"]),
            requests: price("requests"),
            cpu_ms: price("cpu_ms"),
            kv_reads: price("kv_reads"),
            kv_writes: price("kv_writes"),
            kv_gb_months: price("kv_gb_months"),
            object_requests: price("object_requests"),
            object_gb_seconds: price("object_gb_seconds"),
            object_rows_read: price("object_rows_read"),
            object_rows_written: price("object_rows_written"),
        }
    }

    fn each(&self, used: &Use) -> [(Price, f64); 9] {
        [
            (self.requests, used.requests),
            (self.cpu_ms, used.cpu_ms),
            (self.kv_reads, used.kv_reads),
            (self.kv_writes, used.kv_writes),
            (self.kv_gb_months, used.kv_gb_months),
            (self.object_requests, used.object_requests),
            (self.object_gb_seconds, used.object_gb_seconds),
            (self.object_rows_read, used.object_rows_read),
            (self.object_rows_written, used.object_rows_written),
        ]
    }

    /// The bill of an account that does nothing else. Who does not use Workers
    /// at all pays no fee.
    pub fn bill(&self, used: &Use) -> f64 {
        if used.requests == 0.0 {
            return 0.0;
        }
        let beyond = self
            .each(used)
            .map(|(price, used)| price.beyond_included(used));
        self.month_dollars + beyond.iter().sum::<f64>()
    }

    /// What all of it costs where what is included has been used up.
    pub fn marginal(&self, used: &Use) -> f64 {
        let each = self.each(used).map(|(price, used)| price.of_all(used));
        each.iter().sum()
    }
}
