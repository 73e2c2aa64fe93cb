//! Response Cache-Control (RFC 9111 §5.2.2, RFC 5861) and its targeted form,
//! CDN-Cache-Control (RFC 9213).

use super::fields::Fields;
use super::list;
use sfv::{BareItem, Dictionary, Item, ListEntry, Parser};

/// What the response directives say. Times are in seconds.
///
/// Names are case-insensitive; an argument may be a token or a quoted string
/// (§5.2); the first of several equal directives counts, which §4.2.1 allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheControl {
    /// `max-age`
    pub max_age: Option<u64>,
    /// `s-maxage`
    pub s_maxage: Option<u64>,
    /// `no-store`
    pub no_store: bool,
    /// `no-cache` without field names.
    pub no_cache: bool,
    /// `private` without field names.
    pub private: bool,
    /// `public`
    pub public: bool,
    /// `must-revalidate`
    pub must_revalidate: bool,
    /// `proxy-revalidate`
    pub proxy_revalidate: bool,
    /// `must-understand` (§5.2.2.3)
    pub must_understand: bool,
    /// `stale-while-revalidate` (RFC 5861 §3)
    pub stale_while_revalidate: Option<u64>,
    /// `stale-if-error` (RFC 5861 §4)
    pub stale_if_error: Option<u64>,
}

/// What the request directives say (RFC 9111 §5.2.1). Times are in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestControl {
    /// `no-cache`, or `Pragma: no-cache` where there is no Cache-Control (§5.4).
    pub no_cache: bool,
    /// `no-store`
    pub no_store: bool,
    /// `only-if-cached`
    pub only_if_cached: bool,
    /// `max-age`
    pub max_age: Option<u64>,
    /// `min-fresh`
    pub min_fresh: Option<u64>,
    /// `max-stale`; without an argument, any staleness.
    pub max_stale: Option<u64>,
}

impl RequestControl {
    /// Reads every line of `Cache-Control`, and `Pragma`.
    pub fn of(fields: &Fields) -> Self {
        let mut control = Self::default();
        for (name, argument) in directives(fields) {
            let seconds = argument.map(delta_seconds);
            match name.as_str() {
                "no-cache" => control.no_cache = true,
                "no-store" => control.no_store = true,
                "only-if-cached" => control.only_if_cached = true,
                "max-age" => control.max_age = control.max_age.or(seconds),
                "min-fresh" => control.min_fresh = control.min_fresh.or(seconds),
                "max-stale" => {
                    let limit = seconds.unwrap_or(DELTA_SECONDS_MAX);
                    control.max_stale = control.max_stale.or(Some(limit));
                }
                _ => {}
            }
        }
        if !fields.has("cache-control") {
            control.no_cache = fields
                .all("pragma")
                .flat_map(list::members)
                .any(|word| word.eq_ignore_ascii_case("no-cache"));
        }
        control
    }
}

/// The directives of every line of `Cache-Control`: names in lower case, and
/// their arguments as they stand.
fn directives(fields: &Fields) -> impl Iterator<Item = (String, Option<&str>)> {
    fields
        .all("cache-control")
        .flat_map(list::members)
        .map(|directive| match directive.split_once('=') {
            Some((name, argument)) => (name.to_ascii_lowercase(), Some(argument)),
            None => (directive.to_ascii_lowercase(), None),
        })
}

/// The largest delta-seconds a cache need understand (RFC 9111 §1.2.2).
const DELTA_SECONDS_MAX: u64 = 2_147_483_648;

impl CacheControl {
    /// Reads every line of `Cache-Control`.
    pub fn of(fields: &Fields) -> Self {
        let mut control = Self::default();
        for (name, argument) in directives(fields) {
            if named_fields(&name, argument).is_none() {
                control.note(&name, argument.map(delta_seconds));
            }
        }
        control
    }

    /// Reads `CDN-Cache-Control`. `None` if it is absent or empty, or not a
    /// structured-field dictionary: then RFC 9213 §2.1 has the whole field
    /// ignored.
    pub fn targeted(fields: &Fields) -> Option<Self> {
        let value = fields.joined("cdn-cache-control")?;
        let dictionary: Dictionary = Parser::new(&value).parse().ok()?;
        if dictionary.is_empty() {
            return None;
        }
        let mut control = Self::default();
        for (key, member) in &dictionary {
            let ListEntry::Item(Item { bare_item, .. }) = member else {
                continue;
            };
            match bare_item {
                BareItem::Boolean(false) => {}
                BareItem::Boolean(true) => control.note(key.as_str(), None),
                BareItem::Integer(seconds) => {
                    let seconds = u64::try_from(i64::from(*seconds)).unwrap_or(0);
                    control.note(key.as_str(), Some(seconds.min(DELTA_SECONDS_MAX)));
                }
                // `private="field"` and its like: stricter than RFC 9213 asks.
                _ => control.note(key.as_str(), Some(0)),
            }
        }
        Some(control)
    }

    fn note(&mut self, name: &str, seconds: Option<u64>) {
        // A freshness directive without its argument is invalid; §4.2.1
        // encourages treating such a response as stale.
        let first = |slot: &mut Option<u64>| {
            slot.get_or_insert(seconds.unwrap_or(0));
        };
        match name {
            "max-age" => first(&mut self.max_age),
            "s-maxage" => first(&mut self.s_maxage),
            "stale-while-revalidate" => first(&mut self.stale_while_revalidate),
            "stale-if-error" => first(&mut self.stale_if_error),
            "no-store" => self.no_store = true,
            "no-cache" => self.no_cache = true,
            "private" => self.private = true,
            "public" => self.public = true,
            "must-revalidate" => self.must_revalidate = true,
            "must-understand" => self.must_understand = true,
            "proxy-revalidate" => self.proxy_revalidate = true,
            _ => {}
        }
    }
}

/// The fields that `no-cache` and `private` name: the answer may be stored and
/// used, but without these (RFC 9111 §5.2.2.4 and §5.2.2.7). In lower case.
pub fn withheld(fields: &Fields) -> Vec<String> {
    directives(fields)
        .filter_map(|(name, argument)| named_fields(&name, argument))
        .flatten()
        .collect()
}

/// The field names of a qualified `no-cache` or `private`; `None` for any
/// other directive, for a list that names none, and for one that names what
/// describes the body, which would be another without it: those count as the
/// plain directive.
fn named_fields(name: &str, argument: Option<&str>) -> Option<Vec<String>> {
    if !matches!(name, "no-cache" | "private") {
        return None;
    }
    let argument = list::unquote(argument?);
    let names: Vec<String> = list::members(&argument)
        .map(str::to_ascii_lowercase)
        .collect();
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    let of_the_body = |name: &String| name.starts_with("content-") || name == "vary";
    let valid = !names.is_empty()
        && names.iter().all(|name| name.bytes().all(token))
        && !names.iter().any(of_the_body);
    valid.then_some(names)
}

/// delta-seconds (RFC 9111 §1.2.2): too large means as large as it gets,
/// anything that is no number means 0, which is stale (§4.2.1).
fn delta_seconds(argument: &str) -> u64 {
    let digits = list::unquote(argument);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return 0;
    }
    digits
        .parse()
        .map_or(DELTA_SECONDS_MAX, |n: u64| n.min(DELTA_SECONDS_MAX))
}

/// The value of `Age` in seconds: the first line's, 0 if it is no number
/// (RFC 9111 §5.1).
pub fn age(fields: &Fields) -> u64 {
    fields
        .get("age")
        .and_then(|value| list::members(value).next())
        .filter(|value| !value.starts_with('"'))
        .map_or(0, delta_seconds)
}
