//! `edgekeep warm`: sends orders to fetch pages into KV.

use crate::cache::config::limits::PAGES_MAX;
use crate::cli::args::WarmArgs;
use crate::cli::failure::Failure;
use crate::cli::orders::order_ids::IdPrefix;
use crate::cli::orders::selectors::{self, Placed};
use crate::cli::orders::send_orders::Orders;
use crate::cli::orders::split::{Item, WARM_LIMITS, split};
use crate::cli::remote::client::SiteClient;
use crate::http::url::Url;
use serde_json::{Map, json};
use std::collections::HashSet;

/// Sends the orders.
pub fn run(args: &WarmArgs) -> Result<(), Failure> {
    let items = items(args)?;
    let mut shared = Map::new();
    if let Some(limit) = args.limit {
        if !(1..=PAGES_MAX as u64).contains(&limit) {
            let problem = format!("--limit must be from 1 to {PAGES_MAX} pages, not {limit}");
            return Err(Failure::Usage(problem));
        }
        shared.insert("limit".to_owned(), json!(limit));
    }
    if args.order.dry_run {
        shared.insert("dry_run".to_owned(), json!(true));
    }
    let orders = Orders {
        path: "/.edgekeep/warm",
        bodies: split(&items, &shared, WARM_LIMITS)?,
        ids: IdPrefix::given_or_new(args.order.id_prefix.as_deref())?,
    };
    orders.send(&SiteClient::new(&args.site)?, &args.order, args.site.json)
}

fn items(args: &WarmArgs) -> Result<Vec<Item>, Failure> {
    let mut all: Vec<Placed<Item>> = Vec::new();
    for (option, list, texts) in [
        ("--url", "urls", &args.urls),
        ("--sitemap", "sitemaps", &args.sitemaps),
    ] {
        let item = |text: &String| {
            (
                option.to_owned(),
                Item {
                    list,
                    text: text.clone(),
                },
            )
        };
        all.extend(texts.iter().map(item));
    }
    if let Some(file) = &args.order.from {
        let lines = selectors::lines_of(file).map_err(Failure::Usage)?;
        if lines.is_empty() {
            // An order without URLs means those of the settings.
            let problem = format!("nothing was sent: {file} names no URL");
            return Err(Failure::Usage(problem));
        }
        all.extend(lines.into_iter().map(|(place, line)| {
            let (list, text) = match line.strip_prefix("sitemap:") {
                Some(text) => ("sitemaps", text.trim().to_owned()),
                None => ("urls", line),
            };
            (place, Item { list, text })
        }));
    }
    let mut wrong = Vec::new();
    let mut known = HashSet::new();
    let mut items = Vec::new();
    for (place, item) in all {
        if let Err(error) = Url::parse(&item.text) {
            wrong.push((place, format!("the URL {error}")));
        } else if known.insert(item.clone()) {
            items.push(item);
        }
    }
    match selectors::listed(&wrong) {
        Some(problem) => Err(Failure::Usage(problem)),
        None => Ok(items),
    }
}
