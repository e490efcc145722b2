//! Token → segment → turn: the hierarchical compression.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::Tensor;
use burn::tensor::activation::{relu, softmax};
use lrrc_episode::observe::{SURFACE_BITS, TOKEN_ROWS};

use crate::config::CoordinatorConfig;
use crate::init::Init;
use crate::pack::{GroupPack, SegmentPack, TAPS, TokenBucket};

/// Segments → vectors h_i.
///
/// A token is the concatenation of one row of each hashed table plus a linear map of its surface flags. Two gated
/// depthwise convolutions `x + conv(x) · max(conv'(x), 0)` mix neighbours, an attention pool sums the tokens up, and a
/// linear map with layer normalisation gives h_i of width d.
#[derive(Module, Debug)]
pub struct Encoder {
    /// Two tables `[rows, token_width]`.
    tables: [Param<Tensor<2>>; 2],
    /// Surface flags → token `[channels, surface bits]`.
    surface: Param<Tensor<2>>,
    convolutions: [GatedConvolution; 2],
    /// Scores of the pool `[heads, channels]`.
    pool: Param<Tensor<2>>,
    output: Linear,
    norm: Norm,
}

impl Encoder {
    pub(crate) fn new(config: &CoordinatorConfig, init: &mut Init<'_>) -> Self {
        let channels = config.token_channels();
        Self {
            tables: [0, 1].map(|_| init.uniform([TOKEN_ROWS, config.token_width], 1.0)),
            surface: init.uniform([channels, SURFACE_BITS], 0.5),
            convolutions: [0, 1].map(|_| GatedConvolution::new(channels, init)),
            pool: init.uniform([config.pool_heads, channels], 0.5),
            output: init.linear(config.pool_heads * channels, config.width, false),
            norm: Norm::new(config.width, init),
        }
    }

    /// Vectors of the packed segments `[segments, d]`, in the order of the buckets.
    pub(crate) fn forward(&self, pack: &SegmentPack) -> Tensor<2> {
        if pack.buckets.is_empty() {
            let width = self.output.weight.val().dims()[1];
            // One row that nothing refers to: index tensors of an empty batch point at it as their pad.
            return Tensor::zeros([1, width], &self.surface.val().device());
        }
        let tokens = self.tokens(pack);
        let pooled = pack.buckets.iter().map(|bucket| self.pool_bucket(&tokens, bucket)).collect();
        self.norm.forward(self.output.forward(Tensor::cat(pooled, 0)))
    }

    /// Vectors of the vocabulary `[channels, vocabulary + 1]`; the last column is the pad, zero.
    fn tokens(&self, pack: &SegmentPack) -> Tensor<2> {
        let halves =
            [0, 1].map(|half| self.tables[half].val().select(0, pack.rows[half].clone()).transpose());
        let tokens = Tensor::cat(halves.into(), 0).add(self.surface.val().matmul(pack.surface.clone()));
        let pad = Tensor::zeros([tokens.dims()[0], 1], &tokens.device());
        Tensor::cat(vec![tokens, pad], 1)
    }

    /// One bucket `[n, L]` of tokens → `[n, heads · channels]`.
    fn pool_bucket(&self, tokens: &Tensor<2>, bucket: &TokenBucket) -> Tensor<2> {
        let (n, length) = (bucket.count, bucket.length);
        let channels = tokens.dims()[0];
        let x = tokens.clone().select(1, bucket.tokens.clone()).reshape([channels, n, length]);
        let x = x.clone().add(self.convolutions[0].forward(x, bucket).mul(bucket.mask.clone()));
        let x = x.clone().add(self.convolutions[1].forward(x, bucket));
        let heads = self.pool.val().dims()[0];
        let scores = self.pool.val().matmul(x.clone().reshape([channels, n * length]));
        let share = softmax(scores.reshape([heads, n, length]).add(bucket.bias.clone()), 2);
        let pooled = share.swap_dims(0, 1).matmul(x.permute([1, 2, 0]));
        pooled.reshape([n, heads * channels])
    }
}

/// `conv(x) · max(conv'(x), 0)`, both depthwise over [`TAPS`] places.
///
/// The gate is a ReGLU (Shazeer 2020): a sigmoid of every token and channel would be a third of a served turn's time.
/// A depthwise convolution over short rows is one batched product with a banded L × L matrix a channel, which is one
/// tensor operation instead of ten.
#[derive(Module, Debug)]
struct GatedConvolution {
    /// Taps of the value `[channels, taps]`.
    value: Param<Tensor<2>>,
    /// Taps of the gate `[channels, taps]`.
    gate: Param<Tensor<2>>,
}

impl GatedConvolution {
    fn new(channels: usize, init: &mut Init<'_>) -> Self {
        let bound = 1.0 / (TAPS as f32).sqrt();
        Self { value: init.uniform([channels, TAPS], bound), gate: init.uniform([channels, TAPS], bound) }
    }

    /// `[channels, n, L] → [channels, n, L]`.
    fn forward(&self, x: Tensor<3>, bucket: &TokenBucket) -> Tensor<3> {
        let band = |taps: &Param<Tensor<2>>| {
            taps.val().matmul(bucket.taps.clone()).reshape([-1, bucket.length as i32, bucket.length as i32])
        };
        let gate = relu(x.clone().matmul(band(&self.gate)));
        x.matmul(band(&self.value)).mul(gate)
    }
}

/// Layer normalisation with a learned scale and shift.
#[derive(Module, Debug)]
pub(crate) struct Norm {
    scale: Param<Tensor<1>>,
    shift: Param<Tensor<1>>,
}

impl Norm {
    pub(crate) fn new(width: usize, init: &mut Init<'_>) -> Self {
        Self { scale: init.constant([width], 1.0), shift: init.constant([width], 0.0) }
    }

    /// `[n, width] → [n, width]`.
    pub(crate) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let x = x.clone().sub(x.mean_dim(1));
        let deviation = x.clone().square().mean_dim(1).add_scalar(1e-5).sqrt();
        x.div(deviation).mul(self.scale.val().unsqueeze()).add(self.shift.val().unsqueeze())
    }
}

/// Attention over the segments of a group: several heads in one pass.
#[derive(Module, Debug)]
pub(crate) struct GroupPool {
    /// Scores `[d, heads]`.
    score: Param<Tensor<2>>,
}

impl GroupPool {
    pub(crate) fn new(width: usize, heads: usize, init: &mut Init<'_>) -> Self {
        Self { score: init.uniform([width, heads], 2.0 / (width as f32).sqrt()) }
    }

    /// Vectors `[segments, d]` → pooled `[groups, heads, d]`; an empty group is zero.
    pub(crate) fn forward(&self, vectors: &Tensor<2>, pack: &GroupPack) -> Tensor<3> {
        let [_, width] = vectors.dims();
        let [_, heads] = self.score.val().dims();
        let zero = Tensor::zeros([1, heads, width], &vectors.device());
        let mut pooled = Vec::with_capacity(pack.buckets.len() + 1);
        if !pack.buckets.is_empty() {
            let scores = vectors.clone().matmul(self.score.val());
            for bucket in &pack.buckets {
                let (n, size) = (bucket.count, bucket.size);
                let score = scores.clone().select(0, bucket.rows.clone()).reshape([n, size, heads]);
                let share = softmax(score.swap_dims(1, 2).add(bucket.bias.clone()), 2);
                let member = vectors.clone().select(0, bucket.rows.clone()).reshape([n, size, width]);
                pooled.push(share.matmul(member));
            }
        }
        pooled.push(zero);
        Tensor::cat(pooled, 0).select(0, pack.order.clone())
    }
}
