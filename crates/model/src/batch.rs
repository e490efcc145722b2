//! Several observed episodes → the tensors of one forward pass.
//!
//! Segments, turns, queries and candidates of all episodes are laid out flat; index tensors say what belongs to
//! what. Only the recurrence is padded, to `[episodes, turns]`.

use std::collections::HashMap;

mod queries;

use burn::tensor::{Device, Int, Tensor, TensorData};
use lrrc_episode::Role;
use lrrc_episode::observe::{AGENT_ROWS, CallObservation, EpisodeObservation, ITEM_BUCKETS, Mode};

use crate::call::{FlatCalls, Foreseen};
use crate::decoder::{Asked, STEPPED_INPUTS, push_inputs};
use crate::error::PolicyError;
use crate::pack::{GroupPack, SegmentPack, ints, pack_groups, pack_segments};
use crate::rivals::Rivals;
use queries::Queries;

/// One forward pass over some episodes.
#[derive(Debug)]
pub struct Batch {
    pub(crate) episodes: usize,
    pub(crate) segments: SegmentPack,
    /// Turns, a pad, queries, a pad; pads are empty groups.
    pub(crate) groups: GroupPack,
    pub(crate) turns: Turns,
    pub(crate) reads: Reads,
    /// Query group of each place `[b · Q]`.
    pub(crate) query_place: Tensor<1, Int>,
    /// Queries in `groups`.
    pub(crate) query_count: usize,
    pub(crate) asked: Asked,
    /// Calls that the call gate judges.
    pub(crate) foreseen: Option<Foreseen>,
    pub(crate) targets: Targets,
    pub(crate) rivals: Option<Rivals>,
}

/// Turns of all episodes.
#[derive(Debug)]
pub(crate) struct Turns {
    /// Turns in all.
    pub(crate) count: usize,
    /// Longest episode T.
    pub(crate) longest: usize,
    /// Number within its episode, from 1, of each turn and of the pad `[turns + 1]`.
    pub(crate) ordinal: Tensor<1>,
    /// Role of each turn and of the pad `[turns + 1]`.
    pub(crate) role: Tensor<1, Int>,
    /// Speaker of each turn and of the pad `[turns + 1]`.
    pub(crate) agent: Tensor<1, Int>,
    /// Turn at each place `[b · T]`; the number of turns marks a pad.
    pub(crate) place: Tensor<1, Int>,
}

/// Moments at which the state is read.
#[derive(Debug)]
pub(crate) struct Reads {
    /// Most reads R of an episode; its last one is after its last turn.
    pub(crate) width: usize,
    /// Turns seen at each read, by episode.
    pub(crate) after: Vec<Vec<usize>>,
    /// 1 where a turn is before a read `[b, R, T]`.
    pub(crate) seen: Tensor<3>,
}

/// What training asks for.
#[derive(Debug)]
pub(crate) struct Targets {
    /// `[pairs]`
    pub(crate) label: Tensor<1>,
    /// Weights that sum to 1 over the pairs of an episode, and to the episodes over the batch `[pairs]`.
    pub(crate) weight: Tensor<1>,
    /// Label × weight, summing to 1 over the decisions of an episode `[pairs]`.
    pub(crate) share: Tensor<1>,
    /// Weight of each decision in the listwise loss `[decisions]`.
    pub(crate) decision_weight: Tensor<1>,
    /// Places in `[decisions, buckets]` of essential items `[items]`, and their weights.
    pub(crate) items: Option<(Tensor<1, Int>, Tensor<1>)>,
}

impl Batch {
    /// Lays out `episodes` on `device`.
    ///
    /// # Errors
    /// An episode that contradicts itself: an index out of range, or a decision after more turns than there are.
    pub fn new(episodes: &[&EpisodeObservation], device: &Device) -> Result<Self, PolicyError> {
        episodes.iter().try_for_each(|episode| check(episode))?;
        let all = episodes.iter().flat_map(|episode| &episode.segments);
        let (segments, rows) = pack_segments(all, device);
        let mut rows = rows.as_slice();
        let rows: Vec<&[usize]> = episodes
            .iter()
            .map(|episode| {
                let (own, rest) = rows.split_at(episode.segments.len());
                rows = rest;
                own
            })
            .collect();
        let reads = Reads::new(episodes, device);
        let queries = Queries::new(episodes, &rows);
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for (episode, rows) in episodes.iter().zip(&rows) {
            groups.extend(episode.turns.iter().map(|turn| rows[turn.segments.clone()].to_vec()));
        }
        groups.push(Vec::new());
        groups.extend(queries.groups.iter().cloned());
        groups.push(Vec::new());
        Ok(Self {
            episodes: episodes.len(),
            segments,
            groups: pack_groups(&groups, device),
            turns: Turns::new(episodes, device),
            query_place: ints(queries.places(), device),
            query_count: queries.groups.len(),
            asked: asked(episodes, &rows, &reads, &queries, device),
            foreseen: foreseen(episodes, &reads, &queries, device),
            targets: Targets::new(episodes, device),
            rivals: Rivals::new(episodes, |episode, turns| reads.place(episode, turns), device),
            reads,
        })
    }

    /// Number of episodes.
    #[must_use]
    pub fn episodes(&self) -> usize {
        self.episodes
    }

    /// Number of (decision, candidate) pairs.
    #[must_use]
    pub fn pairs(&self) -> usize {
        self.asked.inputs.dims()[0]
    }
}

fn check(episode: &EpisodeObservation) -> Result<(), PolicyError> {
    let fault = |reason: String| Err(PolicyError::Episode { id: episode.id.clone(), reason });
    let segments = episode.segments.len();
    if let Some(index) = episode.segments.iter().position(|segment| segment.tokens.is_empty()) {
        return fault(format!("segment {index} has no token"));
    }
    for (index, turn) in episode.turns.iter().enumerate() {
        if turn.role >= Role::ALL.len() || turn.agent >= AGENT_ROWS {
            return fault(format!("turn {index} has role {} and agent row {}", turn.role, turn.agent));
        }
        if turn.segments.start > turn.segments.end || turn.segments.end > segments {
            return fault(format!("turn {index} has segments {:?} of {segments}", turn.segments));
        }
    }
    for (index, decision) in episode.decisions.iter().enumerate() {
        if decision.turns_seen > episode.turns.len() || decision.agent >= AGENT_ROWS {
            let (seen, turns) = (decision.turns_seen, episode.turns.len());
            return fault(format!("decision {index} sees {seen} of {turns} turns, agent {}", decision.agent));
        }
        let candidates = decision.candidates.iter().map(|candidate| candidate.segment);
        if let Some(segment) = candidates.chain(decision.query.iter().copied()).find(|&s| s >= segments) {
            return fault(format!("decision {index} names segment {segment} of {segments}"));
        }
        if let Some(bucket) = decision.essential.iter().find(|&&bucket| usize::from(bucket) >= ITEM_BUCKETS) {
            return fault(format!("decision {index} names item bucket {bucket} of {ITEM_BUCKETS}"));
        }
    }
    for (index, call) in episode.calls.iter().enumerate() {
        let known = call.query.iter().all(|&segment| segment < segments);
        if call.turns_seen > episode.turns.len() || call.agent >= AGENT_ROWS || !known {
            let (seen, turns) = (call.turns_seen, episode.turns.len());
            return fault(format!(
                "call {index} sees {seen} of {turns} turns, agent {}, query {:?} of {segments} segments",
                call.agent, call.query
            ));
        }
    }
    Ok(())
}

impl Turns {
    fn new(episodes: &[&EpisodeObservation], device: &Device) -> Self {
        let turns = || episodes.iter().flat_map(|episode| &episode.turns);
        let count = turns().count();
        let longest = episodes.iter().map(|episode| episode.turns.len()).max().unwrap_or(0).max(1);
        let mut place = vec![count; episodes.len() * longest];
        let mut next = 0;
        for (index, episode) in episodes.iter().enumerate() {
            for slot in &mut place[index * longest..][..episode.turns.len()] {
                *slot = next;
                next += 1;
            }
        }
        let ordinals = episodes.iter().flat_map(|episode| (1..=episode.turns.len()).map(|turn| turn as f32));
        Self {
            count,
            longest,
            ordinal: floats(ordinals.chain([1.0]).collect(), device),
            role: ints(turns().map(|turn| turn.role).chain([0]), device),
            agent: ints(turns().map(|turn| turn.agent).chain([0]), device),
            place: ints(place, device),
        }
    }
}

impl Reads {
    fn new(episodes: &[&EpisodeObservation], device: &Device) -> Self {
        let after: Vec<Vec<usize>> = episodes
            .iter()
            .map(|episode| {
                let mut after: Vec<usize> = episode.decisions.iter().map(|d| d.turns_seen).collect();
                after.extend(episode.calls.iter().map(|call| call.turns_seen));
                after.push(episode.turns.len());
                after.sort_unstable();
                after.dedup();
                after
            })
            .collect();
        let width = after.iter().map(Vec::len).max().unwrap_or(1);
        let longest = episodes.iter().map(|episode| episode.turns.len()).max().unwrap_or(0).max(1);
        let mut seen = vec![0.0_f32; episodes.len() * width * longest];
        for (index, after) in after.iter().enumerate() {
            for (read, &turns) in after.iter().enumerate() {
                seen[(index * width + read) * longest..][..turns].fill(1.0);
            }
        }
        let seen = Tensor::from_data(TensorData::new(seen, [episodes.len(), width, longest]), device);
        Self { width, after, seen }
    }

    /// Place in `[b, R]` of the read after `turns` turns.
    fn place(&self, episode: usize, turns: usize) -> usize {
        let read = self.after[episode].partition_point(|&after| after < turns);
        episode * self.width + read
    }
}

/// The role of every segment, or [`Role::ALL`]`.len()` outside all turns.
fn segment_roles(episode: &EpisodeObservation) -> Vec<usize> {
    let mut roles = vec![Role::ALL.len(); episode.segments.len()];
    for turn in &episode.turns {
        roles[turn.segments.clone()].fill(turn.role);
    }
    roles
}

/// Flags of one mode.
pub(crate) fn mode_flags(mode: Mode) -> impl Iterator<Item = f32> {
    Mode::ALL.into_iter().map(move |other| if other == mode { 1.0 } else { 0.0 })
}

fn foreseen(
    episodes: &[&EpisodeObservation],
    reads: &Reads,
    queries: &Queries,
    device: &Device,
) -> Option<Foreseen> {
    let mut flat = FlatCalls::default();
    for (index, episode) in episodes.iter().enumerate() {
        let places = episode.calls.iter().zip(&queries.of_call[index]);
        let place = |(call, query): (&CallObservation, &usize)| {
            (reads.place(index, call.turns_seen), index * queries.width + query)
        };
        flat.push(&episode.calls, places.map(place));
    }
    flat.into_foreseen(device)
}

fn asked(
    episodes: &[&EpisodeObservation],
    rows: &[&[usize]],
    reads: &Reads,
    queries: &Queries,
    device: &Device,
) -> Asked {
    let candidates: Vec<Candidates> = episodes.iter().map(|episode| Candidates::new(episode)).collect();
    let width = candidates.iter().map(|own| own.segments.len()).max().unwrap_or(1).max(1);
    let mut flat = Flat::default();
    for (index, episode) in episodes.iter().enumerate() {
        let own = &candidates[index];
        let distinct = own.segments.iter().map(|&segment| rows[index][segment]);
        flat.rows.extend(distinct.chain(std::iter::repeat(0)).take(width));
        let roles = segment_roles(episode);
        for (decision, &query) in episode.decisions.iter().zip(&queries.of_decision[index]) {
            let read = reads.place(index, decision.turns_seen) - index * reads.width;
            for candidate in &decision.candidates {
                let place = index * width + own.place[&candidate.segment];
                flat.state_of.push(place * reads.width + read);
                flat.query_of.push(place * queries.width + query);
                flat.decision_of.push(flat.read_of.len());
                push_inputs(&mut flat.inputs, &candidate.features, roles[candidate.segment]);
                flat.modes.extend(mode_flags(decision.mode));
            }
            flat.read_of.push(index * reads.width + read);
            flat.agent.push(decision.agent);
            flat.decision_modes.extend(mode_flags(decision.mode));
        }
    }
    flat.into_asked(width, queries.width, device)
}

/// Distinct candidate segments of an episode in order.
struct Candidates {
    segments: Vec<usize>,
    place: HashMap<usize, usize>,
}

impl Candidates {
    fn new(episode: &EpisodeObservation) -> Self {
        let all = episode.decisions.iter().flat_map(|decision| &decision.candidates);
        let mut segments: Vec<usize> = all.map(|candidate| candidate.segment).collect();
        segments.sort_unstable();
        segments.dedup();
        let place = segments.iter().enumerate().map(|(place, &segment)| (segment, place)).collect();
        Self { segments, place }
    }
}

/// Host side of [`Asked`].
#[derive(Default)]
pub(crate) struct Flat {
    pub(crate) rows: Vec<usize>,
    pub(crate) state_of: Vec<usize>,
    pub(crate) query_of: Vec<usize>,
    pub(crate) decision_of: Vec<usize>,
    pub(crate) inputs: Vec<f32>,
    pub(crate) modes: Vec<f32>,
    pub(crate) read_of: Vec<usize>,
    pub(crate) agent: Vec<usize>,
    pub(crate) decision_modes: Vec<f32>,
}

impl Flat {
    pub(crate) fn into_asked(self, width: usize, queries: usize, device: &Device) -> Asked {
        let (pairs, decisions) = (self.state_of.len(), self.read_of.len());
        let modes = Mode::ALL.len();
        Asked {
            rows: ints(self.rows, device),
            width,
            queries,
            state_of: ints(self.state_of, device),
            query_of: ints(self.query_of, device),
            decision_of: ints(self.decision_of, device),
            inputs: Tensor::from_data(TensorData::new(self.inputs, [pairs, STEPPED_INPUTS]), device),
            modes: Tensor::from_data(TensorData::new(self.modes, [pairs, modes]), device),
            read_of: ints(self.read_of, device),
            agent: ints(self.agent, device),
            decision_modes: Tensor::from_data(
                TensorData::new(self.decision_modes, [decisions, modes]),
                device,
            ),
        }
    }
}

impl Targets {
    fn new(episodes: &[&EpisodeObservation], device: &Device) -> Self {
        let (mut label, mut weight, mut share) = (Vec::new(), Vec::new(), Vec::new());
        let (mut decision_weight, mut items, mut item_weight) = (Vec::new(), Vec::new(), Vec::new());
        for episode in episodes {
            let candidates = || episode.decisions.iter().flat_map(|decision| &decision.candidates);
            let total = candidates().map(|c| c.weight).sum::<f32>().max(f32::MIN_POSITIVE);
            let mass = candidates().map(|c| c.weight * c.label).sum::<f32>().max(f32::MIN_POSITIVE);
            let bags = episode.decisions.iter().filter(|decision| !decision.essential.is_empty()).count();
            for decision in &episode.decisions {
                label.extend(decision.candidates.iter().map(|c| c.label));
                weight.extend(decision.candidates.iter().map(|c| c.weight / total));
                let shares = decision.candidates.iter().map(|c| c.weight * c.label / mass);
                share.extend(shares.clone());
                let row = decision_weight.len() * ITEM_BUCKETS;
                items.extend(decision.essential.iter().map(|&bucket| row + usize::from(bucket)));
                let each = 1.0 / (bags.max(1) * decision.essential.len().max(1)) as f32;
                item_weight.extend(decision.essential.iter().map(|_| each));
                decision_weight.push(shares.sum::<f32>());
            }
        }
        Self {
            label: floats(label, device),
            weight: floats(weight, device),
            share: floats(share, device),
            decision_weight: floats(decision_weight, device),
            items: (!items.is_empty()).then(|| (ints(items, device), floats(item_weight, device))),
        }
    }
}

fn floats(values: Vec<f32>, device: &Device) -> Tensor<1> {
    let len = values.len();
    Tensor::from_data(TensorData::new(values, [len]), device)
}
