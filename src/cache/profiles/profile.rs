//! Profiles: settings for a framework, which come with Edgekeep. A profile is
//! data in the format of the settings. The user's own settings take precedence
//! over it (see `cache::config::inheritance`).
//!
//! `docs/frameworks` describes what else the origin of each profile needs.

use super::frameworks::{self as tables};

/// A profile: its name and its settings.
#[derive(Debug)]
pub struct Profile {
    /// Its name in the setting `profile`.
    pub name: &'static str,
    /// Its `defaults` and `rules`, as JSON.
    pub json: &'static str,
}

const fn profile(name: &'static str, json: &'static str) -> Profile {
    Profile { name, json }
}

/// All profiles.
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
