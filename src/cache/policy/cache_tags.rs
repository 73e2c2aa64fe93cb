//! Cache tags (surrogate keys) of a response.

use crate::cache::matching::tag::{is_reserved_tag, is_tag};
use crate::http::fields::Fields;
use crate::http::list;

/// Response fields that carry tags, and their separators. `Cache-Tag`:
/// Cloudflare Cache, "Purge cache by cache-tags"; `Surrogate-Key`: Fastly;
/// `xkey`: Varnish's vmod. The others: Drupal core
/// (`http.response.debug_cacheability_headers`), its modules `varnish_purger`
/// and `purge_purger_http`, and FOSHttpCache (drupal.org, "Cache tags +
/// Varnish"), with blanks or commas, as configured.
const TAG_FIELDS: [(&str, &[char]); 7] = [
    ("cache-tag", &[',']),
    ("surrogate-key", &BLANKS),
    ("xkey", &BLANKS),
    ("cache-tags", &BLANKS_AND_COMMAS),
    ("x-drupal-cache-tags", &BLANKS),
    ("purge-cache-tags", &BLANKS_AND_COMMAS),
    ("x-cache-tags", &BLANKS_AND_COMMAS),
];

const BLANKS: [char; 2] = [' ', '\t'];
const BLANKS_AND_COMMAS: [char; 3] = [' ', '\t', ','];

/// Returns the tags of a response: those of its fields and of the rule, sorted,
/// each once. A text that is no tag by [`is_tag`] could never be purged and is
/// left out. Reserved tags are left out too: an order must not match a page by
/// them.
pub fn of(fields: &Fields, of_rule: &[String]) -> Vec<String> {
    let mut tags = of_rule.to_vec();
    for (name, separators) in TAG_FIELDS {
        for value in fields.all(name) {
            let found = value.split(separators);
            tags.extend(
                found
                    .map(list::trim)
                    .filter(|t| is_tag(t) && !is_reserved_tag(t))
                    .map(str::to_owned),
            );
        }
    }
    tags.sort_unstable();
    tags.dedup();
    tags
}

/// Whether a response field carries tags. Such fields are not sent to clients.
pub fn is_tag_field(name: &str) -> bool {
    TAG_FIELDS.iter().any(|(field, _)| *field == name)
}
