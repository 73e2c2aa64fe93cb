//! `edgekeep history`: reads past orders, and follows new ones.

use crate::cache::ledger::wire::HISTORY_MAX;
use crate::cli::args::HistoryArgs;
use crate::cli::failure::Failure;
use crate::cli::orders::receipt::{OrderReceipt, ProgressEvent, progress_text};
use crate::cli::orders::wait::path_of;
use crate::cli::output::{self, plain};
use crate::cli::remote::client::SiteClient;
use crate::cli::remote::events::EventStream;
use crate::cli::system;
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use serde::Deserialize;
use serde_json::Value;
use std::io::Write;

/// The pause between two questions for new orders, where the site sends no
/// events.
const FOLLOW_MS: u64 = 2_000;

/// How many such questions come between two attempts to open the events: a
/// minute.
const POLLS_MAX: u32 = 30;

/// The pause between two pages of the history: at most five pages a second.
const PAGE_MS: u64 = 200;

/// A page of the history.
struct Page {
    orders: Vec<Value>,
    /// The `after` of the next page, if this one was full.
    next: Option<u64>,
}

/// Prints past orders.
pub fn run(args: &HistoryArgs) -> Result<(), Failure> {
    let client = SiteClient::new(&args.site)?;
    let is_json = args.site.json;
    if let Some(id) = &args.id {
        let value = client.get(&path_of(id))?.json(system::now_ms())?;
        return match is_json {
            true => Ok(output::json(&value)?),
            false => Ok(OrderReceipt::read(&value)
                .map_err(Failure::Found)?
                .print(false)?),
        };
    }
    let mut after = args.after;
    let mut left = args.limit.unwrap_or(usize::MAX);
    let mut is_first = true;
    let mut polls = 0;
    loop {
        let page = read_page(&client, after, left)?;
        let shown = page
            .orders
            .get(..left.min(page.orders.len()))
            .unwrap_or_default();
        left = left.saturating_sub(shown.len());
        after = next_after(after, &page);
        if is_json {
            shown.iter().try_for_each(output::json)?;
        } else {
            print_table(shown, is_first)?;
            is_first = is_first && shown.is_empty();
        }
        match (page.next, args.follow) {
            _ if left == 0 => return Ok(()),
            (Some(_), _) => system::sleep_ms(PAGE_MS),
            (None, true) if polls == 0 => {
                polls = POLLS_MAX;
                // Orders that come meanwhile are in the events.
                if let Ok(events) = client.events(after) {
                    after = follow(events, after, is_json)?;
                    polls = 0;
                }
                system::sleep_ms(FOLLOW_MS);
            }
            (None, true) => {
                polls -= 1;
                system::sleep_ms(FOLLOW_MS);
            }
            (None, false) => return Ok(()),
        }
    }
}

/// Prints orders and their work as they happen, until the connection ends.
/// Returns the sequence number of the last order.
fn follow(mut events: EventStream, after: u64, is_json: bool) -> Result<u64, Failure> {
    let mut last = after;
    while let Ok(event) = events.read() {
        if let Some(order) = event.get("order") {
            let sequence = order.get("sequence").and_then(Value::as_u64);
            // Events of orders that were printed already may come once more.
            let Some(sequence) = sequence.filter(|sequence| *sequence > last) else {
                continue;
            };
            last = sequence;
            match is_json {
                true => output::json(order)?,
                false => print_table(std::slice::from_ref(order), false)?,
            }
        } else if let Some(progress) = event.get("progress").filter(|_| !is_json) {
            print_progress(progress)?;
        }
    }
    Ok(last)
}

fn print_progress(progress: &Value) -> Result<(), Failure> {
    let progress = ProgressEvent::deserialize(progress);
    let progress =
        progress.map_err(|error| Failure::Found(format!("the event is no progress: {error}")))?;
    let id = plain(&progress.id);
    for (name, counts) in progress.work.parts() {
        output::line(format!("{id}: {name}: {}", progress_text(counts)))?;
    }
    Ok(std::io::stdout().lock().flush()?)
}

fn read_page(client: &SiteClient, after: u64, left: usize) -> Result<Page, Failure> {
    let limit = HISTORY_MAX.min(left as u64).max(1);
    let path = format!("/.edgekeep/purges?after={after}&limit={limit}");
    let mut value = client.get(&path)?.json(system::now_ms())?;
    let next = value.get("next").and_then(Value::as_u64);
    match value.get_mut("purges").map(Value::take) {
        Some(Value::Array(orders)) => Ok(Page { orders, next }),
        _ => Err(Failure::Found("the answer is no history".to_owned())),
    }
}

/// The `after` of the next question: orders that this key may not read count in
/// `next`, too. It never goes back.
fn next_after(after: u64, page: &Page) -> u64 {
    let sequence = |order: &Value| order.get("sequence").and_then(Value::as_u64);
    let last = page.orders.last().and_then(sequence);
    page.next.or(last).unwrap_or(after).max(after)
}

fn print_table(orders: &[Value], with_header: bool) -> Result<(), Failure> {
    let mut table = Table::new();
    table.load_style(NOTHING);
    if with_header && !orders.is_empty() {
        table.set_header(["SEQUENCE", "RECEIVED", "KEY", "VIA", "ID", "PURGED", "WORK"]);
    }
    for order in orders {
        let receipt = OrderReceipt::read(order).map_err(Failure::Found)?;
        let work = receipt
            .work
            .parts()
            .map(|(name, progress)| format!("{name}: {}", progress_text(progress)));
        table.add_row([
            receipt.sequence.to_string(),
            plain(&receipt.received_at),
            plain(receipt.key.as_deref().unwrap_or_default()),
            plain(&receipt.via),
            plain(&receipt.id),
            receipt.summary(),
            work.collect::<Vec<_>>().join("; "),
        ]);
    }
    if !table.is_empty() {
        output::line(table.trim_fmt())?;
        std::io::stdout().lock().flush()?;
    }
    Ok(())
}
