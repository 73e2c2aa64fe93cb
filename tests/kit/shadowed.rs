//! A worker whose rule is in shadow mode, and the verdicts of its requests.

use crate::worker::{NOW_MS, TestWorker, text};
use crate::world::{Bytes, Plan, World, secrets};
use serde_json::{Value, json};

pub fn worker_in(world: &World, rule: Value) -> TestWorker {
    let settings = json!({ "origin": "http://origin.test", "rules": [rule] });
    let mut worker = TestWorker::new(&settings, |variable| Some(secrets::of_variable(variable)));
    worker.world = world.clone();
    worker
}

/// A worker in shadow mode, with more settings for its rule.
pub fn shadow(more: Value) -> TestWorker {
    let mut rule = json!({ "shadow": true });
    let more = more.as_object().cloned().unwrap_or_default();
    rule.as_object_mut().expect("a table").extend(more);
    worker_in(&World::new(NOW_MS), rule)
}

pub fn page(worker: &TestWorker, path: &str, answer: &str, body: &str) {
    let (status, lines) = answer.split_once(" | ").unwrap_or((answer, ""));
    let lines = lines.split(" | ").filter(|line| !line.is_empty());
    let plan = Plan::Answer {
        slow_ms: 0,
        cut: false,
        status: status.parse().expect("a status"),
        fields: lines
            .map(|line| line.split_once(": ").expect("Name: value"))
            .collect(),
        body: body.to_owned(),
    };
    let mut state = worker.world.state.borrow_mut();
    state.plans.insert(path.to_owned(), plan);
}

pub fn lines(worker: &TestWorker, event: &str) -> Vec<Value> {
    worker.world.executor.settle();
    let state = worker.world.state.borrow();
    let all = state.log.iter().map(|line| serde_json::from_str(line));
    all.map(|line: Result<Value, _>| line.expect("JSON"))
        .filter(|line| line["event"] == event)
        .collect()
}

/// `VERDICT[/REASON]` of the last request.
pub fn last(worker: &TestWorker) -> String {
    let lines = lines(worker, "request");
    let line = lines.last().expect("a line");
    let verdict = line["shadow"].as_str().unwrap_or("-");
    let words = line["detail"].as_array().cloned().unwrap_or_default();
    let reason = words.iter().rfind(|word| *word != "shadow");
    match reason.and_then(Value::as_str) {
        Some(reason) => format!("{verdict}/{reason}"),
        None => verdict.to_owned(),
    }
}

/// Sends a request and returns its verdict.
pub fn verdict(worker: &TestWorker, request: &str) -> String {
    worker.send(request);
    last(worker)
}

pub const GET: &str = "GET http://a.test/p";
pub const PUBLIC: &str = "200 | Cache-Control: public, max-age=60";

pub fn purge(worker: &TestWorker, order: &str) {
    let token = secrets::token("default");
    let request =
        format!("POST http://a.test/.edgekeep/purge | Authorization: Bearer {token} << {order}");
    let answer = worker.send(&request);
    assert_eq!(answer.status, 200, "{}", text(&answer));
}

/// All that the Cache API and KV hold.
pub fn stored(worker: &TestWorker) -> Vec<(String, Option<Bytes>)> {
    worker.world.executor.settle();
    let state = worker.world.state.borrow();
    let all = state.cache_api.values().chain(state.kv.values());
    all.map(|(text, body, _)| (text.clone(), body.clone()))
        .collect()
}
