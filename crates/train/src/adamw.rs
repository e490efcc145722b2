//! AdamW (Loshchilov and Hutter 2019) over the parameters of a model, in plain numbers.
//!
//! The moments live on the host, in the order in which the model visits its parameters: one pass over memory a step
//! on a CPU, the same bits on every device after a resume, and a state that is two rows of tensors in a file.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Tensor, TensorData};
use lrrc_model::{Coordinator, floats};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::config::OptimConfig;

/// Gradients in the order in which the model visits its parameters; empty where nothing reached a parameter.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Gradients {
    rows: Vec<Vec<f32>>,
}

impl Gradients {
    /// Reads the gradients of a backward pass.
    #[must_use]
    pub fn read(model: &Coordinator, grads: &GradientsParams) -> Self {
        let mut reader = Reader { grads, rows: Vec::new() };
        model.visit(&mut reader);
        Self { rows: reader.rows }
    }

    /// Adds `other`, entry by entry.
    pub fn add(&mut self, other: Self) {
        if self.rows.is_empty() {
            self.rows = other.rows;
            return;
        }
        for (own, other) in self.rows.iter_mut().zip(other.rows) {
            if own.is_empty() {
                *own = other;
            } else {
                own.iter_mut().zip(other).for_each(|(own, other)| *own += other);
            }
        }
    }

    /// Euclidean norm over all parameters.
    #[must_use]
    pub fn norm(&self) -> f64 {
        let squares =
            |row: &Vec<f32>| row.iter().map(|&value| f64::from(value) * f64::from(value)).sum::<f64>();
        self.rows.iter().map(squares).sum::<f64>().sqrt()
    }
}

struct Reader<'a> {
    grads: &'a GradientsParams,
    rows: Vec<Vec<f32>>,
}

impl ModuleVisitor for Reader<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let row = self.grads.get::<D>(param.id).map(floats);
        self.rows.push(row.unwrap_or_default());
    }
}

/// The optimizer.
#[derive(Debug, Clone, Default)]
pub struct AdamW {
    /// Steps taken.
    time: i32,
    first: Vec<Vec<f32>>,
    second: Vec<Vec<f32>>,
    /// Running means of the weights; empty unless they are averaged.
    mean: Vec<Vec<f32>>,
}

impl AdamW {
    /// One step with gradients scaled by `scale`.
    #[must_use]
    pub fn step(
        &mut self,
        model: Coordinator,
        grads: &Gradients,
        optim: &OptimConfig,
        rate: f64,
        scale: f64,
    ) -> Coordinator {
        self.time += 1;
        let power = |beta: f64| 1.0 - beta.powi(self.time);
        let mut stepper = Stepper {
            first: &mut self.first,
            second: &mut self.second,
            grads,
            next: 0,
            betas: [optim.beta_1 as f32, optim.beta_2 as f32],
            rate: (rate / power(optim.beta_1)) as f32,
            second_scale: (1.0 / power(optim.beta_2)) as f32,
            decay: (rate * optim.weight_decay) as f32,
            epsilon: optim.epsilon as f32,
            scale: scale as f32,
        };
        let model = model.map(&mut stepper);
        if optim.average > 0.0 {
            // A short memory at first, so that the random start is forgotten.
            let time = f64::from(self.time);
            let decay = optim.average.min(time / (time + 10.0)) as f32;
            model.visit(&mut Averager { mean: &mut self.mean, next: 0, decay });
        }
        model
    }

    /// `model` with the running means in place of its weights; `model` itself where none are kept.
    #[must_use]
    pub fn averaged(&self, model: &Coordinator) -> Coordinator {
        if self.mean.is_empty() {
            return model.clone();
        }
        model.clone().map(&mut Replacer { rows: &self.mean, next: 0 })
    }

    /// The moments as safetensors.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let bytes = |row: &Vec<f32>| row.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        let mut rows = vec![("time".to_owned(), 1, (self.time as f32).to_le_bytes().to_vec())];
        for (index, (first, second)) in self.first.iter().zip(&self.second).enumerate() {
            rows.push((format!("first.{index:03}"), first.len(), bytes(first)));
            rows.push((format!("second.{index:03}"), second.len(), bytes(second)));
        }
        for (index, mean) in self.mean.iter().enumerate() {
            rows.push((format!("mean.{index:03}"), mean.len(), bytes(mean)));
        }
        let views = rows.iter().map(|(name, len, bytes)| {
            let view = TensorView::new(Dtype::F32, vec![*len], bytes);
            (name.as_str(), view.expect("four bytes a value"))
        });
        safetensors::serialize(views.collect::<Vec<_>>(), None).expect("names and shapes are plain")
    }

    /// Reads what [`Self::to_bytes`] wrote.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let file = SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?;
        let row = |name: &str| -> Result<Vec<f32>, String> {
            let view = file.tensor(name).map_err(|error| error.to_string())?;
            let floats = view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
            Ok(floats.collect())
        };
        let time = row("time")?.first().copied().unwrap_or(0.0) as i32;
        let rows = |kind: &str| -> Result<Vec<Vec<f32>>, String> {
            let count = file.names().iter().filter(|name| name.starts_with(kind)).count();
            (0..count).map(|index| row(&format!("{kind}{index:03}"))).collect()
        };
        Ok(Self { time, first: rows("first.")?, second: rows("second.")?, mean: rows("mean.")? })
    }
}

struct Stepper<'a> {
    first: &'a mut Vec<Vec<f32>>,
    second: &'a mut Vec<Vec<f32>>,
    grads: &'a Gradients,
    next: usize,
    betas: [f32; 2],
    rate: f32,
    second_scale: f32,
    decay: f32,
    epsilon: f32,
    scale: f32,
}

impl ModuleMapper for Stepper<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let index = self.next;
        self.next += 1;
        let (id, tensor, _) = param.consume();
        let (shape, device) = (tensor.dims(), tensor.device());
        let mut values = floats(tensor);
        if self.first.len() <= index {
            self.first.push(vec![0.0; values.len()]);
            self.second.push(vec![0.0; values.len()]);
        }
        if let Some(grad) = self.grads.rows.get(index).filter(|grad| !grad.is_empty()) {
            // Vectors (biases, scales) are not decayed.
            self.update(index, &mut values, grad, if D >= 2 { self.decay } else { 0.0 });
        }
        let tensor = Tensor::from_data(TensorData::new(values, shape), &device);
        Param::initialized(id, tensor).set_require_grad(true)
    }
}

impl Stepper<'_> {
    fn update(&mut self, index: usize, values: &mut [f32], grad: &[f32], decay: f32) {
        let [beta_1, beta_2] = self.betas;
        let moments = self.first[index].iter_mut().zip(&mut self.second[index]);
        for ((value, &grad), (first, second)) in values.iter_mut().zip(grad).zip(moments) {
            let grad = grad * self.scale;
            *first = beta_1 * *first + (1.0 - beta_1) * grad;
            *second = beta_2 * *second + (1.0 - beta_2) * grad * grad;
            let step = self.rate * *first / ((*second * self.second_scale).sqrt() + self.epsilon);
            *value -= step + decay * *value;
        }
    }
}

struct Averager<'a> {
    mean: &'a mut Vec<Vec<f32>>,
    next: usize,
    decay: f32,
}

impl ModuleVisitor for Averager<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let values = floats(param.val());
        match self.mean.get_mut(self.next) {
            None => self.mean.push(values),
            Some(mean) => {
                let towards = |(mean, value): (&mut f32, f32)| *mean += (1.0 - self.decay) * (value - *mean);
                mean.iter_mut().zip(values).for_each(towards);
            }
        }
        self.next += 1;
    }
}

struct Replacer<'a> {
    rows: &'a [Vec<f32>],
    next: usize,
}

impl ModuleMapper for Replacer<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, tensor, _) = param.consume();
        let data = TensorData::new(self.rows[self.next].clone(), tensor.dims());
        self.next += 1;
        Param::initialized(id, Tensor::from_data(data, &tensor.device()))
    }
}
