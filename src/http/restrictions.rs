//! The restrictive words of a caching field, also outside of its grammar.
//!
//! Frameworks and administrators write `private; max-age=60` or
//! `"private", max-age=60`. By the grammar of RFC 9111 §5.2 such a member is an
//! unknown directive, which a cache ignores; a page for one user would then be
//! stored for all. So a restrictive directive counts wherever its word occurs.
//! A permissive one counts only in the grammar (`http::cache_control`).

/// Which restrictive words a text contains.
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
    /// `max-age` or `s-maxage`: a lifetime that cannot be read. RFC 9111 §4.2.1
    /// encourages caches to treat such a response as stale.
    pub lifetime: bool,
}

impl Restrictions {
    /// Adds the restrictive words of a text. A word is a run of letters, digits,
    /// `-` and `_`, in any case: `x-private` and `no-store-remote` do not count.
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

/// Whether a character occurs in the usual names of directives. RFC 9110 §5.6.2
/// allows more in a token, such as `'`, which people use as a quote.
pub fn is_of_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_')
}
