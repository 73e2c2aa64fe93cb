//! What only some requests need, out of the way of the others.

use std::pin::Pin;

/// A future in a box of its own, of which its caller knows nothing. Else a
/// future holds room for all that it may ever wait for, and its code is theirs
/// in one piece: each hit would carry, and each isolate compile at its first
/// request, what only a miss needs.
#[inline(never)]
pub fn boxed<'a, T>(work: impl Future<Output = T> + 'a) -> Pin<Box<dyn Future<Output = T> + 'a>> {
    Box::pin(work)
}
