//! An isolate in front of an origin in the simulated world: settings, the
//! origin's responses, and requests with bodies and fields.

use crate::world::place::{Place, Slot};
use crate::world::{Bytes, Plan, World};
use edgekeep::cache::config::rules::Rules;
use edgekeep::flow::handle::serve;
use edgekeep::flow::isolate::credentials::Keys;
use edgekeep::flow::isolate::state::Isolate;
use edgekeep::http::fields::Fields;
use edgekeep::http::head::{Method, RequestHead};
use edgekeep::http::url::Url;
use serde_json::Value;
use std::rc::Rc;

/// An isolate with these settings, whose clock is right.
pub fn place(world: &World, settings: &Value) -> Place {
    let rules = Rules::read_json(&settings.to_string()).expect("settings");
    Place {
        world: world.with_clock(0),
        isolate: Rc::new(Isolate::new(rules, Keys::of_default(""))),
    }
}

/// A response with this status, whose body is the status in digits.
pub fn answers(status: u16, slow_ms: u64) -> Plan {
    Plan::Answer {
        slow_ms,
        cut: false,
        status,
        fields: Fields::new(),
        body: status.to_string(),
    }
}

/// Sets the origin's response to requests for a path.
pub fn plan(world: &World, path: &str, plan: Plan) {
    world.state.borrow_mut().plans.insert(path.to_owned(), plan);
}

/// Sends a request, with a body or without.
pub fn send(place: &Place, method: &'static str, url: &str, body: Option<Bytes>) -> Slot {
    send_with(place, method, url, Fields::new(), body)
}

/// Sends a request with these fields.
pub fn send_with(
    place: &Place,
    method: &'static str,
    url: &str,
    fields: Fields,
    body: Option<Bytes>,
) -> Slot {
    let head = RequestHead {
        method: Method::named(method),
        url: Url::parse(url).expect("a URL"),
        fields,
    };
    let slot = Slot::default();
    let (place, filled) = (place.clone(), Rc::clone(&slot));
    place.clone().world.executor.spawn(async move {
        let answer = serve(&place.world, &place.isolate, head, body).await;
        *filled.borrow_mut() = Some(answer);
    });
    slot
}

/// Sends a POST with a body.
pub fn upload(place: &Place, path: &str) -> Slot {
    let body = Bytes::new("a=1".to_owned(), false);
    send(place, "POST", &format!("http://a.test{path}"), Some(body))
}

/// The response to a request, and the milliseconds until it.
pub fn timed(place: &Place, slot: &Slot) -> (String, u64) {
    let began_ms = place.world.executor.now_ms();
    let answer = place.finish(slot);
    (answer, place.world.executor.now_ms() - began_ms)
}

/// The URLs that the origin has received requests for.
pub fn asked(world: &World) -> Vec<String> {
    let state = world.state.borrow();
    state.asked.iter().map(|r| r.url.clone()).collect()
}
