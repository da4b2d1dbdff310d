//! Shapes of CUDA matrix products: how a block of threads cuts rows, columns and depth, and into how many ordered parts a
//! long sum is split. Decided from extents alone, so that results never depend on the machine.

use super::form::{Dense, Form};
use crate::graph::op::{ConvGeometry, ConvRole};

/// `KilnTile` of `gemm.cuh`: rows, columns and depth per stage; warps along rows, columns and depth; stages in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tile {
    pub rows: usize,
    pub cols: usize,
    pub depth: usize,
    pub warps: [usize; 3],
    pub stages: usize,
}

impl Tile {
    const fn new(rows: usize, cols: usize, depth: usize, warps: [usize; 3], stages: usize) -> Self {
        Tile { rows, cols, depth, warps, stages }
    }

    /// Bytes of shared memory, as `gemm.cuh` takes them. `along` tells of each operand whether it is contiguous along the
    /// depth; `whole` whether the finished tile is kept for its rows.
    pub fn shared(&self, along: [bool; 2], whole: bool) -> usize {
        let side = |extent: usize, along| if along { extent * (self.depth + 4) } else { self.depth * (extent + 8) };
        let stages = self.stages * (side(self.rows, along[0]) + side(self.cols, along[1]));
        let slices = if self.warps[2] > 1 { self.warps[2] * self.rows * self.cols } else { 0 };
        let kept = if whole { self.rows * (self.cols + 1) } else { 0 };
        4 * stages.max(slices).max(kept)
    }
}

/// Few rows (a batch of vectors): small tiles with the depth sliced over the warps, so that many blocks have work. Big
/// matrices amortise bigger tiles.
pub fn dense(d: &Dense, whole_rows: bool) -> Tile {
    let inputs = d.channels * d.pixels;
    let (cols, depth) = match d.role {
        ConvRole::Forward => (d.outputs, inputs),
        ConvRole::Input => (inputs, d.outputs),
        ConvRole::Weight => return weight(d.outputs, inputs),
    };
    // A deep product keeps three stages in flight: its blocks have little else to hide the memory's latency with.
    let (step, stages) = if depth > 64 { (128, 3) } else { (64, 2) };
    match cols {
        0..=16 => Tile::new(16, 16, step, [1, 1, 8], stages),
        17..=32 => Tile::new(16, 32, step, [1, 1, 8], stages),
        33..=64 if whole_rows => Tile::new(16, 64, 64, [1, 1, 8], stages),
        _ if cols * depth < 1 << 20 => Tile::new(16, 32, step, [1, 1, 8], stages),
        _ => Tile::new(64, 64, 32, [2, 4, 1], 3),
    }
}

/// Rows are outputs, columns the weights of one output; the depth is the batch, or its pixels.
fn weight(outputs: usize, cols: usize) -> Tile {
    match (outputs, outputs * cols) {
        (0..=16, _) => Tile::new(16, 64, 32, [1, 8, 1], 3),
        (_, size) if size < 1 << 18 => Tile::new(32, 64, 32, [2, 4, 1], 3),
        _ => Tile::new(64, 64, 32, [2, 4, 1], 3),
    }
}

/// Forward and input gradient: rows are pixels, of which there are many.
pub fn conv(g: &ConvGeometry, role: ConvRole) -> Tile {
    let taps = g.kernel[0] * g.kernel[1];
    let (cols, depth) = match role {
        ConvRole::Forward => (g.outputs, taps * g.channels),
        ConvRole::Input => (g.channels, taps * g.outputs),
        ConvRole::Weight => return weight(g.outputs, taps * g.channels),
    };
    let step = if depth <= 64 { 16 } else { 32 };
    match cols {
        0..=16 => Tile::new(128, 16, step, [8, 1, 1], 3),
        17..=32 => Tile::new(128, 32, step, [8, 1, 1], 3),
        33..=64 => Tile::new(128, 64, step, [4, 2, 1], 3),
        _ => Tile::new(128, 128, 16, [2, 4, 1], 3),
    }
}

/// Into how many parts the sum over the batch's pixels is cut, so that enough blocks have work.
pub fn splits(g: &ConvGeometry) -> usize {
    let tile = weight(g.outputs, g.kernel[0] * g.kernel[1] * g.channels);
    let tiles = g.outputs.div_ceil(tile.rows) * (g.kernel[0] * g.kernel[1] * g.channels).div_ceil(tile.cols);
    let pixels = g.output[0] * g.output[1];
    (256 / tiles).min(pixels).clamp(1, 128)
}

/// The tile of a contraction kernel; `None` for other forms.
pub fn of(form: &Form, whole_rows: bool) -> Option<Tile> {
    match form {
        Form::Dense(d) => Some(dense(d, whole_rows)),
        Form::Conv { role, geometry, .. } => Some(conv(geometry, *role)),
        Form::ConvWeight { geometry, .. } => Some(conv(geometry, ConvRole::Weight)),
        Form::Map(_)
        | Form::Row { .. }
        | Form::Column { .. }
        | Form::DenseBackward(_)
        | Form::ConvFlipped { .. }
        | Form::Winograd { .. }
        | Form::WinogradWeights { .. }
        | Form::Window { .. }
        | Form::Rows(_)
        | Form::Scalar
        | Form::Moments { .. }
        | Form::Block(_)
        | Form::Lanes(_) => None,
    }
}
