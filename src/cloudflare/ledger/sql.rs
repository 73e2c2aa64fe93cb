//! The ledger's SQLite, and the alarm of its object.

use crate::cloudflare::js::worker_message;
use crate::flow::ledger::sql::{Sql, Value};
use js_sys::Date;
use worker::{ScheduledTime, SqlStorage, SqlStorageValue, Storage};

/// SQLite in a Durable Object.
pub struct Database(pub SqlStorage);

impl Sql for Database {
    fn run(&self, statement: &str, values: &[Value]) -> Result<Vec<Vec<Value>>, String> {
        let values: Vec<_> = values.iter().map(to_storage).collect();
        let cursor = self.0.exec(statement, values).map_err(worker_message)?;
        let rows = cursor.raw().map(|row| {
            let row = row.map_err(worker_message)?;
            row.into_iter().map(from_storage).collect()
        });
        rows.collect()
    }
}

fn to_storage(value: &Value) -> SqlStorageValue {
    match value {
        Value::Null => SqlStorageValue::Null,
        // Our numbers are below 2^53, up to which JavaScript's are exact.
        Value::Integer(number) => SqlStorageValue::Integer(*number),
        Value::Text(text) => SqlStorageValue::String(text.clone()),
    }
}

fn from_storage(value: SqlStorageValue) -> Result<Value, String> {
    match value {
        SqlStorageValue::Null => Ok(Value::Null),
        SqlStorageValue::Integer(number) => Ok(Value::Integer(number)),
        // An integer beyond 2^53.
        SqlStorageValue::Float(number) => Ok(Value::Integer(number as i64)),
        SqlStorageValue::String(text) => Ok(Value::Text(text)),
        _ => Err("SQLite holds a value that is neither a number nor a text".to_owned()),
    }
}

/// Sets the alarm, or deletes it if there is no time.
pub async fn set_alarm(storage: &Storage, at_ms: Option<u64>) -> Result<(), String> {
    let set = match at_ms {
        Some(at_ms) => {
            // Exact for 285,000 years.
            let date = Date::new(&(at_ms as f64).into());
            storage.set_alarm(ScheduledTime::new(date)).await
        }
        None => storage.delete_alarm().await,
    };
    set.map_err(worker_message)
}
