//! Chains of layers of few channels in one launch, group by group of 16 samples, whose lanes are the samples.
//!
//! Channel blocks of 16 waste most lanes on six channels, and a small network spends its time between the second-level
//! cache and barriers. A chain keeps to itself what only its own kernels read; what another chain reads is stored in the
//! lanes' order (`[C][H][W][16 samples]` for each group); everything else goes through a transposition at the chain's edge.
//! Sums over the batch leave partial results, which a second launch adds up.
//!
//! A chain is steps, run in order on a group; `scratch` says where a worker keeps what only the chain reads. What a chain may
//! hold is said by the conditions here, each with the reason why it suffices; `verify` finds out from the finished chain alone
//! whether every step reads what it means to read.

mod scratch;

use super::blocks::Stage;
use super::form::{self, Access, Form};
use super::layout::{LANES, Layout};
use super::params::behind_reshapes;
use super::{Kernel, Schedule, Target, Uses};
use crate::graph::expr::{Expr, Scalar};
use crate::graph::op::{ConvGeometry, ConvRole, Leaf, Op, ReduceOp, WindowAxis, WindowOp};
use crate::graph::{DType, Value};
use std::collections::{BTreeSet, HashSet};

/// The largest batch that runs without chains: a group that is mostly empty costs as much as a full one.
pub const SMALL_BATCH: usize = 15;

/// Convolutions with more than so many channels and outputs fill the lanes of a block well enough.
const FEW: usize = 8;

/// What a chain does in one go with a group.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Step {
    pub stage: Stage,
    /// The max-pool of what the stage, a convolution, makes, taken of its tiles. The stage stores what is pooled only where
    /// somebody besides the pool reads it.
    pub pool: Option<Stage>,
}

impl Step {
    /// The stage and its pool, in order.
    pub fn stages(&self) -> impl Iterator<Item = &Stage> {
        [&self.stage].into_iter().chain(&self.pool)
    }

    /// What the step leaves in memory.
    pub fn stores(&self) -> impl Iterator<Item = Value> {
        self.stages().flat_map(|stage| stage.stores.iter().copied())
    }

    /// Values with a batch that it reads from memory: the operands of its nodes, but for what it computes itself.
    pub fn reads(&self, s: &Schedule) -> Vec<Value> {
        let own = |v: &Value| self.stages().any(|stage| stage.nodes.contains(v));
        let inputs = self.stages().flat_map(|stage| &stage.nodes).flat_map(|v| &s.graph().node(*v).inputs);
        let mut list: Vec<Value> = Vec::new();
        for value in inputs.map(|v| s.base(*v)).filter(|v| s.graph().shape(*v).batch && !own(v)) {
            if !list.contains(&value) {
                list.push(value);
            }
        }
        list
    }
}

/// Where in a worker's scratch a value of a group lies, in vectors of 16 samples, and from which to which step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Slot {
    pub value: Value,
    pub offset: usize,
    pub floats: usize,
    /// First and last step, inclusive; the number of steps where the value is exported.
    pub alive: (usize, usize),
}

/// Kernels that run one after the other on each group of samples.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Chain {
    pub steps: Vec<Step>,
    /// Values of other kernels, in the standard layout.
    pub imports: Vec<Value>,
    /// Own values that other kernels read in the standard layout.
    pub exports: Vec<Value>,
    /// Values that other chains have stored or will read.
    pub shared: Vec<Value>,
    /// Of imports, and of own values that are not shared; by value.
    pub slots: Vec<Slot>,
}

impl Chain {
    /// The stages of all steps, pools included.
    pub fn stages(&self) -> impl Iterator<Item = &Stage> {
        self.steps.iter().flat_map(Step::stages)
    }

    /// Floats of scratch.
    pub fn scratch_floats(&self) -> usize {
        self.slots.iter().map(|slot| slot.offset + slot.floats).max().unwrap_or(0)
    }
}

/// Finds the chains. Runs before values are given storage.
pub fn lanes(s: &mut Schedule, target: &Target) {
    if !target.fusion || !target.lanes {
        return;
    }
    let uses = Uses::of(s);
    let mut regions: Vec<Vec<usize>> = Vec::new();
    let mut taken = vec![false; s.kernels.len()];
    for first in 0..s.kernels.len() {
        if !taken[first] {
            let region = region(s, &uses, first, &taken);
            let worth = |k: &usize| matches!(s.kernels[*k].form, Form::Conv { .. } | Form::ConvWeight { .. });
            if region.len() > 1 && region.iter().any(worth) {
                region.iter().for_each(|k| taken[*k] = true);
                regions.push(region.into_iter().collect());
            }
        }
    }
    if !regions.is_empty() {
        join(s, uses, &regions);
    }
}

/// Kernels from `first` on that can run with it at its place.
fn region(s: &Schedule, uses: &Uses, first: usize, taken: &[bool]) -> BTreeSet<usize> {
    if !fits(s, &s.kernels[first]) {
        return BTreeSet::new();
    }
    let mut region = BTreeSet::from([first]);
    // In order: who reads of the region comes behind whom it reads.
    let mut readers = uses.readers_behind(&s.kernels[first].stores, first);
    while let Some(k) = readers.pop_first() {
        if taken[k] || !fits(s, &s.kernels[k]) {
            continue;
        }
        let inside = |source: &usize| region.contains(source);
        // A sum over the batch is complete only behind the chain.
        let whole = |source: &usize| inside(source) && sums(s, &s.kernels[*source].stores).is_empty();
        let reads = reads(s, &s.kernels[k]);
        let mut sources = reads.iter().filter_map(|v| uses.maker(*v));
        if sources.clone().any(|source| inside(&source)) && sources.all(|source| whole(&source) || source < first) {
            region.insert(k);
            readers.extend(uses.readers_behind(&s.kernels[k].stores, k));
        }
    }
    region
}

/// The copy of a weight that an input gradient reads outside of chains; in one it is the master form read differently.
fn copy(s: &Schedule, form: &Form, nodes: &[Value]) -> Option<Value> {
    let Form::Conv { role: ConvRole::Input, .. } = form else { return None };
    Some(s.base(s.graph().node(anchor(s, nodes)).inputs[1]))
}

/// Stored values that a kernel reads in a chain.
fn reads(s: &Schedule, kernel: &Kernel) -> Vec<Value> {
    let Some(copy) = copy(s, &kernel.form, &kernel.nodes) else { return kernel.reads.clone() };
    let master = master(s, copy).expect("checked by `fits`");
    let mut reads: Vec<Value> = kernel.reads.iter().copied().filter(|v| *v != copy).chain([master]).collect();
    reads.sort_unstable();
    reads.dedup();
    reads
}

/// The node that gives a kernel its form.
pub fn anchor(s: &Schedule, nodes: &[Value]) -> Value {
    let heavy = |v: &&Value| matches!(s.graph().node(**v).op, Op::Conv { .. } | Op::Window { .. });
    *nodes.iter().find(heavy).expect("convolutions and windows have their anchor")
}

/// The parameter behind a weight, or behind its copy.
pub fn master(s: &Schedule, weight: Value) -> Option<Value> {
    s.graph().leaf(Leaf::Param(behind_reshapes(s.graph(), weight)?))
}

fn fits(s: &Schedule, kernel: &Kernel) -> bool {
    let right = match &kernel.form {
        Form::Conv { role, geometry, .. } => {
            let weight = s.base(s.graph().node(anchor(s, &kernel.nodes)).inputs[1]);
            // The gradient of a strided convolution has holes, and more padding than the kernel reaches has no gradient.
            let turned = geometry.stride == [1, 1]
                && (0..2).all(|i| geometry.padding[i] <= geometry.dilation[i] * (geometry.kernel[i] - 1));
            few(geometry) && master(s, weight).is_some() && (*role == ConvRole::Forward || turned)
        }
        Form::ConvWeight { geometry, .. } => few(geometry),
        Form::Window { op, iter, .. } => *op != WindowOp::Pick && iter.batch,
        Form::Map(iter) => iter.batch,
        Form::Column { .. } => kernel.nodes.iter().all(|v| is_sum_of_each_channel(s, *v)),
        Form::Row { .. }
        | Form::Dense(_)
        | Form::DenseBackward(_)
        | Form::ConvFlipped { .. }
        | Form::Winograd { .. }
        | Form::WinogradWeights { .. }
        | Form::Rows(_)
        | Form::Scalar
        | Form::Moments { .. }
        | Form::Block(_)
        | Form::Lanes(_) => false,
    };
    right && kernel.nodes.iter().all(|v| follows(s, *v))
}

/// Whether a node is what the template for sums computes: of each channel one number, the sum over all samples and all pixels.
/// That suffices because the axes are the node's own: what a kernel's form says of them depends on how it walks, and a flat
/// walk calls a sum over nothing but the batch one over its single pixel.
pub fn is_sum_of_each_channel(s: &Schedule, value: Value) -> bool {
    let node = s.graph().node(value);
    let Op::Reduce { op: ReduceOp::Sum, axes, batch: true } = &node.op else { return false };
    let dims = &s.graph().shape(node.inputs[0]).dims;
    let gone = |axis: usize| dims[axis] == 1 || axes.contains(&axis);
    let layout = s.layout(value);
    !axes.contains(&0) && (1..dims.len()).all(gone) && (0..dims[0]).all(|channel| layout.offset(channel) == channel)
}

fn few(g: &ConvGeometry) -> bool {
    g.groups == 1 && g.channels.max(g.outputs) <= LANES && g.channels.min(g.outputs) <= FEW
}

/// Whether a node's value and operands can be followed with samples in the lanes.
fn follows(s: &Schedule, value: Value) -> bool {
    let graph = s.graph();
    let node = graph.node(value);
    let map = |v: Value| {
        let shape = graph.shape(v);
        shape.batch && shape.rank() == 3 && shape.dims[0] <= LANES
    };
    let is_map_of = |v: Value| map(s.base(v)) && graph.shape(s.base(v)).dims == graph.shape(v).dims;
    match &node.op {
        Op::Map(expr) => {
            let operand = |v: &Value| {
                let access = form::access(&graph.shape(*v).dims, &node.ty.shape.dims, false);
                if graph.shape(*v).batch {
                    return access.is_some() && is_map_of(*v);
                }
                let layout = s.layout(s.base(*v));
                let in_order = || (0..graph.shape(*v).numel()).all(|i| layout.offset(i) == i);
                graph.ty(*v).dtype == DType::F32
                    && (access == Some(Access::One) || access == Some(Access::Channel) && in_order())
            };
            map(value) && !indexed(expr) && node.inputs.iter().all(operand)
        }
        Op::Conv { role: ConvRole::Forward | ConvRole::Input, .. } => map(value) && is_map_of(node.inputs[0]),
        Op::Conv { role: ConvRole::Weight, .. } => node.inputs.iter().all(|v| is_map_of(*v)),
        Op::Window { .. } => map(value) && node.inputs.iter().all(|v| is_map_of(*v)),
        Op::Reduce { .. } => is_map_of(node.inputs[0]),
        Op::Leaf(_)
        | Op::Contract { .. }
        | Op::Table { .. }
        | Op::Move(_)
        | Op::Gather
        | Op::ScatterAdd { .. }
        | Op::Random { .. }
        | Op::Assign { .. } => false,
    }
}

fn indexed(expr: &Expr) -> bool {
    expr.nodes().iter().any(|n| matches!(n, Scalar::Index(_)))
}

/// Of these values, the sums over the batch.
fn sums(s: &Schedule, values: &[Value]) -> Vec<Value> {
    values.iter().copied().filter(|v| !s.graph().shape(*v).batch).collect()
}

/// Sums of a chain, where their partial results lie in those of a chunk, and the floats of a chunk; what the sums' rounding has
/// lost lies behind them, in as many floats.
pub fn partials(s: &Schedule, chain: &Chain) -> (Vec<(Value, usize)>, usize) {
    let (mut list, mut floats) = (Vec::new(), 0);
    for value in chain.stages().flat_map(|stage| sums(s, &stage.stores)) {
        list.push((value, floats));
        floats += s.layout(value).size.div_ceil(LANES) * LANES;
    }
    (list, floats)
}

fn join(s: &mut Schedule, mut uses: Uses, regions: &[Vec<usize>]) {
    let shared = shared(s, &uses, regions);
    for value in &shared {
        s.layouts[value.index()] = Layout::dense(&s.graph().shape(*value).dims);
    }
    let chains: Vec<Kernel> = regions.iter().map(|region| chain(s, &uses, region, &shared)).collect();
    for (region, chain) in regions.iter().zip(chains) {
        for k in &region[1..] {
            uses.remove(s, *k);
        }
        uses.replace(s, region[0], chain);
    }
    // Chains read no copies of weights.
    for k in 0..s.kernels.len() {
        let kernel = &s.kernels[k];
        let unread = matches!(kernel.form, Form::ConvFlipped { .. })
            && !kernel.stores.iter().any(|v| uses.is_needed_outside(*v, &[k]));
        if unread {
            uses.remove(s, k);
        }
    }
    uses.finish(s);
}

/// Values that leave one chain and are read by others only.
fn shared(s: &Schedule, uses: &Uses, regions: &[Vec<usize>]) -> BTreeSet<Value> {
    let mut home: Vec<Option<usize>> = vec![None; s.kernels.len()];
    for (i, region) in regions.iter().enumerate() {
        region.iter().for_each(|k| home[*k] = Some(i));
    }
    let mut shared = BTreeSet::new();
    for (i, region) in regions.iter().enumerate() {
        for value in region.iter().flat_map(|k| &s.kernels[*k].stores).copied() {
            let mut outside = uses.readers(value).map(|k| home[k]).filter(|other| *other != Some(i)).peekable();
            let others = outside.peek().is_some() && outside.all(|other| other.is_some());
            if s.graph().shape(value).batch && others && !uses.is_root(value) {
                shared.insert(value);
            }
        }
    }
    shared
}

fn chain(s: &Schedule, uses: &Uses, region: &[usize], all_shared: &BTreeSet<Value>) -> Kernel {
    let kernels = region.iter().map(|k| &s.kernels[*k]);
    let stages: Vec<Stage> = kernels
        .clone()
        .map(|Kernel { form, nodes, stores, .. }| Stage {
            form: form.clone(),
            nodes: nodes.clone(),
            stores: stores.clone(),
        })
        .collect();
    let own: Vec<Value> = stages.iter().flat_map(|stage| stage.stores.iter().copied()).collect();
    let inside: HashSet<Value> = own.iter().copied().collect();
    let mut all_reads: Vec<Value> =
        kernels.flat_map(|kernel| reads(s, kernel)).filter(|v| !inside.contains(v)).collect();
    all_reads.sort_unstable();
    all_reads.dedup();
    let mut seen = HashSet::new();
    let all = |stage: &Stage| copy(s, &stage.form, &stage.nodes).into_iter().chain(stage.nodes.clone());
    let nodes = stages.iter().flat_map(all).filter(|v| seen.insert(*v)).collect();
    let stores: Vec<Value> = own.iter().copied().filter(|v| uses.is_needed_outside(*v, region)).collect();
    let batch = |v: &Value| s.graph().shape(*v).batch;
    let is_shared = |v: &Value| all_shared.contains(v);
    let mut chain = Chain {
        imports: all_reads.iter().copied().filter(|v| batch(v) && !is_shared(v)).collect(),
        exports: stores.iter().copied().filter(|v| batch(v) && !is_shared(v)).collect(),
        shared: all_reads.iter().chain(&stores).copied().filter(is_shared).collect(),
        steps: steps(s, stages, &stores),
        slots: Vec::new(),
    };
    chain.slots = scratch::slots(s, &chain);
    Kernel { form: Form::Lanes(chain), nodes, reads: all_reads, stores }
}

/// The stages in order, a pool with the convolution whose tiles hold its windows; `outside` are values that leave the chain.
fn steps(s: &Schedule, stages: Vec<Stage>, outside: &[Value]) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut rest = std::collections::VecDeque::from(stages);
    while let Some(stage) = rest.pop_front() {
        let at = rest.iter().position(|other| holds_windows(s, &stage, other, &rest));
        let pool = at.and_then(|at| rest.remove(at));
        let mut step = Step { stage, pool };
        if let Some(pool) = &step.pool {
            let pooled = pooled(s, pool);
            let read = rest.iter().any(|other| Step { stage: other.clone(), pool: None }.reads(s).contains(&pooled));
            if !read && !outside.contains(&pooled) {
                step.stage.stores.clear();
            }
        }
        steps.push(step);
    }
    steps
}

/// What a pool's windows are of.
fn pooled(s: &Schedule, pool: &Stage) -> Value {
    s.base(s.graph().node(anchor(s, &pool.nodes)).inputs[0])
}

/// Whether `other`, a later stage, can be taken of the tiles of `stage`, `rest` being all stages behind it.
///
/// It suffices that
/// 1. its windows are 2 × 2, side by side, and cover the image: a tile of four pixels is a window, and every pixel is in one;
/// 2. the convolution stores nothing but what is pooled, so that no one waits for pixels in another order;
/// 3. whatever else it reads is there before the convolution runs: the pool moves to the convolution's place, in front of all
///    stages between the two.
fn holds_windows(s: &Schedule, stage: &Stage, other: &Stage, rest: &std::collections::VecDeque<Stage>) -> bool {
    let (Form::Conv { .. }, Form::Window { op: WindowOp::Max | WindowOp::ArgMax, axes, .. }) =
        (&stage.form, &other.form)
    else {
        return false;
    };
    let quarter = |a: &WindowAxis| a.kernel == 2 && a.stride == 2 && a.dilation == 1 && a.padding == 0;
    let tiles = axes.iter().all(|a| quarter(a) && a.output * 2 == a.input);
    let late = |v: &Value| rest.iter().any(|stage| stage.stores.contains(v));
    let reads = Step { stage: other.clone(), pool: None }.reads(s);
    tiles && stage.stores == [pooled(s, other)] && !reads.iter().any(late)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::declaration::Fusion;
    use crate::schedule::{ParamPlan, ProgramKind, program, schedule, verify};

    fn chains(layers: &str, kind: ProgramKind, lanes: bool) -> Vec<Chain> {
        let text = format!(
            "pub Net {{ input x: [1, 12, 12]; target c: class<3>; {layers}
            Flatten; Linear<3>; loss: CrossEntropy(_, c); }}"
        );
        let (declarations, _, errors) = crate::lower::frontend(text.parse().unwrap());
        assert!(errors.is_empty());
        let module = &declarations[0].members[0].module;
        let program = program::program(module, kind).unwrap();
        let target = Target { lanes, ..Target::cpu(Fusion::On) };
        let s = schedule(module, &ParamPlan::new(module, target.order), &program, &target);
        assert_eq!(verify::verify(&s), Ok(()));
        let chain = |k: &Kernel| if let Form::Lanes(chain) = &k.form { Some(chain.clone()) } else { None };
        s.kernels.iter().filter_map(chain).collect()
    }

    const TWO: &str = "Conv2d<6, 5, padding = 2>; Relu; MaxPool2d<2>; Conv2d<16, 3>; Relu; MaxPool2d<2>;";

    #[test]
    fn a_chain_forward_and_one_backward() {
        let [infer] = &chains(TWO, ProgramKind::Infer, true)[..] else { panic!("one chain") };
        assert_eq!((infer.imports.len(), infer.exports.len(), infer.shared.len()), (1, 1, 0));
        let [forward, backward] = &chains(TWO, ProgramKind::Step, true)[..] else { panic!("two chains") };
        assert_eq!(forward.imports.len(), 1);
        assert!(!forward.shared.is_empty() && forward.shared.iter().all(|v| backward.shared.contains(v)));
        // What came of the dense layers, and the image once more.
        assert_eq!((backward.imports.len(), backward.exports.len()), (2, 0));
        assert!(backward.stages().any(|stage| matches!(stage.form, Form::ConvWeight { .. })));
        assert!(chains(TWO, ProgramKind::Step, false).is_empty());
    }

    #[test]
    fn many_channels_and_statistics_of_the_batch_are_no_chain() {
        assert!(chains("Conv2d<32, 3>; Relu; MaxPool2d<2>;", ProgramKind::Step, true).is_empty());
        for chain in chains("Conv2d<6, 3>; BatchNorm; Relu; MaxPool2d<2>;", ProgramKind::Step, true) {
            // A sum over the batch ends a chain: nobody inside it reads the sum.
            let sums: Vec<Value> = chain.stages().flat_map(|stage| &stage.stores).copied().collect();
            assert!(chain.imports.iter().all(|v| !sums.contains(v)));
        }
    }
}
