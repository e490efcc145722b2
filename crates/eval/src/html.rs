//! One page of HTML from a study, with everything inside it: figures, tables, failures, ceilings, negative results.
//!
//! The page asks for nothing from outside and holds no script. Every sentence and number is computed from the study;
//! a part that the study lacks is named as missing. The same study gives the same bytes.

mod architecture;
mod cell;
mod costs;
mod drawing;
mod figures;
mod findings;
mod rank;
mod read;
mod tables;
#[cfg(test)]
mod tests;
mod training;

use lrrc_model::CoordinatorConfig;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::plot::{PlotError, dark_rules};
use crate::study::Study;

pub use architecture::architecture;

use drawing::Drawing;

/// The report of a study.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The whole page.
    pub html: String,
    /// Name and text of the files behind the figures, an SVG and a CSV each.
    pub files: Vec<(String, String)>,
}

/// One part of the page: anchor, heading, content; figures come apart so that they can be saved too.
struct Section {
    anchor: &'static str,
    title: &'static str,
    content: Markup,
}

/// Makes the report; `config` is what Figure 1 shows, with the rank of the main arm.
///
/// # Errors
/// A figure that cannot be drawn.
pub fn page(study: &Study, config: &CoordinatorConfig) -> Result<Page, PlotError> {
    let figures = Figures::of(study, config)?;
    let sections = sections(study, &figures);
    let title = format!("LRRC report: {}", study.name);
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(style())) }
            }
            body {
                header { h1 { (title) } (findings::summary(study)) }
                nav aria-label="Contents" {
                    strong { "Contents" }
                    ol { @for part in &sections { li { a href={ "#" (part.anchor) } { (part.title) } } } }
                }
                main {
                    @for part in &sections {
                        section id=(part.anchor) { h2 { (part.title) } (part.content) }
                    }
                }
            }
        }
    };
    Ok(Page { html: markup.into_string(), files: figures.files() })
}

fn style() -> String {
    let dark = dark_rules(".figure");
    format!("{}@media screen and (prefers-color-scheme: dark) {{\n{dark}}}\n", include_str!("html/style.css"))
}

/// All figures of the page.
struct Figures {
    architecture: Drawing,
    methods: Vec<(String, Vec<Drawing>)>,
    ranks: Vec<(String, Vec<Drawing>)>,
    time: Option<Drawing>,
    training: Vec<Drawing>,
    turns: Option<Drawing>,
}

impl Figures {
    fn of(study: &Study, config: &CoordinatorConfig) -> Result<Self, PlotError> {
        let (mut methods, mut ranks) = (Vec::new(), Vec::new());
        for dataset in read::datasets(study) {
            let drawings = [figures::methods(study, dataset)?, figures::budget_figure(study, dataset)?];
            methods.push((dataset.to_owned(), drawings.into_iter().flatten().collect()));
            let drawings = [rank::recall(study, dataset)?, rank::saving(study, dataset)?];
            ranks.push((dataset.to_owned(), drawings.into_iter().flatten().collect()));
        }
        Ok(Self {
            architecture: architecture::drawing(config),
            methods,
            ranks,
            time: rank::time(study)?,
            training: training::training(study)?,
            turns: figures::turn_tokens(study)?,
        })
    }

    fn files(&self) -> Vec<(String, String)> {
        let groups = self.methods.iter().chain(&self.ranks).flat_map(|(_, drawings)| drawings);
        let all = std::iter::once(&self.architecture).chain(groups);
        let all = all.chain(&self.time).chain(&self.training).chain(&self.turns);
        let both = |d: &Drawing| [(d.file("svg"), d.svg.clone()), (d.file("csv"), d.csv.clone())];
        all.flat_map(both).collect()
    }
}

fn sections(study: &Study, figures: &Figures) -> Vec<Section> {
    let part = |anchor, title, content| Section { anchor, title, content };
    let curves = !study.curves.is_empty();
    let prices = html! {
        p.note { "Prices relative to passing everything through: 1 is no saving, and under it is cheaper." }
        (costs::prices(study))
    };
    vec![
        part("claims", "Claims", unless(!study.claims.is_empty(), "claims", || tables::claims(study))),
        part("architecture", "Figure 1: architecture", figures.architecture.markup()),
        part("methods", "Figure 2: success proxy, tokens and budgets", groups(&figures.methods)),
        part(
            "budgets",
            "Tables at fixed budgets",
            unless(curves, "curves", || {
                tables::by_dataset(study, |dataset| tables::at_budgets(study, dataset))
            }),
        ),
        part("all-good", "Largest removal with everything good", unless(curves, "curves", || good(study))),
        part(
            "comparisons",
            "Comparisons",
            unless(!study.comparisons.is_empty(), "comparisons", || tables::comparisons(study)),
        ),
        part(
            "rank",
            "Figure 3: what the rank buys",
            html! {
                (groups(&figures.ranks))
                @if let Some(time) = &figures.time { (time.markup()) } @else { (absent("times of the decoder")) }
                (unless(!study.arms.is_empty(), "arms", || tables::arms(study)))
            },
        ),
        part("prices", "Prices under provider caches", unless(!study.prices.is_empty(), "prices", || prices)),
        part("calls", "Calls that could be skipped", named(&study.calls, "figures of calls")),
        part("winners", "Agreement with human votes", named(&study.winners, "figures of winners")),
        part(
            "training",
            "Figure 4: training",
            unless(!figures.training.is_empty(), "epochs", || {
                html! { @for drawing in &figures.training { (drawing.markup()) } }
            }),
        ),
        part(
            "datasets",
            "Figure 5: data sets",
            unless(!study.datasets.is_empty(), "data sets", || {
                html! {
                    (costs::datasets(study))
                    @if let Some(turns) = &figures.turns { (turns.markup()) } @else { (absent("tokens of turns")) }
                }
            }),
        ),
        part(
            "failures",
            "Failures: dropped text that mattered",
            unless(!study.failures.is_empty(), "failures", || findings::failures(study)),
        ),
        part("ceilings", "Ceilings", unless(curves, "curves", || findings::ceilings(study))),
        part(
            "negative",
            "Negative results",
            unless(!study.comparisons.is_empty(), "comparisons", || findings::negatives(study)),
        ),
        part("notes", "How the numbers were made", notes(study)),
    ]
}

/// The content, or a sentence that the study lacks it.
fn unless(present: bool, what: &str, content: impl FnOnce() -> Markup) -> Markup {
    if present { content() } else { absent(what) }
}

fn absent(what: &str) -> Markup {
    html! { p.soft { "This study holds no " (what) "." } }
}

fn named(rows: &[crate::study::NamedFigures], what: &str) -> Markup {
    unless(!rows.is_empty(), what, || costs::named(rows))
}

/// The figures of each data set, those of the first one open.
fn groups(groups: &[(String, Vec<Drawing>)]) -> Markup {
    let content = |drawings: &[Drawing], dataset: &str| {
        unless(!drawings.is_empty(), &format!("points to draw for {dataset}"), || {
            html! { @for drawing in drawings { (drawing.markup()) } }
        })
    };
    html! {
        @if groups.is_empty() { (absent("curves")) }
        @for (at, (dataset, drawings)) in groups.iter().enumerate() {
            @if at == 0 { h3 { (dataset) } (content(drawings, dataset)) }
            @else { details { summary { (dataset) } (content(drawings, dataset)) } }
        }
    }
}

fn good(study: &Study) -> Markup {
    html! {
        p.note {
            "Everything good: bound recall, answer values, content words and replay all reach their marks. The figure \
             is the largest share of the history removed at such a budget."
        }
        (tables::by_dataset(study, |dataset| tables::all_good(study, dataset)))
    }
}

/// Samples and methods in one place.
fn notes(study: &Study) -> Markup {
    html! {
        ul {
            @for dataset in read::datasets(study) { li { (figures::sample(study, dataset)) } }
            li { "Counts are pooled over the held-out folds, a mean over seeds for each episode first; an episode and "
                 "the others of its task, meeting or prompt are never divided between folds." }
            li { "Curves: 95 % intervals by cluster bootstrap over groups. Prices, calls and winners: mean over folds "
                 "with Student's interval over folds." }
            li { "Tests: paired t-test and Wilcoxon's test over groups, Holm's adjustment of the p of the t-test within "
                 "a family, Cohen's d_z over groups, McNemar's exact test on replayable episodes, and a one-sided test "
                 "of inferiority by more than one point." }
            li { "A difference whose 95 % interval contains 0 is listed as no difference shown. That is no proof of "
                 "equality; the non-inferiority test says how much worse is ruled out." }
            li { "Ceilings choose with knowledge of the later calls and cannot be served." }
        }
    }
}
