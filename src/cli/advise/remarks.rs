//! Findings for which there is no setting to paste.

use super::log::Log;
use super::proposal::Remark;
use super::search::is_cookie_bypass;
use super::withheld::WithheldPart;
use crate::cache::config::rules::Rules;
use crate::cli::output::plain;

/// How many URLs with many variants are named.
const URLS_SHOWN: usize = 3;

/// How many reasons are named.
const REASONS_SHOWN: usize = 5;

/// What concerns at least `least` requests.
pub fn remarks(log: &Log, rules: &Rules, least: u64) -> Vec<Remark> {
    let mut found: Vec<Remark> = [vary(log), cookies(log, rules), unstored(log)]
        .into_iter()
        .flatten()
        .collect();
    found.extend(log.withheld.names().map(withheld));
    found.retain(|remark| remark.requests >= least.max(1));
    found
}

fn vary(log: &Log) -> Option<Remark> {
    let mut keys: Vec<_> = log.variants.many().collect();
    keys.sort_by_key(|key| std::cmp::Reverse(key.fetches));
    let requests = keys.iter().map(|key| key.fetches).sum();
    let urls = keys.iter().take(URLS_SHOWN);
    let urls: Vec<String> = urls
        .filter_map(|key| {
            let path = log.urls.get(key.url)?.path_and_query();
            Some(format!("{} ({} variants)", plain(&path), key.entries()))
        })
        .collect();
    (!urls.is_empty()).then(|| Remark {
        cause: "vary",
        requests,
        text: format!(
            "Vary has too many values: {} keys, such as {}. With one variant, these fetches would \
             have been hits. Let the origin vary on fewer fields, or answer Accept-Language by \
             redirects to a URL of each language; remove the field from key_headers and \
             forward_headers if it is named there",
            keys.len(),
            urls.join(", ")
        ),
    })
}

fn cookies(log: &Log, rules: &Rules) -> Option<Remark> {
    let bypassed = log
        .rows
        .iter()
        .filter(|row| is_cookie_bypass(log, rules, row));
    let requests = bypassed.count() as u64;
    (requests > 0).then(|| Remark {
        cause: "cookie",
        requests,
        text: "GET and HEAD bypassed the cache although their rule allows it, most often by a \
               session cookie (Cache-Status says detail=cookie). If readers without a session get \
               it, let the origin set it at sign-in only; if it is none of a session, set \
               bypass_cookies to the names of those that are"
            .to_owned(),
    })
}

/// Reasons that no setting of a lifetime mends.
fn unstored(log: &Log) -> Option<Remark> {
    let mut reasons = log.unstored.reasons();
    reasons.retain(|(word, _)| *word != "no-freshness");
    let requests = reasons.iter().map(|(_, count)| count).sum();
    let named = reasons.iter().take(REASONS_SHOWN);
    let named: Vec<String> = named
        .map(|(word, count)| format!("{} ({count})", plain(word)))
        .collect();
    (!named.is_empty()).then(|| Remark {
        cause: "not-stored",
        requests,
        text: format!(
            "Responses were not stored: {}. docs/cache-status.md says what each word means, and \
             what to do if the response should be stored",
            named.join(", ")
        ),
    })
}

fn withheld((part, name, requests): (WithheldPart, &str, u64)) -> Remark {
    let name = plain(name);
    let (cause, text) = match part {
        WithheldPart::Field => (
            "withheld-field",
            format!(
                "Responses vary on {name}, which the origin does not get: all readers get the \
                 same. If they should not, set key_headers = [\"{name}\"]"
            ),
        ),
        WithheldPart::Cookie => (
            "withheld-cookie",
            format!(
                "The origin did not get the cookie {name}. If pages depend on it, name it in \
                 key_cookies or bypass_cookies; if none does, in drop_cookies"
            ),
        ),
    };
    Remark {
        cause,
        requests,
        text,
    }
}
