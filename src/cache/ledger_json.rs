//! Orders and receipts as JSON: what the ledger keeps, and what it and the
//! isolates tell each other. Members that are not known are passed over: a
//! newer version may have written them.

use super::ledger::{Order, Progress, Question, Receipt, Record, Told};
use crate::http::from_json::{FromJson, Members, Wrong};
use crate::http::json::Json;
use crate::read_from_table;

read_from_table!(some Order {
    id,
    body_digest,
    key,
    via,
    hard,
    soft,
    cascade,
    refresh,
    lag_seconds,
    after
});

read_from_table!(some Receipt {
    id,
    sequence,
    received_ms,
    in_force_ms,
    key,
    via,
    hard,
    soft,
    cascade,
    refresh,
    fast_lane
});

read_from_table!(some Record {
    body_digest,
    receipt
});

read_from_table!(some Progress {
    pending,
    done,
    failed,
    problem
});

read_from_table!(some Told {
    receipt,
    fast_lane,
    refresh
});

impl FromJson for Question {
    fn from_json(json: &Json) -> Result<Self, Wrong> {
        let mut members = Members::of(json);
        if members.find("Id").is_some() {
            let mut id = String::new();
            members.fill("Id", &mut id);
            return members.end(Self::Id(id));
        }
        let mut members = Members::of(json.get("After").unwrap_or(json));
        let (mut after, mut limit) = (0, 0);
        members.fill("after", &mut after);
        members.fill("limit", &mut limit);
        members.end(Self::After { after, limit })
    }
}

impl From<&Question> for Json {
    fn from(question: &Question) -> Self {
        match question {
            Question::Id(id) => Self::table([("Id", id.into())]),
            Question::After { after, limit } => {
                let page = [("after", (*after).into()), ("limit", (*limit).into())];
                Self::table([("After", Self::table(page))])
            }
        }
    }
}

impl From<&Order> for Json {
    fn from(order: &Order) -> Self {
        Self::table([
            ("id", order.id.as_deref().into()),
            ("body_digest", (&order.body_digest).into()),
            ("key", order.key.as_deref().into()),
            ("via", (&order.via).into()),
            ("hard", (&order.hard).into()),
            ("soft", (&order.soft).into()),
            ("cascade", (&order.cascade).into()),
            ("refresh", (&order.refresh).into()),
            ("lag_seconds", order.lag_seconds.into()),
            ("after", order.after.into()),
        ])
    }
}

impl From<&Receipt> for Json {
    fn from(receipt: &Receipt) -> Self {
        Self::table([
            ("id", (&receipt.id).into()),
            ("sequence", receipt.sequence.into()),
            ("received_ms", receipt.received_ms.into()),
            ("in_force_ms", receipt.in_force_ms.into()),
            ("key", receipt.key.as_deref().into()),
            ("via", (&receipt.via).into()),
            ("hard", (&receipt.hard).into()),
            ("soft", (&receipt.soft).into()),
            ("cascade", (&receipt.cascade).into()),
            ("refresh", receipt.refresh.into()),
            ("fast_lane", receipt.fast_lane.into()),
        ])
    }
}

impl From<&Record> for Json {
    fn from(record: &Record) -> Self {
        Self::table([
            ("body_digest", (&record.body_digest).into()),
            ("receipt", (&record.receipt).into()),
        ])
    }
}

impl From<&Progress> for Json {
    fn from(progress: &Progress) -> Self {
        let mut members = vec![
            ("pending".to_owned(), progress.pending.into()),
            ("done".to_owned(), progress.done.into()),
            ("failed".to_owned(), progress.failed.into()),
        ];
        if let Some(problem) = &progress.problem {
            members.push(("problem".to_owned(), problem.into()));
        }
        Self::Table(members)
    }
}

impl From<&Told> for Json {
    fn from(told: &Told) -> Self {
        Self::table([
            ("receipt", (&told.receipt).into()),
            ("fast_lane", (&told.fast_lane).into()),
            ("refresh", (&told.refresh).into()),
        ])
    }
}
