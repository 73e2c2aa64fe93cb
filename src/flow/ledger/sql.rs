//! The database of the ledger: executes a statement and returns rows of values.

/// A value of SQLite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// NULL
    Null,
    /// INTEGER
    Integer(i64),
    /// TEXT
    Text(String),
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Integer(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl Value {
    /// The number, if it is one.
    pub fn number(&self) -> Option<u64> {
        match self {
            Self::Integer(number) => u64::try_from(*number).ok(),
            Self::Null | Self::Text(_) => None,
        }
    }

    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Null | Self::Integer(_) => None,
        }
    }
}

/// A database.
pub trait Sql {
    /// Runs one statement and returns its rows.
    fn run(&self, statement: &str, values: &[Value]) -> Result<Vec<Vec<Value>>, String>;

    /// The single number that a statement returns; 0 if there is none.
    fn number(&self, statement: &str, values: &[Value]) -> Result<u64, String> {
        let rows = self.run(statement, values)?;
        let first = rows.first().and_then(|row| row.first());
        Ok(first.and_then(Value::number).unwrap_or(0))
    }
}
