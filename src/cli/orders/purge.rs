//! `edgekeep purge`: sends what is named as signed orders.

use crate::cache::purge::order::PurgeKind;
use crate::cli::args::PurgeArgs;
use crate::cli::failure::Failure;
use crate::cli::orders::order_ids::IdPrefix;
use crate::cli::orders::selectors::{self, InputSelector, Placed};
use crate::cli::orders::send_orders::Orders;
use crate::cli::orders::split::{Item, PURGE_LIMITS, split};
use crate::cli::remote::client::SiteClient;
use serde_json::{Map, Value};

/// Sends the orders.
pub fn run(args: &PurgeArgs) -> Result<(), Failure> {
    let items = items(args)?;
    let fields = [
        ("soft", args.soft),
        ("refresh", args.refresh),
        ("dry_run", args.order.dry_run),
    ];
    let shared: Map<String, Value> = fields
        .into_iter()
        .filter(|(_, is_set)| *is_set)
        .map(|(name, _)| (name.to_owned(), Value::Bool(true)))
        .collect();
    let orders = Orders {
        path: "/.edgekeep/purge",
        bodies: split(&items, &shared, PURGE_LIMITS)?,
        ids: IdPrefix::given_or_new(args.order.id_prefix.as_deref())?,
    };
    orders.send(&SiteClient::new(&args.site)?, &args.order, args.site.json)
}

fn items(args: &PurgeArgs) -> Result<Vec<Item>, Failure> {
    let named = [
        ("--url", PurgeKind::Url, &args.urls),
        ("--tag", PurgeKind::Tag, &args.tags),
        ("--prefix", PurgeKind::Prefix, &args.prefixes),
        ("--host", PurgeKind::Host, &args.hosts),
    ];
    let mut all: Vec<Placed<InputSelector>> = Vec::new();
    for (option, kind, texts) in named {
        let place = |text: &String| (option.to_owned(), InputSelector::Of(kind, text.clone()));
        all.extend(texts.iter().map(place));
    }
    if args.everything {
        all.push(("--everything".to_owned(), InputSelector::Everything));
    }
    let mut wrong = Vec::new();
    if let Some(file) = &args.order.from {
        for (place, line) in selectors::lines_of(file).map_err(Failure::Usage)? {
            match selectors::parse_line(&line) {
                Ok(selector) => all.push((place, selector)),
                Err(problem) => wrong.push((place, problem)),
            }
        }
    }
    if let Some(problem) = selectors::listed(&wrong) {
        return Err(Failure::Usage(problem));
    }
    let items = selectors::checked(all).map_err(Failure::Usage)?;
    if items.is_empty() {
        let problem = "name what to purge: --url, --tag, --prefix, --host, --everything or --from";
        return Err(Failure::Usage(problem.to_owned()));
    }
    let has_url = items.iter().any(|item| item.list == PurgeKind::Url.list());
    if args.refresh && !has_url {
        let problem = "--refresh fetches URLs again: name some by --url or --from";
        return Err(Failure::Usage(problem.to_owned()));
    }
    Ok(items)
}
