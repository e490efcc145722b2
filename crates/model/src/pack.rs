//! Ragged things as a few dense tensors.
//!
//! Segments are deduplicated (equal tokens have equal vectors) and put into buckets of similar length; groups of
//! segments (a turn, a query) are put into buckets of similar size. Both pads stay small, and the number of tensor
//! operations depends on the number of buckets, not on the number of segments.

use std::collections::HashMap;

use burn::tensor::{Device, Int, Tensor, TensorData};
use lrrc_episode::observe::{SURFACE_BITS, SegmentObservation, TOKEN_ROWS, TokenObservation};

/// Longest segment of each token bucket; the last bucket holds everything longer.
const TOKEN_BOUNDS: [usize; 6] = [4, 8, 12, 16, 24, 32];
/// Largest group of each group bucket; the last bucket holds everything larger.
const GROUP_BOUNDS: [usize; 8] = [2, 4, 8, 16, 32, 64, 128, 256];
/// A bucket is joined to the next one when that costs at most this many padded places.
const JOIN_PLACES: usize = 512;
/// Added to a score to take its place out of a softmax.
const MASKED: f32 = -1e9;
/// Taps of the depthwise convolutions.
pub(crate) const TAPS: usize = 5;

/// Distinct segments, ready for [`crate::encoder::Encoder`].
#[derive(Debug)]
pub(crate) struct SegmentPack {
    /// Rows of the two token tables, each `[vocabulary]`.
    pub(crate) rows: [Tensor<1, Int>; 2],
    /// Surface flags as 0 or 1 `[surface bits, vocabulary]`.
    pub(crate) surface: Tensor<2>,
    /// Buckets in order of length; their segments in order are the rows of the encoder's output.
    pub(crate) buckets: Vec<TokenBucket>,
}

/// Segments of similar length.
#[derive(Debug)]
pub(crate) struct TokenBucket {
    /// Segments n.
    pub(crate) count: usize,
    /// Places L of each.
    pub(crate) length: usize,
    /// Vocabulary index of each place `[n · L]`; the vocabulary's size marks a pad.
    pub(crate) tokens: Tensor<1, Int>,
    /// 1 at tokens, 0 at pads `[1, n, L]`.
    pub(crate) mask: Tensor<3>,
    /// 0 at tokens, very negative at pads `[1, n, L]`.
    pub(crate) bias: Tensor<3>,
    /// Where tap j of a convolution reads `[taps, L · L]`: 1 where input place = output place + j − 2.
    pub(crate) taps: Tensor<2>,
}

/// Packs `segments`; the second value is the row of each given segment in the encoder's output.
pub(crate) fn pack_segments<'a>(
    segments: impl IntoIterator<Item = &'a SegmentObservation>,
    device: &Device,
) -> (SegmentPack, Vec<usize>) {
    let mut distinct = Distinct::default();
    let members: Vec<usize> = segments
        .into_iter()
        .map(|segment| distinct.index(segment.tokens.iter().map(token_key).collect::<Vec<u64>>()))
        .collect();
    let lengths: Vec<usize> = distinct.keys.iter().map(|key| key.len().max(1)).collect();
    let plan = plan_buckets(&lengths, &TOKEN_BOUNDS);

    let mut vocabulary = Distinct::default();
    let places: Vec<Vec<usize>> =
        distinct.keys.iter().map(|key| key.iter().map(|&token| vocabulary.index(token)).collect()).collect();
    let pad = vocabulary.keys.len();
    let buckets = plan.iter().map(|bucket| token_bucket(bucket, &places, pad, device)).collect();

    let mut row_of = vec![0; distinct.keys.len()];
    for (row, &index) in plan.iter().flat_map(|bucket| &bucket.members).enumerate() {
        row_of[index] = row;
    }
    let pack = SegmentPack {
        rows: [0, 14].map(|shift| {
            let mask = TOKEN_ROWS as u64 - 1;
            ints(vocabulary.keys.iter().map(|key| ((key >> shift) & mask) as usize), device)
        }),
        surface: surface(&vocabulary.keys, device),
        buckets,
    };
    (pack, members.into_iter().map(|index| row_of[index]).collect())
}

/// Everything the encoder sees of a token in one number; rows are cut to the tables.
fn token_key(token: &TokenObservation) -> u64 {
    let [a, b] = token.rows.map(|row| u64::from(row) % TOKEN_ROWS as u64);
    a | b << 14 | u64::from(token.surface) << 28
}

fn surface(keys: &[u64], device: &Device) -> Tensor<2> {
    let flags =
        (0..SURFACE_BITS).flat_map(|bit| keys.iter().map(move |key| ((key >> (28 + bit)) & 1) as f32));
    let flags: Vec<f32> = flags.collect();
    Tensor::from_data(TensorData::new(flags, [SURFACE_BITS, keys.len()]), device)
}

fn token_bucket(bucket: &Bucket, places: &[Vec<usize>], pad: usize, device: &Device) -> TokenBucket {
    let (count, length) = (bucket.members.len(), bucket.size);
    let mut tokens = vec![pad; count * length];
    let mut mask = vec![0.0_f32; count * length];
    for (row, &member) in bucket.members.iter().enumerate() {
        for (place, &token) in places[member].iter().enumerate() {
            tokens[row * length + place] = token;
            mask[row * length + place] = 1.0;
        }
    }
    let bias = mask.iter().map(|&kept| (1.0 - kept) * MASKED).collect::<Vec<_>>();
    TokenBucket {
        count,
        length,
        tokens: ints(tokens, device),
        mask: Tensor::from_data(TensorData::new(mask, [1, count, length]), device),
        bias: Tensor::from_data(TensorData::new(bias, [1, count, length]), device),
        taps: taps(length, device),
    }
}

fn taps(length: usize, device: &Device) -> Tensor<2> {
    let mut taps = vec![0.0_f32; TAPS * length * length];
    for tap in 0..TAPS {
        for output in 0..length {
            let input = (output + tap).wrapping_sub(TAPS / 2);
            if input < length {
                taps[(tap * length + input) * length + output] = 1.0;
            }
        }
    }
    Tensor::from_data(TensorData::new(taps, [TAPS, length * length]), device)
}

/// Groups of encoder rows, ready for [`crate::encoder::GroupPool`].
#[derive(Debug)]
pub(crate) struct GroupPack {
    /// Buckets in order of size; empty groups are in none.
    pub(crate) buckets: Vec<GroupBucket>,
    /// For each group its place among the pooled ones, or their number if it is empty `[groups]`.
    pub(crate) order: Tensor<1, Int>,
}

/// Groups of similar size.
#[derive(Debug)]
pub(crate) struct GroupBucket {
    /// Groups n.
    pub(crate) count: usize,
    /// Places S of each.
    pub(crate) size: usize,
    /// Encoder row of each place `[n · S]`.
    pub(crate) rows: Tensor<1, Int>,
    /// 0 at members, very negative at pads `[n, 1, S]`.
    pub(crate) bias: Tensor<3>,
}

/// Packs groups of encoder rows.
pub(crate) fn pack_groups(groups: &[Vec<usize>], device: &Device) -> GroupPack {
    let filled: Vec<usize> = (0..groups.len()).filter(|&group| !groups[group].is_empty()).collect();
    let sizes: Vec<usize> = filled.iter().map(|&group| groups[group].len()).collect();
    let plan = plan_buckets(&sizes, &GROUP_BOUNDS);
    let mut order = vec![filled.len(); groups.len()];
    let members = plan.iter().flat_map(|bucket| &bucket.members);
    for (place, &member) in members.enumerate() {
        order[filled[member]] = place;
    }
    let buckets = plan
        .iter()
        .map(|bucket| {
            let rows: Vec<&[usize]> =
                bucket.members.iter().map(|&member| groups[filled[member]].as_slice()).collect();
            group_bucket(&rows, bucket.size, device)
        })
        .collect();
    GroupPack { buckets, order: ints(order, device) }
}

fn group_bucket(groups: &[&[usize]], size: usize, device: &Device) -> GroupBucket {
    let count = groups.len();
    let mut rows = vec![0; count * size];
    let mut bias = vec![MASKED; count * size];
    for (group, members) in groups.iter().enumerate() {
        for (place, &row) in members.iter().enumerate() {
            rows[group * size + place] = row;
            bias[group * size + place] = 0.0;
        }
    }
    let bias = Tensor::from_data(TensorData::new(bias, [count, 1, size]), device);
    GroupBucket { count, size, rows: ints(rows, device), bias }
}

/// An index tensor `[n]`.
pub(crate) fn ints(values: impl IntoIterator<Item = usize>, device: &Device) -> Tensor<1, Int> {
    let values: Vec<i32> = values.into_iter().map(|value| value as i32).collect();
    let len = values.len();
    Tensor::from_data(TensorData::new(values, [len]), device)
}

/// Members of one bucket and the size all are padded to.
struct Bucket {
    size: usize,
    members: Vec<usize>,
}

/// Sorts members into buckets by size, then joins small buckets where padding is cheaper than another pass.
fn plan_buckets(sizes: &[usize], bounds: &[usize]) -> Vec<Bucket> {
    let mut buckets: Vec<Bucket> =
        (0..=bounds.len()).map(|_| Bucket { size: 0, members: Vec::new() }).collect();
    for (member, &size) in sizes.iter().enumerate() {
        let bucket = &mut buckets[bounds.partition_point(|&bound| bound < size)];
        bucket.size = bucket.size.max(size);
        bucket.members.push(member);
    }
    let mut joined: Vec<Bucket> = Vec::new();
    for bucket in buckets.into_iter().filter(|bucket| !bucket.members.is_empty()) {
        match joined.last_mut() {
            Some(last) if (bucket.size - last.size) * last.members.len() <= JOIN_PLACES => {
                last.size = bucket.size;
                last.members.extend(bucket.members);
            }
            _ => joined.push(bucket),
        }
    }
    joined
}

/// Distinct keys in order of first appearance.
struct Distinct<K> {
    seen: HashMap<K, usize>,
    keys: Vec<K>,
}

impl<K> Default for Distinct<K> {
    fn default() -> Self {
        Self { seen: HashMap::new(), keys: Vec::new() }
    }
}

impl<K: Clone + Eq + std::hash::Hash> Distinct<K> {
    fn index(&mut self, key: K) -> usize {
        if let Some(&index) = self.seen.get(&key) {
            return index;
        }
        self.keys.push(key.clone());
        self.seen.insert(key, self.keys.len() - 1);
        self.keys.len() - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_hold_every_member_once_and_large_enough() {
        let sizes: Vec<usize> = (0..5_000).map(|i| 1 + (i * 7919) % 48).collect();
        let plan = plan_buckets(&sizes, &TOKEN_BOUNDS);
        let mut members: Vec<usize> = plan.iter().flat_map(|bucket| bucket.members.clone()).collect();
        members.sort_unstable();
        assert_eq!(members, (0..sizes.len()).collect::<Vec<_>>());
        assert!(plan.len() > 3);
        for bucket in &plan {
            assert!(bucket.members.iter().all(|&member| sizes[member] <= bucket.size));
        }
    }

    #[test]
    fn few_segments_share_one_bucket() {
        assert_eq!(plan_buckets(&[1, 2, 3, 9, 4, 2], &TOKEN_BOUNDS).len(), 1);
        assert!(plan_buckets(&[], &TOKEN_BOUNDS).is_empty());
    }
}
