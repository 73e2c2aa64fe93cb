//! Calls from the isolates to the ledger's Durable Object. A deployment has one
//! object.

use crate::cache::ledger::wire::{FeedQuery, HistoryQuery, Order, PastOrder};
use crate::cache::purge::feed::PurgeFeed;
use crate::cache::stats::query::StatsQuery;
use crate::cloudflare::js::worker_message;
use crate::cloudflare::outgoing;
use crate::flow::ledger::ledger_store::Reply;
use crate::flow::runtime::host::{LedgerReply, WatchQuery};
use crate::http::json_object::{JsonError, print, read_without_paths};
use std::cell::OnceCell;
use worker::{Env, Headers, Response};

const BINDING: &str = "EDGEKEEP_LEDGER";
const NAME: &str = "ledger";

/// Appends an order to the ledger.
pub async fn append(env: &Env, order: &Order) -> Result<LedgerReply, String> {
    let answer = call(env, &format!("append?{WIDE}"), Some(&print(order))).await?;
    let reply: Reply = read_without_paths(&answer).map_err(unreadable)?;
    match reply.receipt {
        Some(receipt) => Ok(LedgerReply::Done(
            Box::new(receipt),
            parse_feed(&reply.feed)?,
        )),
        // There is no receipt if the id was used for another order.
        None => Ok(LedgerReply::Conflict),
    }
}

/// Reads from the ledger the purges after a sequence number, and reports to it.
/// An object of an earlier version ignores the statistics.
pub async fn read_feed(env: &Env, query: &FeedQuery) -> Result<PurgeFeed, String> {
    let mut path = format!("news?after={}&{WIDE}", query.after);
    if let Some(writes) = query.kv_writes {
        path.push_str(&format!("&kv={writes}"));
    }
    parse_feed(&call(env, &path, query.stats.as_deref()).await?)
}

/// Reads statistics from the ledger, as text.
pub async fn read_stats(env: &Env, query: &StatsQuery) -> Result<String, String> {
    let StatsQuery { step, from, to } = query;
    let path = format!("stats?step={}&from={from}&to={to}", step.seconds());
    call(env, &path, None).await
}

/// Reads past orders from the ledger.
pub async fn history(env: &Env, query: &HistoryQuery) -> Result<Vec<PastOrder>, String> {
    let answer = call(env, "history", Some(&print(query))).await?;
    read_without_paths(&answer).map_err(unreadable)
}

/// Opens a WebSocket of the ledger for the client that is being served. `None`
/// if the ledger has too many.
pub async fn watch(env: &Env, query: &WatchQuery) -> Result<Option<web_sys::Response>, String> {
    let WatchQuery { key, .. } = query;
    let protocol = u8::from(query.has_protocol);
    let mut path = format!("events/{key}?protocol={protocol}");
    if let Some(after) = query.after {
        path.push_str(&format!("&after={after}"));
    }
    let opened = open(env, &path).await.map_err(worker_message)?;
    match opened.status_code() {
        101 => Ok(Some(opened.into())),
        WATCHERS_FULL => Ok(None),
        status => Err(format!("no WebSocket: status {status}")),
    }
}

async fn open(env: &Env, path: &str) -> worker::Result<Response> {
    let fields = Headers::new();
    fields.set("upgrade", "websocket")?;
    let request = outgoing::request(&format!("{SITE}{path}"), &fields, None)?;
    let ledger = env.durable_object(BINDING)?.get_by_name(NAME)?;
    ledger.fetch_with_request(request).await
}

/// The status of the object's response if it has too many watchers.
pub const WATCHERS_FULL: u16 = 503;

/// The parameter by which a caller announces that it reads all lines of a feed.
/// Earlier versions do not send it, and receive [`PurgeFeed::plain`]: during a
/// deployment they call an object of this version.
const WIDE: &str = "wide=1";

thread_local! {
    static ID: OnceCell<String> = const { OnceCell::new() };
}

/// The object's id, which is unique to the deployment. It takes no request, and
/// is computed once per isolate.
pub fn id(env: &Env) -> Result<String, String> {
    if let Some(id) = ID.with(|id| id.get().cloned()) {
        return Ok(id);
    }
    let namespace = env.durable_object(BINDING).map_err(worker_message)?;
    let id = namespace.id_from_name(NAME).map_err(worker_message)?;
    let id = id.to_string();
    Ok(ID.with(|kept| kept.get_or_init(|| id).clone()))
}

/// Parses a feed.
pub fn parse_feed(text: &str) -> Result<PurgeFeed, String> {
    PurgeFeed::decode(text).map_err(|error| error.to_string())
}

/// The text of a parse error, for the other side.
pub fn unreadable(error: JsonError) -> String {
    error.to_string()
}

/// Sends the object a GET, or a POST if there is a body. A response with
/// another status than 200 is an error, with its text.
async fn call(env: &Env, path: &str, body: Option<&str>) -> Result<String, String> {
    let (status, text) = exchange(env, path, body).await.map_err(worker_message)?;
    match status {
        200 => Ok(text),
        _ => Err(text),
    }
}

async fn exchange(env: &Env, path: &str, body: Option<&str>) -> worker::Result<(u16, String)> {
    let ledger = env.durable_object(BINDING)?.get_by_name(NAME)?;
    let request = outgoing::request(&format!("{SITE}{path}"), &Headers::new(), body)?;
    let mut response = ledger.fetch_with_request(request).await?;
    let text = response.text().await?;
    Ok((response.status_code(), text))
}

/// The base URL of the calls. The object accepts any host.
pub const SITE: &str = "https://ledger/";
