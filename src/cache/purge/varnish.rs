//! Translates a `PURGE` or `BAN` of a Varnish client into selectors.
//!
//! Varnish itself defines no such protocol: each site's VCL implements its own,
//! and plug-ins share a small set of fields. A call is accepted if selectors
//! can cover all that it means (exactly, or more). Otherwise it is refused,
//! with advice. Accepting it as a literal URL that no page has, such as `/.*`,
//! would give a false receipt.
//!
//! Sources, as of 2026: Varnish, "Purging and banning" (`PURGE`, `BAN`);
//! WordPress, "Proxy Cache Purge" and "WP Rocket" (`X-Purge-Method`), "Varnish
//! Caching" (`X-VC-Purge-Method`, `X-VC-Purge-Host`, `X-VC-Purge-Key`);
//! o2switch (`X-Purge-Regex`); Drupal, "Purge", "Varnish purger" (`BAN` with
//! `Cache-Tags`, `X-Cache-Tags` or `Purge-Cache-Tags`); FOSHttpCache, "Proxy
//! clients" (`X-Host`, `X-Url`, `X-Content-Type`, `X-Cache-Tags`, `xkey-purge`,
//! `xkey-softpurge`); Magento 2 (`X-Magento-Tags-Pattern`); Shopware (`xkey`);
//! Ibexa (`key`, `X-Location-Id`, `X-Invalidate-Token`); TYPO3, "varnish"
//! (`Varnish-Ban-…`); Laravel, "Acetone" (`X-Ban-Url`); Plone and Wagtail
//! (`PURGE` without fields).

use super::order::{NotOrder, ParsedPurge, PurgeKind, SELECTORS_MAX};
use super::pattern::{Branch, End, PatternError, expand};
use crate::cache::config::rules::Rules;
use crate::http::fields::Fields;
use crate::http::url::{Url, canonical_host, host_name};

/// Fields that state whether the call's URL is a pattern.
const METHODS: [&str; 2] = ["x-purge-method", "x-vc-purge-method"];

/// Fields with tags, separated by blanks or commas.
const TAG_LISTS: [&str; 6] = [
    "xkey-purge",
    "xkey-softpurge",
    "xkey",
    "key",
    "surrogate-key",
    "cache-tag",
];

/// The one of [`TAG_LISTS`] whose tags are purged softly.
const SOFT: &str = "xkey-softpurge";

/// Fields with a regular expression for the tags of a response.
const TAG_PATTERNS: [&str; 5] = [
    "cache-tags",
    "x-cache-tags",
    "purge-cache-tags",
    "x-drupal-cache-tags",
    "x-magento-tags-pattern",
];

/// Fields with a regular expression for URLs.
const URL_PATTERNS: [&str; 3] = ["x-url", "x-ban-url", "x-purge-url"];

/// o2switch: a pattern that is appended to the path of the call, or a whole
/// path.
const PURGE_REGEX: &str = "x-purge-regex";

/// Fields with a regular expression for hosts.
const HOST_PATTERNS: [&str; 4] = ["x-host", "x-ban-host", "x-purge-host", "x-vc-purge-host"];

/// Fields that select responses by properties that Edgekeep does not store.
const UNKNOWN: [&str; 8] = [
    "x-location-id",
    "x-purge-domain",
    "x-ban-regex",
    "varnish-ban-all",
    "varnish-ban-typo3-pid",
    "varnish-ban-typo3-tag",
    "varnish-ban-typo3-sitename",
    "ban-expression",
];

const TAGS_HINT: &str = "of tags, a list, an alternation such as (a|b), and .* for everything are known: name the tags one by one, in xkey-purge or Cache-Tags";
const URLS_HINT: &str = "of URL patterns, .* for the whole host, /path/.* for a path and all below it, and ^/path$ for one page are known, and alternations of them: send one of these, or PURGE the URL itself";
const HOSTS_HINT: &str = "of hosts, names such as ^www\\.example\\.com$ and alternations of them are known, and .* only where the URL is .* too: name the hosts";
const METHOD_HINT: &str = "must be regex, exact or default";
const UNKNOWN_HINT: &str =
    "answers here cannot be found by this field: PURGE the URL, or name tags in xkey-purge";
const EXACT_HINT: &str =
    "no page has such a URL: for a pattern, send X-Purge-Method: regex or none";
const BAR_HINT: &str = "a path with | or ( and a wildcard may be a page's own address: for a pattern, send X-Purge-Method: regex; for the page, exact";
const REST_HINT: &str = "must not begin with |, which would make it another path: send a pattern that begins with ^ or /";
const QUERY_HINT: &str = "a pattern must not have a query: send it in X-Purge-Regex, or PURGE the URL with X-Purge-Method: exact";

/// Whether a method is one of these calls.
pub fn is_method(method: &str) -> bool {
    matches!(method, "PURGE" | "BAN")
}

/// Returns the fields that change the meaning of a call, as lines `name: value`
/// in a fixed order. A signature must cover them (`flow::purge::authenticate`).
pub fn lines(fields: &Fields) -> String {
    let lists = [
        METHODS.as_slice(),
        &TAG_LISTS,
        &TAG_PATTERNS,
        &URL_PATTERNS,
        &[PURGE_REGEX],
        &HOST_PATTERNS,
    ];
    let names = lists.into_iter().flatten();
    let lines = names.filter_map(|name| Some((name, fields.joined(name)?)));
    lines.fold(String::new(), |text, (name, value)| {
        format!("{text}\n{name}: {}", value.trim())
    })
}

/// Returns the token that a plug-in of WordPress ("Varnish Caching") or
/// FOSHttpCache sends in a field of its own.
pub fn token(fields: &Fields) -> Option<&str> {
    let own = ["x-vc-purge-key", "x-invalidate-token"];
    own.into_iter().find_map(|name| fields.get(name))
}

/// How the fields say that the call's own URL is to be read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum UrlMeaning {
    None,
    Regex,
    Exact,
    /// With all its queries, as in the plug-ins' own VCL.
    Default,
}

/// An error in a call: the field, and advice.
struct Wrong(&'static str, &'static str);

/// The hosts that a call purges.
enum Hosts {
    All,
    These(Vec<String>),
}

/// Adds the selectors of a call to `parsed`. `ban`: its method is `BAN`.
/// Returns an error if it has too many for one order.
pub fn read(
    parsed: &mut ParsedPurge,
    rules: &Rules,
    ban: bool,
    url: &Url,
    fields: &Fields,
) -> Result<(), NotOrder> {
    let call = Call {
        rules,
        ban,
        url,
        fields,
    };
    match call.add_selectors(parsed) {
        Ok(()) => Ok(()),
        Err(Failure::TooMany) => Err(NotOrder::TooMany),
        Err(Failure::Wrong(Wrong(field, hint))) => {
            parsed.refused.push((field.to_owned(), hint.to_owned()));
            Ok(())
        }
    }
}

enum Failure {
    TooMany,
    Wrong(Wrong),
}

fn wrong(field: &'static str, hint: &'static str) -> Failure {
    Failure::Wrong(Wrong(field, hint))
}

/// Expands the pattern in a field.
fn branches(field: &'static str, value: &str, hint: &'static str) -> Result<Vec<Branch>, Failure> {
    expand(value.trim()).map_err(|error| match error {
        PatternError::Unknown => wrong(field, hint),
        PatternError::TooLarge => Failure::TooMany,
    })
}

struct Call<'a> {
    rules: &'a Rules,
    ban: bool,
    url: &'a Url,
    fields: &'a Fields,
}

impl Call<'_> {
    fn add_selectors(&self, parsed: &mut ParsedPurge) -> Result<(), Failure> {
        if let Some(field) = UNKNOWN.iter().find(|name| self.fields.has(name)) {
            return Err(wrong(field, UNKNOWN_HINT));
        }
        let url_meaning = self.url_meaning()?;
        let named_lists = self.tag_lists(parsed);
        let named_patterns = self.tag_patterns(parsed)?;
        if named_lists || named_patterns {
            // A URL or host beside the tags would narrow the purge. Purging all
            // of the tags covers more.
            return Ok(());
        }
        let hosts = self.hosts()?;
        let patterns = self.url_patterns()?;
        match patterns {
            Some((field, patterns)) => self.add_patterns(parsed, field, patterns, hosts),
            None => self.add_own_url(parsed, url_meaning, hosts),
        }
    }

    fn url_meaning(&self) -> Result<UrlMeaning, Failure> {
        let mut found = UrlMeaning::None;
        for field in METHODS {
            let value = self.fields.joined(field).unwrap_or_default();
            let url_meaning = match value.trim().to_ascii_lowercase().as_str() {
                "" => continue,
                "regex" => UrlMeaning::Regex,
                "exact" => UrlMeaning::Exact,
                "default" => UrlMeaning::Default,
                _ => return Err(wrong(field, METHOD_HINT)),
            };
            if found != UrlMeaning::None && found != url_meaning {
                return Err(wrong(field, METHOD_HINT));
            }
            found = url_meaning;
        }
        Ok(found)
    }

    fn tag_lists(&self, parsed: &mut ParsedPurge) -> bool {
        let mut any = false;
        for field in TAG_LISTS {
            let Some(value) = self.fields.joined(field) else {
                continue;
            };
            any = true;
            self.add_tags(parsed, field, &value, field == SOFT);
        }
        any
    }

    fn add_tags(&self, parsed: &mut ParsedPurge, field: &str, text: &str, soft: bool) {
        for tag in text.split([' ', '\t', ',']).filter(|tag| !tag.is_empty()) {
            parsed.add(self.rules, PurgeKind::Tag, field.to_owned(), tag, soft);
        }
    }

    fn tag_patterns(&self, parsed: &mut ParsedPurge) -> Result<bool, Failure> {
        let mut any = false;
        for field in TAG_PATTERNS {
            let Some(value) = self.fields.joined(field) else {
                continue;
            };
            any = true;
            for Branch { text, end, .. } in branches(field, &value, TAGS_HINT)? {
                match (text.as_str(), end) {
                    ("", End::Rest) => parsed.add_everything(false),
                    ("", _) | (_, End::Rest | End::Below | End::Queries) => {
                        return Err(wrong(field, TAGS_HINT));
                    }
                    (tags, End::Open | End::Closed) => self.add_tags(parsed, field, tags, false),
                }
            }
        }
        Ok(any)
    }

    fn hosts(&self) -> Result<Hosts, Failure> {
        for field in HOST_PATTERNS {
            let Some(value) = self.fields.joined(field) else {
                continue;
            };
            let mut hosts = Vec::new();
            for Branch { text, end, .. } in branches(field, &value, HOSTS_HINT)? {
                match (text.is_empty(), end) {
                    (true, End::Rest) => return Ok(Hosts::All),
                    (false, End::Open | End::Closed) if is_host(&text) => hosts.push(text),
                    _ => return Err(wrong(field, HOSTS_HINT)),
                }
            }
            return Ok(Hosts::These(hosts));
        }
        Ok(Hosts::These(vec![self.url.host.clone()]))
    }

    /// Returns the URL patterns in the call's fields, and the field's name.
    fn url_patterns(&self) -> Result<Option<(&'static str, Vec<Branch>)>, Failure> {
        for field in URL_PATTERNS {
            if let Some(value) = self.fields.joined(field) {
                return Ok(Some((field, branches(field, &value, URLS_HINT)?)));
            }
        }
        let Some(value) = self.fields.joined(PURGE_REGEX) else {
            return Ok(None);
        };
        let value = value.trim();
        if value.starts_with('|') {
            return Err(wrong(PURGE_REGEX, REST_HINT));
        }
        let whole = match value.starts_with(['^', '/']) {
            true => value.to_owned(),
            false => format!("{}{value}", escaped(&self.url.path)),
        };
        Ok(Some((
            PURGE_REGEX,
            branches(PURGE_REGEX, &whole, URLS_HINT)?,
        )))
    }

    fn add_own_url(
        &self,
        parsed: &mut ParsedPurge,
        url_meaning: UrlMeaning,
        hosts: Hosts,
    ) -> Result<(), Failure> {
        const FIELD: &str = "url";
        let path = self.url.path.as_str();
        let is_pattern = path.contains('*') || path.contains(".+");
        if url_meaning == UrlMeaning::Regex || (url_meaning == UrlMeaning::None && is_pattern) {
            if url_meaning == UrlMeaning::None && has_alternation(path) {
                return Err(wrong(FIELD, BAR_HINT));
            }
            if self.url.query.is_some() {
                return Err(wrong(FIELD, QUERY_HINT));
            }
            let pattern = match url_meaning {
                // The URL standard escapes these in paths.
                UrlMeaning::Regex => path.replace("%5E", "^").replace("%7C", "|"),
                _ => path.to_owned(),
            };
            let patterns = branches(FIELD, &pattern, URLS_HINT)?;
            return self.add_patterns(parsed, FIELD, patterns, hosts);
        }
        let wild = [".*", "/*", ".*)", ".*$"];
        if wild.iter().any(|end| path.ends_with(end)) {
            return Err(wrong(FIELD, EXACT_HINT));
        }
        let end = match url_meaning {
            UrlMeaning::Default => End::Queries,
            // In most VCL, a ban covers all URLs that begin with this one.
            UrlMeaning::None if self.ban => End::Below,
            _ => End::Closed,
        };
        let text = match (&self.url.query, end) {
            (Some(query), End::Closed) => format!("{}?{query}", self.url.path),
            _ => self.url.path.clone(),
        };
        let own = Branch {
            anchored: true,
            text,
            end,
        };
        self.add_patterns(parsed, FIELD, vec![own], hosts)
    }

    fn add_patterns(
        &self,
        parsed: &mut ParsedPurge,
        field: &'static str,
        patterns: Vec<Branch>,
        hosts: Hosts,
    ) -> Result<(), Failure> {
        let whole = |pattern: &Branch| {
            let open = matches!(pattern.end, End::Open | End::Rest | End::Below);
            open && matches!(pattern.text.as_str(), "" | "/")
        };
        let hosts = match hosts {
            Hosts::All if patterns.iter().any(whole) => {
                parsed.add_everything(false);
                return Ok(());
            }
            Hosts::All => return Err(wrong("x-host", HOSTS_HINT)),
            Hosts::These(hosts) => hosts,
        };
        if hosts.len().saturating_mul(patterns.len()) > SELECTORS_MAX {
            return Err(Failure::TooMany);
        }
        for pattern in &patterns {
            let kind = reach(pattern).ok_or_else(|| wrong(field, URLS_HINT))?;
            for host in &hosts {
                self.add_place(parsed, field, kind, host, &pattern.text);
            }
        }
        Ok(())
    }

    fn add_place(
        &self,
        parsed: &mut ParsedPurge,
        field: &str,
        reach: Reach,
        host: &str,
        text: &str,
    ) {
        let url = format!("{}://{host}{text}", self.url.scheme);
        let field = field.to_owned();
        match reach {
            Reach::Url => parsed.add(self.rules, PurgeKind::Url, field, &url, false),
            Reach::Prefix => parsed.add(self.rules, PurgeKind::Prefix, field, &url, false),
            Reach::Path => parsed.add_path(field, &url),
        }
    }
}

/// Whether a path that looks like an alternation may as well be the literal
/// path of a page: `/wiki/A/|/*`. A `(.*)` at the end does not count.
fn has_alternation(path: &str) -> bool {
    let start = path.strip_suffix("(.*)").unwrap_or(path);
    start.contains(['|', '(']) || start.to_ascii_uppercase().contains("%7C")
}

/// Returns the pattern that matches exactly this path.
fn escaped(path: &str) -> String {
    let mut pattern = String::with_capacity(path.len());
    for char in path.chars() {
        if "\\^$.|?*+()[]{}".contains(char) {
            pattern.push('\\');
        }
        pattern.push(char);
    }
    pattern
}

/// Whether a text is a host, with or without a port, and nothing else: after
/// `b.test#`, the path would become a fragment.
fn is_host(text: &str) -> bool {
    let url = Url::parse(&format!("http://{text}/"));
    url.is_ok() && canonical_host(host_name(text)).is_some()
}

/// The kind of selector for a URL pattern.
#[derive(Clone, Copy)]
enum Reach {
    Url,
    Path,
    Prefix,
}

/// Returns the kind of selector that covers all that a pattern means. A path
/// without `^` begins at the root, too: `/blog/.*` is not meant to match
/// `/a/blog/`.
fn reach(pattern: &Branch) -> Option<Reach> {
    let text = pattern.text.as_str();
    let has_query = text.contains('?');
    match pattern.end {
        End::Open | End::Rest if text.is_empty() => Some(Reach::Prefix),
        _ if !text.starts_with('/') => None,
        End::Closed => pattern.anchored.then_some(Reach::Url),
        // This covers more than the query in the pattern.
        End::Open | End::Rest | End::Queries if has_query => Some(Reach::Path),
        End::Queries => Some(Reach::Path),
        End::Below if !has_query => Some(Reach::Prefix),
        End::Open | End::Rest if text.ends_with('/') => Some(Reach::Prefix),
        _ => None,
    }
}
