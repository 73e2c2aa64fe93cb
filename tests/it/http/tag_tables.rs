//! Tests from which fields tags are read, how many count, and the reason for not
//! storing a response whose head is too large for the tiers.

use edgekeep::cache::policy::entry::Entry;
use serde_json::json;
use testkit::given::{lookup, outcome, stored};

#[test]
fn tags_are_read_from_the_fields_of_drupal_and_others() {
    #[track_caller]
    fn check(fields: &str, expected: &[&str]) {
        let entry = stored(&format!("200 | cache-control: max-age=60 | {fields}"));
        assert_eq!(entry.tags, expected, "{fields}");
        for name in [
            "cache-tags",
            "x-drupal-cache-tags",
            "purge-cache-tags",
            "x-cache-tags",
        ] {
            assert!(!entry.fields.has(name), "{fields}");
        }
    }
    check("cache-tags: node:1 node:2", &["node:1", "node:2"]);
    check(
        "cache-tags: node:1,node:2, node_list",
        &["node:1", "node:2", "node_list"],
    );
    check("Cache-Tags: a | cache-tags: b", &["a", "b"]);
    check(
        "x-drupal-cache-tags: node:1 config:x.y",
        &["config:x.y", "node:1"],
    );
    check("purge-cache-tags: a b", &["a", "b"]);
    check("x-cache-tags: a, b c", &["a", "b", "c"]);
    check("cache-tags: edgekeep-1 a", &["a"]);
    // A space does not separate here, so `a b` is one text and not a valid tag.
    check("cache-tag: a b, c", &["c"]);
}

/// Tags in Drupal's format, of this many bytes including their separators.
fn drupal_tags(bytes: usize) -> String {
    let mut tags = String::new();
    for number in 1.. {
        let tag = format!("node:{number} ");
        if tags.len() + tag.len() > bytes {
            break;
        }
        tags.push_str(&tag);
    }
    tags.trim().to_owned()
}

#[test]
fn response_with_too_many_tags_is_not_stored() {
    for field in ["cache-tags", "x-drupal-cache-tags", "surrogate-key"] {
        let answer = |bytes| {
            format!(
                "200 | cache-control: max-age=60 | {field}: {}",
                drupal_tags(bytes)
            )
        };
        let lookup = lookup(&json!({}), "GET");
        assert_eq!(outcome(&lookup, &answer(28 * 1024)), "60 0 86400");
        assert_eq!(outcome(&lookup, &answer(60 * 1024)), "too-many-tags");
        let entry = stored(&answer(28 * 1024));
        assert!(entry.tags.len() > 2_900, "{}", entry.tags.len());
        assert!(
            Entry::decode(&entry.encode()).as_ref() == Ok(&entry),
            "{field}"
        );
    }
    let few = format!("{} ", "x".repeat(1000)).repeat(200);
    let few: Vec<String> = few
        .split(' ')
        .enumerate()
        .map(|(n, tag)| format!("{n}{tag}"))
        .collect();
    let answer = format!(
        "200 | cache-control: max-age=60 | cache-tags: {}",
        few.join(" ")
    );
    assert_eq!(outcome(&lookup(&json!({}), "GET"), &answer), "large-head");
}

#[test]
fn cloudflare_cdn_cache_control_is_removed() {
    let entry = stored(
        "200 | cloudflare-cdn-cache-control: max-age=60 | cdn-cache-control: max-age=5 | cache-control: no-store",
    );
    assert_eq!(entry.terms.lifetime, 60);
    assert!(!entry.fields.has("cloudflare-cdn-cache-control"));
    assert!(entry.fields.has("cdn-cache-control"));
}
