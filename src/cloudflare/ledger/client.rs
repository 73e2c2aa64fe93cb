//! How the isolates talk to the ledger's Durable Object. There is one object a
//! deployment.

use crate::cache::ledger::wire::{Order, PastOrder, Question};
use crate::cache::purge::feed::PurgeFeed;
use crate::cloudflare::js::worker_message;
use crate::flow::ledger::ledger_store::Reply;
use crate::flow::runtime::host::LedgerReply;
use crate::http::json_object::{JsonError, print, read};
use std::cell::OnceCell;
use worker::{Env, Method, Request, RequestInit};

const BINDING: &str = "EDGEKEEP_LEDGER";
const NAME: &str = "ledger";

/// Sends an order to the ledger.
pub async fn append(env: &Env, order: &Order) -> Result<LedgerReply, String> {
    let answer = ask(env, &format!("append?{WIDE}"), Some(&print(order))).await?;
    let reply: Reply = read(&answer).map_err(unreadable)?;
    match reply.receipt {
        Some(receipt) => Ok(LedgerReply::Done(
            Box::new(receipt),
            read_news(&reply.news)?,
        )),
        // There is none when the id was used for another order.
        None => Ok(LedgerReply::Conflict),
    }
}

/// Asks the ledger what it has had since number `after`.
pub async fn news(env: &Env, after: u64) -> Result<PurgeFeed, String> {
    read_news(&ask(env, &format!("news?after={after}&{WIDE}"), None).await?)
}

/// The same, and tells it of KV writes.
pub async fn counted_news(env: &Env, after: u64, kv_writes: u64) -> Result<PurgeFeed, String> {
    let question = format!("news?after={after}&kv={kv_writes}&{WIDE}");
    read_news(&ask(env, &question, None).await?)
}

/// Asks the ledger for past orders.
pub async fn history(env: &Env, question: &Question) -> Result<Vec<PastOrder>, String> {
    let answer = ask(env, "history", Some(&print(question))).await?;
    read(&answer).map_err(unreadable)
}

/// What says that the asker reads all lines of news. Earlier versions do not
/// say so, and get [`PurgeFeed::plain`]: during a deployment they talk to an object
/// of this one.
const WIDE: &str = "wide=1";

thread_local! {
    static ID: OnceCell<String> = const { OnceCell::new() };
}

/// The object's id, which no other deployment has. It takes no request, and
/// is worked out once.
pub fn id(env: &Env) -> Result<String, String> {
    if let Some(id) = ID.with(|id| id.get().cloned()) {
        return Ok(id);
    }
    let namespace = env.durable_object(BINDING).map_err(worker_message)?;
    let id = namespace.id_from_name(NAME).map_err(worker_message)?;
    let id = id.to_string();
    Ok(ID.with(|kept| kept.get_or_init(|| id).clone()))
}

/// Reads news from text.
pub fn read_news(text: &str) -> Result<PurgeFeed, String> {
    PurgeFeed::decode(text).map_err(|error| error.to_string())
}

/// The text of an error, for the other side.
pub fn unreadable(error: JsonError) -> String {
    error.to_string()
}

/// Sends the object a GET, or a POST if there is a body. An answer of another
/// status than 200 is an error, with its text.
async fn ask(env: &Env, question: &str, body: Option<&str>) -> Result<String, String> {
    let (status, text) = exchange(env, question, body)
        .await
        .map_err(worker_message)?;
    match status {
        200 => Ok(text),
        _ => Err(text),
    }
}

async fn exchange(env: &Env, question: &str, body: Option<&str>) -> worker::Result<(u16, String)> {
    let ledger = env.durable_object(BINDING)?.get_by_name(NAME)?;
    let mut init = RequestInit::new();
    if let Some(body) = body {
        init.with_method(Method::Post).with_body(Some(body.into()));
    }
    let request = Request::new_with_init(&format!("{SITE}{question}"), &init)?;
    let mut response = ledger.fetch_with_request(request).await?;
    let text = response.text().await?;
    Ok((response.status_code(), text))
}

/// Where questions go: the object answers at any address.
pub const SITE: &str = "https://ledger/";
