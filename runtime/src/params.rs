//! Canonical (PyTorch's) order ↔ the layouts of the arenas.
//!
//! Files, seeds and users speak canonical order; only kernels see the physical one. Padding is never read here and stays
//! as it is.

use crate::plan::{Axis, Layout};
use std::slice;

/// Walks `layout` in canonical order and gives each element's physical offset.
fn walk(axes: &[Axis], base: usize, f: &mut impl FnMut(usize)) {
    let Some((axis, rest)) = axes.split_first() else { return f(base) };
    let block = axis.block.max(1);
    for i in 0..axis.extent {
        let offset = base + (i / block) * axis.outer + if block > 1 { (i % block) * axis.inner } else { 0 };
        walk(rest, offset, f);
    }
}

/// As `walk`, by runs of elements that follow each other in both orders: first offset and length.
fn walk_runs(axes: &[Axis], base: usize, f: &mut impl FnMut(usize, usize)) {
    match axes {
        [] => f(base, 1),
        [axis] => {
            let block = axis.block.max(1);
            let run = match axis {
                Axis { outer: 1, .. } if block == 1 => axis.extent,
                Axis { inner: 1, .. } if block > 1 && axis.outer == block => axis.extent,
                Axis { inner: 1, .. } if block > 1 => block,
                _ => return walk(axes, base, &mut |at| f(at, 1)),
            };
            for i in (0..axis.extent).step_by(run.max(1)) {
                f(base + i / block * axis.outer, run.min(axis.extent - i));
            }
        }
        [axis, rest @ ..] => walk(slice::from_ref(axis), base, &mut |at| walk_runs(rest, at, f)),
    }
}

/// Physical offset of canonical element `i`.
pub fn place(layout: &Layout, mut i: usize) -> usize {
    let mut at = 0;
    for axis in layout.axes.iter().rev() {
        at += step(axis, i % axis.extent);
        i /= axis.extent;
    }
    at
}

/// How far index `i` of an axis leads.
fn step(axis: &Axis, i: usize) -> usize {
    let block = axis.block.max(1);
    i / block * axis.outer + if block > 1 { i % block * axis.inner } else { 0 }
}

/// Floats from the first to the last that an index leads to.
pub fn reach(layout: &Layout) -> usize {
    let last = |axis: &Axis| (0..axis.extent).map(|i| step(axis, i)).max().unwrap_or(0);
    1 + layout.axes.iter().map(last).sum::<usize>()
}

/// Number of elements.
pub fn numel(layout: &Layout) -> usize {
    layout.axes.iter().map(|a| a.extent).product()
}

/// Writes canonical `values` into their places in `physical`.
pub fn pack(layout: &Layout, values: impl IntoIterator<Item = f32>, physical: &mut [f32]) {
    let mut values = values.into_iter();
    walk(layout.axes, 0, &mut |at| {
        if let Some(value) = values.next() {
            physical[at] = value;
        }
    });
}

/// Appends the canonical values of `physical` to `out`.
pub fn unpack(layout: &Layout, physical: &[f32], out: &mut Vec<f32>) {
    walk(layout.axes, 0, &mut |at| out.push(physical[at]));
}

/// As [`unpack`], from memory that kernels wrote.
///
/// # Safety
/// Every index of the layout leads to a float.
pub unsafe fn unpack_raw(layout: &Layout, physical: *const f32, out: &mut Vec<f32>) {
    walk_runs(layout.axes, 0, &mut |at, run| {
        // SAFETY: a run is consecutive offsets of the layout, at each of which our caller vouches for a float.
        out.extend_from_slice(unsafe { slice::from_raw_parts(physical.add(at), run) })
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocked_round_trip_leaves_padding_alone() {
        // [20, 3] as [20/16][3][16]
        const LAYOUT: Layout = Layout {
            axes: &[
                Axis { extent: 20, block: 16, outer: 48, inner: 1 },
                Axis { extent: 3, block: 1, outer: 16, inner: 0 },
            ],
            size: 96,
        };
        let values: Vec<f32> = (0..60).map(|i| i as f32).collect();
        let mut physical = vec![-1.0; LAYOUT.size];
        pack(&LAYOUT, values.iter().copied(), &mut physical);
        assert_eq!(
            physical[0..16].iter().map(|v| *v as i32).collect::<Vec<_>>(),
            (0..16).map(|o| 3 * o).collect::<Vec<_>>()
        );
        assert_eq!(physical[48 + 16 + 3], (19 * 3 + 1) as f32);
        assert_eq!(physical.iter().filter(|v| **v == -1.0).count(), 36);
        let mut back = Vec::new();
        unpack(&LAYOUT, &physical, &mut back);
        assert_eq!(back, values);
    }

    #[test]
    fn runs_are_the_elements_in_order() {
        let plain = |extent, outer| Axis { extent, block: 1, outer, inner: 0 };
        let blocked = |extent, outer, inner| Axis { extent, block: 16, outer, inner };
        let cases: [&'static [Axis]; 7] = [
            &[],
            Vec::leak(vec![plain(5, 1)]),
            Vec::leak(vec![plain(5, 3)]),
            Vec::leak(vec![blocked(37, 16, 1)]),
            Vec::leak(vec![blocked(37, 64, 1)]),
            Vec::leak(vec![blocked(20, 64, 2)]),
            Vec::leak(vec![blocked(20, 128, 1), plain(3, 32), plain(2, 16)]),
        ];
        let physical: Vec<f32> = (0..600).map(|i| i as f32).collect();
        for axes in cases {
            let layout = Layout { axes, size: physical.len() };
            let (mut one, mut runs) = (Vec::new(), Vec::new());
            unpack(&layout, &physical, &mut one);
            let places: Vec<f32> = (0..numel(&layout)).map(|i| place(&layout, i) as f32).collect();
            assert_eq!(places, one, "{axes:?}");
            assert_eq!(reach(&layout), 1 + *one.iter().max_by(|a, b| a.total_cmp(b)).unwrap() as usize, "{axes:?}");
            // SAFETY: no offset lies beyond 600.
            unsafe { unpack_raw(&layout, physical.as_ptr(), &mut runs) };
            assert_eq!(one, runs, "{axes:?}");
        }
    }

    #[test]
    fn a_scalar_has_one_element() {
        let layout = Layout { axes: &[], size: 1 };
        let mut out = Vec::new();
        unpack(&layout, &[4.0], &mut out);
        assert_eq!((numel(&layout), out), (1, vec![4.0]));
    }
}
