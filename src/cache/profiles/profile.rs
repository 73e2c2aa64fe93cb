//! Profiles: settings that come with Edgekeep, for origins of a kind. A profile
//! is data, in the words of the settings themselves, and lies beneath what the
//! user says (see `layers`).
//!
//! `docs/frameworks` says for each what its origin needs beside.

use super::frameworks::{self as tables};

/// A profile.
#[derive(Debug)]
pub struct Profile {
    /// What the setting `profile` calls it.
    pub name: &'static str,
    /// Its `defaults` and `rules`, as JSON.
    pub json: &'static str,
}

const fn profile(name: &'static str, json: &'static str) -> Profile {
    Profile { name, json }
}

/// All there are.
pub const PROFILES: [Profile; 12] = [
    profile("none", "{}"),
    profile("django", tables::DJANGO),
    profile("wagtail", tables::WAGTAIL),
    profile("wordpress", tables::WORDPRESS),
    profile("drupal", tables::DRUPAL),
    profile("mediawiki", tables::MEDIAWIKI),
    profile("rails", tables::RAILS),
    profile("laravel", tables::LARAVEL),
    profile("magento", tables::MAGENTO),
    profile("nextjs", tables::NEXTJS),
    profile("inertia", tables::INERTIA),
    profile("htmx", tables::HTMX),
];
