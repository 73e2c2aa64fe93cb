//! The ledger's Durable Object, a shell around `flow::ledger` and
//! `flow::alarm`, and how the isolates talk to it. There is one object a
//! deployment.

use super::durable::{Database, Named, State, set_alarm, wait};
use super::platform::Platform;
use super::zone::Zone;
use super::{js, tasks};
use crate::cache::ledger::{Order, Question, Receipt, Told};
use crate::cache::news::News;
use crate::flow::host::Ordered;
use crate::flow::report::problem_line;
use crate::flow::{alarm, work};
use crate::http::from_json::{FromJson, Wrong};
use crate::http::json::Json;
use js_sys::Promise;
use std::cell::{Cell, OnceCell};
use std::rc::Rc;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::*;

/// The ledger in its object.
pub type Book = crate::flow::ledger::Ledger<Database>;

const BINDING: &str = "EDGEKEEP_LEDGER";
const NAME: &str = "ledger";

/// Sends an order to the ledger.
pub async fn append(env: &JsValue, order: &Order) -> Result<Ordered, String> {
    let body = Json::from(order).to_string();
    let reply = Json::read(&ask(env, "append", Some(&body)).await?)?;
    let receipt = reply.get("receipt").map(Option::<Receipt>::from_json);
    let news = reply.get("news").and_then(Json::text);
    match (receipt.transpose().map_err(unreadable)?, news) {
        (Some(Some(receipt)), Some(news)) => Ok(Ordered::Done(Box::new(receipt), read_news(news)?)),
        // There is none when the id was used for another order.
        (Some(None), _) => Ok(Ordered::Conflict),
        _ => Err("the ledger said neither yes nor no".to_owned()),
    }
}

/// Asks the ledger what it has had since number `after`.
pub async fn news(env: &JsValue, after: u64) -> Result<News, String> {
    read_news(&ask(env, &format!("news?after={after}"), None).await?)
}

/// The same, and tells it of KV writes.
pub async fn counted_news(env: &JsValue, after: u64, kv_writes: u64) -> Result<News, String> {
    let question = format!("news?after={after}&kv={kv_writes}");
    read_news(&ask(env, &question, None).await?)
}

/// Asks the ledger for past orders.
pub async fn history(env: &JsValue, question: &Question) -> Result<Vec<Told>, String> {
    let body = Json::from(question).to_string();
    let answer = Json::read(&ask(env, "history", Some(&body)).await?)?;
    Vec::from_json(&answer).map_err(unreadable)
}

thread_local! {
    static ID: OnceCell<String> = const { OnceCell::new() };
}

/// The object's id, which no other deployment has. It takes no request, and
/// is worked out once.
pub fn id(env: &JsValue) -> Result<String, String> {
    if let Some(id) = ID.with(|id| id.get().cloned()) {
        return Ok(id);
    }
    let id = Named::of(env, BINDING, NAME)?.id();
    Ok(ID.with(|kept| kept.get_or_init(|| id).clone()))
}

fn read_news(text: &str) -> Result<News, String> {
    News::decode(text).map_err(|error| error.to_string())
}

fn unreadable(wrong: Wrong) -> String {
    wrong.to_string()
}

async fn ask(env: &JsValue, question: &str, body: Option<&str>) -> Result<String, String> {
    let ledger = Named::of(env, BINDING, NAME)?;
    ledger.ask(&format!("{SITE}{question}"), body).await
}

/// Where questions go: the object hears them at any address.
const SITE: &str = "https://ledger/";

/// The Durable Object.
#[wasm_bindgen]
pub struct Ledger(Rc<Object>);

#[wasm_bindgen]
impl Ledger {
    /// Called by the runtime when the object starts.
    #[wasm_bindgen(constructor)]
    pub fn new(state: State, env: JsValue) -> Self {
        let zone = Zone::of(&env).unwrap_or_else(|problem| {
            log(&problem);
            None
        });
        let book = Book::open(state.storage().sql(), now_ms(), zone.is_some());
        Self(Rc::new(Object {
            book: book.map(Rc::new),
            state,
            env,
            alarm: Cell::new(None),
        }))
    }

    /// Answers a request.
    pub fn fetch(&self, request: JsValue) -> Promise {
        let object = Rc::clone(&self.0);
        tasks::promise(async move { object.fetch(&request).await })
    }

    /// Called by the runtime when the alarm goes off.
    pub fn alarm(&self) -> Promise {
        let object = Rc::clone(&self.0);
        tasks::promise(async move {
            object.alarm_goes_off().await;
            Ok(JsValue::UNDEFINED)
        })
    }
}

struct Object {
    book: Result<Rc<Book>, String>,
    state: State,
    env: JsValue,
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
    async fn fetch(&self, request: &JsValue) -> Result<JsValue, JsValue> {
        let url = js::get(request, "url").as_string().unwrap_or_default();
        let question = url.strip_prefix(SITE).unwrap_or_default();
        let (question, numbers) = question.split_once('?').unwrap_or((question, ""));
        let number = |wanted: &str| {
            let mut pairs = numbers.split('&').filter_map(|pair| pair.split_once('='));
            pairs.find(|(name, _)| *name == wanted)?.1.parse().ok()
        };
        let (after, kv_writes) = (number("after").unwrap_or(0), number("kv"));
        // A request is read as a response is.
        let body = wait(request.unchecked_ref::<js::Response>().text()).await?;
        let body = body.as_string().unwrap_or_default();
        let answer = match &self.book {
            Ok(book) => {
                let answer = answer(book, question, after, kv_writes, &body);
                // No wait lies between: the order and its alarm are kept
                // together, or neither is.
                if question == "append" || self.alarm.get().is_none() {
                    self.wake(book).await;
                }
                answer
            }
            Err(problem) => Err(problem.clone()),
        };
        let (status, text) = match answer {
            Ok(text) => (200, text),
            Err(problem) => (500, problem),
        };
        let init = js::object([("status", JsValue::from(status))]);
        js::Response::new(&text.into(), &init).map(JsValue::from)
    }

    async fn alarm_goes_off(&self) {
        // It never fails: the runtime would try it again, but not for long.
        self.set_alarm(now_ms().saturating_add(RESUME_MS)).await;
        match self.work().await {
            Ok(due_ms) => self.set_alarm(due_ms).await,
            Err(problem) => log(&problem),
        }
    }

    /// Does some of the work, and tells when to go on.
    async fn work(&self) -> Result<u64, String> {
        let book = self.book.as_ref().map_err(Clone::clone)?;
        let isolate = match super::isolate(&self.env) {
            Ok(isolate) => isolate,
            Err(problem) => {
                js::log_error(&problem);
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
        self.alarm.set(Some(at_ms));
        let at = Some(at_ms).filter(|at_ms| *at_ms != NEVER);
        if let Err(problem) = set_alarm(&self.state.storage(), at).await {
            self.alarm.set(None);
            log(&problem);
        }
    }
}

fn log(problem: &str) {
    js::log_error(&problem_line("ledger", problem));
}

fn answer(
    book: &Book,
    question: &str,
    after: u64,
    kv_writes: Option<u64>,
    body: &str,
) -> Result<String, String> {
    match question {
        "append" => {
            let order = Order::from_json(&Json::read(body)?).map_err(unreadable)?;
            let reply = book.append(&order, now_ms())?;
            let reply = Json::table([
                ("receipt", reply.receipt.as_ref().into()),
                ("news", (&reply.news).into()),
            ]);
            Ok(reply.to_string())
        }
        "news" => match kv_writes {
            Some(writes) => book.counted_news(after, writes, now_ms()),
            None => book.news(after, now_ms()),
        },
        "history" => {
            let asked = Question::from_json(&Json::read(body)?).map_err(unreadable)?;
            Ok(Json::list(&book.history(&asked)?).to_string())
        }
        _ => Err("no such question".to_owned()),
    }
}

fn now_ms() -> u64 {
    // Positive, and exact for 285,000 years.
    js_sys::Date::now() as u64
}
