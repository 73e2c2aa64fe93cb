//! The arguments of `edgekeep advise`. The doc comments are its help.

use clap::Args;

/// Examples, behind the options.
pub const HELP: &str = "\
Exit code 0: nothing to propose. 1: proposals.

Example:
  edgekeep advise edgekeep.log --rules wrangler.toml
  npx wrangler tail --format json | head -n 100000 | edgekeep advise -
  edgekeep advise --access /var/log/nginx/access.log --least 1";

/// `edgekeep advise`
#[derive(Args, Debug)]
pub struct AdviseArgs {
    /// A log: Edgekeep's lines, or the output of wrangler tail --format json; - is standard input
    #[arg(value_name = "LOG")]
    pub log: String,
    /// The log is a server's access log: the combined log format, or columns with tabs
    #[arg(long)]
    pub access: bool,
    /// With --access: the lifetime that the origin names, in seconds. Without it: none
    #[arg(long, value_name = "SECONDS", requires = "access")]
    pub origin_ttl: Option<u64>,
    /// The settings in use: a wrangler.toml, or a file with its [vars.EDGEKEEP] table
    #[arg(long, value_name = "FILE")]
    pub rules: Option<String>,
    /// Leave out what brings less than this share of the requests
    #[arg(long, value_name = "PERCENT", default_value_t = 0.5, value_parser = percent)]
    pub least: f64,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

fn percent(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok();
    let fits = number.filter(|number| (0.0..=100.0).contains(number));
    fits.ok_or_else(|| "a share is a number from 0 to 100".to_owned())
}
