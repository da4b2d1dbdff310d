//! The primitives: a closed set. Layers lower to them; passes and emitters know only them, and match without `_`.
//!
//! Extents are per sample. The batch axis is not among `dims`; it is present or absent (`Shape::batch`).

use super::expr::Expr;

/// What a graph leaf stands for; the number indexes the list of that name in `Module`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Leaf {
    Input(usize),
    Target(usize),
    Param(usize),
    /// A buffer that training changes through `Assign` (running statistics).
    State(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReduceOp {
    Sum,
    Max,
    /// Index (i32) of the first maximum along the one reduced axis.
    ArgMax,
}

/// Role of a convolution over one geometry: which of (x, w, y) is computed from the other two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConvRole {
    /// (x, w) → y
    Forward,
    /// (y, w) → x
    Input,
    /// (x, y) → w
    Weight,
}

/// Geometry of a 2-D convolution, always told from the forward side: x [C, H, W], w [O, C/groups, KH, KW], y [O, OH, OW].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConvGeometry {
    pub channels: usize,
    pub outputs: usize,
    pub input: [usize; 2],
    pub output: [usize; 2],
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    /// Zeros before the first row and column. Those behind the last follow from `output`.
    pub padding: [usize; 2],
    pub dilation: [usize; 2],
    pub groups: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WindowOp {
    /// x → sum over each window (padding counts as 0)
    Sum,
    /// x → maximum over each window (padding never wins)
    Max,
    /// x → i32, position of the first maximum within its window, row-major over the kernel axes
    ArgMax,
    /// y → x: adjoint of `Sum`; every element gathers the windows that cover it
    Spread,
    /// (y, argmax) → x: adjoint of `Max`; every element gathers the windows whose maximum it was
    Route,
    /// (x, argmax) → y: each window's element at `argmax`; adjoint of `Route`
    Pick,
}

/// One axis of a window. A trivial axis has kernel 1, stride 1, no padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WindowAxis {
    /// Extent on the x side and on the y side.
    pub input: usize,
    pub output: usize,
    pub kernel: usize,
    pub stride: usize,
    pub dilation: usize,
    /// Padding before the first element; that behind the last follows from `output` (ceil mode makes it uneven).
    pub padding: usize,
}

impl WindowAxis {
    pub fn trivial(extent: usize) -> Self {
        WindowAxis { input: extent, output: extent, kernel: 1, stride: 1, dilation: 1, padding: 0 }
    }

    pub fn is_trivial(&self) -> bool {
        *self == Self::trivial(self.input)
    }
}

/// One output index of a `Table`: which source indices it sums, and with which weight (bits of an `f64`).
pub type TableRow = Vec<(usize, u64)>;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum MoveOp {
    /// Same elements in row-major order, other extents. Batch stays.
    Reshape(Vec<usize>),
    /// Axis `i` of the result is axis `perm[i]` of the operand.
    Transpose(Vec<usize>),
    Slice {
        axis: usize,
        start: usize,
        len: usize,
    },
    /// Any number of operands, joined along `axis`.
    Concat {
        axis: usize,
    },
    /// Zeros before and behind along `axis`.
    Pad {
        axis: usize,
        before: usize,
        behind: usize,
    },
    /// Axes of extent 1 (and an absent batch, if `batch`) repeated.
    Broadcast {
        dims: Vec<usize>,
        batch: bool,
    },
}

/// Names an axis of a contraction; `0` is the batch.
pub type AxisName = u8;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    Leaf(Leaf),
    /// Element-wise. Operands have the result's rank with extents equal or 1, or rank 0; an absent batch repeats.
    Map(Expr),
    /// `axes` (and the batch, if `batch`) reduced; reduced axes stay with extent 1, a reduced batch goes.
    Reduce {
        op: ReduceOp,
        axes: Vec<usize>,
        batch: bool,
    },
    /// Sum of products, einsum style: axis names of both operands and the result, `0` the batch axis, first where it
    /// is there. A name in both operands and not in the result is summed over. No name twice in one list.
    Contract {
        lhs: Vec<AxisName>,
        rhs: Vec<AxisName>,
        out: Vec<AxisName>,
    },
    Conv {
        role: ConvRole,
        geometry: ConvGeometry,
    },
    /// One `WindowAxis` per axis.
    Window {
        op: WindowOp,
        axes: Vec<WindowAxis>,
    },
    /// Fixed sparse matrix applied along `axis`: one row per output index.
    Table {
        axis: usize,
        rows: Vec<TableRow>,
    },
    Move(MoveOp),
    /// (data [V, rest…], index [at…]) → [at…, rest…]. With a batch on data, per sample. An index is an i32, or a whole number
    /// below 2²⁴ that a map has computed, and below V.
    Gather,
    /// (values [at…, rest…], index [at…]) → [V, rest…], equal indices added in index order. Without `batch`, summed over the batch too.
    ScatterAdd {
        extent: usize,
        batch: bool,
    },
    /// Uniform in [0, 1): a pure function of seed, step, `stream` and the element's logical index. Recomputed, never stored.
    Random {
        stream: u32,
    },
    /// Writes its operand to a state leaf when the program ends; its value is the operand.
    Assign {
        state: usize,
    },
}

impl Op {
    /// Short name for dumps.
    pub fn name(&self) -> &'static str {
        match self {
            Op::Leaf(Leaf::Input(_)) => "input",
            Op::Leaf(Leaf::Target(_)) => "target",
            Op::Leaf(Leaf::Param(_)) => "param",
            Op::Leaf(Leaf::State(_)) => "state",
            Op::Map(_) => "map",
            Op::Reduce { op: ReduceOp::Sum, .. } => "reduce.sum",
            Op::Reduce { op: ReduceOp::Max, .. } => "reduce.max",
            Op::Reduce { op: ReduceOp::ArgMax, .. } => "reduce.argmax",
            Op::Contract { .. } => "contract",
            Op::Conv { role: ConvRole::Forward, .. } => "conv.forward",
            Op::Conv { role: ConvRole::Input, .. } => "conv.input",
            Op::Conv { role: ConvRole::Weight, .. } => "conv.weight",
            Op::Window { op: WindowOp::Sum, .. } => "window.sum",
            Op::Window { op: WindowOp::Max, .. } => "window.max",
            Op::Window { op: WindowOp::ArgMax, .. } => "window.argmax",
            Op::Window { op: WindowOp::Spread, .. } => "window.spread",
            Op::Window { op: WindowOp::Route, .. } => "window.route",
            Op::Window { op: WindowOp::Pick, .. } => "window.pick",
            Op::Table { .. } => "table",
            Op::Move(MoveOp::Reshape(_)) => "reshape",
            Op::Move(MoveOp::Transpose(_)) => "transpose",
            Op::Move(MoveOp::Slice { .. }) => "slice",
            Op::Move(MoveOp::Concat { .. }) => "concat",
            Op::Move(MoveOp::Pad { .. }) => "pad",
            Op::Move(MoveOp::Broadcast { .. }) => "broadcast",
            Op::Gather => "gather",
            Op::ScatterAdd { .. } => "scatter_add",
            Op::Random { .. } => "random",
            Op::Assign { .. } => "assign",
        }
    }
}
