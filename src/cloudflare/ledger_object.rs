//! The ledger: a Durable Object that keeps what `cache::ledger` decides, and
//! how the other isolates talk to it.
//!
//! One object a deployment. Between two `await`s nothing else runs in it, and
//! what it writes there is one transaction (Durable Objects, "write
//! coalescing"), so numbers have no gaps and no doubles.

use crate::cache::ledger::{Decision, MARKS_MAX, Order, Receipt, Record, decide};
use crate::cache::purge::{News, Numbers};
use crate::flow::host::Ordered;
use serde::{Deserialize, Serialize};
use worker::wasm_bindgen::JsValue;
use worker::{
    DurableObject, Env, Request, RequestInit, Response, Result, SqlStorage, SqlStorageValue, State,
    durable_object,
};

/// Receipts are remembered for 30 days.
const RECORD_MS: i64 = 30 * 86_400_000;

/// What the object answers to an order.
#[derive(Serialize, Deserialize)]
struct Reply {
    /// Absent when the id was used for another order.
    receipt: Option<Receipt>,
    news: News,
}

/// Sends an order to the ledger.
pub async fn append(env: &Env, order: &Order) -> Result<Ordered> {
    let mut init = RequestInit::new();
    let body = serde_json::to_string(order)?;
    init.with_method(worker::Method::Post)
        .with_body(Some(JsValue::from_str(&body)));
    let request = Request::new_with_init("https://ledger/append", &init)?;
    let reply: Reply = ask(env, request).await?;
    Ok(match reply.receipt {
        Some(receipt) => Ordered::Done(receipt, reply.news),
        None => Ordered::Conflict,
    })
}

/// Asks the ledger what it has had since number `after`.
pub async fn news(env: &Env, after: u64) -> Result<News> {
    let url = format!("https://ledger/news?after={after}");
    ask(env, Request::new_with_init(&url, &RequestInit::new())?).await
}

async fn ask<T: serde::de::DeserializeOwned>(env: &Env, request: Request) -> Result<T> {
    let stub = env
        .durable_object("EDGEKEEP_LEDGER")?
        .get_by_name("ledger")?;
    let mut response = stub.fetch_with_request(request).await?;
    let text = response.text().await?;
    if response.status_code() != 200 {
        return Err(worker::Error::RustError(text));
    }
    Ok(serde_json::from_str(&text)?)
}

/// The Durable Object.
#[durable_object]
pub struct Ledger {
    sql: SqlStorage,
    ready: std::result::Result<(), String>,
}

impl DurableObject for Ledger {
    fn new(state: State, _env: Env) -> Self {
        let sql = state.storage().sql();
        let ready = create_tables(&sql).map_err(|error| error.to_string());
        Self { sql, ready }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        if let Err(problem) = &self.ready {
            return Response::error(problem, 500);
        }
        let url = request.url()?;
        match url.path() {
            "/append" => {
                let mut order: Order = serde_json::from_str(&request.text().await?)?;
                // Accepted now: from here counts within what time it is in
                // force.
                order.received_ms = now_ms();
                Response::from_json(&self.append(&order)?)
            }
            "/news" => {
                let after = url.query_pairs().find(|(name, _)| name == "after");
                let after = after.and_then(|(_, value)| value.parse().ok()).unwrap_or(0);
                Response::from_json(&self.news(after)?)
            }
            _ => Response::error("no such question", 404),
        }
    }
}

fn create_tables(sql: &SqlStorage) -> Result<()> {
    for statement in [
        "CREATE TABLE IF NOT EXISTS orders (
            sequence INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            received_ms INTEGER NOT NULL,
            record TEXT NOT NULL)",
        "CREATE TABLE IF NOT EXISTS marks (
            mark TEXT PRIMARY KEY,
            hard INTEGER NOT NULL,
            soft INTEGER NOT NULL,
            last INTEGER NOT NULL)",
        "CREATE INDEX IF NOT EXISTS marks_by_last ON marks (last)",
        "CREATE TABLE IF NOT EXISTS floor (
            one INTEGER PRIMARY KEY CHECK (one = 1),
            hard INTEGER NOT NULL,
            soft INTEGER NOT NULL,
            last INTEGER NOT NULL)",
        "CREATE INDEX IF NOT EXISTS orders_by_time ON orders (received_ms)",
    ] {
        sql.exec(statement, None)?;
    }
    // A ledger that starts anew must not give numbers again: entries that are
    // still stored would outrank them. So it starts at the time, far above the
    // numbers of an earlier one, and with everything older dead.
    let start = integer(now_ms());
    let values = vec![start.into(), start.into()];
    sql.exec(
        "INSERT OR IGNORE INTO floor VALUES (1, ?, 0, ?)",
        Some(values),
    )
    .map(|_| ())
}

fn now_ms() -> u64 {
    // Positive, and exact for 285,000 years.
    js_sys::Date::now() as u64
}

#[derive(Deserialize)]
struct Count {
    n: Option<u64>,
}

#[derive(Deserialize)]
struct RecordRow {
    record: String,
}

#[derive(Deserialize)]
struct MarkRow {
    mark: String,
    hard: u64,
    soft: u64,
}

impl Ledger {
    fn append(&self, order: &Order) -> Result<Reply> {
        // First what may set the numbers right.
        self.news(order.after)?;
        let earlier = match &order.id {
            Some(id) => self.record_of(id)?,
            None => None,
        };
        let receipt = match decide(self.last()?, earlier.as_ref(), order) {
            Decision::Conflict => None,
            Decision::Repeat(receipt) => Some(receipt),
            Decision::Accept(record, numbers) => {
                self.accept(order, &record, numbers)?;
                Some(record.receipt)
            }
        };
        let news = self.news(order.after)?;
        Ok(Reply { receipt, news })
    }

    fn record_of(&self, id: &str) -> Result<Option<Record>> {
        let rows =
            self.rows::<RecordRow>("SELECT record FROM orders WHERE id = ?", vec![id.into()])?;
        let record = rows.first().map(|row| serde_json::from_str(&row.record));
        Ok(record.transpose()?)
    }

    fn accept(&self, order: &Order, record: &Record, numbers: Numbers) -> Result<()> {
        let sequence = integer(record.receipt.sequence);
        let received_ms = integer(order.received_ms);
        self.run("UPDATE floor SET last = ?", vec![sequence.into()])?;
        let (hard, soft) = (integer(numbers.hard), integer(numbers.soft));
        for mark in &order.marks {
            self.run(
                "INSERT INTO marks VALUES (?, ?, ?, ?) ON CONFLICT (mark) DO UPDATE SET
                    hard = MAX(hard, excluded.hard),
                    soft = MAX(soft, excluded.soft),
                    last = excluded.last",
                vec![
                    mark.as_str().into(),
                    hard.into(),
                    soft.into(),
                    sequence.into(),
                ],
            )?;
        }
        if order.everything {
            self.raise_floor(hard, soft)?;
        }
        let count = self.rows::<Count>("SELECT COUNT(*) AS n FROM marks", vec![])?;
        if count.first().and_then(|row| row.n).unwrap_or(0) > MARKS_MAX {
            self.raise_floor(sequence, 0)?;
        }
        // Last: a repeat is told of only what has been done.
        if let Some(id) = &order.id {
            let text = serde_json::to_string(record)?;
            self.run(
                "INSERT INTO orders VALUES (?, ?, ?, ?)",
                vec![
                    sequence.into(),
                    id.as_str().into(),
                    received_ms.into(),
                    text.into(),
                ],
            )?;
            self.run(
                "DELETE FROM orders WHERE received_ms < ?",
                vec![received_ms.saturating_sub(RECORD_MS).into()],
            )?;
        }
        Ok(())
    }

    /// Raises the floor, and drops the marks that it makes needless.
    fn raise_floor(&self, hard: i64, soft: i64) -> Result<()> {
        self.run(
            "UPDATE floor SET hard = MAX(hard, ?), soft = MAX(soft, ?)",
            vec![hard.into(), soft.into()],
        )?;
        self.run(
            "DELETE FROM marks WHERE hard <= (SELECT hard FROM floor)
                AND (soft <= (SELECT soft FROM floor) OR soft <= (SELECT hard FROM floor))",
            vec![],
        )
    }

    fn news(&self, after: u64) -> Result<News> {
        if after > self.last()? {
            // The object was set back to an earlier state: what isolates and
            // entries know lies ahead of it. Everything before is dead.
            let ahead = integer(after);
            self.run("UPDATE floor SET last = ?", vec![ahead.into()])?;
            self.raise_floor(ahead, 0)?;
        }
        let floor = self.rows::<Numbers>("SELECT hard, soft FROM floor", vec![])?;
        let marks = self.rows::<MarkRow>(
            "SELECT mark, hard, soft FROM marks WHERE last > ?",
            vec![integer(after).into()],
        )?;
        Ok(News {
            sequence: self.last()?,
            floor: floor.first().copied().unwrap_or_default(),
            marks: marks
                .into_iter()
                .map(|MarkRow { mark, hard, soft }| (mark, Numbers { hard, soft }))
                .collect(),
        })
    }

    /// The last number given.
    fn last(&self) -> Result<u64> {
        let rows = self.rows::<Count>("SELECT last AS n FROM floor", vec![])?;
        Ok(rows.first().and_then(|row| row.n).unwrap_or(0))
    }

    fn run(&self, statement: &str, values: Vec<SqlStorageValue>) -> Result<()> {
        self.sql.exec(statement, Some(values)).map(|_| ())
    }

    fn rows<T: serde::de::DeserializeOwned>(
        &self,
        statement: &str,
        values: Vec<SqlStorageValue>,
    ) -> Result<Vec<T>> {
        self.sql.exec(statement, Some(values))?.to_array()
    }
}

fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
