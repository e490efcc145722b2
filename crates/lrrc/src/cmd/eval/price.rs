//! `lrrc eval --price`: what every method costs when the provider caches prefixes.

use std::path::{Path, PathBuf};

use clap::Args;
use lrrc_episode::{Episode, TokenCounter};
use lrrc_eval::price::{
    CacheModel, OUTPUT_PRICE, PRICED_BUDGETS, PriceReport, Pricing, Strategy, price, sessions,
};
use lrrc_model::Policy;
use miette::{Context, IntoDiagnostic, miette};

/// Flags of the price tables.
#[derive(Debug, Args)]
pub(super) struct PriceArgs {
    /// Price every method under three provider caches and print the tables after the others.
    #[arg(long)]
    price: bool,
    /// Price sessions of this many episodes each, joined one after the other.
    #[arg(long, value_name = "N", requires = "price", value_parser = clap::value_parser!(u32).range(1..))]
    join: Option<u32>,
    /// Price of an output token, in fresh input tokens.
    #[arg(long, value_name = "TIMES", requires = "price", default_value_t = OUTPUT_PRICE, value_parser = parse_price)]
    output_price: f64,
    /// Write the prices as JSON.
    #[arg(long, value_name = "FILE", requires = "price")]
    price_json: Option<PathBuf>,
}

impl PriceArgs {
    /// Where the figures go.
    pub(super) fn json(&self) -> Option<&Path> {
        self.price_json.as_deref()
    }
}

fn parse_price(text: &str) -> Result<f64, String> {
    let price = text.parse().ok().filter(|price: &f64| price.is_finite() && *price >= 0.0);
    price.ok_or_else(|| "expected a number that is not negative, such as 5".to_owned())
}

/// What the tables are about.
pub(super) struct Priced<'a> {
    /// Name of the data set.
    pub(super) dataset: &'a str,
    /// Its episodes.
    pub(super) episodes: &'a [Episode],
    /// Counts tokens.
    pub(super) counter: &'a TokenCounter,
    /// The trained coordinator.
    pub(super) policy: &'a Policy,
    /// Shares of the history to keep, where they were asked for.
    pub(super) budgets: Option<&'a [f64]>,
    /// Seed of the resampling.
    pub(super) seed: u64,
    /// Whether the standard output is free.
    pub(super) prints: bool,
}

/// Prices the episodes, where that was asked for.
pub(super) fn run(args: &PriceArgs, priced: &Priced<'_>) -> miette::Result<()> {
    if !args.price {
        return Ok(());
    }
    let size = args.join.map_or(1, |size| size as usize);
    let joined = (size > 1).then(|| join(priced.episodes, size)).transpose()?;
    let dataset =
        if size > 1 { format!("{}, sessions of {size}", priced.dataset) } else { priced.dataset.to_owned() };
    let request = Pricing {
        dataset: &dataset,
        sessions: joined.as_deref().unwrap_or(priced.episodes),
        counter: priced.counter,
        policy: Some(priced.policy),
        budgets: priced.budgets.unwrap_or(&PRICED_BUDGETS).to_vec(),
        strategies: Strategy::ALL.to_vec(),
        models: CacheModel::ALL.to_vec(),
        output_price: args.output_price,
        seed: priced.seed,
    };
    let report = with_progress(&request)?;
    if priced.prints {
        print(&report);
    }
    write_json(&report, args.price_json.as_deref())
}

fn join(episodes: &[Episode], size: usize) -> miette::Result<Vec<Episode>> {
    if episodes.len() < size {
        let help = "take --split all, a larger --limit or a smaller --join";
        return Err(miette!(help = help, "--join {size}: there are only {} episodes", episodes.len()));
    }
    Ok(sessions(episodes, size))
}

fn with_progress(request: &Pricing<'_>) -> miette::Result<PriceReport> {
    let bar = indicatif::ProgressBar::new(request.strategies.len() as u64);
    let style = indicatif::ProgressStyle::with_template("{wide_bar} {pos}/{len} prices, {eta} left  {msg}");
    bar.set_style(style.into_diagnostic()?);
    let report = price(request, |strategy| {
        bar.inc(u64::from(!bar.message().is_empty()));
        bar.set_message(strategy.name);
    });
    bar.finish_and_clear();
    report.into_diagnostic().wrap_err_with(|| format!("pricing {}", request.dataset))
}

fn print(report: &PriceReport) {
    println!(
        "\nprice relative to pass-through, {}: {} sessions in {} groups, {} calls ({:.0} a session)",
        report.dataset,
        report.sessions,
        report.groups,
        report.calls,
        report.calls as f64 / report.sessions as f64
    );
    println!(
        "r and w are the prices of an input token read from the cache and written to it, a fresh one costs 1, an \
         output token {}; intervals are 95 % cluster bootstraps",
        report.output_price
    );
    for keep in report.budgets() {
        println!("\nkeep {:.0} % of the history\n{}", keep * 100.0, report.table(keep));
    }
}

fn write_json(report: &PriceReport, to: Option<&Path>) -> miette::Result<()> {
    let Some(path) = to else { return Ok(()) };
    let text = serde_json::to_string_pretty(report).into_diagnostic()?;
    crate::output::write(path, text.as_bytes())?;
    eprintln!("wrote {}", path.display());
    Ok(())
}
