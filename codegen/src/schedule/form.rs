//! Which template computes a node: decided from the node, its operands' extents and layouts, never from layer names.

use super::Rows;
use super::layout::{Axis, LANES, Layout, Order, blocks, is_blocked};
use crate::graph::op::{ConvGeometry, ConvRole, Op, ReduceOp, WindowAxis, WindowOp};
use crate::graph::{Graph, Shape, Value};

/// How a shape is walked in vectors of 16: sample, block of channels, pixel, lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Iter {
    pub batch: bool,
    /// Extent whose elements lie in the lanes.
    pub channels: usize,
    pub pixels: usize,
    /// Lanes run over the whole row-major sample instead of the first axis.
    pub flat: bool,
}

impl Iter {
    /// As loops walk it: small first extents are walked flat.
    pub fn of(order: Order, shape: &Shape) -> Self {
        if order == Order::ChannelsLast || shape.rank() <= 1 || is_blocked(&shape.dims) || shape.numel() == 1 {
            Self::channelwise(shape)
        } else {
            Iter { batch: shape.batch, channels: shape.numel(), pixels: 1, flat: true }
        }
    }

    /// As convolutions and windows write it: the first axis in the lanes, whatever its extent.
    pub fn channelwise(shape: &Shape) -> Self {
        let channels = shape.dims.first().copied().unwrap_or(1);
        Iter { batch: shape.batch, channels, pixels: shape.numel() / channels.max(1), flat: false }
    }

    /// How the random numbers of a value are counted in this walk: one for each element, in PyTorch's order. A value of as many
    /// elements as the walk is walked element by element, whatever its extents are called: a reshape may lie between. Others are
    /// one number a channel, a pixel or a sample, and have their own extents.
    pub fn counting(self, shape: &Shape) -> Iter {
        if shape.numel() == self.channels * self.pixels { self } else { Self::channelwise(shape) }
    }

    pub fn blocks(&self) -> usize {
        blocks(self.channels)
    }

    /// Lanes used in the last block; 0 if it is full.
    pub fn tail(&self) -> usize {
        self.channels % LANES
    }

    pub fn vectors(&self) -> usize {
        self.blocks() * self.pixels
    }
}

/// How an operand lies under the elements of an element-wise node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// One number per sample, or one in all.
    One,
    /// One per channel.
    Channel,
    /// One per pixel, the same for all channels.
    Pixel,
    /// One per element.
    Full,
}

/// How an operand of extents `operand` lies under a node of extents `node`; `None` if only a scalar loop can follow.
pub fn access(operand: &[usize], node: &[usize], flat: bool) -> Option<Access> {
    let ones = |dims: &[usize]| dims.iter().all(|d| *d == 1);
    if ones(operand) {
        return Some(Access::One);
    }
    if operand == node {
        return Some(Access::Full);
    }
    if flat || operand.len() != node.len() {
        return None;
    }
    if operand[0] == node[0] && ones(&operand[1..]) {
        return Some(Access::Channel);
    }
    (operand[0] == 1 && operand[1..] == node[1..]).then_some(Access::Pixel)
}

/// What lanes of a vector are loaded from, of one operand's sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// One number for all lanes: the pixel's, or the only one.
    Number { per_pixel: bool },
    /// Those of a block of channels, the same for every pixel.
    Channels,
    /// A vector of the standard layout.
    Vector,
    /// Numbers so far apart in `count` lanes. The other lanes hold nothing.
    Strided { stride: usize, count: usize },
}

/// How a walk reads an operand of extents `operand` under a node of extents `node`; `None` if only a scalar loop can follow.
pub fn read(operand: &[usize], node: &[usize], iter: Iter) -> Option<Read> {
    let per_pixel = !iter.flat && operand.len() >= 2 && iter.pixels > 1;
    Some(match access(operand, node, iter.flat)? {
        Access::One => Read::Number { per_pixel: false },
        Access::Pixel => Read::Number { per_pixel: true },
        Access::Channel => Read::Channels,
        // A pixel's only number belongs in all lanes: who reads it may be wider than it is.
        Access::Full if per_pixel && operand[0] == 1 => Read::Number { per_pixel: true },
        Access::Full if per_pixel && !is_blocked(operand) => {
            Read::Strided { stride: iter.pixels, count: iter.channels.min(LANES) }
        }
        Access::Full => Read::Vector,
    })
}

impl Read {
    /// Floats from the beginning of the sample to what a lane is loaded from; `None` for a lane that holds nothing.
    pub fn offset(self, iter: Iter, block: usize, pixel: usize, lane: usize) -> Option<usize> {
        match self {
            Read::Number { per_pixel } => Some(if per_pixel { pixel } else { 0 }),
            Read::Channels => Some(block * LANES + lane),
            Read::Vector => Some((block * iter.pixels + pixel) * LANES + lane),
            Read::Strided { stride, count } => (lane < count).then_some(pixel + lane * stride),
        }
    }
}

/// A matrix product between a batch of vectors and a weight: `Linear`, or a convolution whose kernel is its whole input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Dense {
    pub role: ConvRole,
    pub outputs: usize,
    pub channels: usize,
    pub pixels: usize,
    /// The input is row-major (or a vector): its elements are contiguous in the weight's order.
    pub planar: bool,
}

impl Dense {
    /// Physical length of one input sample as the weight's second axis counts it.
    pub fn depth(&self) -> usize {
        if self.planar { self.channels * self.pixels } else { blocks(self.channels) * LANES * self.pixels }
    }
}

/// Which parts of its operand a reduction sums over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reduced {
    pub batch: bool,
    pub channels: bool,
    pub pixels: bool,
}

/// The template of a kernel.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// Element-wise over vectors.
    Map(Iter),
    /// Sample by sample (or pixel by pixel): reductions over the channels (and pixels), and maps around them.
    Row {
        iter: Iter,
        per_pixel: bool,
    },
    /// Reductions that keep the channels or drop the batch; maps on the result.
    Column {
        iter: Iter,
        reduced: Reduced,
    },
    Dense(Dense),
    /// Input and weight gradient in one pass over the weight.
    DenseBackward(Dense),
    /// Role forward or input; groups of 1. `planar` tells of the operand that is read pixel by pixel, x or dy.
    Conv {
        role: ConvRole,
        geometry: ConvGeometry,
        planar: bool,
    },
    ConvWeight {
        geometry: ConvGeometry,
        planar: bool,
        chunks: usize,
    },
    /// The weight in the order its input-gradient template reads.
    ConvFlipped {
        geometry: ConvGeometry,
        planar: bool,
        dy_planar: bool,
    },
    /// Role forward or input, over transformed weights: up to the batch `own` (see `winograd::own`) it transforms them itself.
    Winograd {
        role: ConvRole,
        geometry: ConvGeometry,
        own: usize,
    },
    /// The weight as that template reads it in larger batches.
    WinogradWeights {
        role: ConvRole,
        geometry: ConvGeometry,
        own: usize,
    },
    /// Max and argmax, sum, and their adjoints on channel blocks.
    Window {
        op: WindowOp,
        axes: [WindowAxis; 2],
        iter: Iter,
    },
    /// Gathers, their adjoints, tables: rows of memory by number.
    Rows(super::Rows),
    /// Any primitive over any layout, one element at a time.
    Scalar,
    /// Sum and squared distances from the mean of `x`, over batch and pixels; `tiled`: merged from what the tiles of the
    /// convolution that makes `x` leave.
    Moments {
        iter: Iter,
        x: Value,
        tiled: bool,
    },
    /// A chain within a sample.
    Block(Vec<super::Stage>),
    /// A chain over groups of samples.
    Lanes(super::Chain),
}

impl Form {
    /// The domain that an epilogue of this template sees; `None` if it takes none.
    pub fn epilogue(&self, shape: &Shape) -> Option<Iter> {
        match self {
            Form::Dense(Dense { role: ConvRole::Forward | ConvRole::Input, .. })
            | Form::Conv { .. }
            | Form::Winograd { .. }
            | Form::Window { .. } => Some(Iter::channelwise(shape)),
            Form::Dense(_)
            | Form::DenseBackward(_)
            | Form::Map(_)
            | Form::Row { .. }
            | Form::Column { .. }
            | Form::ConvWeight { .. }
            | Form::ConvFlipped { .. }
            | Form::WinogradWeights { .. }
            | Form::Moments { .. }
            | Form::Block(_)
            | Form::Lanes(_)
            | Form::Rows(_)
            | Form::Scalar => None,
        }
    }

    pub fn name(&self) -> &'static str {
        match self {
            Form::Map(_) => "map",
            Form::Row { per_pixel: false, .. } => "row",
            Form::Row { per_pixel: true, .. } => "row per pixel",
            Form::Column { .. } => "column",
            Form::Dense(d) => match d.role {
                ConvRole::Forward => "dense.forward",
                ConvRole::Input => "dense.input",
                ConvRole::Weight => "dense.weight",
            },
            Form::DenseBackward(_) => "dense.backward",
            Form::Conv { role: ConvRole::Forward, .. } => "conv.forward",
            Form::Conv { .. } => "conv.input",
            Form::ConvWeight { .. } => "conv.weight",
            Form::ConvFlipped { .. } => "conv.flip",
            Form::Winograd { role: ConvRole::Forward, .. } => "winograd.forward",
            Form::Winograd { .. } => "winograd.input",
            Form::WinogradWeights { role: ConvRole::Forward, .. } => "winograd.weights",
            Form::WinogradWeights { .. } => "winograd.turned",
            Form::Window { op: WindowOp::Max | WindowOp::ArgMax, .. } => "window.max",
            Form::Window { op: WindowOp::Sum, .. } => "window.sum",
            Form::Window { op: WindowOp::Spread, .. } => "window.spread",
            Form::Window { op: WindowOp::Route, .. } => "window.route",
            Form::Window { op: WindowOp::Pick, .. } => "window.pick",
            Form::Rows(rows) => match rows {
                Rows::Gather { .. } => "gather",
                Rows::ScatterAdd { .. } => "scatter_add",
                Rows::Table { .. } => "table",
            },
            Form::Scalar => "scalar",
            Form::Moments { .. } => "moments",
            Form::Block(_) => "block",
            Form::Lanes(_) => "lanes",
        }
    }
}

/// A convolution or contraction as a batch of vectors times a weight; also says which operand is the weight's.
pub fn dense(graph: &Graph, value: Value) -> Option<Dense> {
    let node = graph.node(value);
    match &node.op {
        Op::Conv { role, geometry: g }
            if g.groups == 1 && g.output == [1, 1] && g.kernel == g.input && g.padding == [0, 0] =>
        {
            let dims = [g.channels, g.input[0], g.input[1]];
            let planar = !is_blocked(&dims);
            Some(Dense {
                role: *role,
                outputs: g.outputs,
                channels: g.channels,
                pixels: g.input[0] * g.input[1],
                planar,
            })
        }
        Op::Contract { lhs, rhs, out } => {
            let extent = |v: Value, axis: usize| graph.shape(v).dims[axis];
            let b = node.inputs[1];
            let (role, outputs, channels) = match (lhs.as_slice(), rhs.as_slice(), out.as_slice()) {
                ([0, i], [o, k], [0, r]) if i == k && o == r && i != o => {
                    (ConvRole::Forward, extent(b, 0), extent(b, 1))
                }
                ([0, o], [p, i], [0, r]) if o == p && i == r && i != o => (ConvRole::Input, extent(b, 0), extent(b, 1)),
                ([0, x], [0, y], [o, i]) if (x, y) == (o, i) || (y, x) == (o, i) => {
                    let dims = &node.ty.shape.dims;
                    (ConvRole::Weight, dims[0], dims[1])
                }
                _ => return None,
            };
            Some(Dense { role, outputs, channels, pixels: 1, planar: true })
        }
        _ => None,
    }
}

/// The layout in which this node's template reads the weight (or, role weight, writes it).
pub fn weight_layout(order: Order, graph: &Graph, value: Value) -> Option<Layout> {
    let node = graph.node(value);
    match &node.op {
        Op::Contract { .. } => dense(graph, value).map(|d| Layout::linear_weight(order, &[d.outputs, d.channels])),
        Op::Conv { geometry: g, .. } if g.groups == 1 => {
            let planar = !is_blocked(&[g.channels, g.input[0], g.input[1]]);
            Some(Layout::conv_weight(order, &[g.outputs, g.channels, g.kernel[0], g.kernel[1]], planar))
        }
        _ => None,
    }
}

/// The layout of a weight for the input-gradient template of this node. A flipped weight has no affine map; only its
/// size counts.
pub fn derived_layout(graph: &Graph, value: Value) -> Layout {
    match &graph.node(value).op {
        Op::Conv { geometry: g, .. } => {
            let taps = g.kernel[0] * g.kernel[1];
            let dy_blocked = is_blocked(&[g.outputs, g.output[0], g.output[1]]);
            let outputs = if dy_blocked { blocks(g.outputs) * LANES } else { g.outputs };
            let size = blocks(g.channels) * outputs * taps * LANES;
            Layout { axes: vec![Axis::plain(g.outputs, 0), Axis::plain(g.channels, 0), Axis::plain(taps, 0)], size }
        }
        other => unreachable!("{} has no derived weight", other.name()),
    }
}

/// The layout of a weight for Winograd's template of this node: 36 positions of each pair of blocks, those of an output block
/// a vector apart. It has no affine map either.
pub fn transformed_layout(graph: &Graph, value: Value) -> Layout {
    let Op::Conv { role, geometry: g } = &graph.node(value).op else { unreachable!("a convolution was chosen") };
    let (from, to) = if *role == ConvRole::Input { (g.outputs, g.channels) } else { (g.channels, g.outputs) };
    let size = 36 * blocks(to) * (blocks(from) * LANES + 1) * LANES;
    let axes = [g.outputs, g.channels, g.kernel[0] * g.kernel[1]].map(|extent| Axis::plain(extent, 0));
    Layout { axes: axes.to_vec(), size }
}

/// Row or column form of a reduction; `None` if it mixes axes in a way only a scalar loop follows.
pub fn reduction(order: Order, graph: &Graph, value: Value) -> Option<Form> {
    let node = graph.node(value);
    let Op::Reduce { op, axes, batch } = &node.op else { return None };
    let shape = graph.shape(node.inputs[0]);
    let iter = Iter::of(order, shape);
    let gone = |axis: usize| shape.dims[axis] == 1 || axes.contains(&axis);
    let stays = |axis: usize| shape.dims[axis] == 1 || !axes.contains(&axis);
    let rank = shape.rank();
    let (channels, pixels) = if iter.flat {
        // A flat walk has one pixel: a sum over the batch alone sums none.
        match ((0..rank).all(gone), (0..rank).all(stays)) {
            (true, _) => (true, true),
            (_, true) => (false, false),
            _ => return None,
        }
    } else {
        let pixels = match ((1..rank).all(gone), (1..rank).all(stays)) {
            (true, _) => true,
            (_, true) => false,
            _ => return None,
        };
        (rank == 0 || gone(0), pixels)
    };
    if *op == ReduceOp::ArgMax && (iter.flat || !shape.batch || !channels || axes != &[0]) {
        return None;
    }
    if shape.batch && !batch && channels {
        return Some(Form::Row { iter, per_pixel: !pixels });
    }
    if channels && !pixels {
        return None;
    }
    Some(Form::Column { iter, reduced: Reduced { batch: *batch, channels, pixels } })
}

/// The two spatial axes of windows over images (or, with one row, over lines).
pub fn spatial(axes: &[WindowAxis]) -> Option<[WindowAxis; 2]> {
    match axes {
        [c, x] if c.is_trivial() => Some([WindowAxis::trivial(1), *x]),
        [c, y, x] if c.is_trivial() => Some([*y, *x]),
        _ => None,
    }
}

/// Whether the windows lie in the image, side by side: every element belongs to one of them, or to none behind the last.
pub fn tile(axes: &[WindowAxis; 2]) -> bool {
    let side_by_side =
        |a: &WindowAxis| a.padding == 0 && a.dilation == 1 && a.stride == a.kernel && a.output * a.kernel <= a.input;
    axes.iter().all(side_by_side)
}

/// The window template's view of the axes, if it has one: channel blocks with at most two spatial axes.
pub fn window(graph: &Graph, value: Value) -> Option<Form> {
    let node = graph.node(value);
    let Op::Window { op, axes } = &node.op else { return None };
    let spatial = spatial(axes)?;
    if *op == WindowOp::Pick || !node.ty.shape.batch || !is_blocked(&node.ty.shape.dims) {
        return None;
    }
    Some(Form::Window { op: *op, axes: spatial, iter: Iter::channelwise(&node.ty.shape) })
}
