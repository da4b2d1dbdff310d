//! Rows of memory by number: gathers, their adjoints, and fixed sparse matrices along an axis.

use std::ops::Range;

use super::{
    Simd, Total,
    total::{add_exactly, add_to},
};

/// Where element `e` of row `r` lies: at `r / block · outer + r % block · inner + e · step`.
#[derive(Clone, Copy, Debug)]
pub struct Rows {
    pub rows: usize,
    pub block: usize,
    pub outer: usize,
    pub inner: usize,
    /// Elements of a row.
    pub length: usize,
    pub step: usize,
}

impl Rows {
    #[inline(always)]
    fn place(&self, row: usize) -> usize {
        if self.block == 1 { row * self.outer } else { row / self.block * self.outer + row % self.block * self.inner }
    }

    /// Whether rows are contiguous.
    #[inline(always)]
    fn is_dense(&self) -> bool {
        self.step == 1 || self.length == 1
    }
}

/// Rows of `values` stand for rows of `data`, each for that of its index.
#[derive(Clone, Copy, Debug)]
pub struct Indexed {
    pub data: Rows,
    pub index: Rows,
    pub values: Rows,
}

/// How an index is stored. None reaches beyond the last row, whatever was computed.
pub trait RowIndex: Copy {
    /// # Safety
    /// `at` is readable for one number.
    unsafe fn read(at: *const f32) -> usize;
}

/// An integer.
#[derive(Clone, Copy, Debug)]
pub struct IntIndex;

/// A whole number that a map has computed.
#[derive(Clone, Copy, Debug)]
pub struct FloatIndex;

impl RowIndex for IntIndex {
    #[inline(always)]
    unsafe fn read(at: *const f32) -> usize {
        // SAFETY: a number is there, by our caller's word; integers and floats have one size.
        unsafe { *at.cast::<i32>() as usize }
    }
}

impl RowIndex for FloatIndex {
    #[inline(always)]
    unsafe fn read(at: *const f32) -> usize {
        // SAFETY: a number is there, by our caller's word. The conversion saturates, and makes 0 of NaN, so any value
        // is good.
        unsafe { *at as usize }
    }
}

/// One sample: each row of `values` becomes the row of `data` that its index names.
///
/// # Safety
/// The pointers are those of values that lie as `d` says.
#[inline(always)]
pub unsafe fn gather_rows<S: Simd, I: RowIndex>(
    s: S,
    d: &Indexed,
    data: *const f32,
    index: *const f32,
    values: *mut f32,
) {
    let last = d.data.rows - 1;
    for i in 0..d.index.rows {
        // SAFETY: the row is there by its bound, its elements are by the caller's promise.
        unsafe {
            let row = I::read(index.add(d.index.place(i))).min(last);
            let (from, to) = (data.add(d.data.place(row)), values.add(d.values.place(i)));
            if d.values.length == 1 {
                *to = *from;
            } else if d.data.is_dense() && d.values.is_dense() {
                each_vector::<S>(d.values.length, |e, n| s.store_first(to.add(e), s.load_first(from.add(e), n), n));
            } else {
                for e in 0..d.values.length {
                    *to.add(e * d.values.step) = *from.add(e * d.data.step);
                }
            }
        }
    }
}

/// The adjoint for the rows of `data` in `own`: cleared, then the rows of `values` added that their indices name, sample by
/// sample in the order of their indices. `lost` is where what rounding loses is kept meanwhile: one row may bear all numbers.
///
/// # Safety
/// As for [`gather_rows`], for `samples` samples; nobody else writes these rows, and `lost` is writable for as many, side by side.
#[allow(clippy::too_many_arguments)]
#[inline(always)]
pub unsafe fn scatter_add_rows<S: Simd, I: RowIndex>(
    s: S,
    d: &Indexed,
    own: Range<usize>,
    samples: usize,
    values: *const f32,
    values_sample: usize,
    index: *const f32,
    index_sample: usize,
    data: *mut f32,
    lost: *mut f32,
) {
    let last = d.data.rows - 1;
    let length = d.data.length;
    // SAFETY: rows are there by their bound, their elements are by the caller's promise.
    unsafe {
        lost.write_bytes(0, own.len() * length);
        for row in own.clone() {
            let to = data.add(d.data.place(row));
            for e in 0..length {
                *to.add(e * d.data.step) = 0.0;
            }
        }
        for n in 0..samples {
            let (index, values) = (index.add(n * index_sample), values.add(n * values_sample));
            for i in 0..d.index.rows {
                let row = I::read(index.add(d.index.place(i))).min(last);
                if !own.contains(&row) {
                    continue;
                }
                let (from, to) = (values.add(d.values.place(i)), data.add(d.data.place(row)));
                let lost = lost.add((row - own.start) * length);
                if length > 1 && d.data.is_dense() && d.values.is_dense() {
                    each_vector::<S>(length, |e, n| {
                        let (to, lost) = (to.add(e), lost.add(e));
                        let x = s.load_first(from.add(e), n);
                        let (sum, left) = add_exactly(s, s.load_first(to, n), s.load_first(lost, n), x);
                        s.store_first(to, sum, n);
                        s.store_first(lost, left, n);
                    });
                } else {
                    for e in 0..length {
                        add_to(to.add(e * d.data.step), lost.add(e), *from.add(e * d.values.step));
                    }
                }
            }
        }
    }
}

/// `f(first, count)` for each vector of `length` elements.
#[inline(always)]
fn each_vector<S: Simd>(length: usize, mut f: impl FnMut(usize, usize)) {
    let whole = length / S::LANES * S::LANES;
    for e in (0..whole).step_by(S::LANES) {
        f(e, S::LANES);
    }
    if whole < length {
        f(whole, length - whole);
    }
}

/// One place of the result: which places of the operand it sums, and with which weight.
pub type TableRow = &'static [(usize, f32)];

/// One sample: along an axis with `outer` times as many lines of `inner` floats as it has places, place i of the result is
/// the weighted sum that `rows[i]` tells. `extent` is the operand's.
///
/// # Safety
/// `from` is readable for `outer · extent · inner` floats, `to` writable for `outer · rows · inner`.
#[inline(always)]
pub unsafe fn table_rows<S: Simd>(
    s: S,
    rows: &[TableRow],
    extent: usize,
    outer: usize,
    inner: usize,
    from: *const f32,
    to: *mut f32,
) {
    for o in 0..outer {
        for (i, row) in rows.iter().enumerate() {
            // SAFETY: sources are below the extent.
            unsafe {
                let (from, to) = (from.add(o * extent * inner), to.add((o * rows.len() + i) * inner));
                if inner == 1 {
                    let mut sum = 0.0;
                    for &(source, weight) in *row {
                        sum += f64::from(weight) * f64::from(*from.add(source));
                    }
                    *to = sum as f32;
                    continue;
                }
                each_vector::<S>(inner, |e, n| {
                    let mut sum = Total::new(s);
                    for &(source, weight) in *row {
                        sum.add_product(s, s.splat(weight), s.load_first(from.add(source * inner + e), n));
                    }
                    s.store_first(to.add(e), sum.value(s), n);
                });
            }
        }
    }
}
