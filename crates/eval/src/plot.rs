//! Figures as SVG text: budget curves, training curves and histograms.
//!
//! Every figure is a function of its data, so the same run draws the same bytes. Points that have no place
//! on their axis (NaN, infinite, or not positive on a log axis) are left out: a diverging loss or a metric
//! that a data set does not have leaves a gap, not an error.
//!
//! ```
//! use lrrc_eval::plot::{Series, budget_curves};
//!
//! let bm25 = Series::new("bm25", vec![(0.10, 0.31), (0.25, 0.40), (0.50, 0.66)]);
//! let ours = Series::new("lrrc-once", vec![(0.10, 0.44), (0.25, 0.58), (0.50, 0.81)]).emphasised();
//! let svg = budget_curves("Evidence recall", "history kept", "evidence recall", &[bm25, ours])?;
//! assert!(svg.starts_with("<svg") && svg.contains("lrrc-once"));
//! # Ok::<(), lrrc_eval::plot::PlotError>(())
//! ```

mod axis;
mod frame;
mod palette;
mod rows;

use plotters::drawing::DrawingAreaErrorKind;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use thiserror::Error;

pub use axis::Scale;
pub use rows::{RowFigure, row_figures};

use axis::Axis;
use frame::{Chart, Entry, Labels, draw_line, draw_spans, figure};
use palette::{INK, Look, look};

/// Height of the name of a mark, in pixels.
const MARK_ROW: f64 = 20.0;

/// One named line of a figure.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// Its points (x, y), in the order in which the line visits them.
    pub points: Vec<(f64, f64)>,
    /// Drawn with gaps: a bound, a control, or something not learned.
    pub dashed: bool,
    /// Drawn thicker and above the others, with its name in bold.
    pub emphasised: bool,
    /// Intervals (x, low, high), drawn as upright bars with caps.
    pub intervals: Vec<(f64, f64, f64)>,
}

impl Series {
    /// A thin, solid line.
    pub fn new(name: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        Self { name: name.into(), points, dashed: false, emphasised: false, intervals: Vec::new() }
    }

    /// The same line with gaps.
    #[must_use]
    pub fn dashed(self) -> Self {
        Self { dashed: true, ..self }
    }

    /// The same line, thicker and above the others.
    #[must_use]
    pub fn emphasised(self) -> Self {
        Self { emphasised: true, ..self }
    }

    /// The same line with intervals (x, low, high).
    #[must_use]
    pub fn with_intervals(self, intervals: Vec<(f64, f64, f64)>) -> Self {
        Self { intervals, ..self }
    }
}

/// Why there is no figure.
#[derive(Debug, Error)]
pub enum PlotError {
    /// No point has a place on the axes.
    #[error("figure \"{title}\" has no point to draw")]
    Empty {
        /// The title of the figure.
        title: String,
    },
    /// The drawing library refused an element.
    #[error("the figure cannot be drawn")]
    Draw(#[from] DrawingAreaErrorKind<std::io::Error>),
}

/// One line a method over budgets: the axes are shares (0..=1), written as per cent, each point is marked.
///
/// # Errors
///
/// [`PlotError::Empty`] if no point is finite.
pub fn budget_curves(
    title: &str,
    x_label: &str,
    y_label: &str,
    series: &[Series],
) -> Result<String, PlotError> {
    let labels = Labels { title, x: x_label, y: y_label };
    curves(&labels, series, (Scale::Percent, Scale::Percent), true)
}

/// Lines over a linear x, as of training steps; `y_scale` may be logarithmic.
///
/// # Errors
///
/// [`PlotError::Empty`] if no point has a place on the axes.
pub fn lines(
    title: &str,
    x_label: &str,
    y_label: &str,
    series: &[Series],
    y_scale: Scale,
) -> Result<String, PlotError> {
    curves(&Labels { title, x: x_label, y: y_label }, series, (Scale::Linear, y_scale), false)
}

/// Lines over any two scales; `marked` puts a marker on each point.
///
/// # Errors
///
/// [`PlotError::Empty`] if no point has a place on the axes.
pub fn chart(
    title: &str,
    (x_label, x_scale): (&str, Scale),
    (y_label, y_scale): (&str, Scale),
    series: &[Series],
    marked: bool,
) -> Result<String, PlotError> {
    curves(&Labels { title, x: x_label, y: y_label }, series, (x_scale, y_scale), marked)
}

/// Rules of a style sheet that turn the colours of the figures under `selector` to those of a dark page.
///
/// A figure alone keeps its colours and its white ground; a page that adapts puts these rules into its
/// `prefers-color-scheme: dark` block.
#[must_use]
pub fn dark_rules(selector: &str) -> String {
    let hex = |RGBColor(r, g, b): RGBColor| format!("#{r:02X}{g:02X}{b:02X}");
    let rule = |(light, dark): (RGBColor, RGBColor)| {
        let (light, dark) = (hex(light), hex(dark));
        format!(
            "{selector} [fill=\"{light}\"]{{fill:{dark}}}\n{selector} [stroke=\"{light}\"]{{stroke:{dark}}}\n"
        )
    };
    let ground = format!("{selector} [fill=\"#FFFFFF\"]{{fill:transparent}}\n");
    std::iter::once(ground).chain(palette::on_dark().map(rule)).collect()
}

/// How many values fall into each of `bins` equal steps along `x_scale`, with named marks on the x axis.
///
/// # Errors
///
/// [`PlotError::Empty`] if no value has a place on the axis, or `bins` is 0.
pub fn histogram(
    title: &str,
    (x_label, y_label): (&str, &str),
    values: &[f64],
    bins: usize,
    x_scale: Scale,
    marks: &[(&str, f64)],
) -> Result<String, PlotError> {
    let places: Vec<f64> = values.iter().filter_map(|v| x_scale.place(*v)).collect();
    if places.is_empty() || bins == 0 {
        return Err(PlotError::Empty { title: title.to_owned() });
    }
    let x = Axis::around(places.iter().copied(), x_scale, 6, false);
    let width = (x.range.end - x.range.start) / bins as f64;
    let mut counts = vec![0_u32; bins];
    for place in &places {
        counts[(((place - x.range.start) / width) as usize).min(bins - 1)] += 1;
    }
    // An empty band above the bars holds the names of the marks.
    let highest = counts.iter().copied().max().map_or(1.0, f64::from) * (1.0 + 0.05 * marks.len() as f64);
    let y = Axis::around([0.0, highest].into_iter(), Scale::Linear, 5, true);
    figure(&Labels { title, x: x_label, y: y_label }, (&x, &y), &[], |chart| {
        draw_bars(chart, x.range.start, width, &counts)?;
        let mut placed: Vec<_> = marks.iter().filter_map(|(n, v)| Some((*n, x_scale.place(*v)?))).collect();
        draw_marks(chart, &mut placed, y.range.end)
    })
}

/// Lines with a legend; emphasised ones are drawn last, so that they lie on top.
fn curves(
    labels: &Labels<'_>,
    series: &[Series],
    (x_scale, y_scale): (Scale, Scale),
    marked: bool,
) -> Result<String, PlotError> {
    let mut drawn: Vec<Drawn> = series.iter().map(|s| Drawn::new(s, x_scale, y_scale)).collect();
    let all = || drawn.iter().flat_map(|d| &d.points);
    if all().next().is_none() {
        return Err(PlotError::Empty { title: labels.title.to_owned() });
    }
    let mut x = Axis::around(all().map(|p| p.0), x_scale, 8, false);
    let ends = drawn.iter().flat_map(|d| &d.spans).flat_map(|(_, low, high)| [*low, *high]);
    let y = Axis::around(all().map(|p| p.1).chain(ends), y_scale, 6, false);
    if marked {
        set_apart(&mut drawn, &mut x);
    }
    let legend: Vec<Entry<'_>> =
        series.iter().zip(looks(series)).map(|(series, look)| Entry { series, look, marked }).collect();
    figure(labels, (&x, &y), &legend, |chart| {
        for top in [false, true] {
            let layer = legend.iter().zip(&drawn).filter(|(entry, _)| entry.series.emphasised == top);
            for (entry, drawn) in layer {
                draw_line(chart, &drawn.points, entry)?;
                draw_spans(chart, &drawn.spans, entry)?;
            }
        }
        Ok(())
    })
}

/// What of a series has a place on both axes.
struct Drawn {
    points: Vec<(f64, f64)>,
    spans: Vec<(f64, f64, f64)>,
}

impl Drawn {
    fn new(series: &Series, x_scale: Scale, y_scale: Scale) -> Self {
        let point = |(x, y): &(f64, f64)| Some((x_scale.place(*x)?, y_scale.place(*y)?));
        let span = |(x, low, high): &(f64, f64, f64)| {
            Some((x_scale.place(*x)?, y_scale.place(*low)?, y_scale.place(*high)?))
        };
        Self {
            points: series.points.iter().filter_map(point).collect(),
            spans: series.intervals.iter().filter_map(span).collect(),
        }
    }
}

/// Gives markers room at the ends of the axis, and moves series with intervals sideways, so that none hides another.
fn set_apart(drawn: &mut [Drawn], x: &mut Axis) {
    let step = (x.range.end - x.range.start) * 0.012;
    let count = drawn.iter().filter(|d| !d.spans.is_empty()).count();
    let room = step * (count as f64 / 2.0 + 1.0);
    x.range = x.range.start - room..x.range.end + room;
    let barred = drawn.iter_mut().filter(|d| !d.spans.is_empty());
    for (place, Drawn { points, spans }) in barred.enumerate() {
        let shift = step * (place as f64 - (count as f64 - 1.0) / 2.0);
        points.iter_mut().for_each(|point| point.0 += shift);
        spans.iter_mut().for_each(|span| span.0 += shift);
    }
}

/// The look of each series: the emphasised take the first and most distinct places of the cycle.
fn looks(series: &[Series]) -> Vec<Look> {
    let first = series.iter().filter(|s| s.emphasised).count();
    let (mut emphasised, mut others) = (0.., first..);
    let places = series.iter().filter_map(|s| if s.emphasised { emphasised.next() } else { others.next() });
    places.map(look).collect()
}

/// One bar a bin, a hair's breadth apart.
fn draw_bars(chart: &mut Chart<'_, '_>, start: f64, width: f64, counts: &[u32]) -> Result<(), PlotError> {
    chart.draw_series(counts.iter().enumerate().filter(|(_, n)| **n > 0).map(|(bin, count)| {
        let left = start + width * bin as f64;
        let corners = [(left + width * 0.04, f64::from(*count)), (left + width * 0.96, 0.0)];
        Rectangle::new(corners, look(0).0.mix(0.8).filled())
    }))?;
    Ok(())
}

/// A dashed upright line a mark, each with its name on a row of its own.
///
/// From left to right the lines are shorter by a row, so that none runs through a name.
fn draw_marks(chart: &mut Chart<'_, '_>, marks: &mut [(&str, f64)], top: f64) -> Result<(), PlotError> {
    let style = look(1).0.stroke_width(2);
    let row = top * MARK_ROW / f64::from(chart.plotting_area().dim_in_pixel().1);
    marks.sort_by(|a, b| a.1.total_cmp(&b.1));
    for (place, (name, x)) in marks.iter().enumerate() {
        let end = top - row * place as f64;
        chart.draw_series(DashedLineSeries::new([(*x, 0.0), (*x, end)], 6, 4, style))?;
        let font = ("sans-serif", 17).into_font().color(&INK).pos(Pos::new(HPos::Left, VPos::Top));
        chart.draw_series([EmptyElement::at((*x, end)) + Text::new((*name).to_owned(), (6, 3), font)])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(svg: &str, tag: &str) -> usize {
        svg.matches(tag).count()
    }

    #[test]
    fn a_line_a_series_and_a_name_in_the_legend() {
        let points = vec![(0.1, 0.3), (0.5, 0.8)];
        let series = ["full", "<b>", "lrrc-once"].map(|name| Series::new(name, points.clone()));
        let plain = budget_curves("T", "kept", "recall", &series).expect("points to draw");
        assert!(["full", "&lt;b&gt;", "lrrc-once", "10 %", "80 %"].iter().all(|text| plain.contains(text)));
        let [a, b, c] = series;
        let more = budget_curves("T", "kept", "recall", &[a, b, c.emphasised()]).expect("points to draw");
        assert_eq!(count(&plain, "font-weight=\"bold\""), 1, "the title");
        assert_eq!(count(&more, "font-weight=\"bold\""), 2, "the title and one name");
    }

    #[test]
    fn the_same_data_draw_the_same_bytes() {
        let draw =
            || lines("T", "step", "loss", &[Series::new("a", vec![(0.0, 2.0), (9.0, 1.0)])], Scale::Log);
        assert_eq!(draw().expect("points to draw"), draw().expect("points to draw"));
    }

    #[test]
    fn intervals_widen_the_axis_and_are_drawn() {
        let plain = Series::new("a", vec![(4.0, 0.5), (8.0, 0.6)]);
        let wide = plain.clone().with_intervals(vec![(4.0, 0.2, 0.9), (8.0, f64::NAN, 0.9)]);
        let draw = |s: Series| chart("T", ("rank", Scale::Doubling), ("kept", Scale::Percent), &[s], true);
        let (plain, wide) = (draw(plain).expect("two points"), draw(wide).expect("two points"));
        assert!(!plain.contains("100 %") && wide.contains("100 %") && wide.contains("20 %"));
        let strokes = |svg: &str| count(svg, "stroke=\"#0072B2\"");
        assert_eq!(strokes(&wide), strokes(&plain) + 3, "one bar and its two caps");
    }

    #[test]
    fn every_colour_has_its_like_on_a_dark_page() {
        let svg =
            budget_curves("T", "x", "y", &[Series::new("a", vec![(0.1, 0.3), (0.5, 0.8)])]).expect("points");
        let rules = dark_rules(".figure");
        for at in svg.match_indices("=\"#").map(|(at, _)| at + 2) {
            assert!(rules.contains(&svg[at..at + 7]), "{}", &svg[at..at + 7]);
        }
    }

    #[test]
    fn points_without_a_place_leave_a_gap_and_no_points_no_figure() {
        let gap = Series::new("a", vec![(0.0, 1.0), (1.0, f64::NAN), (2.0, 3.0)]);
        let whole = Series::new("a", vec![(0.0, 1.0), (2.0, 3.0)]);
        let draw = |s: Series| lines("T", "x", "y", &[s], Scale::Linear);
        assert_eq!(draw(gap).expect("two points"), draw(whole).expect("two points"));
        let nothing = Series::new("a", vec![(0.0, 0.0), (1.0, -2.0)]);
        let refused = lines("Loss", "x", "y", &[nothing], Scale::Log).expect_err("no positive point");
        assert_eq!(refused.to_string(), "figure \"Loss\" has no point to draw");
    }

    #[test]
    fn emphasis_takes_the_first_looks_and_no_two_series_share_one() {
        let names = ["a", "b", "c", "d"].map(|name| Series::new(name, Vec::new()));
        let [a, b, c, d] = names;
        assert_eq!(looks(&[a, b, c.emphasised(), d.emphasised()]), [look(2), look(3), look(0), look(1)]);
    }

    #[test]
    fn every_value_is_in_one_bar_and_the_highest_included() {
        let bars = |values: &[f64], bins| {
            let svg = histogram("T", ("x", "n"), values, bins, Scale::Linear, &[("median", 2.0)]);
            count(&svg.expect("values to draw"), "fill=\"#0072B2\"")
        };
        assert_eq!(bars(&[0.0, 1.0, 2.0, 3.0, 4.0], 4), 4);
        assert_eq!(bars(&[0.0, 4.0], 4), 2);
        assert!(histogram("T", ("x", "n"), &[1.0], 0, Scale::Linear, &[]).is_err());
        assert!(histogram("T", ("x", "n"), &[], 4, Scale::Linear, &[]).is_err());
    }
}
