//! Sends the orders of a command, one after the other.

use crate::cli::args::OrderArgs;
use crate::cli::failure::Failure;
use crate::cli::orders::order_ids::IdPrefix;
use crate::cli::orders::progress::Bar;
use crate::cli::orders::receipt::{OrderReceipt, print_list};
use crate::cli::orders::wait::{self, Accepted};
use crate::cli::output::{self, WARNING, styled};
use crate::cli::remote::client::SiteClient;
use crate::cli::remote::reply::{RefusedReply, SiteReply};
use crate::cli::system;
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
    pub fn send(
        &self,
        client: &SiteClient,
        args: &OrderArgs,
        as_json: bool,
    ) -> Result<(), Failure> {
        let mut run = Run {
            dry_run: args.dry_run,
            as_json,
            began_ms: system::now_ms(),
            accepted: Vec::new(),
            refused: 0,
        };
        let bar = Bar::new("orders", self.bodies.len() as u64);
        for (number, body) in self.bodies.iter().enumerate() {
            let id = self.ids.id(number);
            let answer = client.post(self.path, &id, body).map_err(Failure::from);
            let answer = answer.and_then(|reply| Ok((reply.json(system::now_ms())?, reply)));
            bar.aside(|| match answer {
                Ok((value, reply)) => run.print(&value, &reply),
                Err(failure) => {
                    run.print_refusal(&id, &failure)?;
                    if !run.dry_run {
                        self.note_rest(number, &failure);
                    }
                    Err(failure)
                }
            })?;
            bar.set(number.saturating_add(1) as u64);
        }
        drop(bar);
        match run.refused {
            0 if args.wait => wait::for_all(client, &run.accepted, args.wait_seconds),
            0 => Ok(()),
            refused => {
                let problem = format!("parts that would be refused: {refused}");
                Err(Failure::Found(problem))
            }
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

/// What was answered until now.
struct Run {
    dry_run: bool,
    as_json: bool,
    began_ms: u64,
    accepted: Vec<Accepted>,
    /// How many parts a dry run would refuse.
    refused: usize,
}

impl Run {
    /// Prints the answer to an order, and keeps it.
    fn print(&mut self, value: &Value, reply: &SiteReply) -> Result<(), Failure> {
        if self.dry_run {
            let refused = print_dry_run(value, self.as_json)?;
            self.refused = self.refused.saturating_add(refused);
            return Ok(());
        }
        let receipt = OrderReceipt::read(value).map_err(Failure::Found)?;
        let now_ms = system::now_ms();
        let server_seconds = reply.date_seconds();
        if self.as_json {
            output::json(value)?;
        } else {
            let run_seconds = now_ms.saturating_sub(self.began_ms) / 1000;
            let now_seconds = server_seconds.unwrap_or(now_ms / 1000);
            receipt.print(receipt.is_of_earlier_run(now_seconds, run_seconds))?;
        }
        let in_force_ms = now_ms.saturating_add(receipt.in_force_in_ms(server_seconds));
        self.accepted.push(Accepted {
            receipt,
            in_force_ms,
        });
        Ok(())
    }

    /// With `--json`, prints a refusal on standard output, too.
    fn print_refusal(&self, id: &str, failure: &Failure) -> Result<(), Failure> {
        if let (Failure::RefusedReply(refused), true) = (failure, self.as_json) {
            output::json(&refusal_json(id, refused))?;
        }
        Ok(())
    }
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

fn refusal_json(id: &str, refused: &RefusedReply) -> Value {
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
