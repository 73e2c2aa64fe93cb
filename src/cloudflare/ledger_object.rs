//! The ledger's Durable Object, a shell around `flow::ledger` and
//! `flow::alarm`, and how the isolates talk to it. There is one object a
//! deployment.

use super::guard;
use super::js::{glue, worker_message};
use super::platform::Platform;
use super::settings;
use super::sql::{Database, set_alarm};
use super::zone::Zone;
use crate::cache::ledger::{Order, Question, Told};
use crate::cache::news::News;
use crate::flow::host::Ordered;
use crate::flow::ledger::Reply;
use crate::flow::ledger_start::LedgerStart;
use crate::flow::report::problem_line;
use crate::flow::{alarm, work};
use crate::http::json_object::{JsonError, print, read};
use std::cell::{Cell, OnceCell};
use std::rc::Rc;
use worker::{DurableObject, Env, Method, Request, RequestInit, Response, State, durable_object};

/// The ledger in its object.
pub type Book = crate::flow::ledger::Ledger<Database>;

const BINDING: &str = "EDGEKEEP_LEDGER";
const NAME: &str = "ledger";

/// Sends an order to the ledger.
pub async fn append(env: &Env, order: &Order) -> Result<Ordered, String> {
    let answer = ask(env, &format!("append?{WIDE}"), Some(&print(order))).await?;
    let reply: Reply = read(&answer).map_err(unreadable)?;
    match reply.receipt {
        Some(receipt) => Ok(Ordered::Done(Box::new(receipt), read_news(&reply.news)?)),
        // There is none when the id was used for another order.
        None => Ok(Ordered::Conflict),
    }
}

/// Asks the ledger what it has had since number `after`.
pub async fn news(env: &Env, after: u64) -> Result<News, String> {
    read_news(&ask(env, &format!("news?after={after}&{WIDE}"), None).await?)
}

/// The same, and tells it of KV writes.
pub async fn counted_news(env: &Env, after: u64, kv_writes: u64) -> Result<News, String> {
    let question = format!("news?after={after}&kv={kv_writes}&{WIDE}");
    read_news(&ask(env, &question, None).await?)
}

/// Asks the ledger for past orders.
pub async fn history(env: &Env, question: &Question) -> Result<Vec<Told>, String> {
    let answer = ask(env, "history", Some(&print(question))).await?;
    read(&answer).map_err(unreadable)
}

/// What says that the asker reads all lines of news. Earlier versions do not
/// say so, and get [`News::plain`]: during a deployment they talk to an object
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

fn read_news(text: &str) -> Result<News, String> {
    News::decode(text).map_err(|error| error.to_string())
}

fn unreadable(error: JsonError) -> String {
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
const SITE: &str = "https://ledger/";

/// The Durable Object.
#[durable_object(alarm)]
pub struct Ledger(Rc<Object>);

impl DurableObject for Ledger {
    fn new(state: State, env: Env) -> Self {
        Self(Rc::new(Object {
            book: LedgerStart::default(),
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

/// The error of a call that the sweep has dropped.
const EXPIRED: &str = "the ledger took too long";

struct Object {
    book: LedgerStart<Database>,
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

impl Object {
    /// The ledger, opened at the first question, or at the next if that fails.
    fn book(&self) -> Result<Rc<Book>, String> {
        self.book.get(|| {
            let zone = Zone::of(&self.env).unwrap_or_else(|problem| {
                log(&problem);
                None
            });
            let sql = Database(self.state.storage().sql());
            Book::open(sql, guard::now_ms(), zone.is_some())
        })
    }

    async fn fetch(&self, mut request: Request) -> worker::Result<Response> {
        let url = request.inner().url();
        let question = url.strip_prefix(SITE).unwrap_or_default();
        let (question, numbers) = question.split_once('?').unwrap_or((question, ""));
        let number = |wanted: &str| {
            let mut pairs = numbers.split('&').filter_map(|pair| pair.split_once('='));
            pairs.find(|(name, _)| *name == wanted)?.1.parse().ok()
        };
        let asked = Asked {
            after: number("after").unwrap_or(0),
            kv_writes: number("kv"),
            wide: number("wide") == Some(1),
        };
        let body = request.text().await?;
        let answer = match self.book() {
            Ok(book) => {
                let answer = answer(&book, question, &asked, &body);
                // No wait lies between: the order and its alarm are kept
                // together, or neither is.
                if question == "append" || self.alarm.get().is_none() {
                    self.wake(&book).await;
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

    async fn run_alarm(&self) {
        // It never fails: the runtime would try it again, but not for long.
        self.set_alarm(guard::now_ms().saturating_add(RESUME_MS))
            .await;
        match self.work().await {
            Ok(due_ms) => self.set_alarm(due_ms).await,
            Err(problem) => log(&problem),
        }
    }

    /// Does some of the work, and tells when to go on.
    async fn work(&self) -> Result<u64, String> {
        let book = self.book()?;
        let isolate = match settings::isolate(&self.env) {
            Ok(isolate) => isolate,
            Err(problem) => {
                glue::log_error(&problem);
                return Ok(guard::now_ms().saturating_add(MISCONFIGURED_MS));
            }
        };
        let host = || Platform::of_ledger(self.env.clone(), Rc::clone(&book));
        alarm::run(book.sql(), &isolate, host).await?;
        Ok(work::next_due(book.sql())?.unwrap_or(NEVER))
    }

    /// Sees to it that the alarm goes off when there is work.
    async fn wake(&self, book: &Book) {
        let due_ms = match work::next_due(book.sql()) {
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

    /// Sets the alarm, or clears it.
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

/// What a question says beside its name.
struct Asked {
    after: u64,
    kv_writes: Option<u64>,
    /// See [`WIDE`].
    wide: bool,
}

impl Asked {
    /// News as the asker reads them.
    fn readable(&self, news: String) -> Result<String, String> {
        match self.wide {
            true => Ok(news),
            false => Ok(read_news(&news)?.plain().encode()),
        }
    }
}

fn answer(book: &Book, question: &str, asked: &Asked, body: &str) -> Result<String, String> {
    match question {
        "append" => {
            let order: Order = read(body).map_err(unreadable)?;
            let reply = book.append(&order, guard::now_ms())?;
            let news = asked.readable(reply.news)?;
            Ok(print(&Reply { news, ..reply }))
        }
        "news" => {
            let news = match asked.kv_writes {
                Some(writes) => book.counted_news(asked.after, writes, guard::now_ms()),
                None => book.news(asked.after, guard::now_ms()),
            };
            asked.readable(news?)
        }
        "history" => {
            let question: Question = read(body).map_err(unreadable)?;
            Ok(print(&book.history(&question)?))
        }
        _ => Err("no such question".to_owned()),
    }
}
