//! Seeded parameters: the same seed gives the same weights and the same parameter ids on every device.

use burn::module::{Param, ParamId};
use burn::nn::Linear;
use burn::tensor::{Device, Tensor, TensorData};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Makes the parameters of one model, in a fixed order.
#[derive(Debug)]
pub(crate) struct Init<'a> {
    rng: ChaCha8Rng,
    device: &'a Device,
    next_id: u64,
}

impl<'a> Init<'a> {
    pub(crate) fn new(seed: u64, device: &'a Device) -> Self {
        Self { rng: ChaCha8Rng::seed_from_u64(seed), device, next_id: 1 }
    }

    /// Uniform in [−bound, bound].
    pub(crate) fn uniform<const D: usize>(&mut self, shape: [usize; D], bound: f32) -> Param<Tensor<D>> {
        let count = shape.iter().product();
        let values = (0..count).map(|_| self.rng.random_range(-bound..=bound)).collect();
        self.param(values, shape)
    }

    /// Every entry the same.
    pub(crate) fn constant<const D: usize>(&mut self, shape: [usize; D], value: f32) -> Param<Tensor<D>> {
        self.param(vec![value; shape.iter().product()], shape)
    }

    /// A linear map `[.., input] → [.., output]`, entries uniform in ±1/√input, bias 0.
    pub(crate) fn linear(&mut self, input: usize, output: usize, bias: bool) -> Linear {
        let weight = self.uniform([input, output], 1.0 / (input as f32).sqrt());
        Linear { weight, bias: bias.then(|| self.constant([output], 0.0)) }
    }

    fn param<const D: usize>(&mut self, values: Vec<f32>, shape: [usize; D]) -> Param<Tensor<D>> {
        let id = ParamId::from(self.next_id);
        self.next_id += 1;
        let tensor = Tensor::from_data(TensorData::new(values, shape), self.device);
        Param::initialized(id, tensor).set_require_grad(true)
    }
}
