//! Freshness lifetimes and stale windows of pages, by docs/ and the RFCs,
//! written independently of the code under test.

/// The `Cache-Control` of a page. Times are in seconds.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    pub max_age: u64,
    pub s_maxage: Option<u64>,
    pub while_revalidate: Option<u64>,
    pub if_error: Option<u64>,
    pub must_revalidate: bool,
}

/// The stale windows in the settings, for pages without their own.
#[derive(Clone, Copy, Debug, Default)]
pub struct Windows {
    pub while_revalidate: Option<u64>,
    pub if_error: Option<u64>,
}

/// docs/rules.md, `stale_if_error`: the default without a value in page and
/// settings.
const IF_ERROR_SECONDS: u64 = 86_400;

impl Terms {
    /// `Cache-Control` as the origin sends it.
    pub fn cache_control(&self) -> String {
        let mut text = format!("max-age={}", self.max_age);
        for (name, seconds) in [
            ("s-maxage", self.s_maxage),
            ("stale-while-revalidate", self.while_revalidate),
            ("stale-if-error", self.if_error),
        ] {
            if let Some(seconds) = seconds {
                text += &format!(", {name}={seconds}");
            }
        }
        if self.must_revalidate {
            text += ", must-revalidate";
        }
        text
    }

    /// The freshness lifetime.
    pub fn lifetime(&self) -> u64 {
        self.s_maxage.unwrap_or(self.max_age)
    }

    /// The `stale-while-revalidate` window that applies.
    pub fn while_revalidate_seconds(&self, settings: Windows) -> u64 {
        let ours = settings.while_revalidate.filter(|_| self.lifetime() > 0);
        let named = self.while_revalidate.or(ours);
        named.filter(|_| !self.must_revalidate).unwrap_or(0)
    }

    /// The `stale-if-error` window that applies.
    pub fn if_error_seconds(&self, settings: Windows) -> u64 {
        let default = match self.s_maxage {
            Some(_) => 0,
            None => IF_ERROR_SECONDS,
        };
        let ours = match self.lifetime() {
            // docs/what-is-stored.md: a response that was never fresh is not
            // shared.
            0 => 0,
            _ => settings.if_error.unwrap_or(default),
        };
        match self.must_revalidate {
            true => 0,
            false => self.if_error.unwrap_or(ours),
        }
    }
}
