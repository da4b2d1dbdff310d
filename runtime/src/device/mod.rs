//! Where a model lives. The device is a value, chosen when the program runs.

pub mod cpu;
#[doc(hidden)]
pub mod cuda;

use crate::error::{Error, Result};
use crate::plan::Level;
use cuda::Accelerator;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, Weak};

/// Where a model lives and computes.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub enum Device {
    /// All cores (or `KILN_THREADS`), the best instruction set of this machine.
    #[default]
    Cpu,
    /// What [`Device::cpu`] with [`Device::threads`] or [`Device::simd`] makes.
    CpuWith { threads: Option<usize>, simd: Option<Level> },
    /// A CUDA device by its number.
    Cuda(usize),
    /// Whatever runs CUDA kernels: the emulator of the tests.
    #[doc(hidden)]
    Other(&'static dyn Accelerator),
}

/// A device that was found and can be used.
pub(crate) enum Opened {
    Cpu(Arc<cpu::Pool>, Level),
    Accelerator(&'static dyn Accelerator),
}

impl Device {
    /// The CPU, to be configured: `Device::cpu().threads(2)`.
    pub fn cpu() -> Self {
        Device::Cpu
    }

    /// CUDA device 0 where there is a GPU, a driver and NVRTC, and `KILN_CUDA` does not say `off`; else the CPU. Without the
    /// feature `cuda` networks have no kernels for it.
    pub fn best() -> Self {
        if !cfg!(feature = "cuda") {
            return Device::Cpu;
        }
        match cuda::open(0) {
            Ok(_) => Device::Cuda(0),
            Err(_) => Device::Cpu,
        }
    }

    /// Computes on the CPU with so many threads. The results do not depend on their number.
    pub fn threads(self, threads: usize) -> Self {
        Device::CpuWith { threads: Some(threads), simd: self.options().1 }
    }

    /// Computes on the CPU with this instruction set instead of the best one.
    pub fn simd(self, level: Level) -> Self {
        Device::CpuWith { threads: self.options().0, simd: Some(level) }
    }

    fn options(self) -> (Option<usize>, Option<Level>) {
        match self {
            Device::CpuWith { threads, simd } => (threads, simd),
            Device::Cpu | Device::Cuda(_) | Device::Other(_) => (None, None),
        }
    }

    /// What this device means here.
    pub(crate) fn open(self) -> Result<Opened> {
        match self {
            Device::Cuda(number) => return Ok(Opened::Accelerator(cuda::open(number)?)),
            Device::Other(accelerator) => return Ok(Opened::Accelerator(accelerator)),
            Device::Cpu | Device::CpuWith { .. } => {}
        }
        let (threads, simd) = self.options();
        let threads = match threads {
            Some(0) => return Err(Error::option("Device::threads", "at least 1", 0)),
            Some(threads) => threads,
            None => default_threads(std::env::var_os("KILN_THREADS").map(|v| v.to_string_lossy().into_owned()))?,
        };
        let level = match simd {
            Some(level) => cpu::supported(level),
            None => cpu::detect(),
        };
        let level = level.map_err(|e| Error::Device { device: self.to_string(), problem: e.to_string() })?;
        Ok(Opened::Cpu(pool(threads), level))
    }
}

impl PartialEq for Device {
    fn eq(&self, other: &Self) -> bool {
        match (*self, *other) {
            (Device::Cpu, Device::Cpu) => true,
            (Device::CpuWith { threads, simd }, Device::CpuWith { threads: t, simd: s }) => (threads, simd) == (t, s),
            (Device::Cuda(a), Device::Cuda(b)) => a == b,
            (Device::Other(a), Device::Other(b)) => cuda::same(a, b),
            (Device::Cpu | Device::CpuWith { .. } | Device::Cuda(_) | Device::Other(_), _) => false,
        }
    }
}

impl Eq for Device {}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Device::Cpu | Device::CpuWith { .. } => f.write_str("cpu"),
            Device::Cuda(number) => write!(f, "cuda:{number}"),
            Device::Other(accelerator) => f.write_str(&accelerator.name()),
        }
    }
}

fn default_threads(variable: Option<String>) -> Result<usize> {
    match variable {
        None => Ok(std::thread::available_parallelism().map_or(1, usize::from)),
        Some(text) => match text.trim().parse() {
            Ok(threads) if threads > 0 => Ok(threads),
            _ => Err(Error::option("KILN_THREADS", "a number of threads, at least 1", format!("`{text}`"))),
        },
    }
}

/// One pool for each number of threads, shared by all models that live at the same time.
fn pool(threads: usize) -> Arc<cpu::Pool> {
    static POOLS: Mutex<BTreeMap<usize, Weak<cpu::Pool>>> = Mutex::new(BTreeMap::new());
    let mut pools = POOLS.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some(pool) = pools.get(&threads).and_then(Weak::upgrade) {
        return pool;
    }
    let pool = Arc::new(cpu::Pool::new(threads));
    pools.insert(threads, Arc::downgrade(&pool));
    pool
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thread_counts() {
        assert!(default_threads(None).unwrap() >= 1);
        assert_eq!(default_threads(Some(" 3 ".into())).unwrap(), 3);
        for bad in ["0", "many", "-1", ""] {
            let text = default_threads(Some(bad.into())).unwrap_err().to_string();
            assert_eq!(text, format!("KILN_THREADS must be a number of threads, at least 1, but it is `{bad}`"));
        }
        assert!(Device::cpu().threads(0).open().is_err());
    }

    #[test]
    fn cuda_is_an_ordinary_error() {
        // No machine has so many.
        let text = Device::Cuda(1000).open().err().unwrap().to_string();
        assert!(text.starts_with("cuda:1000: "), "{text}");
    }

    #[test]
    fn options_combine_in_any_order() {
        let a = Device::cpu().threads(2).simd(Level::Portable);
        assert_eq!(a, Device::cpu().simd(Level::Portable).threads(2));
        assert!(matches!(a.open().unwrap(), Opened::Cpu(_, Level::Portable)));
    }

    #[test]
    fn models_share_a_pool() {
        let (a, b) = (pool(2), pool(2));
        assert!(Arc::ptr_eq(&a, &b));
        assert!(!Arc::ptr_eq(&a, &pool(1)));
    }
}
