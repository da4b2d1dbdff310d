//! Rows of memory: gathers, their adjoints, and fixed sparse matrices along an axis, where the layouts let a template walk
//! them without taking an index apart for each element.

use super::Schedule;
use super::layout::{Axis, LANES, Layout, blocks, is_blocked};
use crate::graph::Value;
use crate::graph::op::Op;

/// Where element `e` of row `r` lies: at the row's place plus `e · step`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Strides {
    /// The row's number, and its place.
    pub rows: Axis,
    pub length: usize,
    pub step: usize,
}

/// What a kernel of rows does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rows {
    /// Row after row of the result from the data, each at its index.
    Gather { data: Strides, index: Strides, values: Strides },
    /// The adjoint: row after row of the values added to the data.
    ScatterAdd { data: Strides, index: Strides, values: Strides },
    /// Sums of weighted lines: `outer` times as many lines of `inner` floats as the axis has places.
    Table { outer: usize, inner: usize },
}

impl Strides {
    /// A value as rows along its first `axes` axes, if that is how it lies.
    fn of(s: &Schedule, value: Value, axes: usize) -> Option<Strides> {
        let dims = &s.graph().shape(value).dims;
        let (rows, rest) = s.layout(value).split(dims[..axes].iter().product())?;
        let rows = match rows.as_slice() {
            [] => Axis::plain(1, 0),
            [axis] => *axis,
            _ => return None,
        };
        match rest.as_slice() {
            [] => Some(Strides { rows, length: 1, step: 1 }),
            [axis] if axis.block == 1 => Some(Strides { rows, length: axis.extent, step: axis.outer }),
            _ => None,
        }
    }
}

/// The template's view of this node; `None` if only a scalar loop follows its layouts.
pub fn rows(s: &Schedule, value: Value) -> Option<Rows> {
    let node = s.graph().node(value);
    match &node.op {
        Op::Gather => {
            let (data, index) = (node.inputs[0], node.inputs[1]);
            let index_axes = s.graph().shape(index).rank();
            Some(Rows::Gather {
                data: Strides::of(s, data, 1)?,
                index: Strides::of(s, index, index_axes)?,
                values: Strides::of(s, value, index_axes)?,
            })
        }
        Op::ScatterAdd { .. } => {
            let (values, index) = (node.inputs[0], node.inputs[1]);
            let index_axes = s.graph().shape(index).rank();
            Some(Rows::ScatterAdd {
                data: Strides::of(s, value, 1)?,
                index: Strides::of(s, index, index_axes)?,
                values: Strides::of(s, values, index_axes)?,
            })
        }
        Op::Table { axis, .. } => {
            let from = node.inputs[0];
            let standard = |v: Value| s.layout(v).same_map(&Layout::standard(s.order, &s.graph().shape(v).dims));
            let dims = &node.ty.shape.dims;
            let blocked = is_blocked(dims);
            if !standard(value) || !standard(from) || *axis == 0 && blocked {
                return None;
            }
            let before: usize = dims[..*axis].iter().product();
            let behind: usize = dims[axis + 1..].iter().product();
            Some(if blocked {
                Rows::Table { outer: blocks(dims[0]) * before / dims[0], inner: behind * LANES }
            } else {
                Rows::Table { outer: before, inner: behind }
            })
        }
        _ => None,
    }
}

/// The layout in which rows are found by their number: one after the other.
pub fn row_layout(order: super::Order, dims: &[usize]) -> Layout {
    match order {
        super::Order::Blocked => Layout::rows(dims),
        super::Order::ChannelsLast => Layout::dense(dims),
    }
}
