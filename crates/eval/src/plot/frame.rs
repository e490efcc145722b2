//! The page of a figure: title, axes, grid, and a legend beside the plot.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::Axis;
use super::palette::{AXIS, GRID, INK, Look, Marker};
use super::{PlotError, Series};

/// Width of every figure, in pixels.
const WIDTH: u32 = 1000;
/// Height of a figure whose legend does not ask for more, in pixels.
const HEIGHT: u32 = 580;
/// Height of one row of the legend, in pixels.
const ROW: i32 = 26;
/// Height of the band that holds the title, in pixels.
const TITLE: u32 = 58;

pub(super) type Page<'a> = DrawingArea<SVGBackend<'a>, Shift>;
/// The plot itself, ready to be drawn on.
pub(super) type Chart<'a, 'b> = ChartContext<'b, SVGBackend<'a>, Cartesian2d<Axis, Axis>>;

/// What stands around the plot.
pub(super) struct Labels<'a> {
    pub(super) title: &'a str,
    pub(super) x: &'a str,
    pub(super) y: &'a str,
}

/// One row of the legend.
pub(super) struct Entry<'a> {
    pub(super) series: &'a Series,
    pub(super) look: Look,
    /// Whether its points carry their marker.
    pub(super) marked: bool,
}

/// Draws the frame, lets `fill` draw the plot, and returns the SVG text.
pub(super) fn figure(
    labels: &Labels<'_>,
    (x, y): (&Axis, &Axis),
    legend: &[Entry<'_>],
    fill: impl FnOnce(&mut Chart<'_, '_>) -> Result<(), PlotError>,
) -> Result<String, PlotError> {
    let mut svg = String::new();
    {
        let rows = legend.len().max(y.rows_count());
        let height = HEIGHT.max(TITLE + 90 + ROW as u32 * rows as u32);
        let root = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        root.fill(&WHITE)?;
        let (head, body) = root.split_vertically(TITLE);
        let style = ("sans-serif", 24).into_font().style(FontStyle::Bold).color(&INK);
        head.draw(&Text::new(labels.title, (28, 20), style))?;
        let (plot, side) = body.split_horizontally(WIDTH as i32 - legend_width(legend));
        let mut chart = mesh(&plot, labels, x, y)?;
        fill(&mut chart)?;
        draw_legend(&side, legend)?;
        root.present()?;
    }
    Ok(svg)
}

/// The axes with their ticks, over a grid at the ticks.
fn mesh<'a, 'b>(
    plot: &'b Page<'a>,
    labels: &Labels<'_>,
    x: &Axis,
    y: &Axis,
) -> Result<Chart<'a, 'b>, PlotError> {
    let longest = y.ticks.iter().map(|t| y.label(*t).chars().count()).max().unwrap_or(0);
    let mut chart = ChartBuilder::on(plot)
        .margin_left(18)
        .margin_right(22)
        .margin_bottom(14)
        .x_label_area_size(58)
        .y_label_area_size(48 + 8 * longest as i32)
        .build_cartesian_2d(x.clone(), y.clone())?;
    chart
        .configure_mesh()
        .axis_style(AXIS)
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .label_style(("sans-serif", 17).into_font().color(&INK))
        .axis_desc_style(("sans-serif", 19).into_font().color(&INK))
        .x_desc(labels.x)
        .y_desc(labels.y)
        .draw()?;
    Ok(chart)
}

/// One line through places, with markers where asked.
pub(super) fn draw_line(
    chart: &mut Chart<'_, '_>,
    places: &[(f64, f64)],
    &Entry { series, look, marked }: &Entry<'_>,
) -> Result<(), PlotError> {
    let style = stroke(series, look.0);
    if series.dashed {
        chart.draw_series(DashedLineSeries::new(places.iter().copied(), 8, 5, style))?;
    } else {
        chart.draw_series(LineSeries::new(places.iter().copied(), style))?;
    }
    if marked || places.len() == 1 {
        for place in places {
            let at = chart.backend_coord(place);
            draw_marker(&chart.plotting_area().strip_coord_spec(), chart_relative(chart, at), look, series)?;
        }
    }
    Ok(())
}

/// One upright bar with caps an interval.
pub(super) fn draw_spans(
    chart: &mut Chart<'_, '_>,
    spans: &[(f64, f64, f64)],
    entry: &Entry<'_>,
) -> Result<(), PlotError> {
    for (x, low, high) in spans {
        let ends = [(*x, *low), (*x, *high)].map(|end| chart_relative(chart, chart.backend_coord(&end)));
        draw_bar(&chart.plotting_area().strip_coord_spec(), ends, 5, entry.look.0)?;
    }
    Ok(())
}

/// A bar between two pixels of the area with a cap of `2 · cap` pixels across each end.
pub(super) fn draw_bar(
    area: &Page<'_>,
    ends: [(i32, i32); 2],
    cap: i32,
    colour: RGBColor,
) -> Result<(), PlotError> {
    let style = colour.stroke_width(2);
    area.draw(&PathElement::new(ends, style))?;
    let (dx, dy) = if ends[0].0 == ends[1].0 { (cap, 0) } else { (0, cap) };
    for (x, y) in ends {
        area.draw(&PathElement::new([(x - dx, y - dy), (x + dx, y + dy)], style))?;
    }
    Ok(())
}

/// A pixel of the page as a pixel of the plotting area.
pub(super) fn chart_relative(chart: &Chart<'_, '_>, (x, y): (i32, i32)) -> (i32, i32) {
    let (left, top) = chart.plotting_area().get_base_pixel();
    (x - left, y - top)
}

/// One marker, at a pixel of the area.
pub(super) fn draw_marker(
    area: &Page<'_>,
    at: (i32, i32),
    (colour, marker): Look,
    series: &Series,
) -> Result<(), PlotError> {
    let size = if series.emphasised { 6 } else { 4 };
    match marker {
        Marker::Circle => area.draw(&Circle::new(at, size, colour.filled()))?,
        Marker::Triangle => area.draw(&TriangleMarker::new(at, size + 1, colour.filled()))?,
        Marker::Square => {
            let corners = [(at.0 - size, at.1 - size), (at.0 + size, at.1 + size)];
            area.draw(&Rectangle::new(corners, colour.filled()))?;
        }
        Marker::Cross => area.draw(&Cross::new(at, size, colour.stroke_width(2)))?,
    }
    Ok(())
}

fn stroke(series: &Series, colour: RGBColor) -> ShapeStyle {
    colour.stroke_width(if series.emphasised { 4 } else { 2 })
}

/// Room for the names, or none for a figure without a legend, in pixels.
fn legend_width(legend: &[Entry<'_>]) -> i32 {
    let longest = legend.iter().map(|e| e.series.name.chars().count()).max();
    longest.map_or(0, |chars| 70 + 9 * chars as i32)
}

/// One row a series: its line, its marker and its name.
fn draw_legend(side: &Page<'_>, legend: &[Entry<'_>]) -> Result<(), PlotError> {
    for (place, Entry { series, look, marked }) in legend.iter().enumerate() {
        let y = 14 + ROW * place as i32;
        let style = stroke(series, look.0);
        let ends: &[(i32, i32)] = if series.dashed { &[(4, 13), (27, 36)] } else { &[(4, 36)] };
        for (from, to) in ends {
            side.draw(&PathElement::new([(*from, y), (*to, y)], style))?;
        }
        if *marked {
            draw_marker(side, (20, y), *look, series)?;
        }
        let weight = if series.emphasised { FontStyle::Bold } else { FontStyle::Normal };
        let font =
            ("sans-serif", 17).into_font().style(weight).color(&INK).pos(Pos::new(HPos::Left, VPos::Center));
        side.draw(&Text::new(series.name.as_str(), (46, y), font))?;
    }
    Ok(())
}
