//! The dialects of purge calls: other caches whose calls a rule can accept.

/// The dialect of a purge call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// `PURGE <url>` and `BAN` (`cache::purge::varnish`).
    Varnish,
    /// `POST /service/<id>/purge` and related calls.
    Fastly,
    /// `POST /client/v4/zones/<id>/purge_cache`
    Cloudflare,
    /// Orders to Edgekeep's own URL, signed as GitHub signs its webhooks.
    Github,
}

impl Dialect {
    /// Its name in settings and receipts.
    pub fn word(self) -> &'static str {
        match self {
            Self::Varnish => "varnish",
            Self::Fastly => "fastly",
            Self::Cloudflare => "cloudflare",
            Self::Github => "github",
        }
    }
}
