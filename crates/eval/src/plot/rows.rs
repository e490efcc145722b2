//! Named rows, each with a few figures and their intervals along one axis of shares.

use super::axis::{Axis, Scale};
use super::frame::{Chart, Entry, Labels, chart_relative, draw_bar, draw_marker, figure};
use super::palette::look;
use super::{PlotError, Series};

/// Pixels between the figures of one row.
const STEP: i32 = 7;

/// One figure of one row with its interval, as shares.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RowFigure {
    /// The figure.
    pub value: f64,
    /// Lower end of its interval.
    pub low: f64,
    /// Upper end of its interval.
    pub high: f64,
}

/// One row a name, and on it one point with its interval for each of `kinds`; the axis is written as per cent.
///
/// # Errors
///
/// [`PlotError::Empty`] if no figure is finite.
pub fn row_figures(
    title: &str,
    x_label: &str,
    kinds: &[&str],
    rows: &[(String, Vec<Option<RowFigure>>)],
) -> Result<String, PlotError> {
    let figures = rows.iter().flat_map(|(_, figures)| figures.iter().flatten());
    let places: Vec<f64> = figures.flat_map(|f| [f.value, f.low, f.high]).filter(|p| p.is_finite()).collect();
    if places.is_empty() {
        return Err(PlotError::Empty { title: title.to_owned() });
    }
    let x = Axis::around(places.into_iter(), Scale::Percent, 8, false);
    let y = Axis::rows(rows.iter().map(|(name, _)| name.clone()).collect());
    let series: Vec<Series> = kinds.iter().map(|kind| Series::new(*kind, Vec::new())).collect();
    let entry = |(kind, series)| Entry { series, look: look(kind), marked: true };
    let legend: Vec<Entry<'_>> = series.iter().enumerate().map(entry).collect();
    figure(&Labels { title, x: x_label, y: "" }, (&x, &y), &legend, |chart| {
        for ((_, figures), place) in rows.iter().zip(&y.ticks) {
            for (kind, (figure, entry)) in figures.iter().zip(&legend).enumerate() {
                let shift = STEP * (2 * kind as i32 - (legend.len() as i32 - 1)) / 2;
                figure.map_or(Ok(()), |figure| draw(chart, figure, (*place, shift), entry))?;
            }
        }
        Ok(())
    })
}

/// One point with its bar, `shift` pixels under the middle of its row.
fn draw(
    chart: &Chart<'_, '_>,
    figure: RowFigure,
    (row, shift): (f64, i32),
    entry: &Entry<'_>,
) -> Result<(), PlotError> {
    let finite = [figure.value, figure.low, figure.high].iter().all(|place| place.is_finite());
    if !finite {
        return Ok(());
    }
    let area = chart.plotting_area().strip_coord_spec();
    let at = |place: f64| {
        let (x, y) = chart_relative(chart, chart.backend_coord(&(place, row)));
        (x, y + shift)
    };
    draw_bar(&area, [at(figure.low), at(figure.high)], 4, entry.look.0)?;
    draw_marker(&area, at(figure.value), entry.look, entry.series)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_a_name_and_a_gap_where_there_is_no_figure() {
        let figure = |value: f64| Some(RowFigure { value, low: value - 0.1, high: value + 0.1 });
        let rows = [
            ("alpha".to_owned(), vec![figure(0.5), None]),
            ("b<".to_owned(), vec![figure(0.7), figure(0.2)]),
        ];
        let svg = row_figures("T", "share", &["kept", "saved"], &rows).expect("figures to draw");
        assert!(["alpha", "b&lt;", "kept", "saved", "10 %", "80 %"].iter().all(|text| svg.contains(text)));
        // A circle a figure of the first kind and a triangle a figure of the second, and one each in the legend.
        assert_eq!((svg.matches("<circle").count(), svg.matches("<polygon").count()), (3, 2));
        let none = row_figures("T", "share", &["kept"], &[("a".to_owned(), vec![None])]);
        assert!(none.is_err());
    }
}
