//! The arguments of `edgekeep probe`. The doc comments are its help.

use clap::{Args, value_parser};

/// The default of `--requests`. A whole probe sends about 230: 20 for the page
/// itself, 2 for each of 70 request fields, 2 for each of 30 paths, and some to
/// confirm what was found.
pub const REQUESTS: u32 = 400;

/// The default of `--rate`, in requests a second.
pub const RATE: u32 = 5;

/// The text below the help.
pub const HELP: &str = "\
It sends requests to the host of the URL only, each with a query parameter of its own
(edgekeep-probe), so that no page that readers see is changed. Probe only your own sites.

Example:
  edgekeep probe https://www.example.com/
  edgekeep probe https://www.example.com/account --cookie-file cookie.txt --yes --json";

/// `edgekeep probe`
#[derive(Args, Debug)]
pub struct ProbeArgs {
    /// The URL of a page of your own site
    pub url: String,
    /// Requests a second
    #[arg(long, value_name = "N", default_value_t = RATE, value_parser = value_parser!(u32).range(1..=100))]
    pub rate: u32,
    /// Send at most this many requests
    #[arg(long, value_name = "N", default_value_t = REQUESTS, value_parser = value_parser!(u32).range(1..=10_000))]
    pub requests: u32,
    /// A file with the Cookie field of a signed-in reader (name=value; name=value), to tell personal content
    #[arg(long, value_name = "FILE")]
    pub cookie_file: Option<String>,
    /// Go on where a trial may change the page that readers see
    #[arg(long)]
    pub live: bool,
    /// Confirm that the site is your own
    #[arg(long)]
    pub yes: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
