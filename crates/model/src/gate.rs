//! Which channels a turn may write: input attention with a null slot, as in recurrent independent mechanisms
//! (Goyal et al. 2021), then the top k.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::activation::sigmoid;

use crate::config::{CoordinatorConfig, GateMode, Memory};
use crate::init::Init;

/// Each channel attends to the turn and to a null slot; the k channels with the least weight on null are active.
#[derive(Module, Debug)]
pub struct Gate {
    /// Slow keys k_j `[r, key]`.
    keys: Param<Tensor<2>>,
    /// Turn → key `[d, key]`.
    input: Param<Tensor<2>>,
    /// Key of the null slot `[1, key]`.
    null: Param<Tensor<2>>,
    /// State column → query `[d, key]`; only in mode `state`.
    state: Option<Param<Tensor<2>>>,
    top_k: usize,
    gate_min: f32,
    pooled: bool,
}

impl Gate {
    pub(crate) fn new(config: &CoordinatorConfig, init: &mut Init<'_>) -> Self {
        let (d, key) = (config.width, config.key_width);
        let bound = 1.0 / (d as f32).sqrt();
        Self {
            keys: init.uniform([config.rank, key], 1.0),
            input: init.uniform([d, key], bound),
            null: init.uniform([1, key], 0.1),
            state: (config.gate == GateMode::State).then(|| init.uniform([d, key], bound)),
            top_k: config.top_k(),
            gate_min: config.gate_min,
            pooled: config.memory == Memory::Pooled,
        }
    }

    /// Whether the gates depend on the state.
    pub(crate) fn reads_state(&self) -> bool {
        self.state.is_some()
    }

    /// Gates of turns `x [n, d]`, each the `ordinal [n]`-th of its episode (from 1); in mode `state` also of the
    /// states `[n, r, d]` before them.
    pub(crate) fn forward(&self, x: Tensor<2>, ordinal: Tensor<1>, state: Option<Tensor<3>>) -> Gates {
        let [_, key] = self.keys.val().dims();
        let offered = x.matmul(self.input.val()).sub(self.null.val());
        let scores = match (&self.state, state) {
            (Some(map), Some(state)) => {
                let [n, r, d] = state.dims();
                let read = state.reshape([n * r, d]).matmul(map.val()).reshape([n, r, key]);
                let query = read.add(self.keys.val().unsqueeze());
                query.mul(offered.unsqueeze_dim(1)).sum_dim(2).reshape([n, r])
            }
            _ => offered.matmul(self.keys.val().transpose()),
        };
        // Softmax over {turn, null} of two scores is a sigmoid of their difference.
        let active = top_k(&scores, self.top_k);
        let share = sigmoid(scores.div_scalar((key as f32).sqrt()));
        if self.pooled {
            // With g = 1/t the recurrence is the running mean.
            let hard = ordinal.recip().unsqueeze_dim::<2>(1).expand(share.dims());
            return Gates { hard, share };
        }
        let soft = share.clone().mul_scalar(1.0 - self.gate_min).add_scalar(self.gate_min);
        // Straight-through: the value is hard, the gradient reaches every channel.
        let passed = soft.clone().sub(soft.clone().detach());
        let hard = soft.mul(active.clone()).add(passed.mul(active.neg().add_scalar(1.0)));
        Gates { hard, share }
    }
}

/// What the gate says of each turn.
#[derive(Debug, Clone)]
pub struct Gates {
    /// g: in [g_min, 1] on active channels, 0 elsewhere `[n, r]`.
    pub hard: Tensor<2>,
    /// 1 − weight on the null slot `[n, r]`.
    pub share: Tensor<2>,
}

impl Gates {
    /// The first `count` turns.
    pub(crate) fn first(self, count: usize) -> Self {
        let cut = |gates: Tensor<2>| {
            let [_, r] = gates.dims();
            if count == 0 { Tensor::zeros([0, r], &gates.device()) } else { gates.narrow(0, 0, count) }
        };
        Self { hard: cut(self.hard), share: cut(self.share) }
    }
}

/// 1 at the k largest of each row `[n, r]`, the first of equals; no gradient.
fn top_k(values: &Tensor<2>, k: usize) -> Tensor<2> {
    let [_, r] = values.dims();
    if k >= r {
        return values.ones_like();
    }
    let values = values.clone().detach();
    let other = values.clone().unsqueeze_dim::<3>(2).expand([-1, -1, r as i64]);
    let own = values.unsqueeze_dim::<3>(1).expand([-1, r as i64, -1]);
    let earlier = Tensor::<2>::ones([r, r], &own.device()).triu(1).unsqueeze::<3>();
    let ahead = other.clone().greater(own.clone()).float().add(other.equal(own).float().mul(earlier));
    ahead.sum_dim(1).squeeze_dim::<2>(1).lower_scalar(k as f32).float()
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn top_k_takes_the_first_of_equals() {
        let values = Tensor::<2>::from_data([[0.1, 0.9, 0.9, 0.9], [0.5, 0.5, 0.1, 0.7]], &Device::flex());
        let active: Vec<f32> = top_k(&values, 2).into_data().iter().collect();
        assert_eq!(active, [0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0]);
    }
}
