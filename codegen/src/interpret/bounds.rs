//! How far a device in single precision may be from the interpreter.
//!
//! Next to each number stands the largest error that honest arithmetic may have made of it: a rounding is relative to its result, a
//! sum's to the magnitudes of its terms, and an error that comes in goes through an operation as far as the operation
//! lets it. Where two candidates are nearer to each other than their errors (a maximum, a comparison), either choice is right, and
//! what depends on the choice may be anything between both. What can be told no better has an infinite error: such a number is
//! undecided.
//!
//! The errors are first order and not proven bounds: they are there to tell wrong values from rounded ones.

use super::{Env, Tensor, offset, primitive};
use crate::graph::expr::{Binary, Id, Scalar, Unary, Uniform, fold_binary, fold_unary};
use crate::graph::op::*;
use crate::graph::{Graph, Shape, Value};

/// What a device computes with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Arithmetic {
    /// Relative error of an operation.
    pub rounding: f64,
    /// Relative error of a sum, to the sum of its terms' magnitudes.
    pub sum: f64,
    /// Relative error of the operands of contractions, beside that.
    pub operand: f64,
}

impl Arithmetic {
    /// Single precision; a sum of any length within 2 · 10⁻⁶ of its terms' magnitudes.
    pub const F32: Arithmetic = Arithmetic { rounding: EPSILON, sum: 32.0 * EPSILON, operand: 0.0 };

    /// Operands of contractions are cut to this many bits of mantissa.
    pub fn with_mantissa(self, bits: u32) -> Self {
        Arithmetic { operand: 0.5f64.powi(bits as i32), ..self }
    }
}

/// Half a unit in the last place of 1.
const EPSILON: f64 = 1.0 / (1 << 24) as f64;
/// Units that a function (`exp`, `tanh`, …) may be off, beside what its argument is.
const FUNCTION: f64 = 8.0;
/// By how much the tiles of Winograd's algorithm enlarge rounding errors, relative to what is largest around.
const WINOGRAD: f64 = 16.0;
/// Below the smallest normal number nothing is promised.
const TINY: f64 = 1.2e-38;

/// A value, and how far a device may be from each of its elements.
#[derive(Clone, Debug)]
pub struct Bounded {
    pub value: Tensor,
    /// Parallel to the elements.
    pub error: Vec<f64>,
}

impl Bounded {
    /// Numbers that the device has in just this way.
    pub fn exact(value: Tensor) -> Self {
        let error = vec![0.0; value.data.len()];
        Bounded { value, error }
    }

    fn is_exact(&self) -> bool {
        self.error.iter().all(|e| *e == 0.0)
    }

    /// The magnitudes, as a value of the same shape.
    fn magnitude(&self) -> Tensor {
        self.with(self.value.data.iter().map(|x| x.abs()).collect())
    }

    fn errors(&self) -> Tensor {
        self.with(self.error.clone())
    }

    fn with(&self, data: Vec<f64>) -> Tensor {
        Tensor { shape: self.value.shape.clone(), batch: self.value.batch, data }
    }
}

/// As [`super::evaluate`], with errors. `by_winograd` says which convolutions the device computes in tiles.
pub fn evaluate(
    graph: &Graph,
    known: &mut [Option<Bounded>],
    wanted: &[Value],
    env: &Env,
    arithmetic: Arithmetic,
    by_winograd: &dyn Fn(Value) -> bool,
) -> Result<(), String> {
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
        let tensors: Vec<&Tensor> = inputs.iter().map(|input| &input.value).collect();
        let value = primitive(&node.op, &tensors, &node.ty.shape, env).map_err(|why| format!("%{i}: {why}"))?;
        let rule = Rule { op: &node.op, shape: &node.ty.shape, env, arithmetic };
        let mut error = rule.error(&inputs, &value)?;
        if by_winograd(Value(i as u32)) {
            spread(&mut error, &value);
        }
        known[i] = Some(Bounded { value, error });
    }
    Ok(())
}

/// In tiles an element has the errors of its neighbours: those of a sample are as large as the largest.
fn spread(error: &mut [f64], value: &Tensor) {
    for sample in error.chunks_mut(value.shape.numel().max(1)) {
        let largest = sample.iter().copied().fold(0.0, f64::max);
        sample.fill(WINOGRAD * largest);
    }
}

/// One primitive.
struct Rule<'a> {
    op: &'a Op,
    shape: &'a Shape,
    env: &'a Env,
    arithmetic: Arithmetic,
}

impl Rule<'_> {
    /// The same primitive over other numbers.
    fn of(&self, inputs: &[&Tensor]) -> Result<Vec<f64>, String> {
        primitive(self.op, inputs, self.shape, self.env).map(|tensor| tensor.data)
    }

    fn error(&self, inputs: &[&Bounded], value: &Tensor) -> Result<Vec<f64>, String> {
        match self.op {
            Op::Leaf(leaf) => Err(format!("{leaf:?} is not known")),
            Op::Map(expr) => Ok(self.map(expr.nodes(), inputs)),
            Op::Reduce { op: ReduceOp::Sum, .. } | Op::Window { op: WindowOp::Sum | WindowOp::Spread, .. } => {
                self.sum(inputs[0])
            }
            // A maximum is off by no more than the largest error among its candidates.
            Op::Reduce { op: ReduceOp::Max, .. } | Op::Window { op: WindowOp::Max, .. } | Op::Move(_) => {
                let errors: Vec<Tensor> = inputs.iter().map(|input| input.errors()).collect();
                self.of(&errors.iter().collect::<Vec<_>>())
            }
            Op::Reduce { op: ReduceOp::ArgMax, axes, batch } => self.arg_max(axes, *batch, inputs[0], value),
            Op::Contract { .. } | Op::Conv { .. } => self.product(inputs[0], inputs[1]),
            Op::Window { op: WindowOp::ArgMax, axes } => Ok(self.window_arg_max(axes, inputs[0], value)),
            Op::Window { op: WindowOp::Route, axes } => self.route(axes, inputs, value),
            Op::Window { op: WindowOp::Pick, axes } => self.pick(axes, inputs, value),
            Op::Table { axis, rows } => {
                let magnitudes = |row: &TableRow| -> TableRow {
                    row.iter().map(|(source, weight)| (*source, f64::from_bits(*weight).abs().to_bits())).collect()
                };
                let op = Op::Table { axis: *axis, rows: rows.iter().map(magnitudes).collect() };
                Rule { op: &op, ..*self }.sum(inputs[0])
            }
            Op::Gather => {
                let mut error = self.of(&[&inputs[0].errors(), &inputs[1].value])?;
                self.undecide(&mut error, inputs[1]);
                Ok(error)
            }
            Op::ScatterAdd { .. } => {
                let scattered = |values: Tensor| self.of(&[&values, &inputs[1].value]);
                let mut error = scattered(inputs[0].errors())?;
                for (e, m) in error.iter_mut().zip(scattered(inputs[0].magnitude())?) {
                    *e += self.arithmetic.sum * m;
                }
                self.undecide(&mut error, inputs[1]);
                Ok(error)
            }
            Op::Random { .. } => Ok(vec![0.0; value.data.len()]),
            Op::Assign { .. } => Ok(inputs[0].error.clone()),
        }
    }

    /// What is taken from, or added to, a place in doubt can be told no further.
    fn undecide(&self, error: &mut [f64], index: &Bounded) {
        if !index.is_exact() {
            error.fill(f64::INFINITY);
        }
    }

    fn sum(&self, x: &Bounded) -> Result<Vec<f64>, String> {
        let mut error = self.of(&[&x.magnitude()])?;
        error.iter_mut().for_each(|e| *e *= self.arithmetic.sum);
        if !x.is_exact() {
            for (e, own) in error.iter_mut().zip(self.of(&[&x.errors()])?) {
                *e += own;
            }
        }
        Ok(error)
    }

    fn product(&self, a: &Bounded, b: &Bounded) -> Result<Vec<f64>, String> {
        let (left, right) = (a.magnitude(), b.magnitude());
        let mut error = self.of(&[&left, &right])?;
        let own = self.arithmetic.sum + 2.0 * self.arithmetic.operand;
        error.iter_mut().for_each(|e| *e *= own);
        let mut add = |more: Vec<f64>| error.iter_mut().zip(more).for_each(|(e, m)| *e += m);
        if !a.is_exact() {
            add(self.of(&[&a.errors(), &right])?);
        }
        if !b.is_exact() {
            let mut wide = left;
            wide.data.iter_mut().zip(&a.error).for_each(|(x, e)| *x += e);
            add(self.of(&[&wide, &b.errors()])?);
        }
        Ok(error)
    }

    /// A place is in doubt where another candidate may be as large.
    fn arg_max(&self, axes: &[usize], over_batch: bool, x: &Bounded, value: &Tensor) -> Result<Vec<f64>, String> {
        let mut error = vec![0.0; value.data.len()];
        if x.is_exact() {
            return Ok(error);
        }
        let largest = Op::Reduce { op: ReduceOp::Max, axes: axes.to_vec(), batch: over_batch };
        let rule = Rule { op: &largest, ..*self };
        let low = x.with(x.value.data.iter().zip(&x.error).map(|(x, e)| x - e).collect());
        let bar = rule.of(&[&low])?;
        let n = x.value.shape.numel().max(1);
        let mut reaching = vec![0usize; error.len()];
        for (i, (value, e)) in x.value.data.iter().zip(&x.error).enumerate() {
            let base = if self.shape.batch { i / n * self.shape.numel() } else { 0 };
            let slot = base + reduced_place(i % n, &x.value.shape.dims, axes, &self.shape.dims);
            // A NaN reaches everything.
            reaching[slot] += usize::from(value.is_nan() || value + e >= bar[slot]);
        }
        for (e, count) in error.iter_mut().zip(reaching) {
            *e = if count > 1 { f64::INFINITY } else { 0.0 };
        }
        Ok(error)
    }

    fn window_arg_max(&self, axes: &[WindowAxis], x: &Bounded, value: &Tensor) -> Vec<f64> {
        let mut error = vec![0.0; value.data.len()];
        if x.is_exact() {
            return error;
        }
        each_tap(axes, x.value.batch, |y, position, at| {
            let chosen = value.data[y] as usize;
            if position == chosen {
                return;
            }
            let Some(best) = tap_of(axes, y, chosen) else { return };
            let (own, other) = (x.value.data[best], x.value.data[at]);
            let doubt = x.error[best] + x.error[at];
            if doubt > 0.0 && (other.is_nan() || other + doubt >= own) {
                error[y] = f64::INFINITY;
            }
        });
        error
    }

    /// (y, argmax) → x.
    fn route(&self, axes: &[WindowAxis], inputs: &[&Bounded], value: &Tensor) -> Result<Vec<f64>, String> {
        let (dy, chosen) = (inputs[0], inputs[1]);
        let mut error = self.of(&[&dy.magnitude(), &chosen.value])?;
        error.iter_mut().for_each(|e| *e *= self.arithmetic.sum);
        if !dy.is_exact() {
            for (e, own) in error.iter_mut().zip(self.of(&[&dy.errors(), &chosen.value])?) {
                *e += own;
            }
        }
        if !chosen.is_exact() {
            each_tap(axes, value.batch, |y, _, at| {
                if chosen.error[y] > 0.0 {
                    error[at] += dy.value.data[y].abs() + dy.error[y];
                }
            });
        }
        Ok(error)
    }

    /// (x, argmax) → y.
    fn pick(&self, axes: &[WindowAxis], inputs: &[&Bounded], value: &Tensor) -> Result<Vec<f64>, String> {
        let (x, chosen) = (inputs[0], inputs[1]);
        let mut error = self.of(&[&x.errors(), &chosen.value])?;
        if !chosen.is_exact() {
            each_tap(axes, value.batch, |y, _, at| {
                if chosen.error[y] > 0.0 {
                    error[y] = error[y].max((x.value.data[at] - value.data[y]).abs() + x.error[at]);
                }
            });
        }
        Ok(error)
    }

    fn map(&self, nodes: &[Scalar], inputs: &[&Bounded]) -> Vec<f64> {
        let batch = if self.shape.batch { self.env.batch } else { 1 };
        let mut pairs = vec![(0.0f64, 0.0f64); nodes.len()];
        super::each(self.shape, batch, |sample, at| {
            for (i, node) in nodes.iter().enumerate() {
                let of = |id: Id| pairs[id.0 as usize];
                let exact = |x: f64| (x, 0.0);
                pairs[i] = match *node {
                    Scalar::Input(k) => {
                        let from = inputs[k as usize];
                        let shape = &from.value.shape;
                        let place = shape.dims.iter().zip(at).fold(0, |o, (d, i)| o * d + if *d == 1 { 0 } else { *i });
                        let place = if shape.batch { sample * shape.numel() + place } else { place };
                        (from.value.data[place], from.error[place])
                    }
                    Scalar::Const(bits) => {
                        let x = f64::from_bits(bits);
                        (x, self.arithmetic.rounding * x.abs())
                    }
                    Scalar::Index(axis) => exact(at[axis as usize] as f64),
                    Scalar::Uniform(Uniform::Batch) => exact(self.env.batch as f64),
                    Scalar::Uniform(Uniform::Step) => exact(self.env.step as f64),
                    Scalar::Uniform(Uniform::Hyper(k)) => exact(self.env.hyper[k as usize]),
                    Scalar::Uniform(Uniform::Counts(k)) => exact(f64::from(self.env.only.is_none_or(|only| only == k))),
                    Scalar::Unary(op, a) => self.unary(op, of(a)),
                    Scalar::Binary(op, a, b) => self.binary(op, of(a), of(b)),
                    Scalar::Select(truth, a, b) => select(of(truth), of(a), of(b)),
                };
            }
            pairs[nodes.len() - 1].1
        })
    }

    /// A truth value in doubt has the error 1.
    fn unary(&self, op: Unary, (a, ea): (f64, f64)) -> (f64, f64) {
        let value = fold_unary(op, a);
        let through = deviation(value, &[fold_unary(op, a - ea), fold_unary(op, a + ea)], ea > 0.0);
        let own = match op {
            Unary::Neg | Unary::Abs | Unary::Floor | Unary::Not | Unary::Float => 0.0,
            // Near a zero of theirs these are right to a part of 1, not of the result.
            Unary::Sin | Unary::Cos => FUNCTION * self.arithmetic.rounding,
            Unary::Exp
            | Unary::Expm1
            | Unary::Ln
            | Unary::Log1p
            | Unary::Sqrt
            | Unary::Tanh
            | Unary::Sigmoid
            | Unary::Erf
            | Unary::Erfc => FUNCTION * self.arithmetic.rounding * value.abs() + TINY,
        };
        (value, through + own)
    }

    fn binary(&self, op: Binary, (a, ea): (f64, f64), (b, eb): (f64, f64)) -> (f64, f64) {
        let value = fold_binary(op, a, b);
        let uncertain = ea > 0.0 || eb > 0.0;
        match op {
            Binary::Add | Binary::Sub | Binary::Mul | Binary::Div | Binary::Pow | Binary::Min | Binary::Max => {
                let corners = [(a - ea, b - eb), (a - ea, b + eb), (a + ea, b - eb), (a + ea, b + eb)]
                    .map(|(a, b)| fold_binary(op, a, b));
                let through = deviation(value, &corners, uncertain);
                // A divisor that may be zero.
                let pole = op == Binary::Div && eb > 0.0 && b.abs() <= eb;
                let own = match op {
                    Binary::Min | Binary::Max => 0.0,
                    Binary::Pow => FUNCTION * (1.0 + (b * a.abs().ln()).abs()) * self.arithmetic.rounding * value.abs(),
                    Binary::Add
                    | Binary::Sub
                    | Binary::Mul
                    | Binary::Div
                    | Binary::Lt
                    | Binary::Le
                    | Binary::Gt
                    | Binary::Ge
                    | Binary::Eq
                    | Binary::Ne
                    | Binary::And
                    | Binary::Or => self.arithmetic.rounding * value.abs() + TINY,
                };
                (value, if pole { f64::INFINITY } else { through + own })
            }
            Binary::Lt | Binary::Le | Binary::Gt | Binary::Ge | Binary::Eq | Binary::Ne => {
                let apart = (a - b).abs() > ea + eb;
                (value, f64::from(uncertain && !apart))
            }
            Binary::And | Binary::Or => {
                let either = |x: f64, e: f64| [x, if e > 0.0 { f64::from(x == 0.0) } else { x }];
                let (left, right) = (either(a, ea), either(b, eb));
                let flips = left.iter().any(|a| right.iter().any(|b| fold_binary(op, *a, *b) != value));
                (value, f64::from(flips))
            }
        }
    }
}

fn select((truth, doubt): (f64, f64), a: (f64, f64), b: (f64, f64)) -> (f64, f64) {
    let (chosen, other) = if truth != 0.0 { (a, b) } else { (b, a) };
    let error = if doubt > 0.0 { chosen.1.max((other.0 - chosen.0).abs() + other.1) } else { chosen.1 };
    // Two sides that are both infinite, or no numbers, tell nothing.
    (chosen.0, if error.is_nan() { f64::INFINITY } else { error })
}

/// How far these are from the value; infinitely where one of them is no number.
fn deviation(value: f64, others: &[f64], uncertain: bool) -> f64 {
    if !uncertain {
        return 0.0;
    }
    let far = |other: &f64| if *other == value { 0.0 } else { (other - value).abs() };
    others.iter().map(far).fold(0.0, |most, d| if d.is_nan() { f64::INFINITY } else { most.max(d) })
}

/// Where element `i` of `dims` goes when `axes` are reduced to one.
fn reduced_place(mut i: usize, dims: &[usize], axes: &[usize], to: &[usize]) -> usize {
    let mut index = vec![0; dims.len()];
    for axis in (0..dims.len()).rev() {
        index[axis] = if axes.contains(&axis) { 0 } else { i % dims[axis] };
        i /= dims[axis];
    }
    offset(&index, to)
}

/// Calls `f` with each element of y, a position in its window, and the element of x that lies there, over all samples.
fn each_tap(axes: &[WindowAxis], samples: usize, mut f: impl FnMut(usize, usize, usize)) {
    let (outputs, inputs): (usize, usize) =
        (axes.iter().map(|a| a.output).product(), axes.iter().map(|a| a.input).product());
    let kernel: usize = axes.iter().map(|a| a.kernel).product();
    for y in 0..outputs {
        for position in 0..kernel {
            let Some(x) = tap_of(axes, y, position) else { continue };
            for sample in 0..samples {
                f(sample * outputs + y, position, sample * inputs + x);
            }
        }
    }
}

/// The element of x at a position of the window of an element of y, of the same sample; `None` in the padding.
fn tap_of(axes: &[WindowAxis], y: usize, mut position: usize) -> Option<usize> {
    let outputs: usize = axes.iter().map(|a| a.output).product();
    let (sample, mut rest) = (y / outputs, y % outputs);
    let mut places = vec![0; axes.len()];
    for (place, axis) in places.iter_mut().zip(axes).rev() {
        let (i, tap) = (rest % axis.output, position % axis.kernel);
        (rest, position) = (rest / axis.output, position / axis.kernel);
        *place = (i * axis.stride + tap * axis.dilation).checked_sub(axis.padding).filter(|at| *at < axis.input)?;
    }
    let within = places.iter().zip(axes).fold(0, |at, (place, axis)| at * axis.input + place);
    Some(sample * axes.iter().map(|a| a.input).product::<usize>() + within)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::expr::Expr;

    /// One primitive over leaves with errors.
    fn one(op: Op, inputs: &[Bounded], shape: Shape) -> Bounded {
        let env = Env::batch(1);
        let tensors: Vec<&Tensor> = inputs.iter().map(|input| &input.value).collect();
        let value = primitive(&op, &tensors, &shape, &env).unwrap();
        let rule = Rule { op: &op, shape: &shape, env: &env, arithmetic: Arithmetic::F32 };
        let error = rule.error(&inputs.iter().collect::<Vec<_>>(), &value).unwrap();
        Bounded { value, error }
    }

    fn given(dims: &[usize], values: &[f64], error: f64) -> Bounded {
        let value = Tensor::new(Shape::sample(dims), 1, values.to_vec());
        Bounded { error: vec![error; values.len()], value }
    }

    #[test]
    fn a_sum_is_off_by_a_part_of_its_terms_magnitudes() {
        let sum = Op::Reduce { op: ReduceOp::Sum, axes: vec![0], batch: false };
        let found = one(sum, &[given(&[3], &[1e6, 1.0, -1e6], 0.0)], Shape::sample([1]));
        assert_eq!(found.value.data, [1.0]);
        assert!((found.error[0] - 32.0 * EPSILON * (2e6 + 1.0)).abs() < 1e-9, "{found:?}");
    }

    #[test]
    fn near_ties_of_a_pool_leave_the_choice_open_and_nothing_else() {
        let axis = WindowAxis { input: 4, output: 2, kernel: 2, stride: 2, dilation: 1, padding: 0 };
        let x = given(&[4], &[1.0, 1.0 + 1e-9, 1.0, 2.0], 1e-7);
        let arg =
            one(Op::Window { op: WindowOp::ArgMax, axes: vec![axis] }, std::slice::from_ref(&x), Shape::sample([2]));
        assert_eq!((arg.value.data[0], arg.error[0], arg.error[1]), (1.0, f64::INFINITY, 0.0));
        // The gradient may go to either place, but not to both, and nowhere else.
        let dy = given(&[2], &[3.0, 5.0], 0.0);
        let routed = one(Op::Window { op: WindowOp::Route, axes: vec![axis] }, &[dy, arg], Shape::sample([4]));
        assert_eq!(routed.value.data, [0.0, 3.0, 0.0, 5.0]);
        assert!(routed.error[0] >= 3.0 && routed.error[1] >= 3.0, "{routed:?}");
        assert!(routed.error[2] < 1e-5 && routed.error[3] < 1e-4, "{routed:?}");
        // An exact tie is decided: the first one.
        let exact = given(&[4], &[1.0, 1.0, 1.0, 2.0], 0.0);
        let arg = one(Op::Window { op: WindowOp::ArgMax, axes: vec![axis] }, &[exact], Shape::sample([2]));
        assert_eq!((arg.value.data[0], arg.error[0]), (0.0, 0.0));
    }

    #[test]
    fn cancellation_keeps_the_error_of_what_cancels() {
        // exp(x) - 1 near 0: right to a part of 1, not of the result.
        let expr = Expr::build(1, |pool, x| {
            let e = pool.unary(Unary::Exp, x[0]);
            let one = pool.constant(1.0);
            pool.binary(Binary::Sub, e, one)
        });
        let found = one(Op::Map(expr), &[given(&[1], &[1e-8], 0.0)], Shape::sample([1]));
        assert!(found.error[0] > EPSILON && found.error[0] < 20.0 * EPSILON, "{found:?}");
    }

    #[test]
    fn a_comparison_in_doubt_may_choose_either_side() {
        let expr = Expr::build(2, |pool, x| {
            let truth = pool.binary(Binary::Gt, x[0], x[1]);
            let (a, b) = (pool.constant(2.0), pool.constant(5.0));
            pool.select(truth, a, b)
        });
        let error = |x: f64| {
            let inputs = [given(&[1], &[x], 1e-6), given(&[1], &[1.0], 0.0)];
            one(Op::Map(expr.clone()), &inputs, Shape::sample([1])).error[0]
        };
        assert!(error(1.0 + 1e-7) >= 3.0);
        assert!(error(1.1) < 1e-5);
    }

    #[test]
    fn an_index_in_doubt_leaves_what_it_takes_undecided() {
        let data = Bounded::exact(Tensor::new(Shape::fixed([3, 1]), 1, vec![1.0, 2.0, 3.0]));
        let found = one(Op::Gather, &[data.clone(), given(&[1], &[1.0], 0.0)], Shape::sample([1, 1]));
        assert_eq!((found.value.data[0], found.error[0]), (2.0, 0.0));
        let found = one(Op::Gather, &[data, given(&[1], &[1.0], 1e-6)], Shape::sample([1, 1]));
        assert_eq!(found.error[0], f64::INFINITY);
    }
}
