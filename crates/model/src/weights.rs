//! Parameters by path: model ↔ safetensors bytes.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::coordinator::Coordinator;
use crate::device::floats;

/// Shape and values of a parameter.
type Values = (Vec<usize>, Vec<f32>);

/// A tensor that does not fit the model, and why.
#[derive(Debug)]
pub(crate) struct Misfit {
    pub(crate) tensor: String,
    pub(crate) reason: String,
}

impl Coordinator {
    /// The parameters as safetensors, in an order that depends on their names alone.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut reader = Reader::default();
        self.visit(&mut reader);
        let bytes = reader.values.iter().map(|(path, (shape, values))| {
            let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            (path.clone(), shape.clone(), bytes)
        });
        let bytes: Vec<(String, Vec<usize>, Vec<u8>)> = bytes.collect();
        let views = bytes.iter().map(|(path, shape, bytes)| {
            let view = TensorView::new(Dtype::F32, shape.clone(), bytes);
            (path.as_str(), view.expect("four bytes a value"))
        });
        safetensors::serialize(views.collect::<Vec<_>>(), None).expect("names and shapes are plain")
    }

    /// Hash (blake3, hexadecimal) of [`Self::to_bytes`].
    #[must_use]
    pub fn hash(&self) -> String {
        blake3::hash(&self.to_bytes()).to_hex().to_string()
    }

    /// Replaces the parameters by those in `bytes`; every name and shape must match. A parameter named in `later` may
    /// be missing and is zero then.
    pub(crate) fn with_bytes(self, bytes: &[u8], later: &'static [&'static str]) -> Result<Self, Misfit> {
        let file = SafeTensors::deserialize(bytes)
            .map_err(|error| Misfit { tensor: "(header)".into(), reason: error.to_string() })?;
        let mut values = BTreeMap::new();
        for (path, view) in file.tensors() {
            if view.dtype() != Dtype::F32 {
                let reason = format!("has type {:?} instead of F32", view.dtype());
                return Err(Misfit { tensor: path, reason });
            }
            let floats = view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
            values.insert(path, (view.shape().to_vec(), floats.collect()));
        }
        let mut writer = Writer { path: Vec::new(), values, later, misfit: None };
        let model = self.map(&mut writer);
        match (writer.misfit, writer.values.pop_first()) {
            (Some(misfit), _) => Err(misfit),
            (None, Some((tensor, _))) => {
                Err(Misfit { tensor, reason: "is not part of the configured model".into() })
            }
            (None, None) => Ok(model),
        }
    }
}

#[derive(Default)]
struct Reader {
    path: Vec<String>,
    values: BTreeMap<String, Values>,
}

impl ModuleVisitor for Reader {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val();
        let shape = tensor.dims().to_vec();
        self.values.insert(self.path.join("."), (shape, floats(tensor)));
    }
}

struct Writer {
    path: Vec<String>,
    values: BTreeMap<String, Values>,
    later: &'static [&'static str],
    misfit: Option<Misfit>,
}

impl ModuleMapper for Writer {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let path = self.path.join(".");
        let old = param.val();
        let reason = match self.values.remove(&path) {
            Some((shape, values)) if shape == old.dims() => {
                let tensor = Tensor::from_data(TensorData::new(values, shape), &old.device());
                return Param::initialized(param.id, tensor).set_require_grad(true);
            }
            Some((shape, _)) => {
                format!("has shape {shape:?}, but the configuration asks for {:?}", old.dims())
            }
            None if self.later.contains(&path.as_str()) => {
                let zero = Tensor::zeros(old.dims(), &old.device());
                return Param::initialized(param.id, zero).set_require_grad(true);
            }
            None => "is missing".into(),
        };
        self.misfit.get_or_insert(Misfit { tensor: path, reason });
        param
    }
}
