//! The caches whose purge calls a rule can accept.

/// Whose words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// `PURGE <url>` and `BAN` (`cache::purge::varnish`).
    Varnish,
    /// `POST /service/<id>/purge` and its kin.
    Fastly,
    /// `POST /client/v4/zones/<id>/purge_cache`
    Cloudflare,
    /// Orders to our own address, signed as GitHub signs its webhooks.
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
