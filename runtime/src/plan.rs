//! What `network!` emits: data about one network, and the entry points of its kernels.
//!
//! This is where `kiln-codegen` and `kiln` meet. Emitted code fills these types in and asserts [`VERSION`]; the engine
//! only reads them. All sizes and offsets count `f32`s (integers are stored in as many bytes).

use crate::device::cpu::Ctx;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Changes whenever emitted code and this file must change together.
pub const VERSION: u32 = 8;

/// One canonical axis of a [`Layout`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Axis {
    pub extent: usize,
    /// Elements per block; 1 where the axis is not blocked (then `inner` is unused).
    pub block: usize,
    /// Distance of blocks.
    pub outer: usize,
    /// Distance of elements within a block.
    pub inner: usize,
}

/// Canonical index → physical offset: `Σ (i / block) · outer + (i % block) · inner`. What no index reaches is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Row-major canonical order; may split a tensor's axes further than its `dims`.
    pub axes: &'static [Axis],
    /// Physical size, padding included.
    pub size: usize,
}

/// How a parameter starts: `torch.nn.init`'s names and formulas.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    Zeros,
    Ones,
    Constant(f64),
    Uniform {
        low: f64,
        high: f64,
    },
    Normal {
        mean: f64,
        std: f64,
    },
    /// Without what lies outside of low..high.
    TruncatedNormal {
        mean: f64,
        std: f64,
        low: f64,
        high: f64,
    },
    Orthogonal {
        gain: f64,
    },
    /// A vector is read as a matrix of this shape.
    Identity {
        shape: Option<[usize; 2]>,
    },
    Dirac {
        groups: usize,
    },
    /// N(0, 1), but 0 from element `first` on for `count`.
    NormalBut {
        first: usize,
        count: usize,
    },
    KaimingUniform {
        gain: f64,
        fan_out: bool,
    },
    KaimingNormal {
        gain: f64,
        fan_out: bool,
    },
    XavierUniform {
        gain: f64,
    },
    XavierNormal {
        gain: f64,
    },
}

/// A parameter or a state buffer.
#[derive(Clone, Copy, Debug)]
pub struct Tensor {
    /// PyTorch's name, `features.0.weight`.
    pub name: &'static str,
    /// PyTorch's shape.
    pub dims: &'static [usize],
    pub layout: Layout,
    /// In the parameter (or state) arena, and for trainable parameters in the gradient arena too.
    pub offset: usize,
    pub init: Init,
    pub fan_in: usize,
    pub fan_out: usize,
    /// Whether an optimizer may change it. Trainable parameters come first in the arena.
    pub trainable: bool,
    /// Whether the loss depends on it. Without a gradient an optimizer changes nothing, as in PyTorch, where `grad` is `None`.
    pub gradient: bool,
    /// Whether weight decay applies.
    pub decay: bool,
}

/// What goes in or comes out, per sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortKind {
    /// f32 in row-major order.
    Dense { dims: &'static [usize] },
    /// One i32 below `classes`.
    Class { classes: usize },
    /// i32s below `below`.
    Ids { dims: &'static [usize], below: usize },
}

#[derive(Clone, Copy, Debug)]
pub struct Port {
    pub name: &'static str,
    pub kind: PortKind,
}

/// Where a result lies when a program has run.
#[derive(Clone, Copy, Debug)]
pub struct Stored {
    pub space: Space,
    pub offset: usize,
    pub layout: Layout,
    /// Distance of samples (0 for a value without batch).
    pub sample: usize,
}

/// A value that a kernel leaves in memory, for those who follow a program launch by launch.
#[derive(Clone, Copy, Debug)]
pub struct Kept {
    /// The launch with which it is finished.
    pub launch: usize,
    /// Its number in the program's graph.
    pub value: u32,
    /// Layer and operation that it is the result of: `features.0`, `conv.forward`.
    pub layer: &'static str,
    pub op: &'static str,
    /// Extents in PyTorch's order: of a sample where there is a batch.
    pub dims: &'static [usize],
    pub batch: bool,
    /// i32s instead of floats.
    pub integer: bool,
    pub stored: Stored,
    /// Floats before it in each sample of `stored`.
    pub at: usize,
    /// Groups of 16 samples lie together, one number of each beside the other, and the numbers of a sample in the order
    /// of `dims`, whatever the layout; a group starts where its first sample would. CPU only.
    pub lanes: bool,
}

impl Kept {
    /// The rows of a variant, by launches. They are read from their text when they are first asked for, and stay.
    ///
    /// A row is a line, its fields apart by tabs: launch, value, layer, op, dims, `batch` or `fixed`, `float` or `integer`, space,
    /// offset, at, sample, `lanes` or `samples`, size, axes. Text that is not in this form gives no rows.
    pub fn rows(text: &'static str) -> &'static [Kept] {
        static KNOWN: Mutex<BTreeMap<(usize, usize), &'static [Kept]>> = Mutex::new(BTreeMap::new());
        if text.is_empty() {
            return &[];
        }
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry((text.as_ptr() as usize, text.len())).or_insert_with(|| {
            let rows: Option<Vec<Kept>> = text.lines().map(Kept::read).collect();
            rows.unwrap_or_default().leak()
        })
    }

    fn read(line: &'static str) -> Option<Kept> {
        let fields: Vec<&'static str> = line.split('\t').collect();
        let [launch, value, layer, op, dims, batch, number, space, offset, at, sample, order, size, axes] = fields[..]
        else {
            return None;
        };
        let axis = |text: &str| {
            let [extent, block, outer, inner] = listed(text, ':')?[..] else { return None };
            Some(Axis { extent, block, outer, inner })
        };
        let axes: Option<Vec<Axis>> = axes.split(',').filter(|text| !text.is_empty()).map(axis).collect();
        let space = match space {
            "Batch" => Space::Batch,
            "Fixed" => Space::Fixed,
            "Derived" => Space::Derived,
            "Grads" => Space::Grads,
            "State" => Space::State,
            _ => return None,
        };
        let layout = Layout { axes: axes?.leak(), size: size.parse().ok()? };
        Some(Kept {
            launch: launch.parse().ok()?,
            value: value.parse().ok()?,
            layer,
            op,
            dims: listed(dims, ',')?.leak(),
            batch: batch == "batch",
            integer: number == "integer",
            stored: Stored { space, offset: offset.parse().ok()?, layout, sample: sample.parse().ok()? },
            at: at.parse().ok()?,
            lanes: order == "lanes",
        })
    }
}

fn listed(text: &str, between: char) -> Option<Vec<usize>> {
    text.split(between).filter(|number| !number.is_empty()).map(|number| number.parse().ok()).collect()
}

/// The declaration that a plan was made from, for those who make it again.
#[derive(Clone, Copy, Debug)]
pub struct Source {
    /// The network as written, behind the blocks and `fn`s that it uses; empty for a plan that nobody declared.
    pub text: &'static str,
    /// Which member of the family it is.
    pub member: usize,
    /// It is the twin with one kernel for each primitive.
    pub unfused: bool,
}

impl Source {
    pub const NONE: Source = Source { text: "", member: 0, unfused: false };
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    /// Offset × padded batch.
    Batch,
    Fixed,
    /// Kept from run to run while parameters and states stay as they are. CPU only.
    Derived,
    /// The caller's buffer of port `offset` (inputs, then targets).
    Port,
    Params,
    Grads,
    /// The gradient of a parameter that its kernel updates: the parameter itself where a rule is under way, else the gradient
    /// arena. On the CPU only.
    Updates,
    State,
    /// What the optimizer remembers between steps, arena number so and so; parallel to the trainable parameters. On the
    /// CPU no kernel of a network sees it.
    Optimizer(usize),
    /// The optimizer's numbers for the trainable parameter that lies at `offset`. CUDA only.
    Hyper,
}

/// A pointer that a kernel is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arg {
    pub space: Space,
    pub offset: usize,
    /// Floats behind that, whatever the batch: of what is a part of another value's samples.
    pub at: usize,
}

/// The terms of a loss that are divided by the same number, added up: a mean over the batch. A loss is the sum of such means.
#[derive(Clone, Copy, Debug)]
pub struct Mean {
    /// A scalar.
    pub value: Stored,
    /// A scalar: what the sum over the batch was divided by. `None` is the number of samples.
    pub weight: Option<Stored>,
}

/// Runs task `task` of a launch on worker `worker`.
pub type Entry = unsafe fn(cx: &Ctx, worker: usize, task: usize);

/// Index of an instruction set in [`Launch::entry`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Portable = 0,
    Avx2 = 1,
    Avx512 = 2,
}

/// One kernel launch: independent tasks, then a barrier.
#[derive(Clone, Copy)]
pub struct Launch {
    /// `k3_conv`
    pub name: &'static str,
    /// Layers whose operations it holds: `features.0, features.1`.
    pub layers: &'static str,
    /// Fused operations in order: `conv.forward, map, map`.
    pub ops: &'static str,
    /// What `Ctx::arg` gives its kernel.
    pub args: &'static [Arg],
    /// Extents, strides and the like in which it differs from launches of the same kernel.
    pub numbers: &'static [usize],
    /// Number of tasks for a batch, with these numbers.
    pub tasks: fn(batch: usize, numbers: &[usize]) -> usize,
    /// By [`Level`].
    pub entry: [Entry; 3],
    pub cost: Cost,
    /// Everything it stores lies in [`Space::Derived`]: it runs only when parameters or states have changed.
    pub derived: bool,
}

/// What a launch costs at least, whatever its algorithm: of each sample of the batch, and once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Floating-point operations; a multiply-add counts as two.
    pub flops_per_sample: u64,
    pub flops: u64,
    /// Floats read and written, each once.
    pub floats_per_sample: u64,
    pub floats: u64,
}

impl Cost {
    pub const fn flops(&self, batch: usize) -> u64 {
        self.flops_per_sample * batch as u64 + self.flops
    }

    /// Bytes read and written.
    pub const fn bytes(&self, batch: usize) -> u64 {
        4 * (self.floats_per_sample * batch as u64 + self.floats)
    }
}

/// One way to run a program. The first whose guard holds is taken.
#[derive(Clone, Copy)]
pub struct Variant {
    /// Guard: batches up to this size.
    pub max_batch: usize,
    /// Arena size per sample of the padded batch.
    pub batch_floats: usize,
    pub fixed_floats: usize,
    pub derived_floats: usize,
    /// Scratch per worker.
    pub worker_floats: usize,
    pub launches: &'static [Launch],
    /// What [`Kept::rows`] reads; empty where nobody follows the program.
    pub kept: &'static str,
    /// Parallel to [`Plan::outputs`]; empty in programs that return none.
    pub outputs: &'static [Stored],
    /// A scalar.
    pub loss: Option<Stored>,
    /// The means that `loss` is the sum of; empty where that is one over all samples.
    pub means: &'static [Mean],
    /// A scalar: samples classified right.
    pub correct: Option<Stored>,
}

#[derive(Clone, Copy)]
pub struct Program {
    pub variants: &'static [Variant],
    /// A layer that takes the variance of its batch and has one value per channel of a sample: no batch of one sample has
    /// such a variance. On all targets.
    pub single: Option<&'static str>,
}

/// One line of `summary()`.
#[derive(Clone, Copy, Debug)]
pub struct LayerRow {
    pub path: &'static str,
    /// As written: `Conv2d<6, 5, padding = 2>`.
    pub text: &'static str,
    pub output: &'static [usize],
    pub parameters: usize,
    /// Forward pass of one sample; a multiply-add counts as two.
    pub flops: u64,
    /// What it takes: inputs by their number, then layers by theirs behind all inputs.
    pub from: &'static [usize],
}

/// How many kernels a network has on the CPU, beside those for batches of a few samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kernels {
    /// Of a training step, without the optimizer's own pass; 0 where nothing can be trained.
    pub step: usize,
    /// Of `forward`.
    pub forward: usize,
}

/// The class target of the first loss term that compares with one, and the scores that this term reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// Into [`Plan::targets`].
    pub target: usize,
    /// Into the outputs of the program `evaluate`: one of [`Plan::outputs`], or behind them where these scores are none of them.
    pub output: usize,
    pub classes: usize,
}

/// Everything about one network.
#[derive(Clone, Copy)]
pub struct Plan {
    pub version: u32,
    pub name: &'static str,
    pub kernels: Kernels,
    /// What `kernels` would be with one kernel for each primitive.
    pub unfused: Kernels,
    pub params: &'static [Tensor],
    pub param_floats: usize,
    /// The trainable part: a prefix of the parameter arena, and the size of the gradient arena.
    pub trainable_floats: usize,
    pub states: &'static [Tensor],
    pub state_floats: usize,
    pub inputs: &'static [Port],
    pub targets: &'static [Port],
    pub outputs: &'static [Port],
    /// What a confusion compares.
    pub counted: Option<Counted>,
    pub layers: &'static [LayerRow],
    /// What gives each output, as [`LayerRow::from`] counts.
    pub returns: &'static [usize],
    /// Evaluation mode, outputs only.
    pub infer: Program,
    /// Evaluation mode: outputs, loss and number of correct predictions. `None` without a loss, like the next two.
    pub evaluate: Option<Program>,
    /// Training mode: loss, correct, gradients into the gradient arena; changes nothing else.
    pub gradients: Option<Program>,
    /// As `gradients`, and running statistics are updated; with a rule under way, kernels that finish a gradient apply it to
    /// their parameters at once.
    pub step: Option<Program>,
    /// Parts of the trainable arena that have a gradient and that no kernel of `step` updates: the optimizer's own pass
    /// follows for them.
    pub rest: &'static [Range],
    pub source: Source,
    /// The same network for CUDA.
    pub cuda: Cuda,
}

/// Parameters and running statistics in the order of one target.
#[derive(Clone, Copy, Debug)]
pub struct Weights {
    pub params: &'static [Tensor],
    pub param_floats: usize,
    /// A prefix of the parameter arena.
    pub trainable_floats: usize,
    pub states: &'static [Tensor],
    pub state_floats: usize,
}

impl Plan {
    /// Parameters and running statistics as the CPU has them.
    pub fn weights(&self) -> Weights {
        Weights {
            params: self.params,
            param_floats: self.param_floats,
            trainable_floats: self.trainable_floats,
            states: self.states,
            state_floats: self.state_floats,
        }
    }
}

/// How contractions multiply on CUDA. Sums, statistics, activations in memory and master weights are f32 in all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// Exact: fused multiply-adds in single precision.
    F32,
    /// Tensor cores; operands rounded to 10 bits of mantissa.
    Tf32,
    /// Tensor cores; operands rounded to bfloat16.
    Bf16,
}

/// A network for CUDA: kernels as text, and programs that launch them.
#[derive(Clone, Copy)]
pub struct Cuda {
    pub precision: Precision,
    pub weights: Weights,
    /// Distinct kernels of all programs.
    pub kernels: &'static [CudaKernel],
    pub infer: CudaProgram,
    /// `None` without a loss, like the next two.
    pub evaluate: Option<CudaProgram>,
    /// Training mode: loss, correct and the gradient arena; changes nothing else.
    pub gradients: Option<CudaProgram>,
    /// Training mode, and running statistics and parameters are updated: kernels that make a gradient apply the optimizer
    /// to it at once. The gradient arena is not written then.
    pub step: Option<CudaProgram>,
    /// Parts of the trainable arena that no kernel of `step` updates in its epilogue: their gradients are stored, and the
    /// optimizer's own pass follows.
    pub rest: &'static [Range],
}

/// A part of the trainable arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    pub offset: usize,
    pub floats: usize,
    /// Whether weight decay applies.
    pub decay: bool,
}

/// One kernel as CUDA C++, without prelude and templates.
///
/// ```text
/// namespace dense_forward_5b1f… {
///   struct A { … };  struct B { … };  struct Sink { … };
///   KILN_DEV void phase(const KilnLaunch<5, 1>& launch, u32 cta, u32 ctas, KilnShared shared) { … }
/// }
/// KILN_KERNEL(dense_forward_5b1f…, 256, 5, 1)
/// ```
#[derive(Clone, Copy, Debug)]
pub struct CudaKernel {
    /// The function's name: its form and a hash of its text, so that equal kernels are one across programs and networks.
    pub name: &'static str,
    pub text: &'static str,
    /// Threads per block.
    pub threads: usize,
    /// Dynamic shared memory in bytes.
    pub shared: usize,
    /// Whether its text names `KilnOptimizer`: it is compiled for each optimizer, and once with a functor that stores the
    /// gradient instead (`gradients`, and steps whose update comes later).
    pub updates: bool,
}

/// What a launch does with a region of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Read,
    Write,
    ReadWrite,
}

/// A pointer that a CUDA kernel is given, and how far it reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CudaArg {
    pub space: Space,
    pub offset: usize,
    /// Floats behind it: per sample in the spaces `Batch` and `Port`, else in all.
    pub floats: usize,
    pub access: Access,
}

/// Pieces of work of a phase: rows in groups of `height`, and `more` groups, each `width` times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    /// Rows of each sample, and of none.
    pub per_sample: usize,
    pub fixed: usize,
    pub height: usize,
    pub more: usize,
    pub width: usize,
}

impl Work {
    pub fn pieces(&self, batch: usize) -> usize {
        ((batch * self.per_sample + self.fixed).div_ceil(self.height) + self.more) * self.width
    }
}

/// One graph node.
#[derive(Clone, Copy)]
pub struct CudaLaunch {
    /// In [`Cuda::kernels`].
    pub kernel: usize,
    /// Layers whose operations it holds: `features.0, features.1`.
    pub layers: &'static str,
    /// Fused operations in order: `conv.forward, map, map`.
    pub ops: &'static str,
    pub args: &'static [CudaArg],
    /// For each phase merged into the kernel, how many pieces of work a batch has. A phase takes any number of blocks.
    pub parts: &'static [Work],
    /// Earlier launches that must be complete before this one starts.
    pub after: &'static [usize],
}

/// One way to run a program; the first whose guard holds is taken.
#[derive(Clone, Copy)]
pub struct CudaVariant {
    /// Guard: batches up to this size.
    pub max_batch: usize,
    /// Arena size per sample of the padded batch.
    pub batch_floats: usize,
    pub fixed_floats: usize,
    pub launches: &'static [CudaLaunch],
    /// What [`Kept::rows`] reads; empty where nobody follows the program.
    pub kept: &'static str,
    /// Parallel to [`Plan::outputs`]; empty in programs that return none.
    pub outputs: &'static [Stored],
    pub loss: Option<Stored>,
    /// As in [`Variant`].
    pub means: &'static [Mean],
    pub correct: Option<Stored>,
}

#[derive(Clone, Copy)]
pub struct CudaProgram {
    pub variants: &'static [CudaVariant],
}

impl Cuda {
    /// Of a plan that was made for the CPU only; the engine refuses to run it on CUDA.
    pub const NONE: Cuda = Cuda {
        precision: Precision::F32,
        weights: Weights { params: &[], param_floats: 0, trainable_floats: 0, states: &[], state_floats: 0 },
        kernels: &[],
        infer: CudaProgram { variants: &[] },
        evaluate: None,
        gradients: None,
        step: None,
        rest: &[],
    };
}
