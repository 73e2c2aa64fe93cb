//! Watching whether the client of a request is still there: the part of
//! `glue.js` that `guard` calls, below all that calls `guard`.

use wasm_bindgen::prelude::*;

#[wasm_bindgen(module = "/src/cloudflare/js/glue.js")]
extern "C" {
    /// Calls `guard::disconnected` when the client of a request has gone.
    pub fn watch(request: &web_sys::Request, id: u32);

    /// Forgets a request that has ended without a response.
    pub fn forget(request: &web_sys::Request);
}
