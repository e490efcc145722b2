//! A network that loses, repeats, delays and overtakes, as its seed says.

use std::collections::BTreeMap;

use lrrc_coherence::Millis;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// What one run does to its frames. Probabilities are per frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Weather {
    /// A frame never arrives.
    pub(super) loss: f64,
    /// A frame arrives twice.
    pub(super) repeat: f64,
    /// A frame may overtake those sent before it.
    pub(super) overtake: f64,
    /// Longest delay of a frame, in milliseconds.
    pub(super) delay_ms_max: u64,
}

impl Weather {
    /// Half of all runs are calm in each respect, so that faults are met alone as well as together.
    pub(super) fn draw(random: &mut ChaCha8Rng) -> Self {
        let mut share = |most: f64| if random.random() { random.random::<f64>() * most } else { 0.0 };
        let (loss, repeat, overtake) = (share(0.1), share(0.1), share(0.3));
        let delay_ms_max = if random.random() { random.random_range(1..2_000) } else { 5 };
        Self { loss, repeat, overtake, delay_ms_max }
    }

    /// Nothing goes wrong.
    pub(super) const CALM: Self = Self { loss: 0.0, repeat: 0.0, overtake: 0.0, delay_ms_max: 1 };
}

/// Frames under way, each direction of each connection a lane of its own. Frames of a lane keep their order unless
/// they overtake.
#[derive(Debug)]
pub(super) struct Network<L, F> {
    /// By time of arrival, then by number, so that the order is total.
    flying: BTreeMap<(Millis, u64), (L, F)>,
    sent: u64,
    /// When the last frame that did not overtake arrives.
    last: BTreeMap<L, Millis>,
}

impl<L: Ord + Clone, F: Clone> Network<L, F> {
    pub(super) const fn new() -> Self {
        Self { flying: BTreeMap::new(), sent: 0, last: BTreeMap::new() }
    }

    /// Sends a frame; whether at least one copy of it will arrive.
    pub(super) fn send(
        &mut self,
        lane: &L,
        frame: &F,
        now: Millis,
        weather: &Weather,
        random: &mut ChaCha8Rng,
    ) -> bool {
        if random.random_bool(weather.loss) {
            return false;
        }
        let copies = if random.random_bool(weather.repeat) { 2 } else { 1 };
        for _ in 0..copies {
            let mut arrives = now.plus(random.random_range(0..=weather.delay_ms_max));
            if !random.random_bool(weather.overtake) {
                let last = self.last.entry(lane.clone()).or_default();
                arrives = arrives.max(*last);
                *last = arrives;
            }
            self.sent += 1;
            self.flying.insert((arrives, self.sent), (lane.clone(), frame.clone()));
        }
        true
    }

    /// When the next frame arrives.
    pub(super) fn next(&self) -> Option<Millis> {
        self.flying.first_key_value().map(|((at, _), _)| *at)
    }

    /// The next frame, if it arrives by `now`.
    pub(super) fn arrive(&mut self, now: Millis) -> Option<(L, F)> {
        if self.next()? > now {
            return None;
        }
        self.flying.pop_first().map(|(_, arrived)| arrived)
    }

    /// The connections are cut: frames of lanes that `cut` names are lost.
    pub(super) fn cut(&mut self, cut: impl Fn(&L) -> bool) {
        self.flying.retain(|_, (lane, _)| !cut(lane));
        self.last.retain(|lane, _| !cut(lane));
    }
}
