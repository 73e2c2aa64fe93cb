//! `No-Vary-Search`: the query parameters by which a response does not vary
//! (draft-ietf-httpbis-no-vary-search).

use crate::http::fields::Fields;
use crate::http::url::Url;
use percent_encoding::percent_decode_str;
use sfv::{Dictionary, InnerList, ListEntry, Parser};

/// The name of the response field.
pub const FIELD: &str = "no-vary-search";

/// Which parts of a query are significant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Whether the order of parameters with different names is significant.
    order_matters: bool,
    parameters: Parameters,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Parameters {
    /// All parameters are significant, except these.
    AllBut(Vec<String>),
    /// Only these parameters are significant.
    Only(Vec<String>),
}

impl Policy {
    /// The policy of a response. `None` if the whole query is significant; an
    /// invalid field also means this (draft §4.2).
    pub fn of(fields: &Fields) -> Option<Self> {
        Self::parse(&fields.joined(FIELD)?)
    }

    fn parse(value: &str) -> Option<Self> {
        let dictionary: Dictionary = Parser::new(value).parse().ok()?;
        let order_matters = match dictionary.get("key-order") {
            None => true,
            Some(entry) => !boolean(entry)?,
        };
        let parameters = match (dictionary.get("params"), dictionary.get("except")) {
            (None, None) => Parameters::AllBut(Vec::new()),
            (Some(ListEntry::InnerList(names)), None) => Parameters::AllBut(strings(names)?),
            (Some(entry), None) => match boolean(entry)? {
                true => Parameters::Only(Vec::new()),
                false => Parameters::AllBut(Vec::new()),
            },
            (Some(entry), Some(ListEntry::InnerList(names))) if boolean(entry)? => {
                Parameters::Only(strings(names)?)
            }
            _ => return None,
        };
        let policy = Self {
            order_matters,
            parameters,
        };
        let default = policy.order_matters && policy.parameters == Parameters::AllBut(Vec::new());
        (!default).then_some(policy)
    }

    /// The URL with only the significant parameters of its query.
    pub fn reduce(&self, url: &Url) -> Url {
        let query = url.query.as_deref().unwrap_or_default();
        let mut parameters: Vec<(String, &str)> = query
            .split('&')
            .filter(|parameter| !parameter.is_empty())
            .map(|parameter| (name(parameter), parameter))
            .filter(|(name, _)| match &self.parameters {
                Parameters::AllBut(names) => !names.contains(name),
                Parameters::Only(names) => names.contains(name),
            })
            .collect();
        if !self.order_matters {
            parameters.sort_by(|(a, _), (b, _)| a.cmp(b));
        }
        let kept: Vec<&str> = parameters.into_iter().map(|(_, text)| text).collect();
        Url {
            query: (!kept.is_empty()).then(|| kept.join("&")),
            ..url.clone()
        }
    }
}

fn boolean(member: &ListEntry) -> Option<bool> {
    match member {
        ListEntry::Item(item) => item.bare_item.as_boolean(),
        ListEntry::InnerList(_) => None,
    }
}

fn strings(names: &InnerList) -> Option<Vec<String>> {
    let strings = names.items.iter().map(|item| item.bare_item.as_string());
    strings
        .map(|text| text.map(|text| decoded(text.as_str())))
        .collect()
}

/// The decoded name of a parameter (form encoding: `+` is a space).
fn name(parameter: &str) -> String {
    decoded(parameter.split('=').next().unwrap_or_default())
}

fn decoded(text: &str) -> String {
    let blanks = text.replace('+', " ");
    let name = percent_decode_str(&blanks).decode_utf8_lossy();
    name.into_owned()
}
