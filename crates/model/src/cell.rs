//! The low-rank update and the recurrence.
//!
//! `S_t = S_{t−1} diag(1 − g_t) + U_t diag(g_t)` with `U_t = A_t B_tᵀ`, `A_t ∈ R^{d×r_u}`, `B_t ∈ R^{r×r_u}`.
//! States are stored by channel, `[r, d]`, and left factors by column, `[r_u, d]`: the transposes of the paper's.
//!
//! When the gates do not read the state, the recurrence has a closed form: channel j of the state after turn t is
//! `Σ_{s≤t} (g_{s,j} Π_{s<q≤t} (1 − g_{q,j})) U_s[:, j]`. [`Cell::unroll`] computes these weights for the turns that
//! are read and one matrix product gives all states, without a loop over turns; [`Cell::step`] is the recurrence.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::Tensor;
use burn::tensor::activation::softmax;

use crate::config::{CoordinatorConfig, Memory};
use crate::init::Init;

/// Makes the factors of an update and applies them.
#[derive(Module, Debug)]
pub struct Cell {
    /// Pooled segments → column of A `[d, d]`.
    value: Linear,
    /// Turn → scores of B's rows, with one null entry a row `[d, r · (r_u + 1)]`.
    mix: Linear,
    rank: usize,
    update_rank: usize,
    clip: f32,
    own: bool,
}

/// The factors of the update of n turns.
#[derive(Debug, Clone)]
pub struct Factors {
    /// Aᵀ, each entry in [−C, C] `[n, r_u, d]`.
    pub left: Tensor<3>,
    /// B, entries ≥ 0, row sums ≤ 1 `[n, r, r_u]`.
    pub right: Tensor<3>,
}

impl Cell {
    pub(crate) fn new(config: &CoordinatorConfig, init: &mut Init<'_>) -> Self {
        let (d, r, r_u) = (config.width, config.rank, config.update_rank());
        Self {
            value: init.linear(d, d, false),
            mix: init.linear(d, r * (r_u + 1), true),
            rank: r,
            update_rank: r_u,
            clip: config.clip,
            own: config.memory == Memory::Rims,
        }
    }

    /// Factors of turns with pooled heads `[n, r_u, d]` and turn vectors `x [n, d]`.
    ///
    /// A is clipped entry by entry, never the product, whose rank a clip could raise. B is a softmax with a null
    /// entry that is dropped; or the identity, where each channel writes a column of its own.
    pub(crate) fn factors(&self, heads: Tensor<3>, x: Tensor<2>) -> Factors {
        let [n, r_u, d] = heads.dims();
        let left = self.value.forward(heads.reshape([n * r_u, d])).reshape([n, r_u, d]);
        let right = if self.own {
            Tensor::<2>::eye(self.rank, &x.device()).unsqueeze_dim::<3>(0).repeat_dim(0, n)
        } else {
            let scores = self.mix.forward(x).reshape([n, self.rank, self.update_rank + 1]);
            softmax(scores, 2).narrow(2, 0, self.update_rank)
        };
        Factors { left: left.clamp(-self.clip, self.clip), right }
    }

    /// One turn each of n episodes: state `[n, r, d]`, gates `[n, r]` → next state `[n, r, d]`.
    pub(crate) fn step(state: Tensor<3>, gates: Tensor<2>, factors: &Factors) -> Tensor<3> {
        let g = gates.unsqueeze_dim::<3>(2);
        let update = factors.right.clone().matmul(factors.left.clone());
        state.mul(g.clone().neg().add_scalar(1.0)).add(update.mul(g))
    }

    /// States at the read turns `[b, R, r, d]`, all turns at once.
    ///
    /// `gates [b, T, r]`, `left [b, T, r_u, d]`, `right [b, T, r, r_u]`; `seen [b, R, T]` is 1 where the read comes
    /// after the turn, so padded turns and reads before the first turn need no case of their own.
    pub(crate) fn unroll(gates: Tensor<3>, left: Tensor<4>, right: Tensor<4>, seen: Tensor<3>) -> Tensor<4> {
        let [b, turns, r_u, d] = left.dims();
        let [_, reads, _] = seen.dims();
        let [_, _, r] = gates.dims();
        let open = gates.unsqueeze_dim::<4>(1).mul(seen.unsqueeze_dim::<4>(3));
        let weight = open.clone().mul(kept_after(open.neg().add_scalar(1.0)));
        let mixed = weight
            .permute([0, 1, 3, 2])
            .unsqueeze_dim::<5>(4)
            .mul(right.permute([0, 2, 1, 3]).unsqueeze_dim::<5>(1));
        mixed
            .reshape([b, reads * r, turns * r_u])
            .matmul(left.reshape([b, turns * r_u, d]))
            .reshape([b, reads, r, d])
    }
}

/// `out[.., s, ..] = Π_{q>s} kept[.., q, ..]` along dimension 2, by doubling.
fn kept_after(kept: Tensor<4>) -> Tensor<4> {
    let [_, _, turns, _] = kept.dims();
    let mut product = shifted(kept, 1);
    let mut span = 1;
    while span < turns {
        product = product.clone().mul(shifted(product, span));
        span *= 2;
    }
    product
}

/// `out[.., s, ..] = x[.., s + by, ..]`, ones past the end.
fn shifted(x: Tensor<4>, by: usize) -> Tensor<4> {
    let [b, reads, turns, r] = x.dims();
    let by = by.min(turns);
    let ones = Tensor::ones([b, reads, by, r], &x.device());
    if by == turns { ones } else { Tensor::cat(vec![x.narrow(2, by, turns - by), ones], 2) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, Distribution};

    #[test]
    fn unrolled_states_equal_the_recurrence() {
        let device = Device::flex();
        let (turns, r, r_u, d) = (11, 3, 2, 5);
        let uniform = Distribution::Uniform(0.0, 1.0);
        let gates = Tensor::<3>::random([1, turns, r], uniform, &device);
        let left = Tensor::<4>::random([1, turns, r_u, d], Distribution::Uniform(-1.0, 1.0), &device);
        let right = Tensor::<4>::random([1, turns, r, r_u], uniform, &device);
        let seen = Tensor::<2>::ones([turns + 1, turns], &device).tril(-1).unsqueeze::<3>();
        let states = Cell::unroll(gates.clone(), left.clone(), right.clone(), seen);

        let mut state = Tensor::<3>::zeros([1, r, d], &device);
        for turn in 0..=turns {
            let read: Tensor<3> = states.clone().narrow(1, turn, 1).squeeze_dim(1);
            let gap: f32 = read.sub(state.clone()).abs().max().into_scalar();
            assert!(gap < 1e-6, "after {turn} turns the gap is {gap}");
            if turn < turns {
                let factors = Factors {
                    left: left.clone().narrow(1, turn, 1).squeeze_dim(1),
                    right: right.clone().narrow(1, turn, 1).squeeze_dim(1),
                };
                state = Cell::step(state, gates.clone().narrow(1, turn, 1).squeeze_dim(1), &factors);
            }
        }
    }
}
