//! CUDA: the engine's other half. Kernels come as text from the plan; templates lie here as `.cuh` files.

mod accelerator;
pub(crate) mod cache;
mod gpu;
mod library;
mod memory;
mod nvrtc;
mod optimizer;
#[cfg(test)]
mod tests;

pub use accelerator::*;
pub use cache::Cache;
pub use memory::DeviceArena;
pub use nvrtc::{Nvrtc, Resources, compile_all};
pub use optimizer::*;

use crate::error::Result;

/// What every kernel's text stands on, behind the device's prelude: templates without any `#include`.
pub const TEMPLATES: &str = concat!(
    include_str!("templates/launch.cuh"),
    include_str!("templates/random.cuh"),
    include_str!("templates/reduce.cuh"),
    include_str!("templates/moments.cuh"),
    include_str!("templates/rows.cuh"),
    include_str!("templates/gemm.cuh"),
    include_str!("templates/conv.cuh"),
);

/// Device facilities for NVRTC: inline PTX behind the names that templates and kernels use.
pub const PRELUDE: &str = include_str!("prelude.cuh");

/// The device of that number, or what was missing.
pub fn open(number: usize) -> Result<&'static dyn Accelerator> {
    Ok(gpu::open(number)?)
}

/// Whether both are one device.
pub fn same(a: &'static dyn Accelerator, b: &'static dyn Accelerator) -> bool {
    std::ptr::addr_eq(a, b)
}
