//! The arguments of the command. The doc comments are its help.

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Edgekeep: check settings, explain URLs, purge, warm, and read the history.
#[derive(Debug, Parser)]
#[command(name = "edgekeep", version, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Cli {
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "\
Exit codes: 0 done, 1 refused or found something, 2 usage, 3 out of reach.

Example:
  export EDGEKEEP_SITE=https://www.example.com EDGEKEEP_SECRET=whsec_…
  edgekeep purge --tag front --wait";

/// What the command does.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check the settings in a file, and print what holds for URLs
    #[command(
        after_help = "Example:\n  edgekeep check wrangler.toml https://www.example.com/search?q=cache"
    )]
    Check(CheckArgs),
    /// Explain what becomes of a request, and why
    #[command(after_help = EXPLAIN_HELP)]
    Explain(ExplainArgs),
    /// Purge pages by URL, tag, prefix or host
    #[command(after_help = PURGE_HELP)]
    Purge(PurgeArgs),
    /// Fetch pages into KV before readers ask for them
    #[command(after_help = WARM_HELP)]
    Warm(WarmArgs),
    /// Read past orders
    #[command(after_help = "Example:\n  edgekeep history --follow\n  edgekeep history msg_2f81-1")]
    History(HistoryArgs),
    /// Read how well the cache does, by host and rule
    #[command(
        after_help = "Example:\n  edgekeep stats --since 24h\n  edgekeep stats --host www.example.com --watch"
    )]
    Stats(StatsArgs),
    /// Look for faults of the cache in front of your own site
    #[command(after_help = crate::cli::probe::args::HELP)]
    Probe(crate::cli::probe::args::ProbeArgs),
    /// Make a secret for signing orders
    #[command(after_help = "Example:\n  edgekeep secret new\n  edgekeep secret new --ed25519")]
    Secret {
        /// What to do.
        #[command(subcommand)]
        action: SecretAction,
    },
    /// Propose rules for the requests of a log
    #[command(after_help = crate::cli::advise::args::HELP)]
    Advise(crate::cli::advise::args::AdviseArgs),
    /// Print the completions of a shell
    #[command(
        after_help = "Example:\n  edgekeep completions bash > ~/.local/share/bash-completion/completions/edgekeep"
    )]
    Completions {
        /// The shell
        shell: Shell,
    },
}

const PURGE_HELP: &str = "\
A line of a file is one selector: a URL, or url:, tag:, prefix: or host: and a text, or everything.
Empty lines and lines that begin with # are skipped.

Example:
  edgekeep purge --tag article-7 --tag front --wait
  edgekeep purge --soft --refresh --url https://www.example.com/
  git diff --name-only HEAD~1 | sed 's|^|https://www.example.com/|' | edgekeep purge --from -";

const EXPLAIN_HELP: &str = "\
The site is asked what it would do with a request now, and what each tier holds; the key needs admin = true.
With --rules, nothing is asked: rule, key and variant come from the file.

Example:
  edgekeep explain https://www.example.com/shop
  edgekeep explain 'https://www.example.com/?b=2&a=1' --rules wrangler.toml --header 'cookie: sessionid=1'";

const WARM_HELP: &str = "\
Without URLs and sitemaps, the pages of the settings are fetched ([vars.EDGEKEEP.warm]).
A line of a file is a URL, or sitemap: and a URL.

Example:
  edgekeep warm --sitemap https://www.example.com/sitemap.xml --limit 500 --wait";

/// The default of `--wait-seconds`: 10,000 pages at 5 a second, the longest
/// queue of the ledger (`cache::config::limits::PAGES_MAX`), are 2,000 seconds.
pub const WAIT_SECONDS: u64 = 3600;

/// `edgekeep check`
#[derive(Args, Debug)]
pub struct CheckArgs {
    /// A wrangler.toml, or a file with its [vars.EDGEKEEP] table
    pub file: String,
    /// URLs whose rules are to be shown
    pub urls: Vec<String>,
}

/// `edgekeep explain`
#[derive(Args, Debug)]
pub struct ExplainArgs {
    /// The URL of the request
    pub url: String,
    /// Do not ask the site: explain by the rules of a wrangler.toml, or of a file with its [vars.EDGEKEEP] table
    #[arg(long, value_name = "FILE")]
    pub rules: Option<String>,
    /// A field of the request; may be repeated
    #[arg(long = "header", value_name = "NAME:VALUE")]
    pub headers: Vec<String>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "a comment here would replace the help")]
    pub site: SiteArgs,
}

/// The site, and who asks.
#[derive(Args, Debug)]
pub struct SiteArgs {
    /// Scheme and host of a site that Edgekeep serves
    #[arg(
        long,
        value_name = "URL",
        env = "EDGEKEEP_SITE",
        hide_env_values = true
    )]
    pub site: Option<String>,
    /// A file with the secret. Without it, EDGEKEEP_SECRET has the secret; there is no argument for it
    #[arg(long, value_name = "FILE")]
    pub secret_file: Option<String>,
    /// How often a request is repeated if the site is out of reach
    #[arg(long, value_name = "TIMES", default_value_t = crate::cli::remote::retry::RETRIES, value_parser = clap::value_parser!(u32).range(0..=20))]
    pub retries: u32,
    /// Print JSON, one object a line
    #[arg(long)]
    pub json: bool,
}

/// How orders are sent.
#[derive(Args, Debug)]
pub struct OrderArgs {
    /// Read lines from a file, or from standard input (-)
    #[arg(long, value_name = "FILE")]
    pub from: Option<String>,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Wait until all is done
    #[arg(long, conflicts_with = "dry_run")]
    pub wait: bool,
    /// Longest time to wait
    #[arg(long, value_name = "SECONDS", requires = "wait", default_value_t = WAIT_SECONDS)]
    pub wait_seconds: u64,
    /// The orders get the ids PREFIX-1, PREFIX-2, … A repeated run with the same prefix and input purges nothing twice
    #[arg(long, value_name = "PREFIX")]
    pub id_prefix: Option<String>,
}

/// `edgekeep purge`
#[derive(Args, Debug)]
pub struct PurgeArgs {
    /// A URL, with all its variants
    #[arg(long = "url", value_name = "URL")]
    pub urls: Vec<String>,
    /// A cache tag (surrogate key)
    #[arg(long = "tag", value_name = "TAG")]
    pub tags: Vec<String>,
    /// host/path: the path and everything below it
    #[arg(long = "prefix", value_name = "HOST/PATH")]
    pub prefixes: Vec<String>,
    /// A host name
    #[arg(long = "host", value_name = "HOST")]
    pub hosts: Vec<String>,
    /// Everything
    #[arg(long)]
    pub everything: bool,
    /// Make pages stale instead of gone
    #[arg(long)]
    pub soft: bool,
    /// Fetch the URLs again at once
    #[arg(long, requires = "soft")]
    pub refresh: bool,
    #[command(flatten)]
    #[expect(missing_docs, reason = "a comment here would replace the help")]
    pub order: OrderArgs,
    #[command(flatten)]
    #[expect(missing_docs, reason = "a comment here would replace the help")]
    pub site: SiteArgs,
}

/// `edgekeep warm`
#[derive(Args, Debug)]
pub struct WarmArgs {
    /// The URL of a page
    #[arg(long = "url", value_name = "URL")]
    pub urls: Vec<String>,
    /// The URL of a sitemap
    #[arg(long = "sitemap", value_name = "URL")]
    pub sitemaps: Vec<String>,
    /// How many pages an order fetches at most
    #[arg(long, value_name = "PAGES")]
    pub limit: Option<u64>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "a comment here would replace the help")]
    pub order: OrderArgs,
    #[command(flatten)]
    #[expect(missing_docs, reason = "a comment here would replace the help")]
    pub site: SiteArgs,
}

/// `edgekeep history`
#[derive(Args, Debug)]
pub struct HistoryArgs {
    /// Read one order only
    #[arg(value_name = "ID", conflicts_with_all = ["after", "limit", "follow"])]
    pub id: Option<String>,
    /// Begin behind this sequence number
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub after: u64,
    /// Read at most this many orders
    #[arg(long, value_name = "N", conflicts_with = "follow")]
    pub limit: Option<usize>,
    /// Read on as orders come, until Ctrl-C
    #[arg(long)]
    pub follow: bool,
    #[command(flatten)]
    #[expect(missing_docs, reason = "a comment here would replace the help")]
    pub site: SiteArgs,
}

/// `edgekeep stats`
#[derive(Args, Debug)]
pub struct StatsArgs {
    /// This host only
    #[arg(long, value_name = "NAME")]
    pub host: Option<String>,
    /// This rule only, as explain names it
    #[arg(long, value_name = "NAME")]
    pub rule: Option<String>,
    /// How far back: minutes (m), hours (h) or days (d)
    #[arg(long, value_name = "TIME", default_value = "1h")]
    pub since: String,
    /// What the cache would have done, under rules in shadow mode; exit code 1 if
    /// a hit would have differed
    #[arg(long)]
    pub shadow: bool,
    /// Read again every 15 seconds, until Ctrl-C
    #[arg(long)]
    pub watch: bool,
    #[command(flatten)]
    #[expect(missing_docs, reason = "a comment here would replace the help")]
    pub site: SiteArgs,
}

/// `edgekeep secret`
#[derive(Debug, Subcommand)]
pub enum SecretAction {
    /// Make a secret, and print what to put where
    #[command(after_help = "Example:\n  edgekeep secret new --ed25519")]
    New(NewSecretArgs),
}

/// `edgekeep secret new`
#[derive(Args, Debug)]
pub struct NewSecretArgs {
    /// A pair of ed25519 keys: the Worker gets the public half only
    #[arg(long, conflicts_with = "token")]
    pub ed25519: bool,
    /// A bearer token: no signature, but anyone who sees it can use it
    #[arg(long)]
    pub token: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// A shell that has completions.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Shell {
    /// Bash
    Bash,
    /// Zsh
    Zsh,
    /// Fish
    Fish,
}
