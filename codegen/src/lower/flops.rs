//! How much work a primitive is.

use crate::graph::op::Op;
use crate::graph::{DType, Graph, Value};

/// Operations of one node for one sample; a multiply-add counts as two.
pub(super) fn flops(graph: &Graph, value: Value) -> u64 {
    let node = graph.node(value);
    let numel = node.ty.shape.numel() as u64;
    match &node.op {
        Op::Leaf(_) | Op::Move(_) | Op::Random { .. } | Op::Assign { .. } | Op::Gather | Op::ScatterAdd { .. } => 0,
        Op::Map(expr) => {
            use crate::graph::expr::Scalar::*;
            let steps = expr.nodes().iter().filter(|n| matches!(n, Unary(..) | Binary(..) | Select(..))).count();
            if node.ty.dtype == DType::F32 && node.ty.shape.batch { numel * steps as u64 } else { 0 }
        }
        Op::Reduce { .. } => graph.shape(node.inputs[0]).numel() as u64,
        Op::Contract { lhs, out, .. } => {
            // Every extent of the operands once.
            let x = graph.shape(node.inputs[0]);
            let skip = usize::from(x.batch);
            let summed: usize =
                lhs[skip..].iter().zip(&x.dims).filter(|(name, _)| !out.contains(name)).map(|(_, d)| *d).product();
            (2 * numel).saturating_mul(summed as u64)
        }
        Op::Conv { geometry: g, .. } => {
            let taps = g.channels / g.groups * g.kernel[0] * g.kernel[1];
            (2 * numel).saturating_mul(taps as u64)
        }
        Op::Window { axes, .. } => axes.iter().fold(numel, |n, a| n.saturating_mul(a.kernel as u64)),
        Op::Table { rows, .. } => {
            let terms: usize = rows.iter().map(Vec::len).sum();
            2 * numel / rows.len().max(1) as u64 * terms as u64
        }
    }
}
