//! The ledger's Durable Object: a shell around `flow::ledger::ledger_store` and
//! `flow::ledger::runner`.

use super::client::{SITE, WATCHERS_FULL, parse_feed, unreadable};
use super::sql::{Database, set_alarm};
use super::watchers::Watchers;
use crate::cache::ledger::wire::{HistoryQuery, Order};
use crate::cache::stats::query::{StatsQuery, StatsStep};
use crate::cloudflare::guard;
use crate::cloudflare::js::glue;
use crate::cloudflare::platform::Platform;
use crate::cloudflare::settings;
use crate::cloudflare::zone::Zone;
use crate::flow::ledger::jobs;
use crate::flow::ledger::ledger_store::{self, Reply};
use crate::flow::ledger::runner;
use crate::flow::ledger::start::LedgerStart;
use crate::flow::response::request_log::problem_line;
use crate::http::json_object::{print, read_without_paths};
use std::cell::Cell;
use std::rc::Rc;
use worker::{DurableObject, Env, Request, Response, State, durable_object};

/// The Durable Object.
#[durable_object(alarm)]
pub struct Ledger(Rc<Object>);

impl DurableObject for Ledger {
    fn new(state: State, env: Env) -> Self {
        let (watchers, state) = Watchers::of(state);
        Self(Rc::new(Object {
            ledger: LedgerStart::default(),
            watchers,
            state,
            env,
            alarm: Cell::new(None),
        }))
    }

    async fn fetch(&self, request: Request) -> worker::Result<Response> {
        let object = Rc::clone(&self.0);
        let answer = guard::until_expiry(async move { object.fetch(request).await });
        answer.await.unwrap_or_else(|_| Err(EXPIRED.into()))
    }

    async fn alarm(&self) -> worker::Result<Response> {
        let object = Rc::clone(&self.0);
        let run = guard::until_expiry(async move { object.run_alarm().await });
        run.await.unwrap_or_default();
        Response::empty()
    }
}

/// The error of a call that was dropped by the sweep.
const EXPIRED: &str = "the ledger took too long";

struct Object {
    ledger: LedgerStart<Database>,
    watchers: Watchers,
    state: State,
    env: Env,
    /// When the alarm is set for, or [`NEVER`]; `None` if that is not known.
    alarm: Cell<Option<u64>>,
}

/// No alarm is set.
const NEVER: u64 = u64::MAX;

/// While the alarm handler runs, the next alarm is set for this much later, so
/// that work resumes if the object fails. The handler ends earlier, and then
/// sets the next alarm anew.
const RESUME_MS: u64 = 15_000;

/// An alarm that is overdue by more than this is set again. Cloudflare may
/// delay an alarm by a minute.
const OVERDUE_MS: u64 = 120_000;

/// The pause while the settings are invalid. A deployment corrects them.
const MISCONFIGURED_MS: u64 = 300_000;

impl Object {
    /// The ledger. It is opened by the first request; if that fails, by the
    /// next.
    fn ledger(&self) -> Result<Rc<ledger_store::LedgerStore<Database>>, String> {
        self.ledger.get(|| {
            let zone = Zone::of(&self.env).unwrap_or_else(|problem| {
                log(&problem);
                None
            });
            let sql = Database(self.state.storage().sql());
            let ledger = ledger_store::LedgerStore::open(sql, guard::now_ms(), zone.is_some())?;
            self.watchers.begin_after(ledger.last_event()?);
            Ok(ledger)
        })
    }

    async fn fetch(&self, mut request: Request) -> worker::Result<Response> {
        let url = request.inner().url();
        let path = url.strip_prefix(SITE).unwrap_or_default();
        let (path, numbers) = path.split_once('?').unwrap_or((path, ""));
        let number = |wanted: &str| {
            let mut pairs = numbers.split('&').filter_map(|pair| pair.split_once('='));
            pairs.find(|(name, _)| *name == wanted)?.1.parse().ok()
        };
        if let Some(key) = path.strip_prefix("events/") {
            let has_protocol = number("protocol") == Some(1);
            return self.watch((key, number("after")), has_protocol);
        }
        let parameters = Parameters {
            after: number("after").unwrap_or(0),
            kv_writes: number("kv"),
            wide: number("wide") == Some(1),
            stats: StatsQuery {
                step: StatsStep::of_seconds(number("step").unwrap_or(0)),
                from: number("from").unwrap_or(0),
                to: number("to").unwrap_or(0),
            },
        };
        let body = request.text().await?;
        let answer = match self.ledger() {
            Ok(ledger) => {
                let answer = answer(&ledger, path, &parameters, &body);
                // Nothing is awaited between the append and the call that sets
                // the alarm, so the runtime stores both or neither.
                if path == "append" || self.alarm.get().is_none() {
                    self.wake(&ledger).await;
                }
                if path == "append" {
                    self.publish(&ledger);
                }
                answer
            }
            Err(problem) => Err(problem),
        };
        match answer {
            Ok(text) => Response::ok(text),
            Err(problem) => Response::error(problem, 500),
        }
    }

    /// Opens the socket of a watcher of events.
    fn watch(&self, who: (&str, Option<u64>), has_protocol: bool) -> worker::Result<Response> {
        let accept = || {
            let (ledger, isolate) = (self.ledger()?, settings::isolate(&self.env)?);
            self.watchers.publish(&ledger, &isolate)?;
            self.watchers.accept(&ledger, &isolate, who, has_protocol)
        };
        match accept() {
            Ok(Some(response)) => Ok(response),
            Ok(None) => Response::error("too many watchers", WATCHERS_FULL),
            Err(problem) => Response::error(problem, 500),
        }
    }

    /// Sends the watchers of events what has happened. Nothing else fails or
    /// waits for it.
    fn publish(&self, ledger: &ledger_store::LedgerStore<Database>) {
        if self.watchers.is_empty() {
            return;
        }
        let isolate = settings::isolate(&self.env);
        let sent = isolate.and_then(|isolate| self.watchers.publish(ledger, &isolate));
        if let Err(problem) = sent {
            log(&problem);
        }
    }

    async fn run_alarm(&self) {
        // The handler never fails: the runtime would retry it, but not for
        // long.
        self.set_alarm(guard::now_ms().saturating_add(RESUME_MS))
            .await;
        match self.work().await {
            Ok(due_ms) => self.set_alarm(due_ms).await,
            Err(problem) => log(&problem),
        }
    }

    /// Does some of the work, and returns when the next is due.
    async fn work(&self) -> Result<u64, String> {
        let ledger = self.ledger()?;
        let isolate = match settings::isolate(&self.env) {
            Ok(isolate) => isolate,
            Err(problem) => {
                glue::log_error(&problem);
                return Ok(guard::now_ms().saturating_add(MISCONFIGURED_MS));
            }
        };
        let host = || Platform::of_ledger(self.env.clone(), Rc::clone(&ledger));
        let run = runner::run(ledger.sql(), &isolate, host).await;
        self.publish(&ledger);
        run?;
        Ok(jobs::next_due(ledger.sql())?.unwrap_or(NEVER))
    }

    /// Makes sure that the alarm goes off when work is due. An overdue alarm is
    /// set again.
    async fn wake(&self, ledger: &ledger_store::LedgerStore<Database>) {
        let due_ms = match jobs::next_due(ledger.sql()) {
            Ok(due_ms) => due_ms.unwrap_or(NEVER),
            Err(problem) => return log(&problem),
        };
        let now_ms = guard::now_ms();
        let in_time = |at: u64| at <= due_ms.max(now_ms);
        let overdue = |at: u64| at.saturating_add(OVERDUE_MS) < now_ms;
        match self.alarm.get() {
            Some(at) if in_time(at) && !overdue(at) => {}
            _ if due_ms == NEVER => self.alarm.set(Some(NEVER)),
            _ => self.set_alarm(due_ms).await,
        }
    }

    /// Sets the alarm; [`NEVER`] deletes it.
    async fn set_alarm(&self, at_ms: u64) {
        self.alarm.set(Some(at_ms));
        let at = Some(at_ms).filter(|at_ms| *at_ms != NEVER);
        if let Err(problem) = set_alarm(&self.state.storage(), at).await {
            self.alarm.set(None);
            log(&problem);
        }
    }
}

fn log(problem: &str) {
    glue::log_error(&problem_line("ledger", problem));
}

/// The parameters of a request to the ledger.
struct Parameters {
    after: u64,
    kv_writes: Option<u64>,
    /// See `WIDE` in `client`.
    wide: bool,
    /// The query for statistics, if this is one.
    stats: StatsQuery,
}

impl Parameters {
    /// The feed in the format that the caller can read.
    fn feed_for_caller(&self, feed: String) -> Result<String, String> {
        match self.wide {
            true => Ok(feed),
            false => Ok(parse_feed(&feed)?.plain().encode()),
        }
    }
}

fn answer(
    ledger: &ledger_store::LedgerStore<Database>,
    path: &str,
    parameters: &Parameters,
    body: &str,
) -> Result<String, String> {
    match path {
        "append" => {
            let order: Order = read_without_paths(body).map_err(unreadable)?;
            let reply = ledger.append(&order, guard::now_ms())?;
            let feed = parameters.feed_for_caller(reply.feed)?;
            Ok(print(&Reply { feed, ..reply }))
        }
        "news" => {
            let feed = match parameters.kv_writes {
                Some(writes) => ledger.read_counted_feed(parameters.after, writes, guard::now_ms()),
                None => ledger.read_feed(parameters.after, guard::now_ms()),
            };
            // Statistics must not fail the query.
            if !body.is_empty()
                && let Err(problem) = ledger.add_stats(body, guard::now_ms())
            {
                log(&problem);
            }
            parameters.feed_for_caller(feed?)
        }
        "stats" => ledger.stats(&parameters.stats, guard::now_ms()),
        "history" => {
            let query: HistoryQuery = read_without_paths(body).map_err(unreadable)?;
            Ok(print(&ledger.history(&query)?))
        }
        _ => Err("no such question".to_owned()),
    }
}
