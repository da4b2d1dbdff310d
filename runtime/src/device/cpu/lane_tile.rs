//! The inner loops of [`lanes`](super::lanes): tiles of accumulators whose lanes are samples, with literal indices as in [`tile`](super::tile).
//!
//! One kind multiplies vectors by single weights, the other vectors by vectors. Every element is one sequential chain of `fma`, so that the shape of a tile never shows in the bits.

#[cfg(target_arch = "x86_64")]
use super::{Avx2, Avx512};
use super::{BLOCK, Portable, Simd};
use crate::plan::Level;

/// Pixels of a tile at most.
pub(super) const PIXELS: usize = 4;

/// `out[i][j] = Σ x[at[j] + k] · w[i · w_output + k]` over three loops of k. Distances count floats.
pub(super) struct Products {
    pub x: *const f32,
    pub at: [usize; PIXELS],
    pub w: *const f32,
    pub w_output: usize,
    pub count: [usize; 3],
    pub x_step: [usize; 3],
    /// Backwards where a kernel is turned.
    pub w_step: [isize; 3],
    pub out: *mut f32,
    pub out_output: usize,
}

/// `out[i][j] = Σ a[i · a_row + k] · b[j · b_column + k]` over two loops of k, lane by lane.
pub(super) struct Outer {
    pub a: *const f32,
    pub a_row: usize,
    pub b: *const f32,
    pub b_column: usize,
    pub count: [usize; 2],
    pub a_step: [usize; 2],
    pub b_step: [usize; 2],
    pub out: *mut f32,
    pub out_row: usize,
}

type ProductsFn = unsafe fn(&Products);
type OuterFn = unsafe fn(&Outer);

/// Most outputs and pixels of one tile of [`products`].
pub(super) const fn products_shape(level: Level) -> [usize; 2] {
    match level {
        Level::Portable => [1, 1],
        Level::Avx2 => [2, 2],
        Level::Avx512 => [6, PIXELS],
    }
}

/// Most rows and columns of one tile of [`outer`].
pub(super) const fn outer_shape(level: Level) -> [usize; 2] {
    match level {
        Level::Portable => [1, 1],
        Level::Avx2 => [2, 2],
        Level::Avx512 => [4, 5],
    }
}

/// # Safety
/// The shape is within [`products_shape`]; what `t` describes is readable, its `out` writable.
#[inline(always)]
pub(super) unsafe fn products<S: Simd>(_: S, outputs: usize, pixels: usize, t: &Products) {
    let table: &[&[ProductsFn]] = match S::LEVEL {
        Level::Portable => &PRODUCTS_PORTABLE,
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => &PRODUCTS_AVX2,
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => &PRODUCTS_AVX512,
        #[cfg(not(target_arch = "x86_64"))]
        _ => &PRODUCTS_PORTABLE,
    };
    // SAFETY: the token proves the level; the rest is the caller's promise.
    unsafe { table[outputs - 1][pixels - 1](t) }
}

/// # Safety
/// The shape is within [`outer_shape`]; what `t` describes is readable, its `out` writable.
#[inline(always)]
pub(super) unsafe fn outer<S: Simd>(_: S, rows: usize, columns: usize, t: &Outer) {
    let table: &[&[OuterFn]] = match S::LEVEL {
        Level::Portable => &OUTER_PORTABLE,
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => &OUTER_AVX2,
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => &OUTER_AVX512,
        #[cfg(not(target_arch = "x86_64"))]
        _ => &OUTER_PORTABLE,
    };
    // SAFETY: the token proves the level; the rest is the caller's promise.
    unsafe { table[rows - 1][columns - 1](t) }
}

/// What both kinds do with their accumulators.
macro_rules! each {
    (@fma $s:ident $acc:ident $x:ident $v:ident $i:literal [$($j:literal)*]) => {
        $( $acc[$i][$j] = $s.fma($x, $v[$j], $acc[$i][$j]); )*
    };
    (@store $s:ident $acc:ident $out:ident $row:ident $i:literal [$($j:literal)*]) => {
        $( $s.store($out.add($i * $row + $j * BLOCK), $acc[$i][$j]); )*
    };
}

macro_rules! products_tile {
    ($token:ident, [$(#[$feature:meta])?], $outputs:literal [$($i:literal)*], $pixels:literal $j:tt) => {{
        $(#[$feature])?
        unsafe fn run(t: &Products) {
            type S = $token;
            // SAFETY: the table that holds this function is used only with a token of its level; addresses are the caller's promise.
            unsafe {
                let s = S::new();
                let Products { at, w_output, count: [c0, c1, c2], x_step, w_step, out, out_output, .. } = *t;
                let mut acc = [[s.splat(0.0); $pixels]; $outputs];
                for i0 in 0..c0 {
                    for i1 in 0..c1 {
                        let mut x = t.x.wrapping_add(i0 * x_step[0] + i1 * x_step[1]);
                        let mut w = t.w.wrapping_offset(i0 as isize * w_step[0] + i1 as isize * w_step[1]);
                        let mut left = c2;
                        while left != 0 {
                            products_tile!(@vectors s x at v $j);
                            $( let y = s.splat(*w.add($i * w_output)); each!(@fma s acc y v $i $j); )*
                            x = x.wrapping_add(x_step[2]);
                            w = w.wrapping_offset(w_step[2]);
                            left -= 1;
                        }
                    }
                }
                $( each!(@store s acc out out_output $i $j); )*
            }
        }
        run as ProductsFn
    }};
    (@vectors $s:ident $x:ident $at:ident $v:ident [$($j:literal)*]) => {
        let $v = [$( $s.load($x.add($at[$j])) ),*];
    };
}

macro_rules! outer_tile {
    ($token:ident, [$(#[$feature:meta])?], $rows:literal [$($i:literal)*], $columns:literal $j:tt) => {{
        $(#[$feature])?
        unsafe fn run(t: &Outer) {
            type S = $token;
            // SAFETY: as for the other kind.
            unsafe {
                let s = S::new();
                let Outer { a_row, b_column, count: [c0, c1], a_step, b_step, out, out_row, .. } = *t;
                let mut acc = [[s.splat(0.0); $columns]; $rows];
                for i0 in 0..c0 {
                    let mut a = t.a.wrapping_add(i0 * a_step[0]);
                    let mut b = t.b.wrapping_add(i0 * b_step[0]);
                    let mut left = c1;
                    while left != 0 {
                        outer_tile!(@vectors s b b_column v $j);
                        $( let y = s.load(a.add($i * a_row)); each!(@fma s acc y v $i $j); )*
                        a = a.wrapping_add(a_step[1]);
                        b = b.wrapping_add(b_step[1]);
                        left -= 1;
                    }
                }
                $( each!(@store s acc out out_row $i $j); )*
            }
        }
        run as OuterFn
    }};
    (@vectors $s:ident $b:ident $column:ident $v:ident [$($j:literal)*]) => {
        let $v = [$( $s.load($b.add($j * $column)) ),*];
    };
}

/// Tiles of one height, by width.
macro_rules! row {
    ($kind:ident, $token:ident, $feature:tt, $rows:literal $i:tt, $($columns:literal $j:tt),*) => {
        &[$( $kind!($token, $feature, $rows $i, $columns $j) ),*]
    };
}

static PRODUCTS_PORTABLE: [&[ProductsFn]; 1] = [row!(products_tile, Portable, [], 1[0], 1[0])];
static OUTER_PORTABLE: [&[OuterFn]; 1] = [row!(outer_tile, Portable, [], 1[0], 1[0])];

#[cfg(target_arch = "x86_64")]
static PRODUCTS_AVX2: [&[ProductsFn]; 2] = [
    row!(products_tile, Avx2, [#[target_feature(enable = "avx2,fma")]], 1 [0], 1 [0], 2 [0 1]),
    row!(products_tile, Avx2, [#[target_feature(enable = "avx2,fma")]], 2 [0 1], 1 [0], 2 [0 1]),
];
#[cfg(target_arch = "x86_64")]
static OUTER_AVX2: [&[OuterFn]; 2] = [
    row!(outer_tile, Avx2, [#[target_feature(enable = "avx2,fma")]], 1 [0], 1 [0], 2 [0 1]),
    row!(outer_tile, Avx2, [#[target_feature(enable = "avx2,fma")]], 2 [0 1], 1 [0], 2 [0 1]),
];

/// All widths of one height at AVX-512.
#[cfg(target_arch = "x86_64")]
macro_rules! wide {
    (products $rows:literal $i:tt) => {
        row!(products_tile, Avx512, [#[target_feature(enable = "avx512f")]], $rows $i,
            1 [0], 2 [0 1], 3 [0 1 2], 4 [0 1 2 3])
    };
    (outer $rows:literal $i:tt) => {
        row!(outer_tile, Avx512, [#[target_feature(enable = "avx512f")]], $rows $i,
            1 [0], 2 [0 1], 3 [0 1 2], 4 [0 1 2 3], 5 [0 1 2 3 4])
    };
}

#[cfg(target_arch = "x86_64")]
static PRODUCTS_AVX512: [&[ProductsFn]; 6] = [
    wide!(products 1 [0]),
    wide!(products 2 [0 1]),
    wide!(products 3 [0 1 2]),
    wide!(products 4 [0 1 2 3]),
    wide!(products 5 [0 1 2 3 4]),
    wide!(products 6 [0 1 2 3 4 5]),
];
#[cfg(target_arch = "x86_64")]
static OUTER_AVX512: [&[OuterFn]; 4] =
    [wide!(outer 1 [0]), wide!(outer 2 [0 1]), wide!(outer 3 [0 1 2]), wide!(outer 4 [0 1 2 3])];
