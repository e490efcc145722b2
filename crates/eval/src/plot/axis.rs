//! Axes: the range that holds the data, and ticks at round numbers.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

/// How a value becomes a place along an axis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scale {
    /// Equal steps stand for equal differences.
    #[default]
    Linear,
    /// Equal steps stand for equal ratios. Values that are not positive have no place and are left out.
    Log,
    /// Shares of a whole, 0..=1, written as per cent.
    Percent,
    /// Equal steps stand for doublings, as of ranks. Values that are not positive have no place and are left out.
    Doubling,
}

impl Scale {
    /// The place of a value along the axis, if it has one.
    pub(super) fn place(self, value: f64) -> Option<f64> {
        let place = match self {
            Self::Linear | Self::Percent => value,
            Self::Log => value.log10(),
            Self::Doubling => value.log2(),
        };
        place.is_finite().then_some(place)
    }
}

/// One axis, in places (see [`Scale::place`]), with the marks along it.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    pub(super) range: Range<f64>,
    pub(super) ticks: Vec<f64>,
    scale: Scale,
    step: f64,
    names: Vec<String>,
}

impl Axis {
    /// An axis that holds every place, ends on ticks and has about `count` of them.
    ///
    /// `from_zero` pulls the start of a linear axis down to 0, as bars need.
    pub(super) fn around(
        places: impl Iterator<Item = f64>,
        scale: Scale,
        count: usize,
        from_zero: bool,
    ) -> Self {
        let (low, high) = places.fold((f64::MAX, f64::MIN), |(l, h), p| (l.min(p), h.max(p)));
        let low = if from_zero { low.min(0.0) } else { low };
        let (low, high) = if high > low { (low, high) } else { (low - margin(low), high + margin(high)) };
        let step = round_step((high - low) / count as f64, scale);
        let (first, last) = ((low / step + 1e-9).floor(), (high / step - 1e-9).ceil());
        let ticks: Vec<f64> = (0..=(last - first) as usize).map(|i| (first + i as f64) * step).collect();
        Self { range: first * step..last * step, ticks, scale, step, names: Vec::new() }
    }

    /// An axis of named rows, the first one at the top: row i lies at place `names.len() − 1 − i`.
    pub(super) fn rows(names: Vec<String>) -> Self {
        let ticks: Vec<f64> = (0..names.len()).rev().map(|i| i as f64).collect();
        let range = -0.6..names.len() as f64 - 0.4;
        Self { range, ticks, scale: Scale::Linear, step: 1.0, names }
    }

    /// Named rows; 0 for an axis of numbers.
    pub(super) fn rows_count(&self) -> usize {
        self.names.len()
    }

    /// What stands beside a tick.
    pub(super) fn label(&self, place: f64) -> String {
        if !self.names.is_empty() {
            let row = self.ticks.iter().position(|tick| *tick == place);
            return row.map_or_else(String::new, |row| self.names[row].clone());
        }
        match self.scale {
            Scale::Linear => number(place, self.step),
            Scale::Percent => format!("{} %", number(place * 100.0, self.step * 100.0)),
            Scale::Log if place.abs() > 6.0 => format!("1e{place:.0}"),
            Scale::Doubling => number(2_f64.powf(place), 1.0),
            Scale::Log => number(10_f64.powf(place), 10_f64.powf(place.floor())),
        }
    }
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, place: &f64, (first, last): (i32, i32)) -> i32 {
        let share = (place - self.range.start) / (self.range.end - self.range.start);
        first + (f64::from(last - first) * share).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        // Light points are the grid between ticks, of which there is none.
        if hint.weight().allow_light_points() { Vec::new() } else { self.ticks.clone() }
    }

    fn range(&self) -> Range<f64> {
        self.range.clone()
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, place: &f64) -> String {
        self.label(*place)
    }
}

/// Half the width of an axis around a single place.
fn margin(place: f64) -> f64 {
    if place == 0.0 { 0.5 } else { place.abs() * 0.1 }
}

/// The least of 1, 2 and 5 times a power of ten that is not under `rough`; whole decades or doublings on a log axis.
fn round_step(rough: f64, scale: Scale) -> f64 {
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|m| m * power).into_iter().find(|s| *s >= rough * 0.999);
    let step = step.unwrap_or(10.0 * power);
    if matches!(scale, Scale::Log | Scale::Doubling) { step.max(1.0) } else { step }
}

/// A number with the decimals that its step needs, and thousands as `k`.
fn number(value: f64, step: f64) -> String {
    let value = if value.abs() < step * 1e-6 { 0.0 } else { value };
    if value != 0.0 && step >= 500.0 && step.is_finite() {
        return format!("{}k", number(value / 1000.0, step / 1000.0));
    }
    let decimals = (-(step * 1.000_001).log10().floor()).max(0.0) as usize;
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(values: &[f64], scale: Scale) -> Vec<String> {
        let axis = Axis::around(values.iter().filter_map(|v| scale.place(*v)), scale, 5, false);
        axis.ticks.iter().map(|t| axis.label(*t)).collect()
    }

    #[test]
    fn ticks_are_round_numbers_around_the_data() {
        assert_eq!(labels(&[0.1, 0.75], Scale::Percent), ["0 %", "20 %", "40 %", "60 %", "80 %"]);
        assert_eq!(labels(&[0.0, 0.92], Scale::Linear), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(&[0.0, 5000.0], Scale::Linear), ["0", "1k", "2k", "3k", "4k", "5k"]);
        assert_eq!(labels(&[0.012, 3.0], Scale::Log), ["0.01", "0.1", "1", "10"]);
        assert_eq!(labels(&[0.985, 0.999], Scale::Percent).first().map(String::as_str), Some("98.5 %"));
    }

    #[test]
    fn a_single_value_still_has_a_width() {
        for value in [-3.0, 0.0, 0.5, 12_000.0] {
            let axis = Axis::around([value].into_iter(), Scale::Linear, 5, false);
            assert!(axis.range.start < value && value < axis.range.end, "{axis:?} around {value}");
        }
    }

    #[test]
    fn what_has_no_place_is_left_out() {
        assert_eq!(Scale::Log.place(0.0), None);
        assert_eq!(Scale::Log.place(-1.0), None);
        assert_eq!(Scale::Linear.place(f64::NAN), None);
        assert_eq!(Scale::Log.place(100.0), Some(2.0));
    }
}
