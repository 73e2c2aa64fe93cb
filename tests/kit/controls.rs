//! Fields parsed from text, and `Cache-Control` printed in few words.

use edgekeep::http::cache_control::CacheControl;
use edgekeep::http::fields::Fields;

/// Parses fields from `name: value` lines, separated by ` | `.
pub fn fields(text: &str) -> Fields {
    let lines = text.split(" | ").filter(|line| !line.is_empty());
    lines
        .map(|line| line.split_once(':').expect("name: value"))
        .map(|(name, value)| (name, value.strip_prefix(' ').unwrap_or(value)))
        .collect()
}

/// A `Cache-Control` in few words: numbers as `name=n`, flags by name.
pub fn words(control: &CacheControl) -> String {
    let numbers = [
        ("max-age", control.max_age),
        ("s-maxage", control.s_maxage),
        ("swr", control.stale_while_revalidate),
        ("sie", control.stale_if_error),
    ];
    let flags = [
        ("no-store", control.no_store),
        ("no-cache", control.no_cache),
        ("private", control.private),
        ("public", control.public),
        ("must-revalidate", control.must_revalidate),
        ("proxy-revalidate", control.proxy_revalidate),
    ];
    in_words(&numbers, &flags)
}

/// Numbers as `name=n`, then the flags that are set, by name.
pub fn in_words(numbers: &[(&str, Option<u64>)], flags: &[(&str, bool)]) -> String {
    let numbers = numbers
        .iter()
        .filter_map(|(n, v)| v.map(|v| format!("{n}={v}")));
    let flags = flags
        .iter()
        .filter(|(_, set)| *set)
        .map(|(n, _)| (*n).to_owned());
    numbers.chain(flags).collect::<Vec<_>>().join(" ")
}
