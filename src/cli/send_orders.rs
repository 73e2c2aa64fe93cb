//! Sends the orders of a command, one after the other.

use super::args::OrderArgs;
use super::client::Client;
use super::failure::Failure;
use super::order_ids::IdPrefix;
use super::output::{self, WARNING, styled};
use super::progress::Bar;
use super::receipt::{Receipt, print_list};
use super::reply::{Refused, Reply};
use super::system;
use super::wait::{self, Accepted};
use serde_json::{Value, json};

/// The orders of a command.
#[derive(Debug)]
pub struct Orders {
    /// Where they are sent.
    pub path: &'static str,
    /// Their bodies.
    pub bodies: Vec<String>,
    /// Their ids.
    pub ids: IdPrefix,
}

impl Orders {
    /// Sends all, prints each answer, and waits if that is wanted. The first
    /// refusal ends it: what was accepted until then is printed.
    pub fn send(&self, client: &Client, args: &OrderArgs, as_json: bool) -> Result<(), Failure> {
        let began_ms = system::now_ms();
        let (mut accepted, mut refused) = (Vec::new(), 0);
        let bar = (self.bodies.len() > 1).then(|| Bar::new("orders", self.bodies.len() as u64));
        for (number, body) in self.bodies.iter().enumerate() {
            let id = self.ids.id(number);
            let answer = client
                .post(self.path, &id, body)
                .map_err(Failure::from)
                .and_then(|reply| Ok((reply.json(system::now_ms())?, reply)));
            let print = || -> Result<(), Failure> {
                match answer {
                    Ok((value, _)) if args.dry_run => {
                        refused += print_dry_run(&value, as_json)?;
                    }
                    Ok((value, reply)) => {
                        accepted.push(print_receipt(&value, &reply, began_ms, as_json)?);
                    }
                    Err(failure) => {
                        if let (Failure::Refused(refusal), true) = (&failure, as_json) {
                            output::json(&refusal_json(&id, refusal))?;
                        }
                        if !args.dry_run {
                            self.note_rest(number, &failure);
                        }
                        return Err(failure);
                    }
                }
                Ok(())
            };
            match &bar {
                Some(bar) => bar.aside(print)?,
                None => print()?,
            }
            if let Some(bar) = &bar {
                bar.set(number.saturating_add(1) as u64);
            }
        }
        drop(bar);
        if refused > 0 {
            return Err(Failure::Found(format!(
                "parts that would be refused: {refused}"
            )));
        }
        match args.wait {
            true => wait::for_all(client, &accepted, args.wait_seconds),
            false => Ok(()),
        }
    }

    /// Says what was accepted before a failure, and how to send the rest.
    fn note_rest(&self, accepted: usize, failure: &Failure) {
        let (prefix, all) = (self.ids.text(), self.bodies.len());
        if all > 1 {
            let ids: Vec<String> = (0..accepted).map(|number| self.ids.id(number)).collect();
            output::note(format!(
                "{accepted} of {all} orders were accepted: {}",
                match ids.as_slice() {
                    [] => "none".to_owned(),
                    ids => ids.join(" "),
                }
            ));
        }
        // An order without an answer may have been accepted, too.
        if accepted > 0 || failure.is_out_of_reach() {
            let advice = format!(
                "to send the rest, repeat the command with the same input and \
                 --id-prefix {prefix}: what was accepted is recognized"
            );
            output::note(styled(WARNING, advice));
        }
    }
}

fn print_receipt(
    value: &Value,
    reply: &Reply,
    began_ms: u64,
    as_json: bool,
) -> Result<Accepted, Failure> {
    let receipt = Receipt::read(value).map_err(Failure::Found)?;
    let now_ms = system::now_ms();
    let server_seconds = reply.date_seconds();
    if as_json {
        output::json(value)?;
    } else {
        let run_seconds = now_ms.saturating_sub(began_ms) / 1000;
        let now_seconds = server_seconds.unwrap_or(now_ms / 1000);
        receipt.print(receipt.is_of_earlier_run(now_seconds, run_seconds))?;
    }
    let in_force_ms = now_ms.saturating_add(receipt.in_force_in_ms(server_seconds));
    Ok(Accepted {
        receipt,
        in_force_ms,
    })
}

/// Prints a dry run, and returns how many parts would be refused.
fn print_dry_run(value: &Value, as_json: bool) -> Result<usize, Failure> {
    let list = |name: &str| value.get(name).and_then(Value::as_array);
    let refused = list("refused").map_or(0, Vec::len);
    if as_json {
        output::json(value)?;
        return Ok(refused);
    }
    output::line("dry run: nothing is done")?;
    for name in ["hard", "soft", "refresh"] {
        let texts = list(name).into_iter().flatten().filter_map(Value::as_str);
        print_list(name, &texts.map(str::to_owned).collect::<Vec<_>>())?;
    }
    for name in ["pages", "skipped", "cascade"] {
        let is_empty = |value: &&Value| value.as_object().is_some_and(serde_json::Map::is_empty);
        if let Some(value) = value.get(name).filter(|value| !is_empty(value)) {
            output::line(format!("  {name}: {value}"))?;
        }
    }
    for part in list("refused").into_iter().flatten() {
        let text = |name: &str| {
            let text = part.get(name).and_then(Value::as_str);
            output::plain(text.unwrap_or_default())
        };
        output::line(format!("  refused: {}: {}", text("path"), text("detail")))?;
    }
    Ok(refused)
}

fn refusal_json(id: &str, refused: &Refused) -> Value {
    let errors = refused.errors.iter();
    let errors: Vec<Value> = errors
        .map(|(path, detail)| json!({ "path": path, "detail": detail }))
        .collect();
    json!({
        "id": id,
        "refused": {
            "status": refused.status,
            "title": refused.title,
            "detail": refused.detail,
            "errors": errors,
        },
    })
}
