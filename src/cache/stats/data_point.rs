//! A data point of Workers Analytics Engine: one request, with the columns that
//! `docs/metrics.md` lists.

/// How many bytes an index may have; the platform drops a point with a longer
/// one.
const INDEX_BYTES_MAX: usize = 96;

/// How many bytes of a text are written. Seven such texts are within the 16 KB
/// that a point may have.
const BLOB_BYTES_MAX: usize = 1024;

/// A request that was sampled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DataPoint {
    /// Host of the request.
    pub host: String,
    /// Name of the rule, as in explanations; empty for Edgekeep's own
    /// addresses.
    pub rule: String,
    /// As `StatsRow::outcome`.
    pub outcome: &'static str,
    /// As `StatsRow::reason`.
    pub reason: &'static str,
    /// As `StatsRow::tier`.
    pub tier: &'static str,
    /// Method of the request.
    pub method: String,
    /// Path of the request, without the query, which is often personal.
    pub path: String,
    /// For how many requests the point stands.
    pub sample: u64,
    /// Status code of the response.
    pub status: u16,
    /// Milliseconds until the response head.
    pub ms: u64,
    /// Bytes of the body, if its length was known before; otherwise 0.
    pub bytes: u64,
    /// Requests to the origin.
    pub origin_requests: u32,
    /// How long they took until their response heads, in milliseconds, in all.
    pub origin_ms: u64,
}

impl DataPoint {
    /// The index. Analytics Engine samples by it: a host with few requests keeps
    /// all of them.
    pub fn index(&self) -> &str {
        start(&self.host, INDEX_BYTES_MAX)
    }

    /// `blob1` to `blob7`.
    pub fn blobs(&self) -> [&str; 7] {
        let Self { host, rule, .. } = self;
        let words = [self.outcome, self.reason, self.tier];
        let [outcome, reason, tier] = words;
        [host, rule, outcome, reason, tier, &self.method, &self.path]
            .map(|text| start(text, BLOB_BYTES_MAX))
    }

    /// `double1` to `double6`.
    pub fn doubles(&self) -> [f64; 6] {
        // Exact below 2^53.
        [
            self.sample as f64,
            f64::from(self.status),
            self.ms as f64,
            self.bytes as f64,
            f64::from(self.origin_requests),
            self.origin_ms as f64,
        ]
    }
}

/// The start of a text, of whole characters.
fn start(text: &str, bytes_max: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes_max))
        .unwrap_or_default()
}
