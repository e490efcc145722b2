//! The search for the knob at which a method keeps a wanted share.
//!
//! One look at a knob replays a method over all episodes, so looks are what an evaluation spends its time on. The search
//! interpolates between the nearest looks, halves where that stalls, and remembers its looks for the next budget.

/// How far below the wanted share a knob may stay.
const TOLERANCE: f64 = 2e-4;
/// Ends of a step of the curve closer than this, in logarithms of the knob, are one.
const RESOLUTION: f64 = 1e-4;
/// Least part of a bracket that an interpolation cuts off.
const LEAST_CUT: f64 = 0.05;

/// Looks at one curve, from the smallest knob to the largest: logarithm of the knob, share kept.
#[derive(Debug, Clone, Default)]
pub struct Looks(Vec<(f64, f64)>);

impl Looks {
    /// The knob in `range` at which the growing `share(knob)` comes nearest to `target` without passing it, to 0.0002 of the
    /// share or one step of the curve; the low end of the range where even that keeps more.
    pub fn find(&mut self, range: (f64, f64), target: f64, mut share: impl FnMut(f64) -> f64) -> f64 {
        let ends = (range.0.ln(), range.1.ln());
        for step in 1.. {
            let (low, high) = self.bracket(ends, target);
            if high.0 - low.0 < RESOLUTION || low.1.is_some_and(|share| target - share <= TOLERANCE) {
                return low.0.exp();
            }
            let part = match (low.1, high.1) {
                (Some(below), Some(above)) if step % 3 != 0 => {
                    let aim = (target - 0.5 * TOLERANCE - below) / (above - below);
                    aim.clamp(LEAST_CUT, 1.0 - LEAST_CUT)
                }
                _ => 0.5,
            };
            let at = low.0 + part * (high.0 - low.0);
            let place = self.0.partition_point(|(known, _)| *known < at);
            self.0.insert(place, (at, share(at.exp())));
        }
        unreachable!("every third step halves the bracket")
    }

    /// The nearest looks that keep no more and more than `target`; ends of the range that nobody looked at have no share.
    fn bracket(&self, ends: (f64, f64), target: f64) -> (Point, Point) {
        let above = self.0.iter().position(|(_, share)| *share > target).unwrap_or(self.0.len());
        let known = |place: usize| self.0.get(place).map(|(at, share)| (*at, Some(*share)));
        let low = above.checked_sub(1).and_then(known).unwrap_or((ends.0, None));
        (low, known(above).unwrap_or((ends.1, None)))
    }
}

/// Logarithm of a knob, and what it keeps if that is known.
type Point = (f64, Option<f64>);

/// [`Looks::find`] for one target.
pub fn calibrate(range: (f64, f64), target: f64, share: impl FnMut(f64) -> f64) -> f64 {
    Looks::default().find(range, target, share)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A smooth curve in steps of a thousandth, as the share of whole segments is.
    fn stepped(knob: f64) -> f64 {
        (knob / (knob + 40.0) * 1000.0).floor() / 1000.0
    }

    #[test]
    fn the_nearest_knob_below_the_target_is_found_with_few_looks() {
        let (mut looks, mut asked) = (Looks::default(), 0);
        for target in [0.10, 0.2, 0.275, 0.5, 0.75, 0.9] {
            let knob = looks.find((0.05, 1e8), target, |knob| {
                asked += 1;
                stepped(knob)
            });
            let kept = stepped(knob);
            assert!(kept <= target && stepped(knob * 1.0002) + 1.1e-3 > target, "{target}: {kept} at {knob}");
        }
        assert!(asked < 6 * 14, "{asked} looks");
    }

    #[test]
    fn a_curve_that_never_comes_down_gives_the_low_end_and_a_flat_one_the_high_end() {
        assert!((calibrate((0.5, 8.0), 0.2, |_| 0.3) - 0.5).abs() < 1e-4);
        assert!((calibrate((0.5, 8.0), 0.2, |_| 0.1) - 8.0).abs() < 1e-3);
    }
}
