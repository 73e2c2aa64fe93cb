//! The watchers of events: WebSockets of the ledger's object. The runtime keeps
//! them while the object hibernates. The tag of a socket is the name of the
//! watcher's key, all that the object needs to know of it.

use super::sql::Database;
use crate::cloudflare::js::glue::tell;
use crate::cloudflare::js::worker_message;
use crate::flow::endpoints::events::{self, PROTOCOL};
use crate::flow::isolate::state::Isolate;
use crate::flow::ledger::ledger_store::LedgerStore;
use std::cell::Cell;
use wasm_bindgen::{JsCast, JsValue};
use worker::worker_sys::DurableObjectState;
use worker::{Response, State, WebSocket, WebSocketPair, WebSocketRequestResponsePair};

/// How many watchers may be connected. What waits for them all is at most
/// [`WAITING_MAX`] times as much, 25 MB, and an event that all may see takes 200
/// sends of about 20 µs, 4 ms.
const WATCHERS_MAX: usize = 200;

/// How many of them may have the same key: a quarter, so that no key locks the
/// others out.
const KEY_WATCHERS_MAX: usize = WATCHERS_MAX / 4;

/// How many characters a watcher is sent without a ping from it, but at least
/// one message: about 300 orders of 400 characters. A watcher that reads more
/// slowly is closed, and reads on after it has connected again.
const WAITING_MAX: u32 = 128 * 1024;

/// The close code of a watcher that has to connect again (RFC 6455, IANA: "Try
/// Again Later").
const AGAIN: u16 = 1013;

/// The sockets of an object, and the last event that they were sent.
pub struct Watchers {
    state: State,
    /// The same, for the calls that `worker` lacks.
    raw: JsValue,
    published: Cell<u64>,
}

impl Watchers {
    /// The watchers of the object with this state, which is returned again.
    pub fn of(state: State) -> (Self, State) {
        let raw = JsValue::from(state._inner());
        let state = || State::from(raw.clone().unchecked_into::<DurableObjectState>());
        let watchers = Self {
            state: state(),
            raw: raw.clone(),
            published: Cell::new(0),
        };
        (watchers, state())
    }

    /// Sets the last event that was sent, when the object has started: an object
    /// sends what has happened before it hibernates, and after a trap its
    /// sockets are closed (`worker.js`).
    pub fn begin_after(&self, event: u64) {
        self.published.set(event);
    }

    /// Whether there is a watcher.
    pub fn is_empty(&self) -> bool {
        self.state.get_websockets().is_empty()
    }

    /// Sends the watchers what has happened since the last call.
    pub fn publish(&self, ledger: &LedgerStore<Database>, isolate: &Isolate) -> Result<(), String> {
        let keys = isolate.keys.iter().map(|key| &key.rule);
        let of_keys: Vec<_> = keys
            .map(|key| (key, self.state.get_websockets_with_tag(&key.name)))
            .filter(|(_, sockets)| !sockets.is_empty())
            .collect();
        let watched: Vec<_> = of_keys.iter().map(|(key, _)| *key).collect();
        events::publish(ledger, &self.published, &watched, &mut |key, text| {
            let of_key = of_keys.iter().filter(|(other, _)| other.name == key.name);
            for socket in of_key.flat_map(|(_, sockets)| sockets) {
                self.tell(socket, text);
            }
        })
    }

    /// Accepts a watcher, and sends it what has happened after an event. The
    /// response carries its socket; `None` if there are too many watchers. All
    /// others must have been sent everything.
    pub fn accept(
        &self,
        ledger: &LedgerStore<Database>,
        isolate: &Isolate,
        (key, after): (&str, Option<u64>),
        has_protocol: bool,
    ) -> Result<Option<Response>, String> {
        let of_key = isolate.keys.iter().find(|one| one.rule.name == key);
        let rule = &of_key.ok_or("a watcher with an unknown key")?.rule;
        let is_full = self.state.get_websockets().len() >= WATCHERS_MAX
            || self.state.get_websockets_with_tag(key).len() >= KEY_WATCHERS_MAX;
        if is_full {
            return Ok(None);
        }
        let pair = WebSocketPair::new().map_err(worker_message)?;
        self.state.accept_websocket_with_tags(&pair.server, &[key]);
        let pings = WebSocketRequestResponsePair::new("ping", "pong");
        if let Ok(pings) = pings {
            self.state.set_websocket_auto_response(&pings);
        }
        let is_whole = events::replay(ledger, rule, after, &mut |text| {
            self.tell(&pair.server, text)
        })?;
        if !is_whole {
            // It may be closed already.
            let _ = pair.server.close(Some(AGAIN), Some("more: connect again"));
        }
        let mut response = Response::from_websocket(pair.client).map_err(worker_message)?;
        if has_protocol {
            let fields = response.headers_mut();
            fields
                .set("sec-websocket-protocol", PROTOCOL)
                .map_err(worker_message)?;
        }
        Ok(Some(response))
    }

    fn tell(&self, socket: &WebSocket, text: &str) -> bool {
        tell(&self.raw, socket.as_ref().as_ref(), text, WAITING_MAX)
    }
}
