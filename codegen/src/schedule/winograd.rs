//! Which convolutions are computed by Winograd's F(4 × 4, 3 × 3) instead of directly: 36 products for what takes 144, against
//! transforms of inputs, weights and outputs; the same for both gradients. Decided layer by layer from extents and a few
//! measured speeds; both estimates print with the schedule.

use super::derived;
use super::form::dense;
use super::layout::{LANES, blocks, is_blocked};
use super::target::Target;
use super::{Kernel, ProgramKind, Schedule};
use crate::declaration::Convolution;
use crate::graph::op::{ConvGeometry, ConvRole, Op};
use crate::graph::{Graph, Value};

/// Measured speeds of one core, per nanosecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// Floating-point operations of products, either way.
    pub flops: u64,
    /// Bytes of transformed inputs and products.
    pub transformed: u64,
    /// Bytes of transformed weights read by a product.
    pub weights: u64,
    /// Bytes of weights read and written by their transform …
    pub transforms: u64,
    /// … and where its results stay in the cache of the task that makes them.
    pub own_transforms: u64,
}

impl Rates {
    /// Zen 4, AVX-512. What matters are the ratios, which hardly differ between machines with vectors of this kind.
    pub const CPU: Rates = Rates { flops: 112, transformed: 18, weights: 40, transforms: 15, own_transforms: 60 };
}

/// How a convolution is computed, and what it takes on one core either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    pub winograd: bool,
    /// Nanoseconds are for so many samples.
    pub batch: usize,
    pub direct: u64,
    pub by_winograd: u64,
}

/// Tiles of output have this edge, and are 36 numbers once transformed.
const EDGE: usize = 4;
const POSITIONS: usize = 36;
/// Transformed inputs of a task are about so many floats, but of these tiles at least and at most, as `kiln` cuts them.
const TASK: usize = 1 << 17;
const TILES: [usize; 2] = [24, 96];
/// Up to so many tiles of output, tasks transform their weights themselves: two runs of tiles, as `kiln` cuts them. That is
/// where transforming once for each run, and taking inputs and products in pieces, costs as much as a pass over memory.
const OWN: usize = 128;
/// Of the weight gradient: tiles of a run, and blocks of channels and of outputs of a task.
const GRADIENT_RUN: usize = 48;
const GRADIENT_BLOCKS: usize = 4;

/// The choice for a convolution that could be computed either way; `None` for everything else.
pub fn choice(target: &Target, kind: ProgramKind, graph: &Graph, value: Value) -> Option<Choice> {
    let Op::Conv { role, geometry } = &graph.node(value).op else { return None };
    let rates = target.winograd?;
    if !fits(*role, geometry) || dense(graph, value).is_some() {
        return None;
    }
    let mut choice = estimate(target, rates, kind, *role, geometry);
    choice.winograd = match target.convolution {
        Convolution::Cheapest => choice.by_winograd < choice.direct,
        Convolution::Direct => false,
        Convolution::Winograd => true,
    };
    Some(choice)
}

/// A 3 × 3 convolution at stride 1 between channel blocks, or one of its gradients.
fn fits(role: ConvRole, g: &ConvGeometry) -> bool {
    let plain = g.kernel == [3, 3] && g.stride == [1, 1] && g.dilation == [1, 1] && g.groups == 1;
    let within = role != ConvRole::Input || g.padding.iter().all(|p| *p <= 2);
    let input = is_blocked(&[g.channels, g.input[0], g.input[1]]);
    let output = is_blocked(&[g.outputs, g.output[0], g.output[1]]);
    plain && within && input && output
}

/// Tiles of an image of outputs.
fn tiles_of(image: [usize; 2]) -> usize {
    image[0].div_ceil(EDGE) * image[1].div_ceil(EDGE)
}

fn estimate(target: &Target, rates: Rates, kind: ProgramKind, role: ConvRole, g: &ConvGeometry) -> Choice {
    // What pays for a single sample pays for many; training is about batches.
    let batch = if kind == ProgramKind::Infer { 1 } else { 32 };
    let (from, to, image) = match role {
        ConvRole::Forward | ConvRole::Weight => (g.channels, g.outputs, g.output),
        ConvRole::Input => (g.outputs, g.channels, g.input),
    };
    let to = blocks(to) * LANES;
    let tiles = batch * tiles_of(image);
    let time = |work: usize, rate: u64| work as u64 / rate;
    let products = |taps: usize, count: usize| time(2 * taps * from * to * count, rates.flops);
    let direct = products(9, batch * image[0] * image[1]);
    if role == ConvRole::Weight {
        let chunks = if 9 * from * to <= target.chunked_weight_floats { target.chunks } else { 1 };
        let repeats = |extent: usize| if chunks > 1 { 1 } else { blocks(extent).div_ceil(GRADIENT_BLOCKS) };
        let transformed = 4 * POSITIONS * tiles * (from * repeats(to) + to * repeats(from));
        // The sums are read and written for each run of tiles, and transformed once a chunk.
        let sums = 4 * POSITIONS * from * to * 2 * tiles.div_ceil(GRADIENT_RUN).max(chunks);
        let by_winograd = products(POSITIONS, tiles)
            + time(transformed, rates.transformed)
            + time(sums, rates.weights)
            + time(4 * (POSITIONS + 9) * from * to * chunks, rates.transforms);
        return Choice { winograd: false, batch, direct, by_winograd };
    }
    let transformed = 4 * POSITIONS * tiles * (from + to);
    let tasks = tiles.div_ceil((TASK / (POSITIONS * from)).clamp(TILES[0], TILES[1]));
    let read = 4 * POSITIONS * from * to * tasks;
    let mut by_winograd = products(POSITIONS, tiles) + time(transformed, rates.transformed) + time(read, rates.weights);
    if !(target.keeps_derived && matches!(kind, ProgramKind::Infer | ProgramKind::Evaluate)) {
        let bytes = 4 * (POSITIONS + 9) * from * to;
        let runs = tiles.div_ceil(OWN / 2);
        by_winograd +=
            if tiles <= OWN { time(bytes * runs, rates.own_transforms) } else { time(bytes, rates.transforms) };
    }
    Choice { winograd: false, batch, direct, by_winograd }
}

/// Up to which batch the readers of a transformed weight do without it: each task transforms what it multiplies by, within
/// its cache. 0 where the weight is kept from run to run.
pub fn own(s: &Schedule, copy: Value, readers: &[Value], target: &Target) -> usize {
    let graph = s.graph();
    let tiles = |v: Value| match &graph.node(v).op {
        Op::Conv { role, geometry: g } if graph.node(v).inputs[1] == copy => {
            let image = if *role == ConvRole::Input { g.input } else { g.output };
            Some(tiles_of(image))
        }
        _ => None,
    };
    let most = readers.iter().copied().filter_map(tiles).max().filter(|_| !derived::keeps(s, target));
    most.map_or(0, |most| OWN / most)
}

/// Runs into which the tiles of a batch are cut, at most, for each of its samples.
pub fn runs(g: &ConvGeometry) -> usize {
    tiles_of(g.output).div_ceil(TILES[0])
}

/// The image that a kernel of this template pools.
pub fn pooled(s: &Schedule, kernel: &Kernel) -> Option<Value> {
    let window = kernel.nodes.iter().find(|v| matches!(s.graph().node(**v).op, Op::Window { .. }))?;
    Some(s.base(s.graph().node(*window).inputs[0]))
}

/// The parameter whose transformed weights this convolution reads.
pub fn master(s: &Schedule, value: Value) -> Option<Value> {
    let node = s.graph().node(value);
    let copy = node.inputs.get(1).filter(|_| s.is_by_winograd(value) && matches!(node.op, Op::Conv { .. }))?;
    s.graph().node(*copy).inputs.first().map(|w| s.base(*w))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::declaration::Fusion;
    use crate::schedule::{Form, ParamPlan, program, schedule};

    fn planned(text: &str, kind: ProgramKind, target: &Target) -> Schedule {
        let (declarations, _, errors) = crate::lower::frontend(text.parse().unwrap());
        assert!(errors.is_empty());
        let module = &declarations[0].members[0].module;
        let program = program::program(module, kind).unwrap();
        schedule(module, &ParamPlan::new(module, target.order), &program, target)
    }

    /// Names of all forms that have to do with convolutions, in order.
    fn forms(s: &Schedule) -> Vec<&'static str> {
        let names = s.kernels.iter().map(|k| k.form.name());
        names.filter(|n| n.starts_with("conv") || n.starts_with("winograd")).collect()
    }

    fn forced(convolution: Convolution) -> Target {
        Target { convolution, ..Target::cpu(Fusion::On) }
    }

    #[test]
    fn weights_are_transformed_right_before_they_are_read() {
        let text = "pub Net { input x: [17, 9, 9]; target c: class<3>; Conv2d<18, 3>; Relu; Conv2d<19, 3, padding = 1>;
            Conv2d<20, 3, stride = 2>; Conv2d<21, 3>; Flatten; Linear<3>; loss: CrossEntropy(_, c); }";
        let s = planned(text, ProgramKind::Step, &forced(Convolution::Winograd));
        let expected = "winograd.weights winograd.forward winograd.weights winograd.forward conv.forward
            conv.flip conv.input conv.weight winograd.turned winograd.input conv.weight conv.weight";
        // The last convolution's kernel is its whole input: a matrix product.
        assert_eq!(forms(&s), expected.split_whitespace().collect::<Vec<_>>());
        let s = planned(text, ProgramKind::Step, &forced(Convolution::Direct));
        assert!(forms(&s).iter().all(|name| name.starts_with("conv")));
        let gradients = |s: &Schedule| {
            let weights = s.kernels.iter().filter(|k| matches!(k.form, Form::ConvWeight { .. }));
            weights.map(|k| s.is_by_winograd(k.anchor(s))).collect::<Vec<_>>()
        };
        assert_eq!(gradients(&s), [false; 3]);
        // In order of the backward pass: stride 2, then the other two.
        let s = planned(text, ProgramKind::Step, &forced(Convolution::Winograd));
        assert_eq!(gradients(&s), [false, true, true]);
    }

    #[test]
    fn weights_are_read_in_both_forms_where_the_batch_decides() {
        let text = "pub Net { input x: [16, 9, 13]; target c: class<3>; Conv2d<17, 3>; Relu; Conv2d<5, 3, padding = 1>;
            GlobalAvgPool; Flatten; Linear<3>; loss: CrossEntropy(_, c); }";
        let own = |kind: ProgramKind| {
            let s = planned(text, kind, &forced(Convolution::Winograd));
            let limits = s.kernels.iter().filter_map(|k| match k.form {
                Form::Winograd { own, .. } => Some((own, k.reads.iter().any(|v| is_param(&s, *v)))),
                _ => None,
            });
            limits.collect::<Vec<_>>()
        };
        fn is_param(s: &Schedule, v: Value) -> bool {
            matches!(s.storage(v), Some(crate::schedule::Storage::Param(p)) if p % 2 == 0)
        }
        // 2 × 3 tiles of 7 × 11 outputs, as many of as large ones; the input gradient's image is the same.
        assert_eq!(own(ProgramKind::Step), [(21, true), (21, true), (21, true)]);
        assert_eq!(own(ProgramKind::Infer), [(0, false), (0, false)]);
    }

    #[test]
    fn the_cheaper_way_is_taken() {
        let target = Target::cpu(Fusion::On);
        let chosen = |channels: usize, size: usize, kind: ProgramKind, keeps_derived: bool| {
            let text = format!(
                "pub Net {{ input x: [{channels}, {size}, {size}]; target c: class<3>;
                Conv2d<{channels}, 3, padding = 1>; GlobalAvgPool; Flatten; Linear<3>; loss: CrossEntropy(_, c); }}"
            );
            let s = planned(&text, kind, &Target { keeps_derived, ..target.clone() });
            s.kernels.iter().any(|k| matches!(k.form, Form::Winograd { .. }))
        };
        let (infer, step) = (ProgramKind::Infer, ProgramKind::Step);
        // Many pixels for every weight; a weight for every pixel; transforms that stay in the cache or are kept.
        assert!(chosen(64, 32, infer, false) && chosen(64, 32, step, false));
        assert!(chosen(512, 4, step, false) && !chosen(512, 4, infer, false) && !chosen(512, 4, infer, true));
        assert!(chosen(256, 8, infer, false) && chosen(256, 8, infer, true));
        assert!(!chosen(5, 5, infer, false));
    }
}
