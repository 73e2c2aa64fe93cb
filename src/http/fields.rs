//! Header fields, in the order they came.

/// Header fields (RFC 9110 §5). Names are lower-case; a field may occur more
/// than once, and order is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// No fields.
    pub fn new() -> Self {
        Self::default()
    }

    /// The first value of `name` (lower-case).
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }

    /// Whether `name` (lower-case) occurs at all.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Every value of `name` (lower-case), in order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }

    /// All lines of `name` as one value, joined as RFC 9110 §5.3 allows for
    /// list fields; `None` if the field is absent.
    pub fn joined(&self, name: &str) -> Option<String> {
        let mut values = self.all(name);
        let mut joined = values.next()?.to_owned();
        for value in values {
            joined.push_str(", ");
            joined.push_str(value);
        }
        Some(joined)
    }

    /// Adds a line. The name is made lower-case.
    pub fn add(&mut self, name: &str, value: impl Into<String>) {
        self.0.push((name.to_ascii_lowercase(), value.into()));
    }

    /// Replaces every line of `name` by one.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.remove(name);
        self.add(name, value);
    }

    /// Removes every line of `name` (lower-case).
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(n, _)| n != name);
    }

    /// Keeps the lines for which `keep(name, value)` holds.
    pub fn retain(&mut self, keep: impl Fn(&str, &str) -> bool) {
        self.0.retain(|(n, v)| keep(n, v));
    }

    /// Lines as (name, value).
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(n, v)| (n.as_str(), v.as_str()))
    }

    /// How many lines there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no line.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<N: AsRef<str>, V: Into<String>> FromIterator<(N, V)> for Fields {
    fn from_iter<T: IntoIterator<Item = (N, V)>>(lines: T) -> Self {
        let mut fields = Self::new();
        for (name, value) in lines {
            fields.add(name.as_ref(), value);
        }
        fields
    }
}

/// Whether a value holds bytes that the runtime could not read: it takes
/// fields for UTF-8 and shows anything else as U+FFFD. Such values are equal to
/// nothing, themselves included.
pub fn is_unreadable(value: &str) -> bool {
    value.contains('\u{fffd}')
}

/// Fields that belong to one connection and never travel on
/// (RFC 9110 §7.6.1, RFC 9111 §3.1 for the `proxy-` ones).
fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection" | "keep-alive" | "te" | "trailer" | "transfer-encoding" | "upgrade"
    ) || name.starts_with("proxy-")
}

/// Removes hop-by-hop fields and whatever `Connection` names.
pub fn strip_hop_by_hop(fields: &mut Fields) {
    let named: Vec<String> = fields
        .all("connection")
        .flat_map(super::list::members)
        .map(str::to_ascii_lowercase)
        .collect();
    fields.retain(|name, _| !is_hop_by_hop(name) && !named.iter().any(|n| n == name));
}
