//! Deserializers for settings that are one of several words, or not `null`.

use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// Reads an optional field; `null` is an error.
pub fn not_null<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

/// Reads one of `words`, and returns its value.
pub fn one_of<'de, T: Copy, D: Deserializer<'de>>(
    from: D,
    words: &[(&str, T)],
) -> Result<T, D::Error> {
    let text = String::deserialize(from).ok();
    let found = words.iter().find(|(word, _)| text.as_deref() == Some(word));
    found.map(|(_, value)| *value).ok_or_else(|| {
        let words: Vec<_> = words
            .iter()
            .map(|(word, _)| format!("\"{word}\""))
            .collect();
        D::Error::custom(format_args!("must be {}", words.join(" or ")))
    })
}

/// Reads the word `"all"`.
pub fn all_word<'de, D: Deserializer<'de>>(from: D) -> Result<(), D::Error> {
    one_of(from, &[("all", ())])
}

/// Reads the word `"earned"`.
pub fn earned_word<'de, D: Deserializer<'de>>(from: D) -> Result<(), D::Error> {
    one_of(from, &[("earned", ())])
}
