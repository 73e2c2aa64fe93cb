//! Response Cache-Control (RFC 9111 §5.2.2, RFC 5861) and its targeted forms
//! (RFC 9213).
//!
//! A permissive directive counts only in the grammar of the RFC. A restrictive
//! one also counts where its word stands outside of the grammar
//! (`http::restrictions`). An unknown directive is ignored with its argument,
//! as §5.2.3 requires: the word in `community="a private club"` restricts
//! nothing.

use super::fields::Fields;
use super::list;
use super::restrictions::{Restrictions, is_of_word};
use sfv::{BareItem, Dictionary, Item, ListEntry, Parameters, Parser};

/// The directives of a response. Times are in seconds.
///
/// Names are case-insensitive. An argument may be a token or a quoted string
/// (§5.2). Of several equal directives the first counts, which §4.2.1 allows.
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

/// The directives of a request (RFC 9111 §5.2.1). Times are in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestControl {
    /// `no-cache`, or `Pragma: no-cache` without `Cache-Control` (§5.4).
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

/// The directives of all lines of `Cache-Control` as (name, argument): the
/// name in lower case, the argument unchanged.
fn directives(fields: &Fields) -> impl Iterator<Item = (String, Option<&str>)> {
    fields
        .all("cache-control")
        .flat_map(list::members)
        .map(|directive| match directive.split_once('=') {
            Some((name, argument)) => (name.to_ascii_lowercase(), Some(argument)),
            None => (directive.to_ascii_lowercase(), None),
        })
}

/// The largest delta-seconds that a cache has to support (RFC 9111 §1.2.2).
const DELTA_SECONDS_MAX: u64 = 2_147_483_648;

impl CacheControl {
    /// The directives that apply to this cache, and whether they come from a
    /// targeted field. The first valid field of [`TARGETED_FIELDS`] replaces
    /// `Cache-Control` (RFC 9213 §2.2). The restrictive words of an invalid
    /// field before it still count. So do those of `Surrogate-Control` if no
    /// targeted field is valid.
    pub fn effective(fields: &Fields) -> (Self, bool) {
        let mut ignored = Restrictions::default();
        let targeted = TARGETED_FIELDS.iter().find_map(|name| {
            let value = fields.joined(name)?;
            let control = Self::of_dictionary(&value);
            if control.is_none() {
                ignored.scan(&value);
            }
            control
        });
        let is_targeted = targeted.is_some();
        let mut control = targeted.unwrap_or_else(|| {
            fields
                .all("surrogate-control")
                .for_each(|value| ignored.scan(value));
            Self::of(fields)
        });
        // RFC 9213 §2.1: the lifetime of an invalid field is ignored.
        ignored.lifetime = false;
        control.restrict(ignored);
        (control, is_targeted)
    }

    /// Reads every line of `Cache-Control`.
    pub fn of(fields: &Fields) -> Self {
        let mut control = Self::default();
        let mut odd = Restrictions::default();
        for (name, argument) in directives(fields) {
            if named_fields(&name, argument).is_some() {
                continue;
            }
            control.note(&name, argument.map(delta_seconds));
            if !is_in_grammar(&name, argument) {
                odd.scan(&name);
                odd.scan(argument.unwrap_or_default());
            }
        }
        control.restrict(odd);
        control
    }

    /// Reads a targeted field (RFC 9213). Returns `None` if it is empty or not
    /// a structured-field dictionary: §2.1 requires to ignore such a field.
    pub fn of_dictionary(value: &str) -> Option<Self> {
        let dictionary: Dictionary = Parser::new(value).parse().ok()?;
        if dictionary.is_empty() {
            return None;
        }
        let mut control = Self::default();
        let mut odd = Restrictions::default();
        for (key, member) in &dictionary {
            let item = match member {
                ListEntry::Item(item) => item,
                ListEntry::InnerList(list) => {
                    odd.scan(key.as_str());
                    odd.add_parameters(&list.params);
                    for item in &list.items {
                        odd.add_item(item);
                    }
                    continue;
                }
            };
            let Item { bare_item, params } = item;
            odd.add_parameters(params);
            // A key may contain `.` and `*` next to a restrictive word.
            if *bare_item != BareItem::Boolean(false) && !key.as_str().chars().all(is_of_word) {
                odd.scan(key.as_str());
            }
            if has_seconds(key.as_str()) || has_qualified_form(key.as_str()) {
                odd.add_item(item);
            }
            match bare_item {
                BareItem::Boolean(false) => {}
                BareItem::Boolean(true) => control.note(key.as_str(), None),
                BareItem::Integer(seconds) => {
                    let seconds = u64::try_from(i64::from(*seconds)).unwrap_or(0);
                    control.note(key.as_str(), Some(seconds.min(DELTA_SECONDS_MAX)));
                }
                // `private="field"` and similar: stricter than RFC 9213 requires.
                _ => control.note(key.as_str(), Some(0)),
            }
        }
        odd.lifetime = false;
        control.restrict(odd);
        Some(control)
    }

    /// Applies the words that stand outside of the grammar. They only restrict:
    /// `must-revalidate` does not make a response to `Authorization` storable
    /// (§3.5), and `must-understand` does not cancel `no-store` (§5.2.2.3).
    fn restrict(&mut self, odd: Restrictions) {
        self.private |= odd.private;
        self.no_cache |= odd.no_cache;
        self.proxy_revalidate |= odd.revalidate;
        self.must_understand |= odd.must_understand && !self.no_store;
        if odd.no_store {
            self.no_store = true;
            self.must_understand = false;
        }
        if odd.lifetime && self.s_maxage.is_none() {
            self.max_age.get_or_insert(0);
        }
    }

    fn note(&mut self, name: &str, seconds: Option<u64>) {
        // A freshness directive without its argument is invalid. §4.2.1
        // encourages caches to treat such a response as stale.
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

impl Restrictions {
    fn add_parameters(&mut self, parameters: &Parameters) {
        let is_set = |value: &BareItem| !matches!(value, BareItem::Boolean(false));
        for (key, _) in parameters.iter().filter(|(_, value)| is_set(value)) {
            self.scan(key.as_str());
        }
    }

    fn add_item(&mut self, item: &Item) {
        match &item.bare_item {
            BareItem::String(text) => self.scan(text.as_str()),
            BareItem::Token(text) => self.scan(text.as_str()),
            _ => {}
        }
    }
}

/// The targeted fields that are read, the most specific first. If a response
/// has both, Cloudflare's edge uses only the first, and does not pass it on
/// ("CDN-Cache-Control" in the documentation of Cloudflare Cache).
const TARGETED_FIELDS: [&str; 2] = [CLOUDFLARE_FIELD, "cdn-cache-control"];

/// The targeted field for Cloudflare's edge only. It is not sent to clients.
pub const CLOUDFLARE_FIELD: &str = "cloudflare-cdn-cache-control";

/// Whether the argument of a directive is a number of seconds.
fn has_seconds(name: &str) -> bool {
    matches!(
        name,
        "max-age" | "s-maxage" | "stale-while-revalidate" | "stale-if-error"
    )
}

/// Whether a directive has a qualified form, with a list of field names.
fn has_qualified_form(name: &str) -> bool {
    matches!(name, "no-cache" | "private")
}

/// Whether a directive follows the grammar (RFC 9111 §5.2), has a name of
/// letters, digits, `-` and `_`, and has digits where seconds are required.
/// [`named_fields`] reads the qualified forms; any other argument of `no-cache`
/// or `private` is invalid.
fn is_in_grammar(name: &str, argument: Option<&str>) -> bool {
    let argument_is_good = match argument {
        None => true,
        Some(_) if has_qualified_form(name) => false,
        Some(text) if has_seconds(name) => {
            let digits = list::unquote(text);
            !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
        }
        Some(text) if text.starts_with('"') => is_quoted_string(text),
        Some(text) => text.bytes().all(list::is_of_token),
    };
    !name.is_empty() && name.chars().all(is_of_word) && argument_is_good
}

/// Whether the whole text is one quoted string (RFC 9110 §5.6.4).
fn is_quoted_string(text: &str) -> bool {
    let mut escaped = false;
    let inner = text.strip_prefix('"').unwrap_or_default();
    let end = inner.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.is_some_and(|end| end.saturating_add(1) == inner.len())
}

/// The fields that `no-cache` and `private` name, in lower case. The response
/// may be stored and used, but without these (RFC 9111 §5.2.2.4 and §5.2.2.7).
pub fn withheld(fields: &Fields) -> Vec<String> {
    directives(fields)
        .filter_map(|(name, argument)| named_fields(&name, argument))
        .flatten()
        .collect()
}

/// The field names of a qualified `no-cache` or `private`; `None` for any
/// other directive. `None`, too, for a list that is empty or invalid, or that
/// names a field without which the body has another meaning (`Content-*`,
/// `Vary`): such a directive counts as the unqualified one.
///
/// RFC 9111 §5.2.2.4 and §5.2.2.7 require senders to quote the list.
/// `private=true` and `private="1"` name no field; read as lists, they would
/// let a page for one user be stored for all. So an argument without quotes, or
/// with such a word in it, is not a list.
fn named_fields(name: &str, argument: Option<&str>) -> Option<Vec<String>> {
    if !has_qualified_form(name) {
        return None;
    }
    let argument = list::unquote(argument.filter(|text| is_quoted_string(text))?);
    let names: Vec<String> = list::members(&argument)
        .map(str::to_ascii_lowercase)
        .collect();
    let of_the_body = |name: &String| name.starts_with("content-") || name == "vary";
    let valid = !names.is_empty()
        && names.iter().all(|name| list::is_field_name(name))
        && !names.iter().any(|name| is_no_field(name))
        && !names.iter().any(of_the_body);
    valid.then_some(names)
}

/// Whether a word (in lower case) looks like a field name but is not one: a
/// number, the value of a switch, or a directive (RFC 9111 §5.2, RFC 5861,
/// RFC 8246).
fn is_no_field(word: &str) -> bool {
    const VALUES: [&str; 9] = [
        "true", "false", "yes", "no", "on", "off", "none", "null", "all",
    ];
    const DIRECTIVES: [&str; 16] = [
        "private",
        "no-store",
        "no-cache",
        "public",
        "max-age",
        "s-maxage",
        "must-revalidate",
        "proxy-revalidate",
        "must-understand",
        "no-transform",
        "stale-while-revalidate",
        "stale-if-error",
        "immutable",
        "only-if-cached",
        "max-stale",
        "min-fresh",
    ];
    let has_letters = word.bytes().any(|byte| byte.is_ascii_alphabetic());
    !has_letters || VALUES.contains(&word) || DIRECTIVES.contains(&word)
}

/// Reads delta-seconds (RFC 9111 §1.2.2). A larger number becomes
/// [`DELTA_SECONDS_MAX`]. Anything else becomes 0, which is stale (§4.2.1).
fn delta_seconds(argument: &str) -> u64 {
    let digits = list::unquote(argument);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return 0;
    }
    digits
        .parse()
        .map_or(DELTA_SECONDS_MAX, |n: u64| n.min(DELTA_SECONDS_MAX))
}

/// The first value of `Age` in seconds; 0 if it is not a number (RFC 9111
/// §5.1).
pub fn age(fields: &Fields) -> u64 {
    fields
        .get("age")
        .and_then(|value| list::members(value).next())
        .filter(|value| !value.starts_with('"'))
        .map_or(0, delta_seconds)
}
