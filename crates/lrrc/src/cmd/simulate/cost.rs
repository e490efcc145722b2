//! The cost of scenarios as a table, as JSON, and as a figure.

use std::path::Path;

use comfy_table::{CellAlignment, Table, presets::UTF8_FULL_CONDENSED};
use lrrc_eval::plot::{Scale, Series, chart};
use lrrc_sim::{Cost, Savings, Scenario, Strategy, StrategyName, cost};
use miette::IntoDiagnostic;
use serde::Serialize;

use crate::output::{is_stdout, print, write};
use crate::told::escaped;

/// Steps of the write probability in the figure.
const PLOT_STEPS: u32 = 20;

/// What `--json` writes.
#[derive(Serialize)]
struct Report<'a> {
    /// Version of this format.
    format: u32,
    /// The fields of the only cost, if there is one only.
    #[serde(flatten)]
    only: Option<&'a Cost>,
    /// One entry a scenario and strategy.
    costs: &'a [Cost],
}

/// Counts `scenarios` under each of `names`, and shows the result.
pub(super) fn run(
    scenarios: &[Scenario],
    names: &[StrategyName],
    json: Option<&Path>,
    plot: Option<&Path>,
) -> miette::Result<()> {
    let pairs = scenarios.iter().flat_map(|scenario| names.iter().map(move |name| (scenario, *name)));
    let costs = pairs.map(|(scenario, name)| cost(scenario, scenario.strategy(name)));
    let costs: Vec<Cost> = costs.collect::<Result<_, _>>().into_diagnostic()?;
    let only = if let [only] = costs.as_slice() { Some(only) } else { None };
    let mut report =
        serde_json::to_string_pretty(&Report { format: 1, only, costs: &costs }).into_diagnostic()?;
    report.push('\n');
    let mut outputs = vec![(json, report)];
    if plot.is_some() {
        let base = scenarios.last().ok_or_else(|| miette::miette!("no scenario to draw"))?;
        outputs.push((plot, figure(base)?));
    }
    let mut shown = told(scenarios, names, &costs);
    for (path, text) in outputs {
        match path {
            Some(path) if is_stdout(path) => shown = text,
            Some(path) => write(path, text.as_bytes())?,
            None => {}
        }
    }
    print(shown.as_bytes())
}

/// The table, and what it was made of.
fn told(scenarios: &[Scenario], names: &[StrategyName], costs: &[Cost]) -> String {
    let sizes: String = scenarios.iter().map(|scenario| sizes(scenario, names)).collect();
    let table = table(costs);
    format!(
        "{table}\n{sizes}Means ± population standard deviations over the seeds. Most of what is saved against broadcast is \
         saved by not broadcasting: the columns beside it compare with agents that fetch what they use. With this store a \
         writer whose copy is old fetches before it writes, where the published model loses an update.\n"
    )
}

fn table(costs: &[Cost]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header([
        "scenario",
        "V",
        "strategy",
        "tokens a run",
        "saved against\nbroadcast",
        "with this\nstore",
        "… a fetch for\nevery action",
        "… a fetch for\nevery read",
        "bound of the\ntheorem",
        "tokens at most\n(lazy)",
        "reads of an\nold version",
    ]);
    for cost in costs {
        let label = if cost.label.is_empty() { String::new() } else { format!("{} ", cost.label) };
        table.add_row([
            escaped(&format!("{label}{}", cost.scenario)),
            cost.workload.write_probability.to_string(),
            cost.strategy.to_string(),
            mean(&cost.tokens_per_seed),
            percent(Some(cost.against_broadcast), &cost.broadcast_tokens_per_seed),
            percent(cost.protocol_against_broadcast, &cost.broadcast_tokens_per_seed),
            percent(Some(cost.against_fetch_every_action), &cost.fetch_every_action_tokens_per_seed),
            percent(Some(cost.against_always_read), &cost.always_read_tokens_per_seed),
            format!("{:.1} %", 100.0 * cost.theorem_bound),
            mean(&cost.ceiling_tokens_per_seed),
            format!(
                "{} of {}",
                sum(&cost.stale_reads_per_seed),
                sum(&cost.actions_per_seed) - sum(&cost.writes_per_seed)
            ),
        ]);
    }
    for column in table.column_iter_mut().skip(3) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// What a scenario is, in a line.
fn sizes(scenario: &Scenario, names: &[StrategyName]) -> String {
    let work = &scenario.workload;
    // What was published is the saving of `lazy`.
    let published = scenario.published.as_ref().filter(|_| names.contains(&StrategyName::Lazy));
    format!(
        "{}: {} agents, {} ticks, {} artifacts of {} tokens, {} tokens a signal, seeds {} to {}{}\n",
        escaped(&scenario.name),
        work.agents,
        work.ticks,
        work.artifacts,
        work.artifact_tokens,
        work.signal_tokens,
        scenario.seeds.first,
        scenario.seeds.first + u64::from(scenario.seeds.count) - 1,
        published.map_or_else(String::new, |published| {
            format!(
                "; published: {:.1} ± {:.1} % against broadcast",
                published.savings_percent, published.sd_percent
            )
        }),
    )
}

fn sum(values: &[u64]) -> u64 {
    values.iter().sum()
}

fn mean(values: &[u64]) -> String {
    format!("{:.0}", sum(values) as f64 / values.len().max(1) as f64)
}

/// A dash where there was nothing to save.
fn percent(savings: Option<Savings>, baseline: &[u64]) -> String {
    match savings.filter(|_| sum(baseline) > 0) {
        Some(savings) => format!("{:.1} ± {:.1} %", 100.0 * savings.mean, 100.0 * savings.sd),
        None => "–".to_owned(),
    }
}

/// Savings of `lazy` on the sizes and seeds of `base`, over the write probability.
fn figure(base: &Scenario) -> miette::Result<String> {
    let at = |step: u32| f64::from(step) / f64::from(PLOT_STEPS);
    let scenarios = (0..=PLOT_STEPS).map(|step| base.clone().with_write_probability(at(step)));
    let scenarios: Vec<Scenario> = scenarios.collect::<Result<_, _>>().into_diagnostic()?;
    let costs = scenarios.iter().map(|scenario| cost(scenario, Strategy::Lazy));
    let costs: Vec<Cost> = costs.collect::<Result<_, _>>().into_diagnostic()?;
    let line = |name: &str, of: fn(&Cost) -> Savings| {
        Series::new(name, costs.iter().map(|cost| (cost.workload.write_probability, of(cost).mean)).collect())
    };
    let bound = costs.iter().map(|cost| (cost.workload.write_probability, cost.theorem_bound)).collect();
    let series = [
        line("against broadcast", |cost| cost.against_broadcast).emphasised(),
        line("against a fetch for every action", |cost| cost.against_fetch_every_action),
        line("against a fetch for every read", |cost| cost.against_always_read),
        Series::new("1 − (n + W) / S, the theorem", bound).dashed(),
    ];
    let (x, y) = (("write probability V", Scale::Linear), ("tokens saved", Scale::Percent));
    let title = format!("Tokens saved by lazy invalidation, on the seeds of {}", escaped(&base.name));
    chart(&title, x, y, &series, true).into_diagnostic()
}
