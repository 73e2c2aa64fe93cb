//! The ledger's Durable Object, a shell around `flow::ledger`, and how the
//! isolates talk to it. There is one object a deployment.

use crate::cache::ledger::{Order, Question, Receipt, Told};
use crate::cache::news::News;
use crate::flow::host::Ordered;
use crate::flow::ledger::{Ledger as Book, Sql, Value};
use serde::{Deserialize, Serialize};
use worker::wasm_bindgen::JsValue;
use worker::{
    DurableObject, Env, Request, RequestInit, Response, Result, SqlStorage, SqlStorageValue, State,
    durable_object,
};

const BINDING: &str = "EDGEKEEP_LEDGER";
const NAME: &str = "ledger";

/// What the object answers to an order.
#[derive(Serialize, Deserialize)]
struct Reply {
    /// Absent when the id was used for another order.
    receipt: Option<Receipt>,
    news: String,
}

/// Sends an order to the ledger.
pub async fn append(env: &Env, order: &Order) -> Result<Ordered> {
    let body = serde_json::to_string(order)?;
    let reply: Reply = serde_json::from_str(&ask(env, "append", Some(&body)).await?)?;
    Ok(match reply.receipt {
        Some(receipt) => Ordered::Done(receipt, read_news(&reply.news)?),
        None => Ordered::Conflict,
    })
}

/// Asks the ledger what it has had since number `after`.
pub async fn news(env: &Env, after: u64) -> Result<News> {
    read_news(&ask(env, &format!("news?after={after}"), None).await?)
}

/// Asks the ledger for past orders.
pub async fn history(env: &Env, question: &Question) -> Result<Vec<Told>> {
    let body = serde_json::to_string(question)?;
    Ok(serde_json::from_str(
        &ask(env, "history", Some(&body)).await?,
    )?)
}

/// The object's id, which no other deployment has. It takes no request.
pub fn id(env: &Env) -> Result<String> {
    let namespace = env.durable_object(BINDING)?;
    Ok(namespace.id_from_name(NAME)?.to_string())
}

fn read_news(text: &str) -> Result<News> {
    News::decode(text).map_err(|error| worker::Error::RustError(error.to_string()))
}

async fn ask(env: &Env, question: &str, body: Option<&str>) -> Result<String> {
    let mut init = RequestInit::new();
    if let Some(body) = body {
        init.with_method(worker::Method::Post)
            .with_body(Some(JsValue::from_str(body)));
    }
    let url = format!("https://ledger/{question}");
    let request = Request::new_with_init(&url, &init)?;
    let stub = env.durable_object(BINDING)?.get_by_name(NAME)?;
    let mut response = stub.fetch_with_request(request).await?;
    let text = response.text().await?;
    match response.status_code() {
        200 => Ok(text),
        _ => Err(worker::Error::RustError(text)),
    }
}

/// The Durable Object.
#[durable_object]
pub struct Ledger {
    book: std::result::Result<Book<Storage>, String>,
}

impl DurableObject for Ledger {
    fn new(state: State, _env: Env) -> Self {
        let storage = Storage(state.storage().sql());
        Self {
            book: Book::open(storage, now_ms(), false),
        }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let url = request.url()?;
        let body = request.text().await?;
        let after = url.query_pairs().find(|(name, _)| name == "after");
        let after = after.and_then(|(_, value)| value.parse().ok()).unwrap_or(0);
        let answer = match &self.book {
            Ok(book) => answer(book, url.path(), after, &body),
            Err(problem) => Err(problem.clone()),
        };
        match answer {
            Ok(text) => Response::ok(text),
            Err(problem) => Response::error(problem, 500),
        }
    }
}

fn answer(
    book: &Book<Storage>,
    path: &str,
    after: u64,
    body: &str,
) -> std::result::Result<String, String> {
    let unreadable = |error: serde_json::Error| error.to_string();
    match path {
        "/append" => {
            let order: Order = serde_json::from_str(body).map_err(unreadable)?;
            let reply = book.append(&order, now_ms())?;
            let reply = Reply {
                receipt: reply.receipt,
                news: reply.news,
            };
            serde_json::to_string(&reply).map_err(unreadable)
        }
        "/news" => book.news(after, now_ms()),
        "/history" => {
            let question: Question = serde_json::from_str(body).map_err(unreadable)?;
            serde_json::to_string(&book.history(&question)?).map_err(unreadable)
        }
        _ => Err("no such question".to_owned()),
    }
}

fn now_ms() -> u64 {
    // Positive, and exact for 285,000 years.
    js_sys::Date::now() as u64
}

/// The object's own SQLite.
struct Storage(SqlStorage);

impl Sql for Storage {
    fn run(
        &self,
        statement: &str,
        values: &[Value],
    ) -> std::result::Result<Vec<Vec<Value>>, String> {
        let values = values.iter().map(|value| match value {
            Value::Null => SqlStorageValue::Null,
            Value::Integer(number) => SqlStorageValue::Integer(*number),
            Value::Text(text) => SqlStorageValue::String(text.clone()),
        });
        let values: Vec<SqlStorageValue> = values.collect();
        let cursor = self.0.exec(statement, Some(values));
        let cursor = cursor.map_err(|error| error.to_string())?;
        cursor
            .raw()
            .map(|row| {
                let row = row.map_err(|error| error.to_string())?;
                row.into_iter().map(cell).collect()
            })
            .collect()
    }
}

fn cell(value: SqlStorageValue) -> std::result::Result<Value, String> {
    Ok(match value {
        SqlStorageValue::Null => Value::Null,
        SqlStorageValue::Boolean(yes) => Value::Integer(i64::from(yes)),
        SqlStorageValue::Integer(number) => Value::Integer(number),
        // Numbers of SQLite come as JavaScript's: ours are whole and below 2^53.
        SqlStorageValue::Float(number) => Value::Integer(number as i64),
        SqlStorageValue::String(text) => Value::Text(text),
        SqlStorageValue::Blob(_) => return Err("a blob where none is kept".to_owned()),
    })
}
