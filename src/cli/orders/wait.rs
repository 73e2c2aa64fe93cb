//! `--wait`: until orders are in force everywhere and their work is done.

use crate::cli::failure::Failure;
use crate::cli::orders::progress::Bar;
use crate::cli::orders::receipt::{OrderReceipt, progress_text};
use crate::cli::output::{self, GOOD, styled};
use crate::cli::remote::client::SiteClient;
use crate::cli::system;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The pause between two questions about an order's work.
const POLL_MS: u64 = 2_000;

/// How often the bar moves while a purge comes into force.
const TICK_MS: u64 = 200;

/// An order that was accepted.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// Its receipt.
    pub receipt: OrderReceipt,
    /// When it is in force everywhere, in milliseconds of this computer's clock.
    pub in_force_ms: u64,
}

/// What is escaped in an id: all but the unreserved characters (RFC 3986 §2.3).
/// Cloudflare's edge decodes an escape of those, and the signature would cover
/// another text.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The path of a past order.
pub fn path_of(id: &str) -> String {
    let id = utf8_percent_encode(id, ESCAPED);
    format!("/.edgekeep/purges/{id}")
}

/// Waits for all orders.
pub fn for_all(client: &SiteClient, orders: &[Accepted], most_seconds: u64) -> Result<(), Failure> {
    let until_ms = system::now_ms().saturating_add(most_seconds.saturating_mul(1000));
    let in_force_ms = orders.iter().map(|order| order.in_force_ms).max();
    let in_force_ms = in_force_ms.unwrap_or(0);
    until_in_force(in_force_ms.min(until_ms));
    if in_force_ms > until_ms {
        let problem = "the purge is accepted, but not in force everywhere yet: wait longer by \
            --wait-seconds";
        return Err(Failure::Found(problem.to_owned()));
    }
    let mut failed = 0_u64;
    for order in orders {
        let has_work = order.receipt.work.parts().next().is_some();
        if has_work {
            failed = failed.saturating_add(work_of(client, &order.receipt.id, until_ms)?);
        }
    }
    if failed > 0 {
        return Err(Failure::Found(format!(
            "the purge is in force, but {failed} steps of its work failed (above)"
        )));
    }
    output::note(styled(GOOD, "in force everywhere, and all is done"));
    Ok(())
}

fn until_in_force(until_ms: u64) {
    let began_ms = system::now_ms();
    let total_ms = until_ms.saturating_sub(began_ms);
    let bar = Bar::new("in force everywhere", total_ms);
    loop {
        let done_ms = system::now_ms().saturating_sub(began_ms);
        bar.set(done_ms.min(total_ms));
        match total_ms.saturating_sub(done_ms) {
            0 => return,
            left_ms => system::sleep_ms(left_ms.min(TICK_MS)),
        }
    }
}

/// Waits until nothing of an order's work is pending, and returns how much of it
/// failed.
fn work_of(client: &SiteClient, id: &str, until_ms: u64) -> Result<u64, Failure> {
    let mut bar: Option<Bar> = None;
    loop {
        let value = client.get(&path_of(id))?.json(system::now_ms())?;
        let receipt = OrderReceipt::read(&value).map_err(Failure::Found)?;
        let sum = |of: fn(&crate::cache::ledger::wire::Progress) -> u64| -> u64 {
            receipt.work.parts().map(|(_, progress)| of(progress)).sum()
        };
        let (pending, failed) = (sum(|p| p.pending), sum(|p| p.failed));
        let done = sum(|p| p.done).saturating_add(failed);
        let bar = bar.get_or_insert_with(|| Bar::new(id, pending.saturating_add(done)));
        bar.set(done);
        if pending == 0 {
            bar.aside(|| note_failures(&receipt));
            return Ok(failed);
        }
        if system::now_ms().saturating_add(POLL_MS) > until_ms {
            return Err(Failure::Found(format!(
                "the order {id} is in force, but {pending} steps of its work are pending: read on \
                 by `edgekeep history {id}`, or wait longer by --wait-seconds"
            )));
        }
        system::sleep_ms(POLL_MS);
    }
}

fn note_failures(receipt: &OrderReceipt) {
    for (name, progress) in receipt
        .work
        .parts()
        .filter(|(_, progress)| progress.failed > 0)
    {
        let text = progress_text(progress);
        output::note(format!("{}: {name}: {text}", receipt.id));
    }
}
