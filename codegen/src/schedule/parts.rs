//! Concatenations and slices along the channels that take no work.
//!
//! Channels lie in blocks, one behind the other. So the operands of a concatenation may lie, from the beginning, where the
//! joined value lies: each kernel that makes one of them writes its part of the whole. And what a slice takes can be read where
//! it is. Neither is a kernel then; their readers depend on whoever stores what they read.
//!
//! This holds where every operand but the last fills its blocks. Elsewhere they are copied.

use super::layout::{LANES, Layout, blocks};
use super::{Form, Schedule, Storage, Target, Uses};
use crate::graph::Value;
use crate::graph::op::{MoveOp, Op};
use std::collections::BTreeSet;

/// Where a value lies that is a run of another's channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Within {
    pub whole: Value,
    /// Floats from the beginning of a sample.
    pub at: usize,
}

/// Floats that go, as they are, from one sample to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    pub from: Value,
    pub from_at: usize,
    pub to_at: usize,
    pub floats: usize,
}

pub fn parts(s: &mut Schedule, target: &Target) {
    if !target.fusion || !target.parts {
        return;
    }
    let mut uses = Uses::of(s);
    for k in 0..s.kernels.len() {
        let Some(list) = parts_of(s, &uses, k) else { continue };
        let copied = uses.remove(s, k).nodes[0];
        for (part, place) in list {
            s.within.insert(part, place);
            s.storage[part.index()] = Some(Storage::Batch);
        }
        s.storage[copied.index()] = Some(Storage::Batch);
        let sources = sources(s, &uses, copied);
        for reader in uses.readers(copied).collect::<Vec<_>>() {
            let mut kernel = s.kernels[reader].clone();
            kernel.reads.retain(|v| *v != copied);
            kernel.reads.extend(&sources);
            kernel.reads.sort_unstable();
            kernel.reads.dedup();
            uses.replace(s, reader, kernel);
        }
    }
    uses.finish(s);
}

/// The runs of floats that make up a concatenation or slice; `None` where it is more than that.
pub fn runs(s: &Schedule, value: Value) -> Option<Vec<Run>> {
    let node = s.graph().node(value);
    if !node.ty.shape.batch || !is_in_blocks(s, value) {
        return None;
    }
    let pixels = |v: Value| s.graph().shape(v).dims[1..].iter().product::<usize>();
    match &node.op {
        Op::Move(MoveOp::Concat { axis: 0 }) => {
            let mut to_at = 0usize;
            let mut runs = Vec::new();
            for &from in &node.inputs {
                if !is_in_blocks(s, from) || !to_at.is_multiple_of(LANES) {
                    return None;
                }
                let channels = s.graph().shape(from).dims[0];
                let floats = blocks(channels) * LANES * pixels(from);
                runs.push(Run { from, from_at: 0, to_at: to_at * pixels(from), floats });
                to_at += channels;
            }
            Some(runs)
        }
        Op::Move(MoveOp::Slice { axis: 0, start, len }) if start.is_multiple_of(LANES) => {
            let from = node.inputs[0];
            let pixels = pixels(from);
            let run = Run { from, from_at: start * pixels, to_at: 0, floats: blocks(*len) * LANES * pixels };
            is_in_blocks(s, from).then(|| vec![run])
        }
        _ => None,
    }
}

/// Whether its samples lie in blocks of channels, as these are walked; a caller's buffer does not.
fn is_in_blocks(s: &Schedule, value: Value) -> bool {
    let shape = s.graph().shape(value);
    if !shape.batch || shape.rank() == 0 {
        return false;
    }
    let blocked = Layout::blocked(&shape.dims);
    s.layout(s.base(value)).size == blocked.size && s.layout(value).same_map(&blocked)
}

/// The parts that kernel `k`, of a concatenation or slice, makes needless to copy.
///
/// A slice needs no copy where what it is of lies in the batch arena for as long as the slice is read: `memory` keeps the whole
/// until the last reader of any part. A concatenation needs none where each operand is written once, by a kernel that stores samples
/// at any distance (`writes_parts`), into a place that nobody else has (`is_free`, `once`), and fills its blocks to the last float
/// (`runs`, equal sizes), so that no padding of one part reaches into the next.
fn parts_of(s: &Schedule, uses: &Uses, k: usize) -> Option<Vec<(Value, Within)>> {
    let kernel = &s.kernels[k];
    let [value] = kernel.nodes[..] else { return None };
    let runs = runs(s, value).filter(|_| kernel.form == Form::Scalar && is_free(s, uses, value))?;
    let reads_parts = |other: &super::Kernel| !matches!(other.form, Form::Lanes(_) | Form::Rows(_) | Form::Block(_));
    if !uses.readers(value).all(|other| reads_parts(&s.kernels[other])) {
        return None;
    }
    let is_slice = matches!(s.graph().node(value).op, Op::Move(MoveOp::Slice { .. }));
    if is_slice {
        let Run { from, from_at, .. } = runs[0];
        let of = s.base(from);
        // What lies in the batch arena: the caller's buffers are ports.
        let stored = uses.maker(of).is_some() || s.within.contains_key(&of) || is_whole(s, uses, of);
        let ours = matches!(s.storage(of), None | Some(Storage::Batch));
        return (stored && ours).then(|| vec![(value, Within { whole: of, at: from_at })]);
    }
    let mut list: Vec<(Value, Within)> = Vec::new();
    for run in runs {
        let operand = s.base(run.from);
        let made = match uses.maker(operand) {
            Some(maker) => is_free(s, uses, operand) && writes_parts(&s.kernels[maker].form),
            None => is_whole(s, uses, operand),
        };
        let once = !s.within.contains_key(&operand) && list.iter().all(|(other, _)| *other != operand);
        if !made || !once || s.layout(operand).size != run.floats {
            return None;
        }
        list.push((operand, Within { whole: value, at: run.to_at }));
    }
    Some(list)
}

/// Whether its place is still to be chosen: no other memory, nothing that the world reads.
fn is_free(s: &Schedule, uses: &Uses, value: Value) -> bool {
    s.storage(value).is_none() && !uses.is_root(value)
}

/// The operands of a concatenation that lie within it, in order.
fn joined(s: &Schedule, value: Value) -> BTreeSet<Value> {
    let node = s.graph().node(value);
    let inside = |v: &Value| s.within.get(v).is_some_and(|place| place.whole == value);
    match node.op {
        Op::Move(MoveOp::Concat { .. }) => node.inputs.iter().map(|v| s.base(*v)).filter(inside).collect(),
        _ => BTreeSet::new(),
    }
}

fn is_whole(s: &Schedule, uses: &Uses, value: Value) -> bool {
    uses.maker(value).is_none() && !joined(s, value).is_empty()
}

/// Whether kernels of this form store samples at any distance of each other.
fn writes_parts(form: &Form) -> bool {
    matches!(
        form,
        Form::Map(_) | Form::Dense(_) | Form::Conv { .. } | Form::Winograd { .. } | Form::Window { .. } | Form::Scalar
    )
}

/// The values that kernels store where this one lies.
pub(super) fn sources(s: &Schedule, uses: &Uses, value: Value) -> Vec<Value> {
    if is_whole(s, uses, value) {
        let slice = |v: &Value| matches!(s.graph().node(*v).op, Op::Move(MoveOp::Slice { .. }));
        return joined(s, value).into_iter().filter(|v| !slice(v)).flat_map(|v| sources(s, uses, v)).collect();
    }
    match s.within.get(&value) {
        Some(part) if uses.maker(value).is_none() => sources(s, uses, part.whole),
        _ => vec![value],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::declaration::Fusion;
    use crate::schedule::{ParamPlan, ProgramKind, Schedule, program, schedule};

    fn step(text: &str, target: &Target) -> Schedule {
        let (declarations, _, errors) = crate::lower::frontend(text.parse().unwrap());
        assert!(errors.is_empty());
        let module = &declarations[0].members[0].module;
        let program = program::program(module, ProgramKind::Step).unwrap();
        schedule(module, &ParamPlan::new(module, target.order), &program, target)
    }

    fn copies(s: &Schedule) -> usize {
        s.kernels.iter().filter(|kernel| kernel.form == Form::Scalar).count()
    }

    /// Chains of few channels have samples in their lanes; here it is about blocks.
    fn target() -> Target {
        Target { lanes: false, ..Target::cpu(Fusion::On) }
    }

    const BRANCHES: &str = "pub Net { input x: [3, 6, 5]; target c: class<3>; stem: Conv2d<16, 1>; Relu;
        Concat { a: { Conv2d<16, 3, padding = 1>; Relu; } b: { Conv2d<32, 1>; Relu; } c: { MaxPool2d<3, stride = 1, padding = 1>; Conv2d<7, 1>; } }
        Conv2d<8, 3>; GlobalAvgPool; Linear<3>; loss: CrossEntropy(_, c); }";

    #[test]
    fn branches_write_into_the_joined_value_and_read_its_gradient() {
        let target = target();
        let s = step(BRANCHES, &target);
        assert_eq!(copies(&s), 0, "{}", s.text());
        // One concatenation, three slices of its gradient.
        assert_eq!(copies(&step(BRANCHES, &Target { parts: false, ..target.clone() })), 4);
        let pixels = 30;
        let of = |op: &str| {
            let is = |v: &Value| s.graph().node(*v).op.name() == op;
            let mut starts: Vec<usize> = s.within.iter().filter(|(v, _)| is(v)).map(|(_, place)| place.at).collect();
            starts.sort_unstable();
            starts
        };
        assert_eq!(of("slice"), [0, 16 * pixels, 48 * pixels]);
        let joined: Vec<usize> = s.within.values().map(|place| place.at).collect();
        assert_eq!(joined.len(), 6);
        let part = s.within.keys().next().unwrap();
        assert_eq!(s.sample_stride(*part), 64 * pixels);
    }

    #[test]
    fn what_fills_no_block_or_is_wanted_outside_is_copied() {
        let target = target();
        let odd = BRANCHES.replace("Conv2d<16, 3, padding = 1>", "Conv2d<17, 3, padding = 1>");
        let s = step(&odd, &target);
        assert!(s.within.values().all(|place| place.at == 0) && copies(&s) > 0);
        let twice = "pub Net { input x: [3, 6, 5]; target c: class<3>; Conv2d<16, 1>; Relu as a; Conv2d<16, 1> as b;
            Concat(a, b) as ab; Conv2d<16, 1>(b) as d; Concat(b, d); Add(_, ab); GlobalAvgPool; Linear<3>; loss: CrossEntropy(_, c); }";
        let s = step(twice, &target);
        // The second concatenation finds `b` taken.
        assert_eq!(copies(&s), 1, "{}", s.text());
    }
}
