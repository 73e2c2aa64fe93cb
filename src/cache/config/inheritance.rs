//! What a rule inherits. A field comes from the first of these that sets it: the
//! user's rule, the profile's rule for the same URL, the user's defaults, the
//! profile's defaults. All are combined when the settings are read, so that a
//! request needs one lookup of a complete rule.

use super::compile::compile;
use super::error::{RulesError, wrong};
use super::read_settings::read_settings;
use super::rule::Rule;
use super::rule::Source;
use super::settings::{RuleSettings, Settings};
use super::url_match::Scope;
use crate::cache::profiles::profile::{PROFILES, Profile};
use std::rc::Rc;

/// Compiles all rules, in the order in which they are tried, and the rule for
/// URLs that none of them matches.
pub(crate) fn compile_all(
    settings: &Settings,
    origin_timeout_seconds: u64,
) -> Result<(Vec<Rc<Rule>>, Rc<Rule>), RulesError> {
    let defaults = &settings.defaults;
    let loaded = LoadedProfiles::of(settings)?;
    let none = RuleSettings::default();
    let base = loaded.get(settings.profile.as_deref());
    let under = base.map_or(&none, |profile| &profile.defaults);
    let compile = |at: &str, scope: Scope, layers: &[&RuleSettings], source: Source| {
        let rule = compile(at, scope, layers, origin_timeout_seconds)?;
        Ok(Rc::new(Rule { source, ..rule }))
    };
    let source = |own, profile: Option<&LoadedProfile>, beneath| Source {
        own,
        profile: profile.map(|loaded| loaded.profile),
        beneath,
    };
    let layers = [defaults, under];
    let everywhere = Scope::of(defaults);
    let fallback = compile("defaults", everywhere, &layers, source(None, base, None))?;
    let mut rules = Vec::new();
    for (number, rule) in settings.rules.iter().enumerate() {
        let at = format!("rules[{number}]");
        let is_path = |path: &String| path.starts_with(['/', '*']);
        if rule.path.as_ref().is_some_and(|path| !is_path(path)) {
            let at = format!("{at}.path");
            return Err(wrong(&at, "must begin with / or *"));
        }
        let scope = Scope::of(rule);
        let profile = match &rule.profile {
            Some(name) => loaded.get(Some(name)),
            None => base,
        };
        let under = profile.map_or(&none, |profile| &profile.defaults);
        let own = Some(number);
        for (number, beneath) in profile.iter().flat_map(|p| p.rules.iter().enumerate()) {
            if let Some(scope) = scope.within(beneath) {
                let layers = [rule, beneath, defaults, under];
                let source = source(own, profile, Some(number));
                rules.push(compile(&at, scope, &layers, source)?);
            }
        }
        let layers = [rule, defaults, under];
        rules.push(compile(&at, scope, &layers, source(own, profile, None))?);
    }
    for (number, beneath) in base.iter().flat_map(|p| p.rules.iter().enumerate()) {
        let layers = [beneath, defaults, under];
        let source = source(None, base, Some(number));
        rules.push(compile("profile", Scope::of(beneath), &layers, source)?);
    }
    Ok((rules, fallback))
}

/// A profile that the settings use, with its parsed settings.
#[derive(Debug)]
pub(crate) struct LoadedProfile {
    /// The profile.
    pub profile: &'static Profile,
    /// Its defaults.
    pub defaults: RuleSettings,
    /// Its rules, in order.
    pub rules: Vec<RuleSettings>,
}

/// The profiles that the settings use, each parsed once.
#[derive(Debug, Default)]
pub(crate) struct LoadedProfiles(Vec<LoadedProfile>);

impl LoadedProfiles {
    /// Loads the profiles that `settings` name. The error for an unknown name
    /// lists the valid ones.
    pub fn of(settings: &Settings) -> Result<Self, RulesError> {
        let mut loaded = Self::default();
        loaded.add("profile", settings.profile.as_deref())?;
        for (at, rule) in settings.rules.iter().enumerate() {
            loaded.add(&format!("rules[{at}].profile"), rule.profile.as_deref())?;
        }
        Ok(loaded)
    }

    /// The loaded profile of this name; `None` without a name.
    pub fn get(&self, name: Option<&str>) -> Option<&LoadedProfile> {
        self.0
            .iter()
            .find(|loaded| Some(loaded.profile.name) == name)
    }

    fn add(&mut self, path: &str, name: Option<&str>) -> Result<(), RulesError> {
        let Some(name) = name else { return Ok(()) };
        if self.get(Some(name)).is_some() {
            return Ok(());
        }
        let Some(profile) = PROFILES.iter().find(|profile| profile.name == name) else {
            let names = PROFILES.map(|profile| profile.name).join(", ");
            let problem = format!("there is no profile of this name; there are: {names}");
            return Err(wrong(path, problem));
        };
        let Settings {
            defaults, rules, ..
        } = read_settings(profile.json)?;
        self.0.push(LoadedProfile {
            profile,
            defaults,
            rules,
        });
        Ok(())
    }
}
