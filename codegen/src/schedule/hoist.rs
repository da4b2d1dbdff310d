//! What an element-wise expression computes from per-channel values alone becomes a map of its own: the root and quotient
//! of a normalisation's scale are then computed once a channel instead of once an element.

use crate::graph::builder::infer;
use crate::graph::expr::{Binary, Expr, Id, Pool, Scalar, Unary};
use crate::graph::op::Op;
use crate::graph::{Graph, Node, Shape, Value};

/// A map that is hoisted out of another: its node, and what it stands for there.
pub struct Hoisted {
    pub node: Node,
    of: Id,
}

/// The maps worth hoisting out of this node; operands of both refer to `graph`.
pub fn hoistable(graph: &Graph, node: &Node) -> Vec<Hoisted> {
    let Op::Map(expr) = &node.op else { return Vec::new() };
    let small = small(graph, node, expr);
    let used_by_large = |id: usize| {
        let reads = |(user, scalar): (usize, &Scalar)| !small[user] && scalar.operands().any(|o| o.0 as usize == id);
        expr.nodes().iter().enumerate().any(reads)
    };
    let mut list = Vec::new();
    for id in (0..expr.nodes().len()).filter(|id| small[*id] && used_by_large(*id)) {
        let of = Id(id as u32);
        let part = part(expr, of);
        if !part.nodes().iter().any(is_costly) {
            continue;
        }
        let (part, inputs) = compact(&part, &node.inputs);
        if inputs.is_empty() {
            continue;
        }
        let types: Vec<_> = inputs.iter().map(|v| graph.ty(*v)).collect();
        let op = Op::Map(part);
        let Ok(ty) = infer(&op, &types) else { continue };
        if ty.shape.numel() * WORTH <= node.ty.shape.numel() || !ty.shape.batch && node.ty.shape.batch {
            list.push(Hoisted { node: Node { op, inputs, ty, detached: false }, of });
        }
    }
    list
}

/// The node with `values` in place of what was hoisted.
pub fn without(node: &Node, hoisted: &[Hoisted], values: &[Value]) -> Node {
    let Op::Map(expr) = &node.op else { unreachable!("only maps are hoisted from") };
    let mut inputs = node.inputs.clone();
    let mut pool = Pool::default();
    let mut place: Vec<Id> = Vec::new();
    for (id, scalar) in expr.nodes().iter().enumerate() {
        let new = match hoisted.iter().position(|h| h.of.0 as usize == id) {
            Some(i) => {
                inputs.push(values[i]);
                pool.input(inputs.len() - 1)
            }
            None => copy(&mut pool, *scalar, &place),
        };
        place.push(new);
    }
    let root = place[expr.root().0 as usize];
    let (rest, inputs) = compact(&pool.finish(root), &inputs);
    Node { op: Op::Map(rest), inputs, ..node.clone() }
}

/// An element counts as many times as this in a map that is hoisted without losing the batch.
const WORTH: usize = 8;

/// Which nodes depend on nothing but operands without a batch that are smaller than the result.
fn small(graph: &Graph, node: &Node, expr: &Expr) -> Vec<bool> {
    let result: &Shape = &node.ty.shape;
    let mut small: Vec<bool> = Vec::with_capacity(expr.nodes().len());
    for scalar in expr.nodes() {
        small.push(match scalar {
            Scalar::Input(i) => {
                let operand = graph.shape(node.inputs[*i as usize]);
                !operand.batch && (result.batch || operand.numel() * WORTH <= result.numel())
            }
            Scalar::Index(_) => false,
            Scalar::Const(_) | Scalar::Uniform(_) => true,
            _ => scalar.operands().all(|o| small[o.0 as usize]),
        });
    }
    small
}

/// Slow enough to be worth a value in memory.
fn is_costly(scalar: &Scalar) -> bool {
    match scalar {
        Scalar::Unary(op, _) => !matches!(op, Unary::Neg | Unary::Abs | Unary::Not | Unary::Float | Unary::Floor),
        Scalar::Binary(op, ..) => matches!(op, Binary::Div | Binary::Pow),
        Scalar::Input(_) | Scalar::Const(_) | Scalar::Index(_) | Scalar::Uniform(_) | Scalar::Select(..) => false,
    }
}

/// The part of an expression that gives node `root`.
fn part(expr: &Expr, root: Id) -> Expr {
    let mut pool = Pool::default();
    let mut place: Vec<Id> = Vec::new();
    for scalar in &expr.nodes()[..=root.0 as usize] {
        let new = copy(&mut pool, *scalar, &place);
        place.push(new);
    }
    pool.finish(place[root.0 as usize])
}

fn copy(pool: &mut Pool, scalar: Scalar, place: &[Id]) -> Id {
    let at = |id: Id| place[id.0 as usize];
    match scalar {
        Scalar::Input(i) => pool.input(i as usize),
        Scalar::Index(axis) => pool.index(axis as usize),
        Scalar::Const(bits) => pool.constant(f64::from_bits(bits)),
        Scalar::Uniform(uniform) => pool.uniform(uniform),
        Scalar::Unary(op, a) => pool.unary(op, at(a)),
        Scalar::Binary(op, a, b) => pool.binary(op, at(a), at(b)),
        Scalar::Select(truth, a, b) => pool.select(at(truth), at(a), at(b)),
    }
}

/// The same expression over the operands that it uses.
fn compact(expr: &Expr, inputs: &[Value]) -> (Expr, Vec<Value>) {
    let mut used: Vec<Value> = Vec::new();
    let mut place = Vec::new();
    for (i, value) in inputs.iter().enumerate() {
        let needed = expr.nodes().iter().any(|n| matches!(n, Scalar::Input(k) if *k as usize == i));
        let at = match used.iter().position(|v| v == value) {
            Some(at) => at,
            None if needed => {
                used.push(*value);
                used.len() - 1
            }
            None => 0,
        };
        place.push(at);
    }
    let mut pool = Pool::default();
    let operands: Vec<Id> = place.iter().map(|at| pool.input(*at)).collect();
    let root = pool.import(expr, &operands);
    (pool.finish(root), used)
}

#[cfg(test)]
mod tests {
    use crate::declaration::Fusion;
    use crate::graph::expr::{Scalar, Unary};
    use crate::graph::op::Op;
    use crate::schedule::{ParamPlan, ProgramKind, Schedule, Target, program, schedule};

    fn plan(kind: ProgramKind) -> Schedule {
        let text = "pub Net { input x: [16, 6, 6]; target c: class<3>;
            Conv2d<32, 3>; BatchNorm; Relu; Flatten; Linear<3>; loss: CrossEntropy(_, c); }";
        let (declarations, _, errors) = crate::lower::frontend(text.parse().unwrap());
        assert!(errors.is_empty());
        let module = &declarations[0].members[0].module;
        let program = program::program(module, kind).unwrap();
        let target = Target::cpu(Fusion::On);
        schedule(module, &ParamPlan::new(module, target.order), &program, &target)
    }

    #[test]
    fn roots_of_variances_are_taken_once_a_channel() {
        for kind in [ProgramKind::Infer, ProgramKind::Step] {
            let s = plan(kind);
            for value in s.graph().values() {
                let Op::Map(expr) = &s.graph().node(value).op else { continue };
                if expr.nodes().iter().any(|n| matches!(n, Scalar::Unary(Unary::Sqrt, _))) {
                    assert!(!s.graph().shape(value).batch, "{value} of {kind:?}");
                }
            }
        }
    }

    #[test]
    fn scales_of_running_statistics_are_kept() {
        let derived = |s: &Schedule| s.kernels.iter().filter(|k| s.is_derived(k)).count();
        assert_eq!(derived(&plan(ProgramKind::Infer)), 1);
        assert_eq!(derived(&plan(ProgramKind::Step)), 0);
    }
}
