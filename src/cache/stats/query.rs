//! A query for statistics.

/// The step of a query.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StatsStep {
    /// Minutes, of the last two days.
    #[default]
    Minute,
    /// Hours, of the last ninety days.
    Hour,
    /// All since the ledger began to count.
    Total,
}

impl StatsStep {
    /// The step of this length.
    pub fn of_seconds(seconds: u64) -> Self {
        match seconds {
            0 => Self::Total,
            3600 => Self::Hour,
            _ => Self::Minute,
        }
    }

    /// Its length in seconds; 0 for totals.
    pub fn seconds(self) -> u64 {
        match self {
            Self::Minute => 60,
            Self::Hour => 3600,
            Self::Total => 0,
        }
    }

    /// For how long its rows are kept, in seconds: two days of minutes, and
    /// ninety days of hours.
    pub fn kept_seconds(self) -> u64 {
        match self {
            Self::Minute => 2 * 86_400,
            Self::Hour => 90 * 86_400,
            Self::Total => u64::MAX,
        }
    }
}

/// A query of an isolate to the ledger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StatsQuery {
    /// The step.
    pub step: StatsStep,
    /// The first time, in seconds since 1970.
    pub from: u64,
    /// The time after the last one.
    pub to: u64,
}

/// What the sender of a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedStats {
    /// The query.
    pub query: StatsQuery,
    /// The only host to show.
    pub host: Option<String>,
    /// The only rule to show.
    pub rule: Option<String>,
}

/// How to ask, for the error texts.
pub const USAGE: &str = "ask for step=minute or hour, from and to as seconds since 1970 or as -1h \
     (s, m, h, d), host=NAME, rule=NAME";

impl AskedStats {
    /// Reads decoded parameters. Without `from` it is the last hour by minutes,
    /// or the last day by hours. `None` if they cannot be read.
    pub fn read(parameters: &[(String, String)], now_seconds: u64) -> Option<Self> {
        let mut asked = Self {
            query: StatsQuery::default(),
            host: None,
            rule: None,
        };
        let (mut from, mut to) = (None, None);
        for (name, value) in parameters {
            match name.as_str() {
                "step" => {
                    asked.query.step = match value.as_str() {
                        "minute" => StatsStep::Minute,
                        "hour" => StatsStep::Hour,
                        _ => return None,
                    }
                }
                "from" => from = Some(time(value, now_seconds)?),
                "to" => to = Some(time(value, now_seconds)?),
                "host" => asked.host = Some(value.clone()),
                "rule" => asked.rule = Some(value.clone()),
                _ => return None,
            }
        }
        let usual = match asked.query.step {
            StatsStep::Minute => 3600,
            StatsStep::Hour | StatsStep::Total => 86_400,
        };
        asked.query.to = to.unwrap_or(now_seconds.saturating_add(1));
        asked.query.from = from.unwrap_or(now_seconds.saturating_sub(usual));
        Some(asked)
    }
}

/// A time in seconds since 1970, or before now, such as `-90m`.
fn time(text: &str, now_seconds: u64) -> Option<u64> {
    let Some(before) = text.strip_prefix('-') else {
        return text.parse().ok();
    };
    let unit = before.chars().last()?;
    let seconds: u64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return None,
    };
    let number: u64 = before.strip_suffix(unit)?.parse().ok()?;
    Some(now_seconds.saturating_sub(number.saturating_mul(seconds)))
}
