//! The site to which requests go.

use crate::http::url::Url;
use std::net::IpAddr;

/// A site: scheme and host, with its port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site(Url);

/// Why a text is no site.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SiteError {
    /// There is none.
    #[error("name the site: --site https://www.example.com, or the variable EDGEKEEP_SITE")]
    Missing,
    /// It is not a URL.
    #[error("the site {0} is no URL: write it as https://www.example.com")]
    NotUrl(String),
    /// It has a path or a query.
    #[error("the site {0} has a path: write it as https://www.example.com")]
    Path(String),
    /// A token would be readable on the way.
    #[error(
        "a token over http:// can be read on the way: use https:// (a signing secret may use http://)"
    )]
    PlainToken,
}

impl Site {
    /// Parses a site.
    pub fn read(text: Option<&str>) -> Result<Self, SiteError> {
        let text = text.map(str::trim).filter(|text| !text.is_empty());
        let text = text.ok_or(SiteError::Missing)?;
        let url = Url::parse(text).map_err(|_| SiteError::NotUrl(text.to_owned()))?;
        if url.path != "/" || url.query.is_some() {
            return Err(SiteError::Path(text.to_owned()));
        }
        Ok(Self(url))
    }

    /// The URL of a path, which may have a query.
    pub fn url(&self, path_and_query: &str) -> Url {
        let (path, query) = match path_and_query.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (path_and_query, None),
        };
        Url {
            path: path.to_owned(),
            query,
            ..self.0.clone()
        }
    }

    /// Whether a request to it can be read on the way: plain http to another
    /// computer.
    pub fn is_readable_on_the_way(&self) -> bool {
        let name = self.0.host_name();
        let address = name.trim_matches(['[', ']']).parse::<IpAddr>();
        let is_local = name == "localhost"
            || name.ends_with(".localhost")
            || address.is_ok_and(|address| address.is_loopback());
        self.0.scheme == "http" && !is_local
    }
}

impl std::fmt::Display for Site {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}", self.0.scheme, self.0.host)
    }
}
