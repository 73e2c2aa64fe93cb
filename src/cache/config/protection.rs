//! The limits that protect an origin from overload, as settings.

use super::error::{RulesError, within};
use super::settings::ProtectionSettings;

/// The limits that each isolate applies to each origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protection {
    /// See [`ProtectionSettings::breaker_failures`].
    pub breaker_failures: u64,
    /// See [`ProtectionSettings::breaker_pause`].
    pub breaker_pause_seconds: u64,
    /// See [`ProtectionSettings::max_requests`].
    pub max_requests: u64,
    /// See [`ProtectionSettings::queue_timeout`].
    pub queue_timeout_seconds: u64,
    /// See [`ProtectionSettings::retry_budget`].
    pub retry_budget_percent: u64,
}

impl Protection {
    /// Checks the settings, and applies their defaults.
    pub fn check(settings: &ProtectionSettings) -> Result<Self, RulesError> {
        let number = |name: &str, value, default, limits, unit: &str| {
            within(&format!("protection.{name}"), value, default, limits, unit)
        };
        let failures = settings.breaker_failures;
        let pause = settings.breaker_pause;
        let wait = settings.queue_timeout;
        let budget = settings.retry_budget;
        Ok(Self {
            breaker_failures: number("breaker_failures", failures, 10, (0, 1000), "failures")?,
            breaker_pause_seconds: number("breaker_pause", pause, 10, (1, 3600), "seconds")?,
            max_requests: number(
                "max_requests",
                settings.max_requests,
                100,
                (1, 10_000),
                "requests",
            )?,
            queue_timeout_seconds: number("queue_timeout", wait, 5, (0, 60), "seconds")?,
            retry_budget_percent: number("retry_budget", budget, 10, (0, 100), "percent")?,
        })
    }
}
