//! Legality of a graph, checked after every pass in tests and debug builds. A failure is a bug of the compiler, never of
//! the user.

use super::builder::infer;
use super::expr::{Binary, Expr, Id, Scalar, Unary, Uniform};
use super::op::{ConvGeometry, Leaf, MoveOp, Op, ReduceOp, WindowAxis, WindowOp};
use super::{DType, Graph, Node, Type, Value};
use std::collections::{HashMap, HashSet};

/// Nothing if every node is legal; else the first that is not, and why.
pub fn verify(graph: &Graph) -> Result<(), String> {
    let count = graph.nodes.len();
    if graph.sources.len() != count || graph.layers.len() != count {
        return Err(format!("{count} nodes, {} sources, {} layers", graph.sources.len(), graph.layers.len()));
    }
    for value in graph.values() {
        let node = graph.node(value);
        // A node that reads a later one cannot be printed with its types: name it by number only.
        if let Some(late) = node.inputs.iter().find(|v| **v >= value) {
            return Err(format!("{value} ({}) reads {late}, which is not before it", node.op.name()));
        }
        check_node(graph, node).map_err(|why| format!("{}\n  {why}", graph.line(value)))?;
    }
    check_assigns(graph)
}

fn check_node(graph: &Graph, node: &Node) -> Result<(), String> {
    let types: Vec<&Type> = node.inputs.iter().map(|v| graph.ty(*v)).collect();
    if node.ty.shape.dims.contains(&0) {
        return Err("an extent is 0".into());
    }
    match &node.op {
        Op::Leaf(leaf) => return check_leaf(leaf, node),
        Op::Random { .. } => {
            let fine = node.inputs.is_empty() && node.ty.dtype == DType::F32;
            return if fine { Ok(()) } else { Err("random numbers are f32 and have no operands".into()) };
        }
        op => {
            let inferred = infer(op, &types)?;
            if inferred != node.ty {
                return Err(format!("its operands give {inferred:?}"));
            }
        }
    }
    check_dtypes(&node.op, &types)?;
    match &node.op {
        Op::Map(expr) => check_expr(expr, types.len(), node.ty.shape.rank()),
        Op::Reduce { axes, .. } => {
            let mut sorted = axes.clone();
            sorted.sort_unstable();
            sorted.dedup();
            if sorted.len() == axes.len() { Ok(()) } else { Err(format!("axes {axes:?} name one twice")) }
        }
        Op::Contract { lhs, rhs, out } => {
            for names in [lhs, rhs, out] {
                let twice = (1..names.len()).any(|i| names[..i].contains(&names[i]));
                if twice || names.iter().skip(1).any(|n| *n == 0) {
                    return Err(format!("axis names {names:?}"));
                }
            }
            Ok(())
        }
        Op::Conv { geometry, .. } => check_conv(geometry),
        Op::Window { axes, .. } => axes.iter().try_for_each(check_pool),
        Op::Table { rows, .. } => {
            let finite = rows.iter().flatten().all(|(_, weight)| f64::from_bits(*weight).is_finite());
            if finite { Ok(()) } else { Err("a weight of the table is not finite".into()) }
        }
        Op::Leaf(_) | Op::Move(_) | Op::Gather | Op::ScatterAdd { .. } | Op::Random { .. } | Op::Assign { .. } => {
            Ok(())
        }
    }
}

fn check_leaf(leaf: &Leaf, node: &Node) -> Result<(), String> {
    if !node.inputs.is_empty() {
        return Err("a leaf has no operands".into());
    }
    let batch = match leaf {
        Leaf::Input(_) | Leaf::Target(_) => true,
        Leaf::Param(_) | Leaf::State(_) => false,
    };
    if node.ty.shape.batch != batch {
        return Err(format!("{leaf:?} has batch: {}", !batch));
    }
    if !batch && node.ty.dtype != DType::F32 {
        return Err(format!("{leaf:?} is {:?}", node.ty.dtype));
    }
    Ok(())
}

/// Integers are read by maps (which convert them), moves, and as indices.
fn check_dtypes(op: &Op, types: &[&Type]) -> Result<(), String> {
    let expected: Vec<Option<DType>> = match op {
        Op::Leaf(_) | Op::Random { .. } => Vec::new(),
        Op::Map(_) => vec![None; types.len()],
        Op::Move(MoveOp::Concat { .. }) => vec![Some(DType::F32); types.len()],
        Op::Move(_) => vec![None],
        Op::Reduce { op: ReduceOp::Sum | ReduceOp::Max | ReduceOp::ArgMax, .. } => vec![Some(DType::F32)],
        Op::Contract { .. } | Op::Conv { .. } => vec![Some(DType::F32); 2],
        Op::Window { op, .. } => match op {
            WindowOp::Sum | WindowOp::Max | WindowOp::ArgMax | WindowOp::Spread => vec![Some(DType::F32)],
            WindowOp::Route | WindowOp::Pick => vec![Some(DType::F32), Some(DType::I32)],
        },
        Op::Table { .. } | Op::Assign { .. } => vec![Some(DType::F32)],
        // `infer` has seen the index.
        Op::Gather | Op::ScatterAdd { .. } => vec![Some(DType::F32), None],
    };
    for (i, (ty, expected)) in types.iter().zip(expected).enumerate() {
        if let Some(expected) = expected
            && ty.dtype != expected
        {
            return Err(format!("operand {i} is {:?}, expected {expected:?}", ty.dtype));
        }
    }
    Ok(())
}

/// Truth values only where they belong, operands and axes that exist, nodes in evaluation order.
fn check_expr(expr: &Expr, operands: usize, rank: usize) -> Result<(), String> {
    let mut truth: Vec<bool> = Vec::with_capacity(expr.nodes().len());
    for (i, node) in expr.nodes().iter().enumerate() {
        let want = |id: Id, expected: bool| match truth.get(id.0 as usize) {
            None => Err(format!("expression node {i} reads node {}", id.0)),
            Some(found) if *found != expected => {
                let word = |t: bool| if t { "a truth value" } else { "a number" };
                Err(format!("expression node {i} takes {}, got {}", word(expected), word(*found)))
            }
            Some(_) => Ok(()),
        };
        let own = match *node {
            Scalar::Input(k) if k as usize >= operands => {
                return Err(format!("expression reads operand {k} of {operands}"));
            }
            Scalar::Index(axis) if axis as usize >= rank => return Err(format!("index({axis}) of rank {rank}")),
            Scalar::Uniform(Uniform::Hyper(_)) => return Err("hyper-parameters exist in updates only".into()),
            Scalar::Input(_) | Scalar::Const(_) | Scalar::Index(_) => false,
            Scalar::Uniform(Uniform::Batch | Uniform::Step | Uniform::Counts(_)) => false,
            Scalar::Unary(op, a) => {
                want(a, matches!(op, Unary::Not | Unary::Float))?;
                op == Unary::Not
            }
            Scalar::Binary(op, a, b) => {
                let takes = matches!(op, Binary::And | Binary::Or);
                want(a, takes)?;
                want(b, takes)?;
                op.is_truth()
            }
            Scalar::Select(c, a, b) => {
                want(c, true)?;
                want(a, false)?;
                want(b, false)?;
                false
            }
        };
        truth.push(own);
    }
    match truth.last() {
        Some(false) => Ok(()),
        Some(true) => Err("the expression's result is a truth value".into()),
        None => Err("the expression is empty".into()),
    }
}

fn check_conv(g: &ConvGeometry) -> Result<(), String> {
    if g.groups == 0 || !g.channels.is_multiple_of(g.groups) || !g.outputs.is_multiple_of(g.groups) {
        return Err(format!("{} groups of {} and {} channels", g.groups, g.channels, g.outputs));
    }
    for k in 0..2 {
        check_window(&WindowAxis {
            input: g.input[k],
            output: g.output[k],
            kernel: g.kernel[k],
            stride: g.stride[k],
            dilation: g.dilation[k],
            padding: g.padding[k],
        })?;
    }
    Ok(())
}

/// A window that sees nothing but padding has no maximum.
fn check_pool(a: &WindowAxis) -> Result<(), String> {
    check_window(a)?;
    let reach = (a.kernel - 1) * a.dilation;
    if a.padding > reach {
        return Err(format!("padding {} hides the first window of reach {}", a.padding, reach + 1));
    }
    Ok(())
}

/// No window starts behind the input. Padding behind is what the last window needs.
fn check_window(a: &WindowAxis) -> Result<(), String> {
    if [a.input, a.output, a.kernel, a.stride, a.dilation].contains(&0) {
        return Err(format!("{a:?} has a zero"));
    }
    let last = (a.output - 1) * a.stride;
    if last >= a.input + a.padding {
        return Err(format!("window {} of {a:?} starts behind the input", a.output - 1));
    }
    Ok(())
}

/// One assignment per state, of its extents, and only to states.
fn check_assigns(graph: &Graph) -> Result<(), String> {
    let mut assigned: HashSet<usize> = HashSet::new();
    let state = |v: Value| match graph.node(v).op {
        Op::Leaf(Leaf::State(state)) => Some((state, v)),
        _ => None,
    };
    // Of several leaves of a state the first.
    let leaves: HashMap<usize, Value> = graph.values().rev().filter_map(state).collect();
    for value in graph.values() {
        let Op::Assign { state } = graph.node(value).op else { continue };
        if !assigned.insert(state) {
            return Err(format!("{}\n  state {state} is assigned twice", graph.line(value)));
        }
        if let Some(leaf) = leaves.get(&state).copied()
            && graph.ty(leaf) != graph.ty(value)
        {
            return Err(format!("{}\n  the state is {}", graph.line(value), graph.line(leaf)));
        }
        if graph.shape(value).batch {
            return Err(format!("{}\n  a state has no batch", graph.line(value)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Shape;
    use crate::graph::builder::Builder;

    #[test]
    fn finds_what_is_wrong() {
        let f32s = |shape| Type { dtype: DType::F32, shape };
        let mut graph = Graph::default();
        let mut b = Builder { graph: &mut graph, source: Default::default(), layer: String::new() };
        let x = b.graph.push_leaf(Leaf::Input(0), f32s(Shape::sample([4])), b.source, "");
        let y = b.map1(x, |p, x| p.unary(Unary::Exp, x));
        b.sum(y, &[0], true);
        assert_eq!(verify(&graph), Ok(()));

        let mut late = graph.clone();
        late.nodes[1].inputs[0] = Value(2);
        assert!(verify(&late).unwrap_err().contains("not before it"));

        let mut misshapen = graph.clone();
        misshapen.nodes[2].ty.shape.dims = vec![2];
        assert!(verify(&misshapen).unwrap_err().contains("its operands give"));

        let mut truth = graph.clone();
        truth.nodes[1].op = Op::Map(Expr::build(1, |p, x| p.binary(Binary::Lt, x[0], x[0])));
        assert!(verify(&truth).unwrap_err().contains("truth value"));

        let hidden = WindowAxis { input: 4, output: 6, kernel: 2, stride: 1, dilation: 1, padding: 2 };
        assert!(check_pool(&hidden).unwrap_err().contains("hides"));
        let behind = WindowAxis { input: 4, output: 4, kernel: 2, stride: 2, dilation: 1, padding: 0 };
        assert!(check_pool(&behind).unwrap_err().contains("behind the input"));
    }
}
