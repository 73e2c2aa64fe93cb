//! The restrictive words of a caching field, wherever they stand in it.
//!
//! Frameworks and administrators write `private; max-age=60` or
//! `"private", max-age=60`. By the grammar of RFC 9111 §5.2 such a member is an
//! unknown directive, which a cache ignores; then one reader's page would be
//! stored for all. So what limits a cache counts as a word; what permits
//! something counts in the grammar alone (`http::cache_control`).

/// Which restrictive words a text holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Restrictions {
    /// `private`
    pub private: bool,
    /// `no-store`
    pub no_store: bool,
    /// `no-cache`
    pub no_cache: bool,
    /// `must-revalidate` or `proxy-revalidate`
    pub revalidate: bool,
    /// `must-understand`
    pub must_understand: bool,
    /// `max-age` or `s-maxage`: a lifetime that cannot be read, which RFC 9111
    /// §4.2.1 has taken for stale.
    pub lifetime: bool,
}

impl Restrictions {
    /// Adds the words of a text. A word is a run of letters, digits, `-` and
    /// `_`, in any case: `x-private` and `no-store-remote` are other words.
    pub fn scan(&mut self, text: &str) {
        for word in text.split(|c: char| !is_of_word(c)) {
            self.add(word);
        }
    }

    fn add(&mut self, word: &str) {
        let is = |known: &str| word.eq_ignore_ascii_case(known);
        self.private |= is("private");
        self.no_store |= is("no-store");
        self.no_cache |= is("no-cache");
        self.revalidate |= is("must-revalidate") || is("proxy-revalidate");
        self.must_understand |= is("must-understand");
        self.lifetime |= is("max-age") || is("s-maxage");
    }
}

/// Whether a character is part of a directive's name as it is in use. RFC 9110
/// §5.6.2 has more in a token, such as `'`, which people take for a quote.
pub fn is_of_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_')
}
