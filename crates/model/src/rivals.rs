//! The two answering models of an episode, as the winner head takes them.

use burn::tensor::{Device, Int, Tensor, TensorData};
use lrrc_episode::observe::{EpisodeObservation, RIVAL_FEATURES};

use crate::decoder::RIVAL_COUNTS;
use crate::pack::ints;

/// Two-model episodes of a batch.
#[derive(Debug)]
pub(crate) struct Rivals {
    /// Mean over each rival's turns `[2 · n, turns + 1]`.
    pub(crate) mean: Tensor<2>,
    /// Log counts `[n, 2, counts]`.
    pub(crate) counts: Tensor<3>,
    /// Numbers of each rival `[n, 2, numbers]`.
    pub(crate) form: Tensor<3>,
    /// Place in `[b, R]` of the last read of each `[n]`.
    pub(crate) read: Tensor<1, Int>,
    /// 1 if the first won, 0 if the second, ½ for a tie `[n]`.
    pub(crate) target: Tensor<1>,
}

/// Log counts of a rival's segments and tokens, scaled to about one.
pub(crate) fn rival_counts(segments: usize, tokens: usize) -> [f32; RIVAL_COUNTS] {
    [(segments as f32).ln_1p() / 4.0, (tokens as f32).ln_1p() / 6.0]
}

impl Rivals {
    /// Lays out the episodes with a verdict; `read_after` gives the place in `[b, R]` of an episode's read after so many
    /// turns. `None` where there is no such episode.
    pub(crate) fn new(
        episodes: &[&EpisodeObservation],
        read_after: impl Fn(usize, usize) -> usize,
        device: &Device,
    ) -> Option<Self> {
        let turns = 1 + episodes.iter().map(|episode| episode.turns.len()).sum::<usize>();
        let (mut mean, mut counts, mut read, mut target) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut form: Vec<f32> = Vec::new();
        let mut first = 0;
        for (index, episode) in episodes.iter().enumerate() {
            if let (Some(winner), Some(rivals)) = (episode.winner, &episode.rivals) {
                form.extend(rivals.features.as_flattened());
                for rival in rivals.agents {
                    let mut row = vec![0.0; turns];
                    counts.extend(rival_row(episode, rival, &mut row[first..]));
                    mean.extend(row);
                }
                read.push(read_after(index, episode.turns.len()));
                target.push(winner);
            }
            first += episode.turns.len();
        }
        let n = target.len();
        (n > 0).then(|| Self {
            mean: Tensor::from_data(TensorData::new(mean, [2 * n, turns]), device),
            counts: Tensor::from_data(TensorData::new(counts, [n, 2, RIVAL_COUNTS]), device),
            form: Tensor::from_data(TensorData::new(form, [n, 2, RIVAL_FEATURES]), device),
            read: ints(read, device),
            target: Tensor::from_data(TensorData::new(target, [n]), device),
        })
    }
}

/// Fills in the weights of a rival's turns and returns its counts.
fn rival_row(episode: &EpisodeObservation, rival: usize, row: &mut [f32]) -> [f32; RIVAL_COUNTS] {
    let own = || episode.turns.iter().enumerate().filter(|(_, turn)| turn.agent == rival);
    let each = 1.0 / own().count().max(1) as f32;
    own().for_each(|(turn, _)| row[turn] = each);
    let segments = own().map(|(_, turn)| turn.segments.len()).sum();
    let spans = own().map(|(_, turn)| &episode.segments[turn.segments.clone()]);
    rival_counts(segments, spans.flatten().map(|segment| segment.tokens.len()).sum())
}
