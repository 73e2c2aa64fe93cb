//! The tags (surrogate keys) that an answer names.

use crate::cache::matching::tag::{is_reserved_tag, is_tag};
use crate::http::fields::Fields;
use crate::http::list;

/// Response fields that carry tags, and what separates them. `Cache-Tag`:
/// Cloudflare Cache, "Purge cache by cache-tags"; `Surrogate-Key`: Fastly;
/// `xkey`: Varnish's vmod. The others: Drupal core
/// (`http.response.debug_cacheability_headers`), its modules `varnish_purger`
/// and `purge_purger_http`, and FOSHttpCache (drupal.org, "Cache tags +
/// Varnish"), with blanks or commas as they are set up.
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

/// The tags of an answer: those of its fields and of the rule, sorted, once
/// each. What is no tag by [`is_tag`] could never be purged and is left out, and
/// so are reserved ones: an order must not reach a page by them.
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
    tags.sort();
    tags.dedup();
    tags
}

/// Whether a response field carries tags: clients do not get it.
pub fn is_tag_field(name: &str) -> bool {
    TAG_FIELDS.iter().any(|(field, _)| *field == name)
}
