//! The naive interpreter, in double precision: the oracle of every test.
//!
//! Each primitive is written as its definition reads, with no thought of speed. It evaluates whole graphs, or any nodes
//! from values that are already known, so that a schedule's kernels can be run one by one from what earlier ones stored.

pub mod bounds;

use crate::graph::expr::{Id, Scalar, Uniform, fold_binary, fold_unary};
use crate::graph::op::*;
use crate::graph::{Graph, Shape, Value};
use std::collections::HashMap;

/// A value: row-major, batch first.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    pub shape: Shape,
    /// Number of samples; 1 without a batch.
    pub batch: usize,
    pub data: Vec<f64>,
}

impl Tensor {
    pub fn new(shape: Shape, batch: usize, data: Vec<f64>) -> Tensor {
        let batch = if shape.batch { batch } else { 1 };
        assert_eq!(data.len(), batch * shape.numel(), "elements of {shape:?} with batch {batch}");
        Tensor { shape, batch, data }
    }

    /// From a function of (sample, index within the sample).
    pub fn from_fn(shape: Shape, batch: usize, mut f: impl FnMut(usize, usize) -> f64) -> Tensor {
        let batch = if shape.batch { batch } else { 1 };
        let n = shape.numel();
        let data = (0..batch * n).map(|i| f(i / n, i % n)).collect();
        Tensor { shape, batch, data }
    }

    pub fn scalar(x: f64) -> Tensor {
        Tensor { shape: Shape::fixed([]), batch: 1, data: vec![x] }
    }

    /// The elements of one sample; of all samples where there is no batch.
    pub fn sample(&self, sample: usize) -> &[f64] {
        let n = self.shape.numel();
        let at = if self.shape.batch { sample * n } else { 0 };
        &self.data[at..at + n]
    }
}

/// What is the same for a whole launch.
#[derive(Clone, Debug)]
pub struct Env {
    pub batch: usize,
    pub seed: u64,
    /// From 1.
    pub step: u64,
    /// The one mean of the loss that counts, where not all of them do.
    pub only: Option<u32>,
    /// Hyper-parameters, for update expressions.
    pub hyper: Vec<f64>,
}

impl Env {
    pub fn batch(batch: usize) -> Env {
        Env { batch, seed: 0, step: 1, only: None, hyper: Vec::new() }
    }
}

/// Evaluate `wanted` with the given leaves, and return their values in order.
pub fn run(graph: &Graph, leaves: &HashMap<Leaf, Tensor>, wanted: &[Value], env: &Env) -> Result<Vec<Tensor>, String> {
    let mut known: Vec<Option<Tensor>> = vec![None; graph.nodes.len()];
    for (slot, node) in known.iter_mut().zip(&graph.nodes) {
        if let Op::Leaf(leaf) = node.op {
            *slot = leaves.get(&leaf).cloned();
        }
    }
    evaluate(graph, &mut known, wanted, env)?;
    Ok(wanted.iter().filter_map(|v| known[v.index()].clone()).collect())
}

/// Fill in `wanted` and what they need, reading nothing but what is known already. Fails where a leaf would be needed that
/// is not known.
pub fn evaluate(graph: &Graph, known: &mut [Option<Tensor>], wanted: &[Value], env: &Env) -> Result<(), String> {
    let mut needed = vec![false; graph.nodes.len()];
    for value in wanted {
        needed[value.index()] = true;
    }
    for i in (0..graph.nodes.len()).rev() {
        if needed[i] && known[i].is_none() {
            for input in &graph.nodes[i].inputs {
                needed[input.index()] = true;
            }
        }
    }
    for i in (0..graph.nodes.len()).filter(|i| needed[*i]) {
        if known[i].is_some() {
            continue;
        }
        let node = &graph.nodes[i];
        let mut inputs = Vec::with_capacity(node.inputs.len());
        for input in &node.inputs {
            inputs.push(known[input.index()].as_ref().ok_or_else(|| format!("%{} is not known", input.0))?);
        }
        let result = primitive(&node.op, &inputs, &node.ty.shape, env).map_err(|why| format!("%{i}: {why}"))?;
        known[i] = Some(result);
    }
    Ok(())
}

/// One primitive over its operands; `shape` is its result's.
pub fn primitive(op: &Op, inputs: &[&Tensor], shape: &Shape, env: &Env) -> Result<Tensor, String> {
    let batch = if shape.batch { env.batch } else { 1 };
    if let Some(bad) = inputs.iter().find(|t| t.shape.batch && t.batch != env.batch) {
        return Err(format!("an operand has batch {}, expected {}", bad.batch, env.batch));
    }
    let tensor = |data: Vec<f64>| Tensor { shape: shape.clone(), batch, data };
    let zeros = || vec![0.0; batch * shape.numel()];
    Ok(match op {
        Op::Leaf(leaf) => return Err(format!("{leaf:?} is not known")),
        Op::Map(expr) => tensor(map(expr.nodes(), inputs, shape, batch, env)),
        Op::Reduce { op, axes, batch: over } => tensor(reduce(*op, axes, *over, inputs[0], shape, batch)),
        Op::Contract { lhs, rhs, out } => tensor(contract([lhs, rhs, out], inputs, shape, batch)),
        Op::Conv { role, geometry } => {
            let mut data = zeros();
            for sample in 0..env.batch {
                let at = if shape.batch { sample * shape.numel() } else { 0 };
                let into = &mut data[at..at + shape.numel()];
                conv(*role, geometry, inputs[0].sample(sample), inputs[1].sample(sample), into);
            }
            tensor(data)
        }
        Op::Window { op, axes } => {
            let mut data = Vec::with_capacity(batch * shape.numel());
            for sample in 0..batch {
                data.extend(window(*op, axes, inputs[0].sample(sample), inputs.get(1).map(|t| t.sample(sample))));
            }
            tensor(data)
        }
        Op::Table { axis, rows } => tensor(each(shape, batch, |sample, at| {
            let from = inputs[0];
            let row = &rows[at[*axis]];
            let mut index = at.to_vec();
            row.iter()
                .map(|(source, weight)| {
                    index[*axis] = *source;
                    f64::from_bits(*weight) * from.sample(sample)[offset(&index, &from.shape.dims)]
                })
                .sum()
        })),
        Op::Move(op) => tensor(moved(op, inputs, shape, batch)),
        Op::Gather => {
            let (data, index) = (inputs[0], inputs[1]);
            let rank = index.shape.rank();
            tensor(each(shape, batch, |sample, at| {
                let row = index.sample(sample)[offset(&at[..rank], &index.shape.dims)];
                let mut from = vec![row as usize];
                from.extend(&at[rank..]);
                data.sample(sample)[offset(&from, &data.shape.dims)]
            }))
        }
        Op::ScatterAdd { .. } => {
            let (values, index) = (inputs[0], inputs[1]);
            let rest: usize = shape.dims[1..].iter().product();
            let mut data = zeros();
            for sample in 0..values.batch {
                let base = if shape.batch { sample * shape.numel() } else { 0 };
                for (i, row) in index.sample(sample).iter().enumerate() {
                    for k in 0..rest {
                        data[base + *row as usize * rest + k] += values.sample(sample)[i * rest + k];
                    }
                }
            }
            tensor(data)
        }
        Op::Random { stream } => {
            let n = shape.numel();
            let number = |i: usize| f64::from(uniform(env.seed, env.step, *stream, (i / n) as u32, (i % n) as u32));
            tensor((0..batch * n).map(number).collect())
        }
        Op::Assign { .. } => inputs[0].clone(),
    })
}

/// Row-major position.
fn offset(index: &[usize], dims: &[usize]) -> usize {
    index.iter().zip(dims).fold(0, |at, (i, d)| at * d + i)
}

/// Every index of `dims` in row-major order.
fn indices(dims: &[usize], mut f: impl FnMut(&[usize])) {
    if dims.contains(&0) {
        return;
    }
    let mut index = vec![0; dims.len()];
    loop {
        f(&index);
        let Some(axis) = (0..dims.len()).rev().find(|a| index[*a] + 1 < dims[*a]) else { return };
        index[axis] += 1;
        index[axis + 1..].fill(0);
    }
}

fn each(shape: &Shape, batch: usize, mut f: impl FnMut(usize, &[usize]) -> f64) -> Vec<f64> {
    let mut data = Vec::with_capacity(batch * shape.numel());
    for sample in 0..batch {
        indices(&shape.dims, |at| data.push(f(sample, at)));
    }
    data
}

fn map(nodes: &[Scalar], inputs: &[&Tensor], shape: &Shape, batch: usize, env: &Env) -> Vec<f64> {
    let mut values = vec![0.0; nodes.len()];
    each(shape, batch, |sample, at| {
        for (i, node) in nodes.iter().enumerate() {
            let of = |id: Id| values[id.0 as usize];
            values[i] = match *node {
                Scalar::Input(k) => {
                    let from = inputs[k as usize];
                    let place =
                        from.shape.dims.iter().zip(at).fold(0, |o, (d, i)| o * d + if *d == 1 { 0 } else { *i });
                    from.sample(sample)[place]
                }
                Scalar::Const(bits) => f64::from_bits(bits),
                Scalar::Index(axis) => at[axis as usize] as f64,
                Scalar::Uniform(Uniform::Batch) => env.batch as f64,
                Scalar::Uniform(Uniform::Step) => env.step as f64,
                Scalar::Uniform(Uniform::Counts(i)) => f64::from(env.only.is_none_or(|only| only == i)),
                Scalar::Uniform(Uniform::Hyper(k)) => env.hyper[k as usize],
                Scalar::Unary(op, a) => fold_unary(op, of(a)),
                Scalar::Binary(op, a, b) => fold_binary(op, of(a), of(b)),
                Scalar::Select(truth, a, b) => of(if of(truth) != 0.0 { a } else { b }),
            };
        }
        values[nodes.len() - 1]
    })
}

fn reduce(op: ReduceOp, axes: &[usize], over_batch: bool, x: &Tensor, shape: &Shape, batch: usize) -> Vec<f64> {
    let start = if op == ReduceOp::Sum { 0.0 } else { f64::NEG_INFINITY };
    let mut best = vec![start; batch * shape.numel()];
    let mut first = vec![0.0; best.len()];
    for sample in 0..x.batch {
        let base = if shape.batch && !over_batch { sample * shape.numel() } else { 0 };
        let data = x.sample(sample);
        let mut i = 0;
        indices(&x.shape.dims, |at| {
            let to: Vec<usize> = at.iter().enumerate().map(|(a, k)| if axes.contains(&a) { 0 } else { *k }).collect();
            let slot = base + offset(&to, &shape.dims);
            let element = data[i];
            i += 1;
            match op {
                ReduceOp::Sum => best[slot] += element,
                ReduceOp::Max | ReduceOp::ArgMax => {
                    if beats(element, best[slot]) {
                        best[slot] = element;
                        first[slot] = axes.first().map_or(0.0, |a| at[*a] as f64);
                    }
                }
            }
        });
    }
    if op == ReduceOp::ArgMax { first } else { best }
}

/// A NaN wins over numbers; of equal elements the first stays.
fn beats(element: f64, best: f64) -> bool {
    element > best || (element.is_nan() && !best.is_nan())
}

fn contract(names: [&[AxisName]; 3], inputs: &[&Tensor], shape: &Shape, batch: usize) -> Vec<f64> {
    let mut extents: Vec<(AxisName, usize)> = Vec::new();
    let mut strides: Vec<Vec<(AxisName, usize)>> = Vec::new();
    let sides = [
        (inputs[0].shape.clone(), inputs[0].batch),
        (inputs[1].shape.clone(), inputs[1].batch),
        (shape.clone(), batch),
    ];
    for (names, (shape, batch)) in names.iter().zip(sides) {
        let mut dims = shape.dims;
        if shape.batch {
            dims.insert(0, batch);
        }
        let mut stride = dims.iter().product();
        let mut own = Vec::new();
        for (name, extent) in names.iter().zip(dims) {
            stride /= extent.max(1);
            own.push((*name, stride));
            if !extents.iter().any(|(n, _)| n == name) {
                extents.push((*name, extent));
            }
        }
        strides.push(own);
    }
    // By axis of the whole product: its extent, and its stride in each of the three.
    let stride_of = |side: usize, name: AxisName| strides[side].iter().find(|(n, _)| *n == name).map_or(0, |(_, s)| *s);
    let dims: Vec<usize> = extents.iter().map(|(_, e)| *e).collect();
    let table: Vec<[usize; 3]> = extents.iter().map(|(n, _)| [0, 1, 2].map(|side| stride_of(side, *n))).collect();
    let mut data = vec![0.0; batch * shape.numel()];
    indices(&dims, |at| {
        let place = |side: usize| at.iter().zip(&table).map(|(i, s)| i * s[side]).sum::<usize>();
        data[place(2)] += inputs[0].data[place(0)] * inputs[1].data[place(1)];
    });
    data
}

/// Adds one sample's product to `into`.
fn conv(role: ConvRole, g: &ConvGeometry, a: &[f64], b: &[f64], into: &mut [f64]) {
    let (in_group, out_group) = (g.channels / g.groups, g.outputs / g.groups);
    for o in 0..g.outputs {
        for c in 0..in_group {
            let channel = o / out_group * in_group + c;
            indices(&[g.output[0], g.output[1], g.kernel[0], g.kernel[1]], |at| {
                let axis = |k: usize| (at[k] * g.stride[k] + at[k + 2] * g.dilation[k]).wrapping_sub(g.padding[k]);
                let (row, column) = (axis(0), axis(1));
                if row >= g.input[0] || column >= g.input[1] {
                    return;
                }
                let x = (channel * g.input[0] + row) * g.input[1] + column;
                let w = ((o * in_group + c) * g.kernel[0] + at[2]) * g.kernel[1] + at[3];
                let y = (o * g.output[0] + at[0]) * g.output[1] + at[1];
                match role {
                    ConvRole::Forward => into[y] += a[x] * b[w],
                    ConvRole::Input => into[x] += a[y] * b[w],
                    ConvRole::Weight => into[w] += a[x] * b[y],
                }
            });
        }
    }
}

/// One sample.
fn window(op: WindowOp, axes: &[WindowAxis], first: &[f64], second: Option<&[f64]>) -> Vec<f64> {
    let x_dims: Vec<usize> = axes.iter().map(|a| a.input).collect();
    let y_dims: Vec<usize> = axes.iter().map(|a| a.output).collect();
    let kernel: Vec<usize> = axes.iter().map(|a| a.kernel).collect();
    let gathers = matches!(op, WindowOp::Sum | WindowOp::Max | WindowOp::ArgMax | WindowOp::Pick);
    let start = if matches!(op, WindowOp::Max) { f64::NEG_INFINITY } else { 0.0 };
    let mut result = vec![start; if gathers { &y_dims } else { &x_dims }.iter().product()];
    let mut y = 0;
    indices(&y_dims, |at| {
        let (mut k, mut best) = (0, None);
        indices(&kernel, |tap| {
            let position = k;
            k += 1;
            let mut x = 0;
            for (axis, (i, t)) in axes.iter().zip(at.iter().zip(tap)) {
                let place = (i * axis.stride + t * axis.dilation).wrapping_sub(axis.padding);
                if place >= axis.input {
                    return;
                }
                x = x * axis.input + place;
            }
            let chosen = || second.is_some_and(|s| s[y] as usize == position);
            match op {
                WindowOp::Sum => result[y] += first[x],
                WindowOp::Max => {
                    if beats(first[x], result[y]) {
                        result[y] = first[x];
                    }
                }
                WindowOp::ArgMax => {
                    if best.is_none_or(|best| beats(first[x], best)) {
                        best = Some(first[x]);
                        result[y] = position as f64;
                    }
                }
                WindowOp::Spread => result[x] += first[y],
                WindowOp::Route if chosen() => result[x] += first[y],
                WindowOp::Pick if chosen() => result[y] = first[x],
                WindowOp::Route | WindowOp::Pick => {}
            }
        });
        y += 1;
    });
    result
}

fn moved(op: &MoveOp, inputs: &[&Tensor], shape: &Shape, batch: usize) -> Vec<f64> {
    let x = inputs[0];
    let read = |sample: usize, index: &[usize]| x.sample(sample)[offset(index, &x.shape.dims)];
    match op {
        MoveOp::Reshape(_) => x.data.clone(),
        MoveOp::Transpose(perm) => each(shape, batch, |sample, at| {
            let mut from = vec![0; perm.len()];
            for (i, p) in perm.iter().enumerate() {
                from[*p] = at[i];
            }
            read(sample, &from)
        }),
        MoveOp::Slice { axis, start, .. } => each(shape, batch, |sample, at| {
            let mut from = at.to_vec();
            from[*axis] += start;
            read(sample, &from)
        }),
        MoveOp::Pad { axis, before, .. } => each(shape, batch, |sample, at| {
            let mut from = at.to_vec();
            from[*axis] = from[*axis].wrapping_sub(*before);
            if from[*axis] < x.shape.dims[*axis] { read(sample, &from) } else { 0.0 }
        }),
        MoveOp::Broadcast { .. } => each(shape, batch, |sample, at| {
            let from: Vec<usize> = at.iter().zip(&x.shape.dims).map(|(i, d)| if *d == 1 { 0 } else { *i }).collect();
            read(sample, &from)
        }),
        MoveOp::Concat { axis } => each(shape, batch, |sample, at| {
            let mut from = at.to_vec();
            for input in inputs {
                let extent = input.shape.dims[*axis];
                if from[*axis] < extent {
                    return input.sample(sample)[offset(&from, &input.shape.dims)];
                }
                from[*axis] -= extent;
            }
            f64::NAN
        }),
    }
}

/// Uniform in [0, 1): the top 24 bits of Philox-4x32-10's first word, as the kernels compute it in `f32`.
pub fn uniform(seed: u64, step: u64, stream: u32, sample: u32, element: u32) -> f32 {
    let word = philox([element, sample, step as u32, stream], [seed as u32, (seed >> 32) as u32])[0];
    (word >> 8) as f32 * (1.0 / (1 << 24) as f32)
}

/// Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3" (2011).
pub fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for _ in 0..10 {
        let a = u64::from(counter[0]) * 0xD251_1F53;
        let b = u64::from(counter[2]) * 0xCD9E_8D57;
        counter = [(b >> 32) as u32 ^ counter[1] ^ key[0], b as u32, (a >> 32) as u32 ^ counter[3] ^ key[1], a as u32];
        key = [key[0].wrapping_add(0x9E37_79B9), key[1].wrapping_add(0xBB67_AE85)];
    }
    counter
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Known answers of the Random123 distribution.
    #[test]
    fn philox_known_answers() {
        assert_eq!(philox([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(philox([u32::MAX; 4], [u32::MAX; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        assert_eq!(
            philox([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0]),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    #[test]
    fn windows_with_ties_and_padding() {
        let axis = WindowAxis { input: 4, output: 3, kernel: 2, stride: 2, dilation: 1, padding: 1 };
        let x = [1.0, 1.0, 1.0, -3.0];
        assert_eq!(window(WindowOp::Max, &[axis], &x, None), [1.0, 1.0, -3.0]);
        let first = window(WindowOp::ArgMax, &[axis], &x, None);
        assert_eq!(first, [1.0, 0.0, 0.0]);
        assert_eq!(window(WindowOp::Route, &[axis], &[5.0, 6.0, 7.0], Some(&first)), [5.0, 6.0, 0.0, 7.0]);
        assert_eq!(window(WindowOp::Pick, &[axis], &x, Some(&first)), [1.0, 1.0, -3.0]);
        assert_eq!(window(WindowOp::Sum, &[axis], &x, None), [1.0, 2.0, -3.0]);
        assert_eq!(window(WindowOp::Spread, &[axis], &[5.0, 6.0, 7.0], None), [5.0, 6.0, 6.0, 7.0]);
    }
}
