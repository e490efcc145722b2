//! Where the model runs.

use burn::tensor::{Device, Tensor};

/// A device that this build cannot offer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// The name is known, but the build lacks its backend.
    #[error("device `{name}` needs a build with `--features {name}`; this one has {built}")]
    NotBuilt {
        /// Device asked for.
        name: String,
        /// Devices of this build.
        built: String,
    },
    /// The name is not known.
    #[error("there is no device `{name}`; known are cpu, wgpu and cuda")]
    Unknown {
        /// Device asked for.
        name: String,
    },
}

/// Names of the devices of this build.
#[must_use]
pub fn devices() -> Vec<&'static str> {
    let all = [("cpu", true), ("wgpu", cfg!(feature = "wgpu")), ("cuda", cfg!(feature = "cuda"))];
    all.into_iter().filter_map(|(name, built)| built.then_some(name)).collect()
}

/// The device called `cpu`, `wgpu` or `cuda`.
///
/// # Errors
/// A name that is unknown or not part of this build.
pub fn device(name: &str) -> Result<Device, DeviceError> {
    match name {
        "cpu" => Ok(Device::flex()),
        #[cfg(feature = "wgpu")]
        "wgpu" => Ok(Device::wgpu(burn::tensor::DeviceKind::DefaultDevice)),
        #[cfg(feature = "cuda")]
        "cuda" => Ok(Device::cuda(0_usize)),
        #[cfg(not(all(feature = "wgpu", feature = "cuda")))]
        "wgpu" | "cuda" => Err(DeviceError::NotBuilt { name: name.to_owned(), built: devices().join(", ") }),
        _ => Err(DeviceError::Unknown { name: name.to_owned() }),
    }
}

/// The numbers of a tensor, row by row, on the host.
#[must_use]
pub fn floats<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    let data = tensor.into_data();
    // A copy of the whole where the device has f32: one by one, each would be converted.
    data.try_to_vec().unwrap_or_else(|_| data.iter::<f32>().collect())
}
