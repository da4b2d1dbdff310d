//! Small pieces that emitted kernels call beside the templates.

use super::{BLOCK, Simd};

/// Largest of some constants: the scratch that a program's workers need.
pub const fn largest(list: &[usize]) -> usize {
    let (mut most, mut i) = (0, 0);
    while i < list.len() {
        if list[i] > most {
            most = list[i];
        }
        i += 1;
    }
    most
}

/// The smallest index among the lanes that hold the maximum, where `arg` has each lane's index of its own.
#[inline(always)]
pub fn first_maximum<S: Simd>(s: S, max: S::V, arg: S::V) -> f32 {
    let whole = s.splat(s.maximum(max));
    let candidate = s.select(s.eq(max, whole), arg, s.splat(f32::INFINITY));
    let first = -s.maximum(s.neg(candidate));
    // All lanes are NaN: no maximum; PyTorch's answer is the first NaN, here index 0.
    if first.is_finite() { first } else { 0.0 }
}

/// Extents of a dense layer's weight: `[o/16][c/16][pixels][16 c][16 o]`, or `[o/16][c · pixels][16 o]` where planar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transpose {
    pub outputs: usize,
    pub channels: usize,
    pub pixels: usize,
    pub planar: bool,
}

/// Tasks of [`transpose_dense`]: channel blocks and pixels.
pub const fn transpose_dense_tasks(d: &Transpose) -> usize {
    d.channels.div_ceil(BLOCK) * d.pixels
}

/// The weight as the input gradient reads it: `[c/16][pixels][o][16 c]`. Lanes beyond the channels become 0.
///
/// # Safety
/// `src` and `dst` hold those layouts, and `task` is below [`transpose_dense_tasks`].
#[inline(always)]
pub unsafe fn transpose_dense<S: Simd>(_: S, d: &'static Transpose, src: *const f32, dst: *mut f32, task: usize) {
    let (c_block, pixel) = (task / d.pixels, task % d.pixels);
    let lanes = (d.channels - c_block * BLOCK).min(BLOCK);
    // Distance of channels, and of the first of this task from its sheet's start.
    let (step, first, sheet) = if d.planar {
        let depth = d.channels * d.pixels;
        (d.pixels * BLOCK, (c_block * BLOCK * d.pixels + pixel) * BLOCK, depth * BLOCK)
    } else {
        let depth = d.channels.div_ceil(BLOCK) * BLOCK * d.pixels;
        (BLOCK, (c_block * d.pixels + pixel) * BLOCK * BLOCK, depth * BLOCK)
    };
    // SAFETY: every index lies in the extents that the layouts were made from.
    unsafe { transpose(d.outputs, lanes, step, sheet, src.add(first), dst.add(task * d.outputs * BLOCK)) }
}

/// # Safety
/// `src` holds `outputs` × `lanes` numbers at these distances, `dst` `outputs` blocks.
unsafe fn transpose(outputs: usize, lanes: usize, step: usize, sheet: usize, src: *const f32, dst: *mut f32) {
    for o_block in 0..outputs.div_ceil(BLOCK) {
        let rows = (outputs - o_block * BLOCK).min(BLOCK);
        for o in 0..rows {
            // SAFETY: the caller's promise.
            unsafe {
                let from = src.add(o_block * sheet + o);
                let to = dst.add((o_block * BLOCK + o) * BLOCK);
                for lane in 0..BLOCK {
                    *to.add(lane) = if lane < lanes { *from.add(lane * step) } else { 0.0 };
                }
            }
        }
    }
}
