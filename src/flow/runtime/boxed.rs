//! Boxes futures that only some requests need.

use std::pin::Pin;

/// A boxed future of an opaque type. An unboxed future has room for everything
/// that it may ever await, and their code is compiled as one piece: each hit
/// would carry, and each isolate would compile at its first request, what only
/// a miss needs.
#[inline(never)]
pub fn boxed<'a, T>(work: impl Future<Output = T> + 'a) -> Pin<Box<dyn Future<Output = T> + 'a>> {
    Box::pin(work)
}
