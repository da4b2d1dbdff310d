//! What stands behind a max-pool's gradient moves in front of it: a quarter of the elements, or less.
//!
//! An activation before a max-pool takes its slope at values that the pool has chosen, `map(y, route(dy, argmax(y)))`.
//! Where the map is a slope times the gradient, linear in it, that is `route(map(max(y), dy), argmax(y))`: the same numbers,
//! computed on what was pooled, and `y` need not be kept. A pixel that no window chose gets 0 either way; one that several
//! chose gets the sum of what each sends, and a slope times a sum is the sum of the slope times each, because all of them chose
//! the same `y`.

use super::Target;
use super::program::Program;
use crate::graph::expr::{Binary, Expr, Scalar, Unary};
use crate::graph::op::{Op, WindowAxis, WindowOp};
use crate::graph::{Graph, Node, Value};
use std::collections::HashMap;

/// Moves all there are. Values may be left behind that nobody needs any more; they are removed.
pub fn pooled(program: &mut Program, target: &Target) {
    if !target.fusion || !target.pooled_slopes {
        return;
    }
    let old = std::mem::take(&mut program.graph);
    let mut graph = Graph::default();
    let mut new: Vec<Value> = Vec::with_capacity(old.nodes.len());
    // Max-pools by their operand.
    let mut pools: HashMap<Value, Vec<Value>> = HashMap::new();
    for value in old.values() {
        let mut node = old.node(value).clone();
        for input in &mut node.inputs {
            *input = new[input.index()];
        }
        let place = (old.sources[value.index()], old.layers[value.index()].as_str());
        let push = |graph: &mut Graph, node: Node| {
            graph.nodes.push(node);
            graph.sources.push(place.0);
            graph.layers.push(place.1.to_owned());
            Value(graph.nodes.len() as u32 - 1)
        };
        let mut inner = None;
        if let Some(slope) = slope(&graph, &pools, &node) {
            let ty = graph.ty(slope.max).clone();
            let route = std::mem::replace(&mut node.inputs[slope.at], slope.dy);
            node.inputs[slope.other] = slope.max;
            let on_pooled = push(&mut graph, Node { ty, ..node.clone() });
            let mut outer = graph.node(route).clone();
            outer.inputs[0] = on_pooled;
            inner = Some(outer);
        }
        let added = push(&mut graph, inner.unwrap_or(node));
        if let Op::Window { op: WindowOp::Max, .. } = graph.node(added).op {
            pools.entry(graph.node(added).inputs[0]).or_default().push(added);
        }
        new.push(added);
    }
    let roots = program.roots.map(|v| new[v.index()]);
    let (graph, place) = graph.compacted(&graph.reachable(&roots.all()));
    program.graph = graph;
    program.roots = roots.map(|v| place[v.index()]);
}

/// A slope times the gradient of a max-pool.
struct Slope {
    /// Which operand is the gradient, and which the pool's operand.
    at: usize,
    other: usize,
    /// The gradient of what was pooled, and that.
    dy: Value,
    max: Value,
}

fn slope(graph: &Graph, pools: &HashMap<Value, Vec<Value>>, node: &Node) -> Option<Slope> {
    let Op::Map(expr) = &node.op else { return None };
    let at = node.inputs.iter().position(|v| matches!(graph.node(*v).op, Op::Window { op: WindowOp::Route, .. }))?;
    let route = graph.node(node.inputs[at]);
    let Op::Window { axes, .. } = &route.op else { return None };
    let argmax = graph.node(route.inputs[1]);
    let (Op::Window { op: WindowOp::ArgMax, axes: own }, [y]) = (&argmax.op, &argmax.inputs[..]) else { return None };
    let other = node.inputs.iter().position(|v| v == y)?;
    // All else must be the same for every pixel.
    let shape = &node.ty.shape;
    let constant = |v: &Value| graph.shape(*v).dims.iter().skip(1).all(|d| *d == 1);
    let rest = node.inputs.iter().enumerate().filter(|(i, _)| *i != at && *i != other);
    let fits = graph.shape(*y) == shape && graph.shape(node.inputs[at]) == shape && node.ty == route.ty;
    if own != axes || !fits || !rest.map(|(_, v)| v).all(constant) || !is_linear(expr, at) {
        return None;
    }
    Some(Slope { at, other, dy: route.inputs[0], max: max_of(graph, pools.get(y)?, axes)? })
}

/// Whether the result is this operand times something that does not depend on it: then it is 0 where the operand is 0, and of a
/// sum of operands the sum of the results.
fn is_linear(expr: &Expr, operand: usize) -> bool {
    /// How a node depends on the operand.
    #[derive(Clone, Copy, PartialEq)]
    enum Part {
        Zero,
        Linear,
        /// Not at all.
        Free,
        Otherwise,
    }
    use Part::{Free, Linear, Otherwise, Zero};
    let mut parts: Vec<Part> = Vec::with_capacity(expr.nodes().len());
    for scalar in expr.nodes() {
        let of = |id: crate::graph::expr::Id| parts[id.0 as usize];
        let free = scalar.operands().all(|id| matches!(of(id), Free | Zero));
        parts.push(match *scalar {
            Scalar::Input(i) if i as usize == operand => Linear,
            Scalar::Const(bits) if f64::from_bits(bits) == 0.0 => Zero,
            // An index is another one among the pooled.
            Scalar::Index(_) => return false,
            Scalar::Unary(Unary::Neg, a) => of(a),
            Scalar::Binary(Binary::Add | Binary::Sub, a, b) => match (of(a), of(b)) {
                (Linear, Linear | Zero) | (Zero, Linear) => Linear,
                (Zero, Zero) => Zero,
                _ if free => Free,
                _ => Otherwise,
            },
            Scalar::Binary(Binary::Mul, a, b) => match (of(a), of(b)) {
                (Zero, _) | (_, Zero) => Zero,
                (Linear, Free) | (Free, Linear) => Linear,
                _ if free => Free,
                _ => Otherwise,
            },
            Scalar::Binary(Binary::Div, a, b) => match (of(a), of(b)) {
                (Linear, Free) => Linear,
                _ if free => Free,
                _ => Otherwise,
            },
            Scalar::Select(truth, a, b) if of(truth) == Free => match (of(a), of(b)) {
                (Linear, Linear | Zero) | (Zero, Linear) => Linear,
                (Zero, Zero) => Zero,
                _ if free => Free,
                _ => Otherwise,
            },
            _ if free => Free,
            _ => Otherwise,
        });
    }
    matches!(parts[expr.root().0 as usize], Linear | Zero)
}

/// Of these max-pools the one with these windows.
fn max_of(graph: &Graph, pools: &[Value], axes: &[WindowAxis]) -> Option<Value> {
    let same = |v: &Value| matches!(&graph.node(*v).op, Op::Window { axes: own, .. } if own == axes);
    pools.iter().copied().find(same)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slope_is_linear_in_its_gradient() {
        let relu = Expr::build(2, |p, v| {
            let zero = p.constant(0.0);
            let truth = p.binary(Binary::Gt, v[0], zero);
            p.select(truth, v[1], zero)
        });
        assert!(is_linear(&relu, 1) && !is_linear(&relu, 0));
        let tanh = Expr::build(2, |p, v| {
            let one = p.constant(1.0);
            let square = p.mul(v[0], v[0]);
            let slope = p.sub(one, square);
            let product = p.mul(v[1], slope);
            p.unary(Unary::Neg, product)
        });
        assert!(is_linear(&tanh, 1) && !is_linear(&tanh, 0));
        let shifted = Expr::build(2, |p, v| p.add(v[0], v[1]));
        assert!(!is_linear(&shifted, 1));
        // It vanishes with its operand, but several windows that choose one pixel add up before the square is taken.
        let squared = Expr::build(2, |p, v| {
            let square = p.mul(v[1], v[1]);
            p.mul(v[0], square)
        });
        assert!(!is_linear(&squared, 1));
    }
}
