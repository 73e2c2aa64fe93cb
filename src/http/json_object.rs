//! Reading and printing of JSON (RFC 8259), with `serde`.
//!
//! A struct that derives `Deserialize` also accepts a JSON array with its fields
//! in order. [`json_object!`](crate::json_object) makes a struct accept only a
//! JSON object.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Why a JSON text could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{}{problem}", .path, if .path.is_empty() { "" } else { ": " })]
pub struct JsonError {
    /// The path of the wrong value, such as `rules[2].edge_ttl`; empty for the
    /// whole text.
    pub path: String,
    /// What is wrong there, with a line and a column if the text is not JSON.
    pub problem: String,
    /// Whether the text is not valid JSON.
    pub is_syntax: bool,
}

/// Reads a JSON text. Text after the value is an error.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, JsonError> {
    let mut reader = serde_json::Deserializer::from_str(text);
    match serde_path_to_error::deserialize(&mut reader) {
        Ok(value) => match reader.end() {
            Ok(()) => Ok(value),
            Err(error) => Err(json_error(String::new(), &error)),
        },
        Err(error) => {
            let path = error.path().to_string();
            Err(json_error(path, error.inner()))
        }
    }
}

/// As [`read`], but errors have no path: for texts that no user writes.
/// That takes a quarter of the code.
pub fn read_without_paths<T: DeserializeOwned>(text: &str) -> Result<T, JsonError> {
    serde_json::from_str(text).map_err(|error| json_error(String::new(), &error))
}

/// As [`read`], from bytes. Invalid UTF-8 is an error.
pub fn read_bytes<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, JsonError> {
    match str::from_utf8(bytes) {
        Ok(text) => read(text),
        Err(error) => Err(JsonError {
            path: String::new(),
            problem: format!("invalid UTF-8 at byte {}", error.valid_up_to()),
            is_syntax: true,
        }),
    }
}

/// Prints a value as JSON, without white space.
///
/// Only for types that can always be printed as JSON: the keys of their maps
/// are strings. For any other type the result is empty.
pub fn print(value: &(impl Serialize + ?Sized)) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn json_error(path: String, error: &serde_json::Error) -> JsonError {
    let is_syntax = !error.is_data();
    let mut problem = error.to_string();
    // The path is more useful: settings are written in TOML, and their JSON has
    // one line.
    if !is_syntax && let Some(end) = problem.rfind(" at line ") {
        problem.truncate(end);
    }
    let path = match path.as_str() {
        // `serde_path_to_error` prints these for the whole text, and for a place
        // that it cannot name.
        "." | "?" => String::new(),
        _ => path,
    };
    JsonError {
        path,
        problem,
        is_syntax,
    }
}

/// Implements `Deserialize` for structs that derive it with
/// `#[serde(remote = "Self")]`, so that they accept only a JSON object. With
/// `Serialize for` before the names, it also implements `Serialize` by the
/// derived function.
#[macro_export]
macro_rules! json_object {
    (Serialize for $($type:ty),* $(,)?) => {
        $crate::json_object!($($type),*);
        $(
            impl serde::Serialize for $type {
                fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                    // The derived function, not the one of this trait.
                    <$type>::serialize(self, to)
                }
            }
        )*
    };
    ($($type:ty),* $(,)?) => { $(
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                struct Object;
                impl<'de> serde::de::Visitor<'de> for Object {
                    type Value = $type;
                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("a table")
                    }
                    fn visit_map<A: serde::de::MapAccess<'de>>(
                        self,
                        map: A,
                    ) -> Result<Self::Value, A::Error> {
                        // The derived function, not the one of this trait.
                        <$type>::deserialize(serde::de::value::MapAccessDeserializer::new(map))
                    }
                }
                from.deserialize_map(Object)
            }
        }
    )* };
}

/// Reads and prints a list of pairs as a JSON object, in order, for
/// `#[serde(with = "json_object::pairs")]`. A duplicate name is an error.
pub mod pairs {
    use serde::de::{Error, MapAccess, Visitor};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::collections::HashSet;
    use std::fmt;
    use std::marker::PhantomData;

    /// Prints the pairs as an object.
    pub fn serialize<T: Serialize, S: Serializer>(
        pairs: &[(String, T)],
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_map(pairs.iter().map(|(name, value)| (name, value)))
    }

    /// Reads the pairs of an object.
    pub fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Vec<(String, T)>, D::Error> {
        struct Pairs<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Pairs<T> {
            type Value = Vec<(String, T)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs: Self::Value = Vec::new();
                let mut names = HashSet::new();
                while let Some(name) = map.next_key::<String>()? {
                    let value = map.next_value()?;
                    if !names.insert(name.clone()) {
                        return Err(A::Error::custom(format_args!("duplicate field `{name}`")));
                    }
                    pairs.push((name, value));
                }
                Ok(pairs)
            }
        }
        from.deserialize_map(Pairs(PhantomData))
    }
}
