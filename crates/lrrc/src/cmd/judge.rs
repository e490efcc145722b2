//! `lrrc eval --judge`: asks a live model what it does with the compressed context.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use lrrc_episode::{Episode, TokenCounter};
use lrrc_eval::Method;
use lrrc_judge::{
    Cache, Caps, ChatOptions, Endpoint, Event, Game, Judge, JudgeError, Played, Prices, Retry, Secret, Setup,
};
use lrrc_model::Policy;
use miette::{IntoDiagnostic, miette};

use crate::cmd::method::parse_method;

/// Variable that holds the key unless another is named.
const KEY_VARIABLE: &str = "OPENAI_API_KEY";

/// The live judge.
#[derive(Debug, Args)]
#[command(next_help_heading = "Live judge")]
pub(crate) struct JudgeArgs {
    /// Ask the model behind this OpenAI-compatible address, such as http://localhost:8000/v1: recorded tool calls are
    /// decided anew under the full and the compressed context, and answers of two models are compared in both orders
    /// as full texts and as digests. Run the same command again to go on after Ctrl-C.
    #[arg(long, value_name = "URL", requires = "model", conflicts_with_all = ["budgets", "methods", "plots"])]
    judge: Option<String>,
    /// Name of the model at the endpoint.
    #[arg(long, value_name = "NAME", requires = "judge")]
    model: Option<String>,
    /// Compressor.
    #[arg(long, default_value = "lrrc-rerank", value_parser = parse_method, requires = "judge")]
    method: Method,
    /// Share that it keeps, in per cent.
    #[arg(long, default_value_t = 40.0, value_name = "PERCENT", value_parser = parse_percent, requires = "judge")]
    keep: f64,
    /// Most recorded calls, and most pairs, to play; drawn by --seed.
    #[arg(long, default_value_t = 100, value_name = "N", requires = "judge")]
    samples: usize,
    /// Environment variable that holds the API key [default: OPENAI_API_KEY, where it is set].
    #[arg(long, value_name = "VARIABLE", requires = "judge")]
    api_key_env: Option<String>,
    /// Price of a million input tokens in USD.
    #[arg(long, value_name = "USD", value_parser = parse_usd, requires_all = ["judge", "price_out"])]
    price_in: Option<f64>,
    /// Price of a million output tokens in USD.
    #[arg(long, value_name = "USD", value_parser = parse_usd, requires_all = ["judge", "price_in"])]
    price_out: Option<f64>,
    /// Stop before this much is spent; needs the prices.
    #[arg(long, value_name = "USD", value_parser = parse_usd, requires_all = ["judge", "price_in"])]
    max_usd: Option<f64>,
    /// Stop before more requests than this are sent, repetitions included.
    #[arg(long, value_name = "N", requires = "judge")]
    max_requests: Option<u64>,
    /// Most tokens of a reply.
    #[arg(long, default_value_t = 512, value_name = "N", requires = "judge")]
    max_tokens: u32,
    /// Seed that the endpoint is given; the temperature is 0.
    #[arg(long, value_name = "SEED", requires = "judge")]
    judge_seed: Option<u64>,
    /// Requests under way at a time.
    #[arg(long, default_value_t = 4, value_name = "N", requires = "judge")]
    concurrency: usize,
    /// Seconds after which a request counts as failed.
    #[arg(long, default_value_t = 120, value_name = "SECONDS", requires = "judge")]
    timeout: u64,
    /// Folder of replies; a request that lies there is not sent again.
    #[arg(long, default_value = ".lrrc-cache/judge", value_name = "DIR", requires = "judge")]
    cache: PathBuf,
    /// Print what it would cost, and send nothing.
    #[arg(long, requires = "judge")]
    dry_run: bool,
}

/// What is judged.
pub(crate) struct Material<'a> {
    pub(crate) dataset: &'a str,
    pub(crate) episodes: &'a [Episode],
    pub(crate) counter: &'a TokenCounter,
    pub(crate) policy: &'a Policy,
    pub(crate) control: Option<&'a Policy>,
    pub(crate) seed: u64,
    /// Whether the standard output is for JSON alone.
    pub(crate) is_quiet: bool,
}

impl JudgeArgs {
    /// Whether a live model is asked at all.
    pub(crate) fn is_asked(&self) -> bool {
        self.judge.is_some()
    }

    fn judge(&self) -> miette::Result<Judge> {
        let url = self.judge.as_deref().unwrap_or_default();
        let key = self.key()?;
        let endpoint =
            Endpoint::new(url, key, Duration::from_secs(self.timeout)).map_err(|error| explain(&error))?;
        if endpoint.bares_key() {
            eprintln!("warning: {} is not encrypted, and the API key is sent to it", endpoint.url());
        }
        let prices = self.price_in.zip(self.price_out);
        Ok(Judge {
            endpoint,
            cache: Cache::new(&self.cache),
            retry: Retry::default(),
            prices: prices.map(|(input_usd, output_usd)| Prices { input_usd, output_usd }),
            caps: Caps { max_usd: self.max_usd, max_requests: self.max_requests },
            concurrency: self.concurrency,
        })
    }

    /// The key of the named variable, which must be set, or of the usual one where that is.
    fn key(&self) -> miette::Result<Option<Secret>> {
        let variable = self.api_key_env.as_deref().unwrap_or(KEY_VARIABLE);
        match std::env::var(variable) {
            Ok(key) if self.api_key_env.is_some() || !key.trim().is_empty() => {
                let key =
                    Secret::new(&key).map_err(|error| miette!("environment variable {variable}: {error}"))?;
                Ok(Some(key))
            }
            Err(_) if self.api_key_env.is_some() => {
                Err(miette!("environment variable {variable} is not set, or is no UTF-8"))
            }
            _ => Ok(None),
        }
    }
}

/// Runs the game and gives its report as JSON, or prints what it would cost.
pub(crate) fn run(args: &JudgeArgs, material: &Material<'_>) -> miette::Result<Option<String>> {
    let judge = args.judge()?;
    let setup = Setup {
        dataset: material.dataset,
        episodes: material.episodes,
        counter: material.counter,
        policy: material.policy,
        control: material.control,
        method: args.method,
        keep: args.keep / 100.0,
        samples: args.samples,
        seed: material.seed,
        chat: ChatOptions {
            model: args.model.clone().unwrap_or_default(),
            max_tokens: args.max_tokens,
            seed: args.judge_seed,
        },
    };
    let game = Game::prepare(&setup).map_err(|error| explain(&error))?;
    let estimate = judge.estimate(game.asks());
    if args.dry_run {
        println!("{estimate}");
    } else {
        eprintln!("{estimate}");
    }
    estimate.check(&judge.caps).map_err(|error| explain(&error))?;
    if args.dry_run {
        return Ok(None);
    }
    let played = play(&judge, &game)?;
    let report = game.report(&played, material.seed).map_err(|error| explain(&error))?;
    if !material.is_quiet {
        println!("{}", report.table());
    }
    serde_json::to_string_pretty(&report).into_diagnostic().map(Some)
}

/// Plays with a line of progress on the error stream.
fn play(judge: &Judge, game: &Game) -> miette::Result<Played> {
    let bar = ProgressBar::no_length();
    bar.set_style(
        ProgressStyle::with_template("{wide_bar} {pos}/{len} answers, {eta} left").into_diagnostic()?,
    );
    let played = judge.play(game.asks(), &|event| match event {
        Event::Done(done, all) => {
            if bar.length().is_none() {
                bar.set_length(all as u64);
                bar.set_position(done as u64);
                bar.reset_eta();
            }
            bar.set_position(bar.position().max(done as u64));
        }
        Event::Again { why, wait } => {
            bar.suspend(|| eprintln!("again in {:.0} s: {why}", wait.as_secs_f64()));
        }
        Event::Warning(text) => bar.suspend(|| eprintln!("warning: {text}")),
    });
    bar.finish_and_clear();
    played.map_err(|error| explain(&error))
}

fn explain(error: &JudgeError) -> miette::Report {
    let help = match error {
        JudgeError::CapReached { .. } => {
            "the answers so far are in --cache: raise the cap and run again to go on"
        }
        JudgeError::AboveCap { .. } => "raise the cap, or play fewer with --samples",
        JudgeError::Exhausted { .. } | JudgeError::LongWait { .. } => {
            "the answers so far are in --cache: run again to go on, perhaps with a smaller --concurrency"
        }
        JudgeError::Refused { status: 401 | 403, .. } => {
            "--api-key-env names the variable that holds the key"
        }
        JudgeError::Refused { status: 404, .. } | JudgeError::NotChat { .. } => {
            "--judge takes the address that /chat/completions is added to, often one that ends in /v1"
        }
        JudgeError::NothingToJudge { .. } => "taubench-airline has tool calls, mtbench-human has votes",
        JudgeError::NoPrices { .. } => "give --price-in and --price-out",
        _ => return miette::Report::msg(error.to_string()),
    };
    miette!(help = help, "{error}")
}

fn parse_percent(text: &str) -> Result<f64, String> {
    let percent = text.parse().ok().filter(|percent| 0.0 < *percent && *percent < 100.0);
    percent.ok_or_else(|| "expected a number between 0 and 100".to_owned())
}

fn parse_usd(text: &str) -> Result<f64, String> {
    let usd = text.parse().ok().filter(|usd: &f64| usd.is_finite() && *usd >= 0.0);
    usd.ok_or_else(|| "expected an amount of at least 0".to_owned())
}
