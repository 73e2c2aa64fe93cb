//! Watches whether the client of a request has disconnected. This part of
//! `glue.js` is a module of its own because `guard` calls it, and the other
//! modules call `guard`.

use wasm_bindgen::prelude::*;

#[wasm_bindgen(module = "/src/cloudflare/js/glue.js")]
extern "C" {
    /// Calls `guard::disconnected` when the client of a request disconnects.
    pub fn watch(request: &web_sys::Request, id: u32);

    /// Removes the bookkeeping of a request that has ended without a response.
    pub fn forget(request: &web_sys::Request);
}
