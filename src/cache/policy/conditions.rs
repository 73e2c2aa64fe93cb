//! A client's own conditions (RFC 9110 §13.1): decides whether a request to the
//! origin carries them.

use crate::cache::request::classify::Lookup;

impl Lookup {
    /// Returns the same request with the client's own conditions, for a
    /// response that is not going to be stored. Returns `None` if the request
    /// has no conditions that the origin could evaluate. A page assembled from
    /// fragments has no validator, so it gets none; neither does a request with
    /// `Range`, which has conditions of its own.
    pub fn with_conditions(&self) -> Option<Self> {
        let may = !self.rule.esi && self.range_to_send(true).is_none();
        (may && self.client_conditions().next().is_some()).then(|| Self {
            sends_conditions: true,
            ..self.clone()
        })
    }

    /// Returns the fields by which a client revalidates its copy.
    pub fn client_conditions(&self) -> impl Iterator<Item = (&str, &str)> {
        let is_condition = |name| matches!(name, "if-none-match" | "if-modified-since");
        let fields = self.client.iter();
        fields.filter(move |(name, _)| is_condition(*name))
    }
}
