//! The ledger's database in tests: SQLite, as in a Durable Object.

use edgekeep::flow::ledger::sql::{Sql, Value};
use rusqlite::Connection;
use rusqlite::types::{ToSqlOutput, Value as Cell};
use std::cell::RefCell;
use std::rc::Rc;

/// A handle to a database; its clones share it.
#[derive(Clone)]
pub struct Sqlite(Rc<RefCell<Connection>>);

impl Sqlite {
    pub fn in_memory() -> Self {
        let connection = Connection::open_in_memory().expect("a database in memory");
        connection.set_prepared_statement_cache_capacity(64);
        Self(Rc::new(RefCell::new(connection)))
    }
}

impl Sql for Sqlite {
    fn run(&self, statement: &str, values: &[Value]) -> Result<Vec<Vec<Value>>, String> {
        let connection = self.0.borrow();
        let mut prepared = connection
            .prepare_cached(statement)
            .map_err(|error| error.to_string())?;
        let columns = prepared.column_count();
        let values = values.iter().map(|value| match value {
            Value::Null => ToSqlOutput::Owned(Cell::Null),
            Value::Integer(number) => ToSqlOutput::Owned(Cell::Integer(*number)),
            Value::Text(text) => ToSqlOutput::Owned(Cell::Text(text.clone())),
        });
        let mut rows = prepared
            .query(rusqlite::params_from_iter(values))
            .map_err(|error| error.to_string())?;
        let mut all = Vec::new();
        while let Some(row) = rows.next().map_err(|error| error.to_string())? {
            let cell = |at| match row.get(at) {
                Ok(Cell::Integer(number)) => Ok(Value::Integer(number)),
                Ok(Cell::Text(text)) => Ok(Value::Text(text)),
                Ok(Cell::Null) => Ok(Value::Null),
                other => Err(format!("{other:?}")),
            };
            all.push((0..columns).map(cell).collect::<Result<_, _>>()?);
        }
        Ok(all)
    }
}
