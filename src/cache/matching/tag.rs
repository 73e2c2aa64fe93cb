//! Tags (surrogate keys): which texts may be one.

/// How long a tag may be: Cloudflare's limit for purge by tag.
const TAG_BYTES_MAX: usize = 1024;
/// How many tags of an entry count; more are a reason not to store it. 28 KiB
/// of Drupal's tags, such as `node:1234`, are about 2,950. Each costs a digest
/// when the entry is made (about 1 µs), and the text of an entry bounds their
/// bytes (`entry::ENTRY_BYTES_MAX`).
pub const TAGS_MAX: usize = 4000;

/// How the tags begin under which the zone's purge finds entries by their other
/// names (`cache::purge::zone_purge`). No order, origin or setting may use such a tag: a key
/// for tags alone could purge URLs and hosts by it.
pub const RESERVED_TAG_PREFIX: &str = "edgekeep-";

/// Whether a tag begins with [`RESERVED_TAG_PREFIX`], in any case: the zone's
/// tags are case-insensitive (Cloudflare Cache, "Purge cache by cache-tags").
pub fn is_reserved_tag(tag: &str) -> bool {
    let start = tag.get(..RESERVED_TAG_PREFIX.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(RESERVED_TAG_PREFIX))
}

/// Whether a text may be a tag: printable ASCII without spaces and commas,
/// which separate tags in response fields.
pub fn is_tag(tag: &str) -> bool {
    let valid = |b: u8| b.is_ascii_graphic() && b != b',';
    !tag.is_empty() && tag.len() <= TAG_BYTES_MAX && tag.bytes().all(valid)
}
