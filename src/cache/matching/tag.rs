//! Cache tags (surrogate keys): their syntax and limits.

/// The longest tag, in bytes: Cloudflare's limit for purge by tag.
const TAG_BYTES_MAX: usize = 1024;
/// The largest number of tags of an entry; a response with more is not stored.
/// 28 KiB of Drupal's tags, such as `node:1234`, are about 2,950. Each costs a
/// digest when the entry is made (about 1 µs). `entry::ENTRY_BYTES_MAX` limits
/// their bytes.
pub const TAGS_MAX: usize = 4000;

/// The prefix of the tags by which the zone's purge finds entries for selectors
/// that are not tags (`cache::purge::zone_purge`). No order, origin or setting
/// may use such a tag: with it, a key that is limited to tags could purge URLs
/// and hosts.
pub const RESERVED_TAG_PREFIX: &str = "edgekeep-";

/// Whether a tag begins with [`RESERVED_TAG_PREFIX`], in any case. The zone's
/// tags are case-insensitive (Cloudflare Cache, "Purge cache by cache-tags").
pub fn is_reserved_tag(tag: &str) -> bool {
    let start = tag.get(..RESERVED_TAG_PREFIX.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(RESERVED_TAG_PREFIX))
}

/// Whether a text is a valid tag: 1 to 1024 bytes of printable ASCII, without
/// spaces and commas, which separate tags in response fields.
pub fn is_tag(tag: &str) -> bool {
    let valid = |b: u8| b.is_ascii_graphic() && b != b',';
    !tag.is_empty() && tag.len() <= TAG_BYTES_MAX && tag.bytes().all(valid)
}
