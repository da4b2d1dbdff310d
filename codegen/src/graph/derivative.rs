//! Derivatives of element-wise expressions.
//!
//! Forward mode: for one operand at a time, every node gets the expression of its derivative, so that a choice stays a
//! choice (`select(x > 0, 1, 0)`) and the side that was not taken cannot leak its NaN or infinity into the gradient. At
//! kinks the derivative is PyTorch's: `relu'(0) = 0`, `abs'(0) = 0`, equal operands of `max` and `min` share it in halves,
//! and against a constant `max` and `min` pass only what is strictly inside.
//!
//! Where the last operation is `exp`, `sqrt`, `tanh`, `sigmoid`, `max(…, constant)` or a leaky ReLU, the derivative is told
//! in terms of the result, so that the operand need not be kept for the backward pass.

use super::expr::{Binary, Expr, Id, Pool, Scalar, Unary};
use super::op::{Op, ReduceOp, WindowOp};
use super::{Graph, Value};

/// A derivative. Operands are those of the expression, and after them, if `uses_output`, its result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Derived {
    pub expr: Expr,
    pub uses_output: bool,
}

/// The derivative of `expr`, a function of `operands` operands, with respect to one of them; `None` where it is zero.
pub fn derivative(expr: &Expr, operands: usize, wrt: usize) -> Option<Derived> {
    let mut pool = Pool::default();
    let inputs: Vec<Id> = (0..operands).map(|i| pool.input(i)).collect();
    let output = pool.input(operands);
    let root = differentiate(&mut pool, expr, &inputs, Some(output), wrt)?;
    let expr = pool.finish(root);
    let uses_output = expr.nodes().contains(&Scalar::Input(operands as u32));
    Some(Derived { expr, uses_output })
}

/// The same, written into a pool: `inputs` are the operands there, `output` the result if the derivative may use it.
pub fn differentiate(pool: &mut Pool, expr: &Expr, inputs: &[Id], output: Option<Id>, wrt: usize) -> Option<Id> {
    let nodes = expr.nodes();
    let mut values: Vec<Id> = Vec::with_capacity(nodes.len());
    let mut tangents: Vec<Option<Id>> = Vec::with_capacity(nodes.len());
    for (i, node) in nodes.iter().enumerate() {
        let output = output.filter(|_| i + 1 == nodes.len());
        let value = |id: Id| values[id.0 as usize];
        let tangent = |id: Id| tangents[id.0 as usize];
        let (own, derived) = match *node {
            Scalar::Input(k) => {
                let derived = (k as usize == wrt).then(|| pool.constant(1.0));
                (inputs[k as usize], derived)
            }
            Scalar::Const(bits) => (pool.constant(f64::from_bits(bits)), None),
            Scalar::Index(axis) => (pool.index(axis as usize), None),
            Scalar::Uniform(uniform) => (pool.uniform(uniform), None),
            Scalar::Unary(op, a) => {
                let own = pool.unary(op, value(a));
                let derived = tangent(a).and_then(|da| of_unary(pool, op, value(a), da, output.unwrap_or(own)));
                (own, derived)
            }
            Scalar::Binary(op, a, b) => {
                let own = pool.binary(op, value(a), value(b));
                let derived = match (tangent(a), tangent(b)) {
                    (None, None) => None,
                    (da, db) => of_binary(pool, op, [value(a), value(b)], [da, db], output, own),
                };
                (own, derived)
            }
            Scalar::Select(truth, a, b) => {
                let own = pool.select(value(truth), value(a), value(b));
                let derived = match (tangent(a), tangent(b)) {
                    (None, None) => None,
                    (da, db) => {
                        let zero = pool.constant(0.0);
                        let truth =
                            leaky_condition(pool, value(truth), value(a), value(b), output).unwrap_or(value(truth));
                        Some(pool.select(truth, da.unwrap_or(zero), db.unwrap_or(zero)))
                    }
                };
                (own, derived)
            }
        };
        values.push(own);
        tangents.push(derived.filter(|d| pool.value(*d) != Some(0.0)));
    }
    tangents[tangents.len() - 1]
}

/// `da` is the operand's derivative; `out` the operation's result.
fn of_unary(pool: &mut Pool, op: Unary, a: Id, da: Id, out: Id) -> Option<Id> {
    let one = pool.constant(1.0);
    let factor = match op {
        Unary::Neg => return Some(pool.neg(da)),
        Unary::Exp => out,
        // Not `out + 1`, which is 0 where the power is small.
        Unary::Expm1 => pool.unary(Unary::Exp, a),
        Unary::Ln => return Some(quotient(pool, da, a)),
        Unary::Log1p => {
            let sum = pool.add(one, a);
            return Some(quotient(pool, da, sum));
        }
        Unary::Sqrt => {
            let half = pool.constant(0.5);
            let numerator = product(pool, half, da);
            return Some(quotient(pool, numerator, out));
        }
        Unary::Abs => {
            let zero = pool.constant(0.0);
            let (above, below) = (pool.binary(Binary::Gt, a, zero), pool.binary(Binary::Lt, a, zero));
            let minus = pool.neg(da);
            let other = pool.select(below, minus, zero);
            return Some(pool.select(above, da, other));
        }
        Unary::Sin => pool.unary(Unary::Cos, a),
        Unary::Cos => {
            let sin = pool.unary(Unary::Sin, a);
            pool.neg(sin)
        }
        Unary::Tanh => {
            let square = pool.mul(out, out);
            pool.sub(one, square)
        }
        Unary::Sigmoid => {
            let rest = pool.sub(one, out);
            pool.mul(out, rest)
        }
        Unary::Erf | Unary::Erfc => {
            let square = pool.mul(a, a);
            let exponent = pool.neg(square);
            let exp = pool.unary(Unary::Exp, exponent);
            let slope = std::f64::consts::FRAC_2_SQRT_PI;
            pool.scale(if op == Unary::Erf { slope } else { -slope }, exp)
        }
        // Steps, and truth values that no derivative passes.
        Unary::Floor | Unary::Not | Unary::Float => return None,
    };
    Some(product(pool, factor, da))
}

fn of_binary(
    pool: &mut Pool,
    op: Binary,
    [a, b]: [Id; 2],
    [da, db]: [Option<Id>; 2],
    output: Option<Id>,
    own: Id,
) -> Option<Id> {
    match op {
        Binary::Add => sum(pool, da, db),
        Binary::Sub => {
            let minus = db.map(|db| pool.neg(db));
            match (da, db) {
                (Some(da), Some(db)) => Some(pool.sub(da, db)),
                _ => da.or(minus),
            }
        }
        Binary::Mul => {
            let left = da.map(|da| product(pool, b, da));
            let right = db.map(|db| product(pool, a, db));
            sum(pool, left, right)
        }
        Binary::Div => {
            // (da - out · db) / b
            let right = db.map(|db| {
                let factor = product(pool, output.unwrap_or(own), db);
                pool.neg(factor)
            });
            let top = sum(pool, da, right)?;
            Some(quotient(pool, top, b))
        }
        Binary::Pow => of_pow(pool, [a, b], [da, db], output.unwrap_or(own)),
        Binary::Max | Binary::Min => {
            let wins = if op == Binary::Max { Binary::Gt } else { Binary::Lt };
            let zero = pool.constant(0.0);
            // Against a constant the result tells as well as the operand on which side it was.
            let (moving, d, limit) = match (pool.value(a), pool.value(b)) {
                (None, Some(_)) => (a, da, b),
                (Some(_), None) => (b, db, a),
                _ => {
                    let half = pool.constant(0.5);
                    let (da, db) = (da.unwrap_or(zero), db.unwrap_or(zero));
                    let both = pool.add(da, db);
                    let shared = product(pool, half, both);
                    let equal = pool.binary(Binary::Eq, a, b);
                    let first = pool.binary(wins, a, b);
                    let chosen = pool.select(first, da, db);
                    return Some(pool.select(equal, shared, chosen));
                }
            };
            let inside = pool.binary(wins, output.unwrap_or(moving), limit);
            d.map(|d| pool.select(inside, d, zero))
        }
        Binary::Lt | Binary::Le | Binary::Gt | Binary::Ge | Binary::Eq | Binary::Ne | Binary::And | Binary::Or => None,
    }
}

/// b · a^(b-1) · da + a^b · ln a · db, with PyTorch's zeros: no slope where the exponent is 0, none of the exponent at base 0.
fn of_pow(pool: &mut Pool, [a, b]: [Id; 2], [da, db]: [Option<Id>; 2], out: Id) -> Option<Id> {
    let (zero, one) = (pool.constant(0.0), pool.constant(1.0));
    let left = da.map(|da| {
        let less = pool.sub(b, one);
        let power = pool.binary(Binary::Pow, a, less);
        let slope = pool.mul(b, power);
        let slope = match pool.value(b) {
            Some(_) => slope,
            None => {
                let flat = pool.binary(Binary::Eq, b, zero);
                pool.select(flat, zero, slope)
            }
        };
        product(pool, slope, da)
    });
    let right = db.map(|db| {
        let log = pool.unary(Unary::Ln, a);
        let slope = pool.mul(out, log);
        let slope = match pool.value(a) {
            Some(x) if x != 0.0 => slope,
            _ => {
                let base = pool.binary(Binary::Eq, a, zero);
                let grows = pool.binary(Binary::Ge, b, zero);
                let flat = pool.binary(Binary::And, base, grows);
                pool.select(flat, zero, slope)
            }
        };
        product(pool, slope, db)
    });
    sum(pool, left, right)
}

/// `x > 0` told by the result of `if x > 0 { x } else { slope · x }` with a positive slope.
fn leaky_condition(pool: &mut Pool, truth: Id, yes: Id, no: Id, output: Option<Id>) -> Option<Id> {
    let output = output?;
    let Scalar::Binary(op @ (Binary::Gt | Binary::Ge), x, limit) = pool.node(truth) else { return None };
    let Scalar::Binary(Binary::Mul, p, q) = pool.node(no) else { return None };
    let slope = match (p == yes, q == yes) {
        (false, true) => pool.value(p)?,
        (true, false) => pool.value(q)?,
        _ => return None,
    };
    let fits = x == yes && pool.value(limit) == Some(0.0) && slope > 0.0;
    fits.then(|| pool.binary(op, output, limit))
}

/// `a + b`, where absent is zero.
pub fn sum(pool: &mut Pool, a: Option<Id>, b: Option<Id>) -> Option<Id> {
    match (a, b) {
        (Some(a), Some(b)) if a == b => Some(pool.scale(2.0, a)),
        (Some(a), Some(b)) => Some(match (pool.node(a), pool.node(b)) {
            (_, Scalar::Unary(Unary::Neg, b)) => pool.sub(a, b),
            (Scalar::Unary(Unary::Neg, a), _) => pool.sub(b, a),
            _ => pool.add(a, b),
        }),
        (a, b) => a.or(b),
    }
}

/// `factor · d`. A choice stays outermost, so that `factor` meets no zero of the side not taken.
pub fn product(pool: &mut Pool, factor: Id, d: Id) -> Id {
    match pool.node(d) {
        Scalar::Select(truth, a, b) if pool.value(a).is_some() || pool.value(b).is_some() => {
            let (a, b) = (product(pool, factor, a), product(pool, factor, b));
            pool.select(truth, a, b)
        }
        Scalar::Unary(Unary::Neg, a) => {
            let inner = product(pool, factor, a);
            pool.neg(inner)
        }
        Scalar::Binary(Binary::Div, a, b) => {
            let top = product(pool, factor, a);
            pool.div(top, b)
        }
        Scalar::Binary(Binary::Mul, a, b) if pool.value(factor).is_some() && pool.value(a).is_some() => {
            let constant = pool.mul(factor, a);
            pool.mul(constant, b)
        }
        Scalar::Binary(Binary::Mul, a, b) if pool.value(factor).is_some() && pool.value(b).is_some() => {
            let constant = pool.mul(factor, b);
            pool.mul(constant, a)
        }
        _ => pool.mul(factor, d),
    }
}

/// `d / divisor`; a zero of a choice stays zero whatever the divisor is.
pub fn quotient(pool: &mut Pool, d: Id, divisor: Id) -> Id {
    match pool.node(d) {
        Scalar::Select(truth, a, b) if pool.value(a) == Some(0.0) || pool.value(b) == Some(0.0) => {
            let (a, b) = (quotient(pool, a, divisor), quotient(pool, b, divisor));
            pool.select(truth, a, b)
        }
        _ => match pool.value(divisor) {
            Some(x) if x != 0.0 => {
                let inverse = pool.constant(1.0 / x);
                product(pool, inverse, d)
            }
            _ => pool.div(d, divisor),
        },
    }
}

/// Whether an operand of this operation has a gradient at all.
pub fn is_smooth(op: &Op, operand: usize) -> bool {
    match op {
        Op::Leaf(_) | Op::Random { .. } => false,
        Op::Map(_) | Op::Contract { .. } | Op::Conv { .. } | Op::Move(_) | Op::Table { .. } | Op::Assign { .. } => true,
        Op::Reduce { op, .. } => match op {
            ReduceOp::Sum | ReduceOp::Max => true,
            ReduceOp::ArgMax => false,
        },
        Op::Window { op, .. } => match op {
            WindowOp::Sum | WindowOp::Max | WindowOp::Spread => true,
            WindowOp::Route | WindowOp::Pick => operand == 0,
            WindowOp::ArgMax => false,
        },
        Op::Gather | Op::ScatterAdd { .. } => operand == 0,
    }
}

/// What a gradient of `root` passes to: nothing behind a function that is flat everywhere.
pub fn reached(graph: &Graph, root: Value) -> Vec<bool> {
    let mut found = vec![false; graph.nodes.len()];
    found[root.index()] = true;
    for i in (0..=root.index()).rev() {
        let node = &graph.nodes[i];
        if !found[i] || node.detached {
            continue;
        }
        for (k, input) in node.inputs.iter().enumerate() {
            found[input.index()] |= match &node.op {
                Op::Map(expr) => derivative(expr, node.inputs.len(), k).is_some(),
                op => is_smooth(op, k),
            };
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::expr::{fold_binary, fold_unary};

    fn eval(expr: &Expr, inputs: &[f64]) -> f64 {
        let mut values: Vec<f64> = Vec::new();
        for node in expr.nodes() {
            let at = |id: Id| values[id.0 as usize];
            values.push(match *node {
                Scalar::Input(i) => inputs[i as usize],
                Scalar::Const(bits) => f64::from_bits(bits),
                Scalar::Index(_) | Scalar::Uniform(_) => 3.0,
                Scalar::Unary(op, a) => fold_unary(op, at(a)),
                Scalar::Binary(op, a, b) => fold_binary(op, at(a), at(b)),
                Scalar::Select(c, a, b) => {
                    if at(c) != 0.0 {
                        at(a)
                    } else {
                        at(b)
                    }
                }
            });
        }
        values[values.len() - 1]
    }

    fn slope(expr: &Expr, inputs: &[f64], wrt: usize) -> f64 {
        derivative(expr, inputs.len(), wrt).map_or(0.0, |d| {
            let mut operands = inputs.to_vec();
            operands.push(eval(expr, inputs));
            eval(&d.expr, &operands)
        })
    }

    fn check(expr: &Expr, inputs: &[f64]) {
        for wrt in 0..inputs.len() {
            let at = |h: f64| {
                let mut moved = inputs.to_vec();
                moved[wrt] += h;
                eval(expr, &moved)
            };
            let numeric = (at(1e-5) - at(-1e-5)) / 2e-5;
            let symbolic = slope(expr, inputs, wrt);
            assert!(
                (numeric - symbolic).abs() <= 1e-6 * (1.0 + numeric.abs()),
                "{expr:?} at {inputs:?}: {numeric} {symbolic}"
            );
        }
    }

    #[test]
    fn every_function() {
        use Unary::*;
        for op in [Neg, Exp, Expm1, Ln, Log1p, Sqrt, Abs, Sin, Cos, Tanh, Sigmoid, Erf, Erfc, Floor] {
            let plain = Expr::build(1, |p, x| p.unary(op, x[0]));
            let inner = Expr::build(1, |p, x| {
                let y = p.mul(x[0], x[0]);
                let z = p.unary(op, y);
                let shifted = p.add(z, x[0]);
                p.mul(shifted, z)
            });
            for x in [0.3, 0.7, 1.6, 2.4] {
                check(&plain, &[x]);
                check(&inner, &[x]);
                if !matches!(op, Ln | Sqrt) && (op != Log1p || x < 1.0) {
                    check(&plain, &[-x]);
                }
            }
        }
        use Binary::*;
        for op in [Add, Sub, Mul, Div, Pow, Min, Max] {
            let plain = Expr::build(2, |p, x| p.binary(op, x[0], x[1]));
            let inner = Expr::build(2, |p, x| {
                let y = p.binary(op, x[0], x[1]);
                let s = p.unary(Sin, y);
                p.binary(op, y, s)
            });
            for (x, y) in [(0.3, 0.7), (1.6, 0.2), (0.9, 0.8)] {
                check(&plain, &[x, y]);
                check(&inner, &[x, y]);
            }
        }
    }

    #[test]
    fn kinks_are_pytorchs() {
        let zero_max = Expr::build(1, |p, x| {
            let zero = p.constant(0.0);
            p.binary(Binary::Max, x[0], zero)
        });
        assert_eq!([-1.0, 0.0, 1.0].map(|x| slope(&zero_max, &[x], 0)), [0.0, 0.0, 1.0]);
        let abs = Expr::build(1, |p, x| p.unary(Unary::Abs, x[0]));
        assert_eq!([-1.0, 0.0, 1.0].map(|x| slope(&abs, &[x], 0)), [-1.0, 0.0, 1.0]);
        let max = Expr::build(2, |p, x| p.binary(Binary::Max, x[0], x[1]));
        assert_eq!([1.0, 2.0, 3.0].map(|x| slope(&max, &[x, 2.0], 0)), [0.0, 0.5, 1.0]);
        assert_eq!([1.0, 2.0, 3.0].map(|x| slope(&max, &[x, 2.0], 1)), [1.0, 0.5, 0.0]);
        let pow = Expr::build(2, |p, x| p.binary(Binary::Pow, x[0], x[1]));
        assert_eq!(slope(&pow, &[0.0, 0.0], 0), 0.0);
        assert_eq!(slope(&pow, &[0.0, 2.0], 1), 0.0);
    }

    #[test]
    fn the_side_not_taken_does_not_leak() {
        // if x > 0 { sqrt(x) } else { exp(-1000 x) }, times x
        let expr = Expr::build(1, |p, x| {
            let zero = p.constant(0.0);
            let truth = p.binary(Binary::Gt, x[0], zero);
            let root = p.unary(Unary::Sqrt, x[0]);
            let scaled = p.scale(1000.0, x[0]);
            let exp = p.unary(Unary::Exp, scaled);
            let chosen = p.select(truth, root, exp);
            p.mul(chosen, x[0])
        });
        assert!(slope(&expr, &[4.0], 0) == 3.0 && slope(&expr, &[-1.0], 0) == 0.0);
    }

    #[test]
    fn results_replace_operands() {
        let uses = |expr: &Expr| {
            let d = derivative(expr, 1, 0).unwrap();
            (d.uses_output, d.expr.nodes().contains(&Scalar::Input(0)))
        };
        for op in [Unary::Exp, Unary::Sqrt, Unary::Tanh, Unary::Sigmoid] {
            assert_eq!(uses(&Expr::build(1, |p, x| p.unary(op, x[0]))), (true, false), "{op:?}");
        }
        let leaky = Expr::build(1, |p, x| {
            let zero = p.constant(0.0);
            let truth = p.binary(Binary::Gt, x[0], zero);
            let small = p.scale(0.1, x[0]);
            p.select(truth, x[0], small)
        });
        assert_eq!(uses(&leaky), (true, false));
        assert_eq!([-1.0, 0.0, 1.0].map(|x| slope(&leaky, &[x], 0)), [0.1, 0.1, 1.0]);
        assert_eq!(derivative(&Expr::build(1, |p, x| p.unary(Unary::Floor, x[0])), 1, 0), None);
    }
}
