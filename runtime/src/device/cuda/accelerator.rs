//! What the engine asks of a device that runs CUDA kernels: memory, compiled kernels, recorded graphs.
//!
//! A GPU implements it through the driver (`gpu`), the tests' emulator on the CPU. Everything that both must do alike
//! (arenas, launch tables, uploads, results, the optimizer) is written once, above this trait.

use crate::error::Result;
use crate::plan::Access;
use std::fmt::Debug;

/// An address in the device's memory.
pub type Address = u64;

/// A kernel that was loaded on its device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KernelId(pub usize);

/// A recorded graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GraphId(pub usize);

/// One kernel to compile: all its text but the prelude, which is the device's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Unit {
    /// The `extern "C"` function.
    pub name: String,
    /// Templates that all units share ([`super::TEMPLATES`]), so that a device may compile several units at once.
    pub templates: &'static str,
    /// The optimizer's functor `KilnOptimizer`; empty where the kernel needs none.
    pub optimizer: String,
    pub text: String,
    /// Threads per block, and dynamic shared memory in bytes.
    pub threads: usize,
    pub shared: usize,
}

/// Memory that a launch touches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// For messages: `%12`, `params`.
    pub name: String,
    pub at: Address,
    pub bytes: usize,
    pub access: Access,
}

/// A launch in a graph.
#[derive(Clone, Debug)]
pub struct Node {
    pub kernel: KernelId,
    pub name: String,
    /// Work of each merged phase.
    pub parts: Vec<usize>,
    /// The pointers of `KilnLaunch`, in order.
    pub args: Vec<Address>,
    /// Device address of the `KilnRun`.
    pub run: Address,
    pub batch: usize,
    pub regions: Vec<Region>,
    /// Nodes of the same graph that must be complete before.
    pub after: Vec<usize>,
}

/// Numbers that change from step to step, in device memory as `KilnRun` lies there.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Run {
    pub seed: u64,
    pub step: u64,
    /// Of a batch in the mean gradient over several.
    pub share: f32,
    /// The largest norm that all gradients together may have.
    pub max_norm: f32,
    /// 0 where all means of the loss count, else the number of the one that does, from 1.
    pub mean: u64,
}

/// A device that runs CUDA kernels. All calls are in order: what is asked later sees what earlier calls did.
pub trait Accelerator: Send + Sync + Debug {
    /// `cuda:0 (NVIDIA H100 80GB HBM3)`
    fn name(&self) -> String;

    /// Device memory, aligned to 256 bytes, of unknown content.
    fn allocate(&self, bytes: usize) -> Result<Address>;

    /// # Safety
    /// `at` came from `allocate` with so many bytes and no recorded graph that names it is launched again.
    unsafe fn free(&self, at: Address, bytes: usize);

    /// Copies to the device. The bytes may be reused when this returns; the copy may still be under way.
    ///
    /// # Safety
    /// The range lies in memory of this device.
    unsafe fn upload(&self, to: Address, bytes: &[u8]) -> Result<()>;

    /// Copies from the device when everything asked before is done.
    ///
    /// # Safety
    /// The range lies in memory of this device.
    unsafe fn download(&self, from: Address, bytes: &mut [u8]) -> Result<()>;

    /// Sets every 32-bit word.
    ///
    /// # Safety
    /// The range lies in memory of this device.
    unsafe fn fill(&self, at: Address, words: usize, word: u32) -> Result<()>;

    /// Compiles (or finds in a cache) and loads kernels; equal units give equal ids.
    fn load(&self, units: &[Unit]) -> Result<Vec<KernelId>>;

    /// Makes a graph of launches.
    fn record(&self, nodes: &[Node]) -> Result<GraphId>;

    /// Starts a graph.
    ///
    /// # Safety
    /// All addresses in its nodes are still valid.
    unsafe fn launch(&self, graph: GraphId) -> Result<()>;

    /// Milliseconds by the device's clock for so many launches of a graph, one behind the other. `None` where there is no
    /// such clock.
    ///
    /// # Safety
    /// As for [`Accelerator::launch`].
    unsafe fn time(&self, _graph: GraphId, _launches: usize) -> Result<Option<f64>> {
        Ok(None)
    }

    /// Drops a graph; a launch of it under way is completed.
    fn forget(&self, graph: GraphId);
}
