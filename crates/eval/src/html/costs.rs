//! Tables of prices, calls and winners, and of the data sets.

use maud::{Markup, html};

use crate::study::{DatasetFacts, Figure, NamedFigures, PriceLine, Study};

use super::cell::{Column, Row, Unit, columns, figure_cell, missing, share_cell, table, whole};
use super::read::distinct;

/// Prices of strategies under each provider's cache, one table a set of sessions.
pub(super) fn prices(study: &Study) -> Markup {
    html! {
        @for sessions in distinct(study.prices.iter().map(|line| line.sessions.as_str())) {
            @let own: Vec<&PriceLine> = study.prices.iter().filter(|line| line.sessions == sessions).collect();
            h3 { (sessions) }
            (priced(&own))
        }
    }
}

fn priced(lines: &[&PriceLine]) -> Markup {
    let names = |of: fn(&PriceLine) -> &[(String, Figure)]| {
        distinct(lines.iter().flat_map(|line| of(line).iter().map(|(provider, _)| provider.as_str())))
    };
    let (input, output) = (names(|line| &line.input), names(|line| &line.with_output));
    let mut heads =
        columns([("strategy", Column::Word), ("keep", Column::Number), ("history sent", Column::Number)]);
    heads.extend(input.iter().map(|provider| (format!("{provider}, input"), Column::Number)));
    heads.extend(output.iter().map(|provider| (format!("{provider}, input + output"), Column::Number)));
    heads.push(("args kept".to_owned(), Column::Number));
    let price = |prices: &[(String, Figure)], provider: &str| {
        let found = prices.iter().find(|(name, _)| name == provider);
        figure_cell(found.map(|(_, figure)| *figure), Unit::Plain)
    };
    let row = |line: &&PriceLine| {
        let keep = line.keep.map_or_else(missing, |keep| html! { (super::cell::budget(keep)) });
        let mut cells = vec![html! { (line.strategy) }, keep, share_cell(Some(line.history_sent))];
        cells.extend(input.iter().map(|provider| price(&line.input, provider)));
        cells.extend(output.iter().map(|provider| price(&line.with_output, provider)));
        cells.push(figure_cell(line.args, Unit::Share));
        Row::plain(cells)
    };
    table(&heads, &lines.iter().map(row).collect::<Vec<_>>())
}

/// Rows of figures by name: one table for each data set and list of headings.
pub(super) fn named(rows: &[NamedFigures]) -> Markup {
    let kind = |row: &NamedFigures| {
        (row.dataset.clone(), row.figures.iter().map(|(head, _)| head.clone()).collect::<Vec<_>>())
    };
    html! {
        @for key in distinct(rows.iter().map(kind)) {
            @let own: Vec<&NamedFigures> = rows.iter().filter(|row| kind(row) == key).collect();
            h3 { (key.0) }
            (same_headings(&own, &key.1))
        }
    }
}

fn same_headings(rows: &[&NamedFigures], headings: &[String]) -> Markup {
    let mut heads = columns([("what", Column::Word), ("arm", Column::Word)]);
    heads.extend(headings.iter().map(|head| (head.clone(), Column::Number)));
    let row = |row: &&NamedFigures| {
        let figures = row.figures.iter().map(|(_, figure)| figure_cell(Some(*figure), Unit::Plain));
        Row::plain([html! { (row.name) }, html! { (row.arm) }].into_iter().chain(figures).collect())
    };
    table(&heads, &rows.iter().map(row).collect::<Vec<_>>())
}

/// The data sets.
pub(super) fn datasets(study: &Study) -> Markup {
    let heads = columns([
        ("data set", Column::Word),
        ("licence", Column::Word),
        ("episodes", Column::Number),
        ("groups", Column::Number),
        ("turns", Column::Number),
        ("tokens", Column::Number),
        ("tokens a turn", Column::Number),
    ]);
    let row = |facts: &DatasetFacts| {
        let counts = [facts.episodes, facts.groups, facts.turns].map(|n| html! { (whole(n as u64)) });
        let mean = (facts.turns > 0).then(|| facts.tokens as f64 / facts.turns as f64);
        let mut cells = vec![html! { (facts.name) }, html! { (facts.licence) }];
        cells.extend(counts);
        cells.extend([html! { (whole(facts.tokens)) }, super::cell::number_cell(mean, 1)]);
        Row::plain(cells)
    };
    table(&heads, &study.datasets.iter().map(row).collect::<Vec<_>>())
}
