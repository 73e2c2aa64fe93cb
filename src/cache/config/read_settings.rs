//! Reads settings from JSON: the parts of `Deserialize` that `settings` does not
//! derive, and the texts of errors.

use super::error::{RulesError, wrong};
use super::setting_words::one_of;
use super::setting_words::{Collapse, Dialect, LedgerOutage};
use super::settings::{
    CascadeSettings, FastLaneSettings, KeySettings, MaySettings, OriginSettings,
    ProtectionSettings, RuleSettings, Settings, TwoOrigins, WarmSettings,
};
use crate::http::json_object::{self, JsonError};
use crate::json_object;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;

json_object!(
    Settings,
    TwoOrigins,
    ProtectionSettings,
    WarmSettings,
    KeySettings,
    MaySettings,
    CascadeSettings,
    FastLaneSettings,
    RuleSettings,
);

/// Reads settings without checking their ranges. Errors contain the path of the
/// field, or `EDGEKEEP` for the whole.
pub(crate) fn read_settings(json: &str) -> Result<Settings, RulesError> {
    json_object::read(json).map_err(|error| settings_error(&error))
}

fn settings_error(error: &JsonError) -> RulesError {
    const WHOLE: &str = "EDGEKEEP";
    if error.is_syntax {
        return wrong(WHOLE, format!("is not JSON: {}", error.problem));
    }
    let path = match error.path.as_str() {
        "" => WHOLE,
        path => path,
    };
    wrong(path, explain(&error.problem))
}

/// Converts serde's message to the terms of TOML, and removes the string that
/// was found: it may be a secret in the wrong place, and the message is logged.
fn explain(problem: &str) -> String {
    let Some((found, expected)) = problem.rsplit_once(", expected ") else {
        return problem.to_owned();
    };
    let found = match found.split_once(": string \"") {
        Some((kind @ ("invalid type" | "invalid value"), _)) => format!("{kind}: string"),
        _ => found.to_owned(),
    };
    let expected = match expected {
        "u64" => "a whole number from 0",
        "u16" => "a whole number from 0 to 65535",
        "a sequence" => "a list",
        "a boolean" => "true or false",
        other => other,
    };
    format!("{found}, expected {expected}")
}

// A derived enum would also accept an object such as `{"serve":null}`.

impl<'de> Deserialize<'de> for LedgerOutage {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let words = [("serve", Self::Serve), ("revalidate", Self::Revalidate)];
        one_of(from, &words)
    }
}

impl<'de> Deserialize<'de> for Collapse {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let words = [
            ("off", Self::Off),
            ("isolate", Self::Isolate),
            ("data-centre", Self::DataCentre),
        ];
        one_of(from, &words)
    }
}

impl<'de> Deserialize<'de> for Dialect {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let all = [Self::Varnish, Self::Fastly, Self::Cloudflare, Self::Github];
        one_of(from, &all.map(|dialect| (dialect.word(), dialect)))
    }
}

/// Not derived as an untagged enum, because its errors lack the paths inside the
/// table.
impl<'de> Deserialize<'de> for OriginSettings {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct OneOrTwo;
        impl<'de> Visitor<'de> for OneOrTwo {
            type Value = OriginSettings;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"http(s)://host[:port]\" or { url = \"…\", backup = \"…\" }")
            }

            fn visit_str<E: Error>(self, url: &str) -> Result<Self::Value, E> {
                Ok(OriginSettings::One(url.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                let two = TwoOrigins::deserialize(MapAccessDeserializer::new(map));
                two.map(OriginSettings::Two)
            }
        }
        from.deserialize_any(OneOrTwo)
    }
}
