//! The ledger's Durable Object, a shell around `flow::ledger` and
//! `flow::alarm`, and how the isolates talk to it. There is one object a
//! deployment.

use super::platform::Platform;
use super::zone::Zone;
use crate::cache::ledger::{Order, Question, Receipt, Told};
use crate::cache::news::News;
use crate::flow::host::Ordered;
use crate::flow::ledger::{Sql, Value};
use crate::flow::{alarm, work};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::cell::Cell;
use std::rc::Rc;
use worker::durable::ScheduledTime;
use worker::wasm_bindgen::JsValue;
use worker::{
    DurableObject, Env, Request, RequestInit, Response, Result, SqlStorage, SqlStorageValue, State,
    console_error, durable_object,
};

/// The ledger in its object.
pub type Book = crate::flow::ledger::Ledger<Storage>;

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
        Some(receipt) => Ordered::Done(Box::new(receipt), read_news(&reply.news)?),
        None => Ordered::Conflict,
    })
}

/// Asks the ledger what it has had since number `after`.
pub async fn news(env: &Env, after: u64) -> Result<News> {
    read_news(&ask(env, &format!("news?after={after}"), None).await?)
}

/// The same, and tells it of KV writes.
pub async fn counted_news(env: &Env, after: u64, kv_writes: u64) -> Result<News> {
    let question = format!("news?after={after}&kv={kv_writes}");
    read_news(&ask(env, &question, None).await?)
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
    book: std::result::Result<Rc<Book>, String>,
    state: State,
    env: Env,
    /// When its alarm goes off, or [`NEVER`], as far as is known.
    alarm: Cell<Option<u64>>,
}

/// No alarm is set.
const NEVER: u64 = u64::MAX;

/// While the alarm is at work, the next is set for so much later: should the
/// object break, work goes on then. It ends sooner, and sets the next anew.
const RESUME_MS: u64 = 15_000;

/// An alarm that is so much overdue is set again. Cloudflare may delay one by
/// a minute.
const OVERDUE_MS: u64 = 120_000;

/// The pause while the settings are bad: they come right by a deployment.
const MISCONFIGURED_MS: u64 = 300_000;

impl DurableObject for Ledger {
    fn new(state: State, env: Env) -> Self {
        let storage = Storage(state.storage().sql());
        let zone = Zone::of(&env).unwrap_or_else(|problem| {
            log(&problem);
            None
        });
        let book = Book::open(storage, now_ms(), zone.is_some());
        Self {
            book: book.map(Rc::new),
            state,
            env,
            alarm: Cell::new(None),
        }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let url = request.url()?;
        let body = request.text().await?;
        let number = |wanted: &str| {
            let pair = url.query_pairs().find(|(name, _)| name == wanted);
            pair.and_then(|(_, value)| value.parse().ok())
        };
        let (after, kv_writes) = (number("after").unwrap_or(0), number("kv"));
        let answer = match &self.book {
            Ok(book) => {
                let answer = answer(book, url.path(), after, kv_writes, &body);
                // No wait lies between: the order and its alarm are kept
                // together, or neither is.
                if url.path() == "/append" || self.alarm.get().is_none() {
                    self.wake(book).await;
                }
                answer
            }
            Err(problem) => Err(problem.clone()),
        };
        match answer {
            Ok(text) => Response::ok(text),
            Err(problem) => Response::error(problem, 500),
        }
    }

    async fn alarm(&self) -> Result<Response> {
        // It never fails: the runtime would try it again, but not for long.
        self.set_alarm(now_ms().saturating_add(RESUME_MS)).await;
        match self.work().await {
            Ok(due_ms) => self.set_alarm(due_ms).await,
            Err(problem) => log(&problem),
        }
        Response::empty()
    }
}

impl Ledger {
    /// Does some of the work, and tells when to go on.
    async fn work(&self) -> std::result::Result<u64, String> {
        let book = self.book.as_ref().map_err(Clone::clone)?;
        let isolate = match super::isolate(&self.env) {
            Ok(isolate) => isolate,
            Err(problem) => {
                console_error!("{problem}");
                return Ok(now_ms().saturating_add(MISCONFIGURED_MS));
            }
        };
        let host = || Platform::of_ledger(self.env.clone(), Rc::clone(book));
        alarm::run(book.sql(), &isolate, host).await?;
        Ok(work::next_due(book.sql())?.unwrap_or(NEVER))
    }

    /// Sees to it that the alarm goes off when there is work.
    async fn wake(&self, book: &Book) {
        let due_ms = match work::next_due(book.sql()) {
            Ok(due_ms) => due_ms.unwrap_or(NEVER),
            Err(problem) => return log(&problem),
        };
        let now_ms = now_ms();
        let in_time = |at: u64| at <= due_ms.max(now_ms);
        let overdue = |at: u64| at.saturating_add(OVERDUE_MS) < now_ms;
        match self.alarm.get() {
            Some(at) if in_time(at) && !overdue(at) => {}
            _ if due_ms == NEVER => self.alarm.set(Some(NEVER)),
            _ => self.set_alarm(due_ms).await,
        }
    }

    /// Sets the alarm, or clears it.
    async fn set_alarm(&self, at_ms: u64) {
        let storage = self.state.storage();
        self.alarm.set(Some(at_ms));
        let set = if at_ms == NEVER {
            storage.delete_alarm().await
        } else {
            let at = js_sys::Date::new(&JsValue::from_f64(at_ms as f64));
            storage.set_alarm(ScheduledTime::new(at)).await
        };
        if let Err(error) = set {
            self.alarm.set(None);
            log(&error.to_string());
        }
    }
}

fn log(problem: &str) {
    let line = json!({ "event": "problem", "part": "ledger", "problem": problem });
    console_error!("{line}");
}

fn answer(
    book: &Book,
    path: &str,
    after: u64,
    kv_writes: Option<u64>,
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
        "/news" => match kv_writes {
            Some(writes) => book.counted_news(after, writes, now_ms()),
            None => book.news(after, now_ms()),
        },
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
pub struct Storage(SqlStorage);

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
