//! A client's own conditions (RFC 9110 §13.1): which of its requests take them
//! along to the origin.

use crate::cache::request::classify::Lookup;

impl Lookup {
    /// The same request with the client's own conditions, for an answer that is
    /// not going to be stored; `None` if it has none that the origin could
    /// answer. Not for a page that is made of fragments, of which nobody has a
    /// validator, nor beside a `Range`, which has conditions of its own.
    pub fn with_conditions(&self) -> Option<Self> {
        let may = !self.rule.esi && self.range_to_send(true).is_none();
        (may && self.client_conditions().next().is_some()).then(|| Self {
            sends_conditions: true,
            ..self.clone()
        })
    }

    /// The conditions by which a client asks whether what it holds is current.
    pub fn client_conditions(&self) -> impl Iterator<Item = (&str, &str)> {
        let is_condition = |name| matches!(name, "if-none-match" | "if-modified-since");
        let fields = self.client.iter();
        fields.filter(move |(name, _)| is_condition(*name))
    }
}
