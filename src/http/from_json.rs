//! Reading structs from JSON, with the path of what is wrong.

use super::json::Json;
use std::fmt;

/// What is wrong with a value, and where in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// The path, such as `rules[2].edge_ttl`; empty for the value itself.
    pub path: String,
    /// What is wrong there.
    pub problem: String,
}

impl Wrong {
    /// About the value itself.
    pub fn new(problem: impl Into<String>) -> Self {
        Self {
            path: String::new(),
            problem: problem.into(),
        }
    }

    /// The same of what this value is a member of.
    fn under(mut self, name: &str) -> Self {
        let join = if self.path.is_empty() || self.path.starts_with('[') {
            ""
        } else {
            "."
        };
        self.path = format!("{name}{join}{}", self.path);
        self
    }

    fn at(self, at: usize) -> Self {
        self.under(&format!("[{at}]"))
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            return f.write_str(&self.problem);
        }
        write!(f, "{}: {}", self.path, self.problem)
    }
}

/// What can be read from a value.
pub trait FromJson: Sized {
    /// Reads it.
    fn from_json(json: &Json) -> Result<Self, Wrong>;

    /// What stands for a member that is not there, if it need not be.
    fn absent() -> Option<Self> {
        None
    }
}

/// The members of a table, which are read one by one into fields.
///
/// What is wrong is kept until the end: so a field takes one call, and no
/// branch of its own.
pub struct Members<'a> {
    members: &'a [(String, Json)],
    wrong: Option<Wrong>,
}

impl<'a> Members<'a> {
    /// The members of a table.
    pub fn of(json: &'a Json) -> Self {
        let members = json.members();
        let wrong = members.is_none().then(|| Wrong::new("must be a table"));
        Self {
            members: members.unwrap_or_default(),
            wrong,
        }
    }

    /// The same, where each must have one of these names, and none of them
    /// stand there twice.
    pub fn only(json: &'a Json, names: &[&str]) -> Self {
        let mut members = Self::of(json);
        for (at, (name, _)) in members.members.iter().enumerate() {
            if !names.contains(&name.as_str()) {
                let problem = format!("there is no such field here, only {}", names.join(", "));
                members.wrong = Some(Wrong::new(problem).under(name));
                break;
            }
            let mut earlier = members.members.iter().take(at);
            if earlier.any(|(earlier, _)| earlier == name) {
                members.wrong = Some(Wrong::new("stands there twice").under(name));
                break;
            }
        }
        members
    }

    /// The member of this name.
    pub fn find(&self, name: &str) -> Option<&'a Json> {
        let mut members = self.members.iter();
        members.find(|(n, _)| n == name).map(|(_, value)| value)
    }

    /// Reads a member into a field.
    pub fn fill<T: FromJson>(&mut self, name: &str, field: &mut T) {
        let read = match self.find(name) {
            _ if self.wrong.is_some() => return,
            Some(value) => T::from_json(value).map_err(|wrong| wrong.under(name)),
            None => T::absent().ok_or_else(|| Wrong::new(format!("has no \"{name}\""))),
        };
        match read {
            Ok(value) => *field = value,
            Err(wrong) => self.wrong = Some(wrong),
        }
    }

    /// What the fields were filled of, if nothing was wrong.
    pub fn end<T>(self, filled: T) -> Result<T, Wrong> {
        self.wrong.map_or(Ok(filled), Err)
    }
}

/// Reads a struct from a table whose members are its fields. `only`: and no
/// others; `all`: the same, and where there is no table, it is the default.
#[macro_export]
macro_rules! read_from_table {
    ($how:ident $type:ident { $($field:ident),* $(,)? }) => {
        impl $type {
            /// The names of its fields.
            pub const FIELDS: &[&str] = &[$(stringify!($field)),*];
        }

        impl $crate::http::from_json::FromJson for $type {
            fn from_json(
                json: &$crate::http::json::Json,
            ) -> Result<Self, $crate::http::from_json::Wrong> {
                let mut members = read_from_table!($how json);
                let mut filled = Self::default();
                $(members.fill(stringify!($field), &mut filled.$field);)*
                members.end(filled)
            }

            read_from_table!($how);
        }
    };
    ($how:ident $json:ident) => { $crate::http::from_json::Members::only($json, Self::FIELDS) };
    (all) => { fn absent() -> Option<Self> { Some(Self::default()) } };
    ($how:ident) => {};
}

/// Which of these words a text is.
pub fn word(json: &Json, words: &[&str]) -> Result<usize, Wrong> {
    let text = json.text();
    let at = text.and_then(|text| words.iter().position(|word| *word == text));
    at.ok_or_else(|| {
        let all: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
        Wrong::new(format!("must be {}", all.join(" or ")))
    })
}

impl FromJson for bool {
    fn from_json(json: &Json) -> Result<Self, Wrong> {
        match json {
            Json::Bool(yes) => Ok(*yes),
            _ => Err(Wrong::new("must be true or false")),
        }
    }

    fn absent() -> Option<Self> {
        Some(false)
    }
}

impl FromJson for u64 {
    fn from_json(json: &Json) -> Result<Self, Wrong> {
        match json {
            Json::Number(number) => Ok(*number),
            Json::OtherNumber(text) => Err(Wrong::new(format!(
                "must be a whole number from 0 on, not {text}"
            ))),
            _ => Err(Wrong::new("must be a whole number")),
        }
    }
}

impl FromJson for u16 {
    fn from_json(json: &Json) -> Result<Self, Wrong> {
        let number = u64::from_json(json)?;
        Self::try_from(number).map_err(|_| Wrong::new("is too large"))
    }
}

impl FromJson for String {
    fn from_json(json: &Json) -> Result<Self, Wrong> {
        let text = json.text().map(str::to_owned);
        text.ok_or_else(|| Wrong::new("must be a text"))
    }
}

impl<T: FromJson> FromJson for Option<T> {
    fn from_json(json: &Json) -> Result<Self, Wrong> {
        match json {
            Json::Null => Ok(None),
            json => T::from_json(json).map(Some),
        }
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

impl<T: FromJson> FromJson for Vec<T> {
    fn from_json(json: &Json) -> Result<Self, Wrong> {
        let items = json.items().ok_or_else(|| Wrong::new("must be a list"))?;
        let mut list = Self::new();
        for (at, item) in items.iter().enumerate() {
            list.push(T::from_json(item).map_err(|wrong| wrong.at(at))?);
        }
        Ok(list)
    }

    fn absent() -> Option<Self> {
        Some(Self::new())
    }
}

/// A table of any names, each once.
impl<T: FromJson> FromJson for Vec<(String, T)> {
    fn from_json(json: &Json) -> Result<Self, Wrong> {
        let members = json
            .members()
            .ok_or_else(|| Wrong::new("must be a table"))?;
        let mut table = Self::new();
        for (name, value) in members {
            let value = T::from_json(value).map_err(|wrong| wrong.under(name))?;
            if table.iter().any(|(earlier, _)| earlier == name) {
                return Err(Wrong::new("stands there twice").under(name));
            }
            table.push((name.clone(), value));
        }
        Ok(table)
    }

    fn absent() -> Option<Self> {
        Some(Self::new())
    }
}
