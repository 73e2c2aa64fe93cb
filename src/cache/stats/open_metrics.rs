//! Statistics as OpenMetrics 1.0 text, for Prometheus and its like
//! (<https://prometheus.io/docs/specs/om/open_metrics_spec/>).

use super::row::{BUCKET_BOUNDS_MS, Counts, StatsRow};
use std::fmt::Write;

/// The media type of the text.
pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What is counted for each row.
type Counter = (&'static str, &'static str, fn(&Counts) -> u64);

const COUNTERS: [Counter; 3] = [
    ("requests", "Requests of clients.", |counts| counts.requests),
    (
        "response_bytes",
        "Bytes of the bodies sent, as far as their length was known before.",
        |counts| counts.bytes,
    ),
    ("origin_requests", "Requests to origins.", |counts| {
        counts.origin_requests
    }),
];

/// Prints totals, and the largest purge lag of each host among `latest`.
pub fn print(totals: &[StatsRow], latest: &[StatsRow]) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    for (name, help, value) in COUNTERS {
        let _ = writeln!(text, "# TYPE edgekeep_{name} counter");
        let _ = writeln!(text, "# HELP edgekeep_{name} {help}");
        for row in totals {
            let _ = write!(text, "edgekeep_{name}_total{{");
            put_labels(&mut text, row);
            let _ = writeln!(text, "}} {}", value(&row.counts));
        }
    }
    put_origin_times(&mut text, &by_host(totals));
    let help = "Largest age of the purge index that a request has seen in the last minutes.";
    text.push_str("# TYPE edgekeep_purge_lag_seconds gauge\n");
    text.push_str("# UNIT edgekeep_purge_lag_seconds seconds\n");
    let _ = writeln!(text, "# HELP edgekeep_purge_lag_seconds {help}");
    for (host, counts) in by_host(latest) {
        text.push_str("edgekeep_purge_lag_seconds{");
        put_label(&mut text, "host", host);
        let _ = writeln!(text, "}} {}", Seconds(counts.purge_lag_ms));
    }
    text.push_str("# EOF\n");
    text
}

fn put_origin_times(text: &mut String, hosts: &[(&str, Counts)]) {
    const NAME: &str = "edgekeep_origin_duration_seconds";
    let _ = writeln!(text, "# TYPE {NAME} histogram\n# UNIT {NAME} seconds");
    let _ = writeln!(text, "# HELP {NAME} Time until the head of the response.");
    for (host, counts) in hosts {
        let mut sum: u64 = 0;
        let bounds = BUCKET_BOUNDS_MS.iter().map(Some).chain([None]);
        for (bound, count) in bounds.zip(counts.origin_ms) {
            sum = sum.saturating_add(count);
            let _ = write!(text, "{NAME}_bucket{{");
            put_label(text, "host", host);
            let _ = match bound {
                Some(ms) => writeln!(text, ",le=\"{}\"}} {sum}", Seconds(*ms)),
                None => writeln!(text, ",le=\"+Inf\"}} {sum}"),
            };
        }
        for (end, value) in [
            ("sum", Seconds(counts.origin_ms_sum).to_string()),
            ("count", sum.to_string()),
        ] {
            let _ = write!(text, "{NAME}_{end}{{");
            put_label(text, "host", host);
            let _ = writeln!(text, "}} {value}");
        }
    }
}

/// The counts of each host.
fn by_host(rows: &[StatsRow]) -> Vec<(&str, Counts)> {
    let mut hosts: Vec<(&str, Counts)> = Vec::new();
    for row in rows {
        match hosts.iter_mut().find(|(host, _)| *host == row.host) {
            Some((_, counts)) => counts.add(&row.counts),
            None => hosts.push((&row.host, row.counts)),
        }
    }
    hosts
}

/// Milliseconds, printed as seconds.
struct Seconds(u64);

impl std::fmt::Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1000, self.0 % 1000)
    }
}

fn put_labels(text: &mut String, row: &StatsRow) {
    let labels = [
        ("host", &row.host),
        ("rule", &row.rule),
        ("outcome", &row.outcome),
        ("reason", &row.reason),
        ("tier", &row.tier),
        ("status", &row.status),
    ];
    for (at, (name, value)) in labels.into_iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        put_label(text, name, value);
    }
}

/// Appends a label. `\`, `"` and line feeds are escaped.
fn put_label(text: &mut String, name: &str, value: &str) {
    text.push_str(name);
    text.push_str("=\"");
    for c in value.chars() {
        match c {
            '\\' | '"' => text.extend(['\\', c]),
            '\n' => text.push_str("\\n"),
            _ => text.push(c),
        }
    }
    text.push('"');
}
