//! CPU time of a hit and of a miss: figures that were measured, by the newest
//! `npm run bench` or as recorded in `cpu.json`.

use serde_json::Value;

/// Milliseconds of CPU time.
#[derive(Clone, Debug, PartialEq)]
pub struct Cpu {
    pub hit_ms: f64,
    pub miss_ms: f64,
    pub recipe_hit_ms: f64,
    pub recipe_miss_ms: f64,
    /// Where they come from.
    pub source: String,
}

impl Cpu {
    /// Of what the bench has written, if it has: its ratios to the recipe. The
    /// recipe's own time is the recorded one, as the bench may have counted
    /// instructions.
    pub fn of(report: Option<&str>) -> Self {
        let recorded: Value = serde_json::from_str(include_str!("cpu.json")).expect("cpu.json");
        let ms = |name: &str| recorded[name].as_f64().expect(name) / 1000.0;
        let recipe_hit_ms = ms("recipe_hit_microseconds");
        let recipe_miss_ms = ms("recipe_miss_microseconds");
        let report: Option<Value> = report.and_then(|text| serde_json::from_str(text).ok());
        let ratio = |what: &str| {
            let rows = report.as_ref()?.get("rows")?.as_array()?;
            let row = rows.iter().find(|row| row["what"] == what)?;
            row["value"].as_f64()
        };
        let ratios = ratio("hit in the Cache API").zip(ratio("miss, kept in the Cache API"));
        let (hit, miss) = ratios.unwrap_or((
            ms("edgekeep_hit_microseconds") / recipe_hit_ms,
            ms("edgekeep_miss_microseconds") / recipe_miss_ms,
        ));
        let source = match ratios {
            Some(_) => "ratios of target/bench/report.json; the recipe: ".to_owned(),
            None => String::new(),
        };
        Self {
            hit_ms: hit * recipe_hit_ms,
            miss_ms: miss * recipe_miss_ms,
            recipe_hit_ms,
            recipe_miss_ms,
            source: source + recorded["measured"].as_str().expect("measured"),
        }
    }
}
