//! Numbers as text, and tables that scroll in a box of their own.

use maud::{Markup, html};

use crate::study::Figure;

/// How a figure is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// A fraction, as per cent.
    Share,
    /// A difference of fractions, in points with its sign.
    Points,
    /// A plain number.
    Plain,
}

impl Unit {
    fn write(self, value: f64) -> String {
        match self {
            Self::Share => format!("{:.1}", value * 100.0),
            Self::Points => format!("{:+.1}", value * 100.0),
            Self::Plain => format!("{value:.3}"),
        }
    }

    fn tail(self) -> &'static str {
        match self {
            Self::Share => " %",
            Self::Points => " pt",
            Self::Plain => "",
        }
    }
}

/// A fraction as per cent.
pub(super) fn share(value: f64) -> String {
    format!("{:.1} %", value * 100.0)
}

/// A budget as per cent, without needless decimals.
pub(super) fn budget(keep: f64) -> String {
    format!("{} %", (keep * 1000.0).round() / 10.0)
}

/// A figure with its interval, as text.
pub(super) fn figure_text(figure: Figure, unit: Unit) -> String {
    let [value, low, high] = [figure.value, figure.low, figure.high].map(|number| unit.write(number));
    format!("{value}{} [{low}, {high}]", unit.tail())
}

/// A figure with its interval beside it, smaller.
pub(super) fn figure_cell(figure: Option<Figure>, unit: Unit) -> Markup {
    let Some(figure) = figure else { return missing() };
    let [value, low, high] = [figure.value, figure.low, figure.high].map(|number| unit.write(number));
    html! { (value) (unit.tail()) " " small { "[" (low) ", " (high) "]" } }
}

/// A fraction, where there is one.
pub(super) fn share_cell(value: Option<f64>) -> Markup {
    value.map_or_else(missing, |value| html! { (share(value)) })
}

/// A number with so many decimals, where there is one.
pub(super) fn number_cell(value: Option<f64>, decimals: usize) -> Markup {
    value.map_or_else(missing, |value| html! { (format!("{value:.decimals$}")) })
}

/// A p value; nothing under a thousandth is told apart.
pub(super) fn p_cell(p: Option<f64>) -> Markup {
    match p {
        Some(p) if p < 0.001 => html! { "<0.001" },
        p => number_cell(p, 3),
    }
}

/// A whole number with a thin space between thousands.
pub(super) fn whole(number: u64) -> String {
    let digits = number.to_string();
    let gap = |at: usize| if at > 0 && (digits.len() - at).is_multiple_of(3) { "\u{202f}" } else { "" };
    digits.char_indices().map(|(at, digit)| format!("{}{digit}", gap(at))).collect()
}

/// What stands where there is no figure.
pub(super) fn missing() -> Markup {
    html! { span.soft title="not measured" { "–" } }
}

/// How a column is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    /// To the right, on one line.
    Number,
    /// To the left.
    Word,
    /// To the left, with room for a sentence.
    Text,
}

impl Column {
    fn class(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::Word => "word",
            Self::Text => "text",
        }
    }
}

/// One row: its class (`ours`, `ceiling` or nothing) and its cells, the first one its heading.
#[derive(Debug, Default)]
pub(super) struct Row {
    pub(super) class: &'static str,
    pub(super) cells: Vec<Markup>,
}

impl Row {
    pub(super) fn plain(cells: Vec<Markup>) -> Self {
        Self { class: "", cells }
    }
}

/// A table in a box that scrolls sideways by itself.
pub(super) fn table(columns: &[(String, Column)], rows: &[Row]) -> Markup {
    html! {
        div.scroll tabindex="0" {
            table {
                thead { tr {
                    @for (head, column) in columns { th class=(column.class()) scope="col" { (head) } }
                } }
                tbody {
                    @for row in rows {
                        tr class=(row.class) {
                            @for (at, (cell, (_, column))) in row.cells.iter().zip(columns).enumerate() {
                                @if at == 0 {
                                    th class=(column.class()) scope="row" { (cell) }
                                } @else {
                                    td class=(column.class()) { (cell) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Headings of a table.
pub(super) fn columns<const N: usize>(columns: [(&str, Column); N]) -> Vec<(String, Column)> {
    columns.into_iter().map(|(head, column)| (head.to_owned(), column)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_readers() {
        assert_eq!(whole(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!((whole(12), budget(0.3), budget(0.125)), ("12".into(), "30 %".into(), "12.5 %".into()));
        let figure = Figure { value: -0.0123, low: -0.02, high: 0.004 };
        assert_eq!(figure_text(figure, Unit::Points), "-1.2 pt [-2.0, +0.4]");
        assert_eq!(p_cell(Some(0.0002)).into_string(), "&lt;0.001");
    }
}
