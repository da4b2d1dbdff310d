//! The one inner loop of every contraction: a tile of accumulators that stays in registers.
//!
//! `out[row][block] (+)= Σ_k a[row, k] · b[k, block]`, one sequential chain of `fma` per element whatever the tile's shape, so that shapes never show in the bits. Where k is long, chains are
//! cut into runs, whose sums are added up apart ([`Sums`]): a chain of n products of one sign loses up to n / 4 units in the last place. Accumulators have literal indices:
//! arrays indexed by a loop are in registers only by luck. The tiles are compiled here, once per level and shape, and write to memory; the caller's sink reads that from the first-level cache.
//! This costs a percent at k = 256, and keeps the functors of emitted kernels out of the inner loop.

use core::mem::MaybeUninit;

#[cfg(target_arch = "x86_64")]
use super::{Avx2, Avx512};
use super::{BLOCK, Portable, Simd, simd::levels::compiled_here, total::add_exactly};
use crate::plan::Level;

/// Takes each finished vector of a contraction and does all the storing.
pub trait Sink: Copy {
    /// # Safety
    /// Called once per `(row, block, pixel)` of the task; where the result goes must be writable.
    unsafe fn put<S: Simd>(self, s: S, acc: S::V, row: usize, block: usize, pixel: usize);
}

/// As [`Sink`], for a maximum and its position in the window.
pub trait Sink2: Copy {
    /// # Safety
    /// As [`Sink::put`].
    unsafe fn put<S: Simd>(self, s: S, max: S::V, arg: S::V, row: usize, block: usize, pixel: usize);
}

/// As [`Sink`], for results of an image of which only the maxima of 2 × 2 windows, side by side, are wanted. What no window has is dropped.
pub trait PoolingSink: Copy {
    /// What is pooled, of a finished vector.
    ///
    /// # Safety
    /// The task has this `(row, block, pixel)`.
    unsafe fn at<S: Simd>(self, s: S, acc: S::V, row: usize, block: usize, pixel: usize) -> S::V;

    /// Takes a maximum and its position in the window, as [`Sink2::put`]; `pixel` is one of the pooled image.
    ///
    /// # Safety
    /// Called once per window; where the results go must be writable.
    unsafe fn put<S: Simd>(self, s: S, max: S::V, arg: S::V, row: usize, block: usize, pixel: usize);
}

/// The loops over k, outermost first, with the distance of `a` and `b` per iteration.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walk {
    pub count: [usize; 4],
    pub a: [usize; 4],
    pub b: [usize; 4],
    /// Length of the innermost loop in the last iteration of the outermost.
    pub tail: usize,
    /// Iterations of the second loop, counted through the first, that are a run of sums which are not one chain.
    pub run: usize,
}

/// Steps of a product that are one chain.
pub(super) const LONGEST: usize = 1024;
/// Steps of a run.
pub(super) const RUN: usize = 64;
/// Runs whose sums are added up before they join what is there.
const RUNS: u32 = 8;

impl Walk {
    /// One loop of `k` steps.
    #[inline(always)]
    pub const fn straight(k: usize, a: usize, b: usize) -> Walk {
        Walk { count: [1, 1, 1, k], a: [0, 0, 0, a], b: [0, 0, 0, b], tail: k, run: 1 }
    }

    /// All steps, where no iteration is shorter than others.
    #[inline(always)]
    pub const fn steps(&self) -> usize {
        let [a, b, c, d] = self.count;
        a * b * c * d
    }

    /// The same in runs: their boundaries are a matter of the loops' lengths only.
    #[inline(always)]
    pub fn in_runs(self) -> Walk {
        let Walk { count: [1, 1, 1, k], a: [.., a], b: [.., b], .. } = self else {
            return Walk { run: (RUN / (self.count[2] * self.count[3]).max(1)).max(1), ..self };
        };
        let runs = k.div_ceil(RUN).max(1);
        Walk {
            count: [runs, 1, 1, RUN],
            a: [RUN * a, 0, 0, a],
            b: [RUN * b, 0, 0, b],
            tail: k - (runs - 1) * RUN,
            run: 1,
        }
    }
}

/// How the products of a call are added up.
#[derive(Clone, Copy)]
pub(super) enum Sums {
    /// As one chain, which goes on from what `out` holds.
    Chain,
    /// In runs; their sum is added to what `out` holds.
    Runs,
    /// In runs, and beside `out` lies what its rounding loses, blocks at a distance of `block` floats.
    Exact { lost: *mut f32, block: usize },
}

impl Sums {
    /// For a product of `steps` in all.
    #[inline(always)]
    pub fn of(steps: usize, lost: *mut f32, block: usize) -> Sums {
        if steps > LONGEST { Sums::Exact { lost, block } } else { Sums::Chain }
    }

    #[inline(always)]
    fn is_long(self) -> bool {
        !matches!(self, Sums::Chain)
    }

    /// Of a part of the tile, so many rows and blocks further on.
    #[inline(always)]
    pub fn at(self, rows: usize, out_row: usize, blocks: usize) -> Sums {
        match self {
            Sums::Exact { lost, block } => {
                Sums::Exact { lost: lost.wrapping_add(rows * out_row + blocks * block), block }
            }
            Sums::Chain | Sums::Runs => self,
        }
    }
}

/// One call of a tile. Distances count floats.
pub(super) struct Tile<'a> {
    pub a: *const f32,
    pub a_row: usize,
    pub b: *const f32,
    pub b_block: usize,
    pub walk: &'a Walk,
    pub out: *mut f32,
    pub out_row: usize,
    pub out_block: usize,
    /// Start from what `out` holds.
    pub add: bool,
    pub sums: Sums,
}

/// Room on the stack, aligned to a vector; nothing is in it at first.
#[repr(align(64))]
pub(super) struct Floats<const N: usize>([MaybeUninit<f32>; N]);

/// The largest tile holds 24 vectors.
pub(super) type Buffer = Floats<{ 24 * BLOCK }>;

/// No tile is wider, in blocks.
pub(super) const WIDEST_TILE: usize = 4;

impl<const N: usize> Floats<N> {
    #[inline(always)]
    pub fn new() -> Floats<N> {
        Floats([MaybeUninit::uninit(); N])
    }

    #[inline(always)]
    pub fn as_mut_ptr(&mut self) -> *mut f32 {
        self.0.as_mut_ptr().cast()
    }
}

/// How a block of results is cut into tiles of nearly equal size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tiling {
    pub row_tiles: usize,
    pub block_tiles: usize,
}

/// By level and height: how many blocks wide a tile may be. At AVX2 a vector is two registers of 16, and 3 × 2 would want one too many.
const WIDEST: [&[usize]; 3] = [&[1; 2], &[4, 2, 1, 1, 1, 1], &[4, 4, 4, 4, 4, 4, 3, 3, 2, 2, 2, 2]];
/// Lower tiles have too few sums to keep the multipliers busy.
const LOWEST: usize = 4;

impl Tiling {
    /// Rows of the highest tile.
    #[inline(always)]
    pub fn highest(level: Level) -> usize {
        WIDEST[level as usize].len()
    }

    /// The fewest tiles, as each costs as much as some ten steps of its loop; of those, the highest, which read least of B.
    #[inline]
    pub fn new(level: Level, rows: usize, blocks: usize) -> Tiling {
        let widest = WIDEST[level as usize];
        let most = Tiling::highest(level);
        let mut best = Tiling { row_tiles: 0, block_tiles: 0 };
        let mut height = most;
        while height >= LOWEST.min(most) && rows > 0 {
            let row_tiles = rows.div_ceil(height);
            let block_tiles = blocks.div_ceil(widest[rows.div_ceil(row_tiles) - 1]);
            if height == most || row_tiles * block_tiles < best.row_tiles * best.block_tiles {
                best = Tiling { row_tiles, block_tiles };
            }
            height -= 1;
        }
        best
    }
}

/// Part `index` of `parts` of `0..len`.
#[inline(always)]
pub(super) fn part(len: usize, parts: usize, index: usize) -> core::ops::Range<usize> {
    index * len / parts..(index + 1) * len / parts
}

/// Runs the tile of `rows` × `blocks`, a shape that [`Tiling`] gave for this level.
///
/// # Safety
/// All elements that `t` describes are readable, and those of `out` writable.
#[inline(always)]
pub(super) unsafe fn tile<S: Simd>(_: S, rows: usize, blocks: usize, t: &Tile) {
    let table: &[&[[TileFn; 2]]] = match S::LEVEL {
        Level::Portable => &PORTABLE,
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => &AVX2,
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => &AVX512,
        #[cfg(not(target_arch = "x86_64"))]
        _ => &PORTABLE,
    };
    // SAFETY: the token proves the level; the rest is the caller's promise.
    unsafe { table[blocks - 1][rows - 1][usize::from(t.sums.is_long())](t) }
}

/// Runs what is too large for one tile in the tiles of a [`Tiling`].
///
/// # Safety
/// As [`tile`].
#[inline(always)]
pub(super) unsafe fn tile_by_tile<S: Simd>(s: S, tiling: Tiling, rows: usize, blocks: usize, t: &Tile) {
    for block_tile in 0..tiling.block_tiles {
        let blocks = part(blocks, tiling.block_tiles, block_tile);
        for row_tile in 0..tiling.row_tiles {
            let rows = part(rows, tiling.row_tiles, row_tile);
            // SAFETY: a part of what the caller vouches for.
            unsafe {
                let t = Tile {
                    a: t.a.add(rows.start * t.a_row),
                    b: t.b.add(blocks.start * t.b_block),
                    out: t.out.add(rows.start * t.out_row + blocks.start * t.out_block),
                    sums: t.sums.at(rows.start, t.out_row, blocks.start),
                    ..*t
                };
                tile(s, rows.len(), blocks.len(), &t);
            }
        }
    }
}

/// Floats after which addresses have the same set of the first-level cache.
const PAGE: usize = 1024;
/// Rows of A that such a set holds beside the vectors of B that pass through it.
const MEETING: usize = 6;
/// Steps of k that are copied at a time: whole runs, which join what is there where they would without copies.
pub(super) const CHUNK: usize = RUNS as usize * RUN;

/// Whether more rows of A lie whole pages apart than a set of the first-level cache holds, so that each throws another's line out before it is used up, in a product of one loop of k that is long enough to copy them.
#[inline(always)]
pub(super) fn colliding(rows: usize, a_row: usize, walk: &Walk) -> bool {
    matches!(*walk, Walk { count: [1, 1, 1, k], a: [_, _, _, 1], .. } if k >= CHUNK)
        && rows > MEETING
        && a_row.is_multiple_of(PAGE)
}

/// As [`tile`]. Rows of A that are [`colliding`] are copied side by side, chunk by chunk of k.
///
/// # Safety
/// As [`tile`].
#[inline(always)]
pub(super) unsafe fn tile_of_rows<S: Simd>(s: S, rows: usize, blocks: usize, t: &Tile) {
    // SAFETY: both have our contract, and the rows are those that were found to collide.
    unsafe {
        if colliding(rows, t.a_row, t.walk) {
            tile_of_copies(s, rows, blocks, t);
        } else if t.sums.is_long() {
            tile(s, rows, blocks, &Tile { walk: &t.walk.in_runs(), ..*t });
        } else {
            tile(s, rows, blocks, t);
        }
    }
}

compiled_here! {
    /// As [`tile`], of copies: a function of its own, for the buffer is large, and every page of it is touched at each call.
    ///
    /// # Safety
    /// As [`tile`]; the rows are [`colliding`].
    unsafe fn tile_of_copies(rows: usize, blocks: usize, t: &Tile) = copies_body
}

/// # Safety
/// As [`tile_of_copies`].
#[inline(always)]
unsafe fn copies_body<S: Simd>(s: S, rows: usize, blocks: usize, t: &Tile) {
    let Walk { count: [.., k], b: [.., step], .. } = *t.walk;
    let mut copies = Floats::<{ 12 * CHUNK }>::new();
    let a = copies.as_mut_ptr();
    for start in (0..k).step_by(CHUNK) {
        let count = CHUNK.min(k - start);
        let mut walk = Walk::straight(count, 1, step);
        if t.sums.is_long() {
            walk = walk.in_runs();
        }
        // SAFETY: `count` steps from `start` on are within k, so these rows and this part of B are readable; no
        // `Tiling` makes a tile of more than 12 rows (`WIDEST`), for which the copies have room.
        unsafe {
            for row in 0..rows {
                core::ptr::copy_nonoverlapping(t.a.add(row * t.a_row + start), a.add(row * CHUNK), count);
            }
            let b = t.b.add(start * step);
            let part = Tile { a, a_row: CHUNK, b, walk: &walk, add: t.add || start > 0, ..*t };
            tile(s, rows, blocks, &part);
        }
    }
}

type TileFn = unsafe fn(&Tile);

/// The function of one tile: row indices in brackets, then block indices.
macro_rules! tile {
    ($token:ident, [$(#[$feature:meta])?], $rows:literal [$($i:literal)*], $blocks:literal $j:tt) => {{
        $(#[$feature])?
        unsafe fn run<const LONG: bool>(t: &Tile) {
            type S = $token;
            // SAFETY: the table that holds this function is used only with a token of its level; addresses are the caller's promise.
            unsafe {
                let s = S::new();
                let Tile { a_row, b_block, walk, out, out_row, out_block, .. } = *t;
                let mut acc = [[s.splat(0.0); $blocks]; $rows];
                // Sums of runs; they are not needed at every step.
                let mut runs = [[s.splat(0.0); $blocks]; $rows];
                let (mut iterations, mut count, mut add) = (walk.run, RUNS, t.add);
                if !LONG && t.add {
                    $( tile!(@load s acc out out_row out_block $i $j); )*
                }
                let [c0, c1, c2, c3] = walk.count;
                let (a3, b3) = (walk.a[3], walk.b[3]);
                for i0 in 0..c0 {
                    let inner = if i0 + 1 == c0 { walk.tail } else { c3 };
                    for i1 in 0..c1 {
                        let mut a_run = t.a.add(i0 * walk.a[0] + i1 * walk.a[1]);
                        let mut b_run = t.b.add(i0 * walk.b[0] + i1 * walk.b[1]);
                        for _ in 0..c2 {
                            let (mut a, mut b, mut left) = (a_run, b_run, inner);
                            while left != 0 {
                                tile!(@vectors s b b_block bv $j);
                                $( let x = s.splat(*a.add($i * a_row)); tile!(@fma s acc x bv $i $j); )*
                                a = a.wrapping_add(a3);
                                b = b.wrapping_add(b3);
                                left -= 1;
                            }
                            a_run = a_run.wrapping_add(walk.a[2]);
                            b_run = b_run.wrapping_add(walk.b[2]);
                        }
                        if LONG {
                            iterations -= 1;
                            if iterations == 0 {
                                iterations = walk.run;
                                $( tile!(@end_run s acc runs $i $j); )*
                                count -= 1;
                                if count == 0 {
                                    count = RUNS;
                                    $( tile!(@join s runs t add $i $j); )*
                                    runs = [[s.splat(0.0); $blocks]; $rows];
                                    add = true;
                                }
                            }
                        }
                    }
                }
                if LONG && (iterations != walk.run || count != RUNS || !add) {
                    $( tile!(@end_run s acc runs $i $j); )*
                    $( tile!(@join s runs t add $i $j); )*
                }
                if !LONG {
                    $( tile!(@store s acc out out_row out_block $i $j); )*
                }
            }
        }
        [run::<false> as TileFn, run::<true>]
    }};
    (@vectors $s:ident $b:ident $b_block:ident $bv:ident [$($j:literal)*]) => {
        let $bv = [$( $s.load($b.add($j * $b_block)) ),*];
    };
    (@fma $s:ident $acc:ident $x:ident $bv:ident $i:literal [$($j:literal)*]) => {
        $( $acc[$i][$j] = $s.fma($x, $bv[$j], $acc[$i][$j]); )*
    };
    (@load $s:ident $acc:ident $out:ident $row:ident $block:ident $i:literal [$($j:literal)*]) => {
        $( $acc[$i][$j] = $s.load($out.add($i * $row + $j * $block)); )*
    };
    (@end_run $s:ident $acc:ident $runs:ident $i:literal [$($j:literal)*]) => {
        $(
            $runs[$i][$j] = $s.add($runs[$i][$j], $acc[$i][$j]);
            $acc[$i][$j] = $s.splat(0.0);
        )*
    };
    (@join $s:ident $runs:ident $t:ident $add:ident $i:literal [$($j:literal)*]) => {
        $( join($s, $t, $add, $i, $j, $runs[$i][$j]); )*
    };
    (@store $s:ident $acc:ident $out:ident $row:ident $block:ident $i:literal [$($j:literal)*]) => {
        $( $s.store($out.add($i * $row + $j * $block), $acc[$i][$j]); )*
    };
}

/// Adds the sum of some runs to what `out` holds at this row and block; where nothing is there yet, it is what will be.
///
/// # Safety
/// As [`tile`].
#[inline(always)]
unsafe fn join<S: Simd>(s: S, t: &Tile, add: bool, row: usize, block: usize, sum: S::V) {
    let at = row * t.out_row + block * t.out_block;
    // SAFETY: the caller's promise.
    unsafe {
        let out = t.out.add(at);
        let there = if add { s.load(out) } else { s.splat(0.0) };
        let Sums::Exact { lost, block: distance } = t.sums else { return s.store(out, s.add(there, sum)) };
        let lost = lost.add(row * t.out_row + block * distance);
        let left = if add { s.load(lost) } else { s.splat(0.0) };
        let (new, left) = add_exactly(s, there, left, sum);
        s.store(out, new);
        s.store(lost, left);
    }
}

/// Tiles of one width, by height.
macro_rules! column {
    ($token:ident, $feature:tt, $blocks:literal $j:tt, $($rows:literal $i:tt),*) => {
        &[$( tile!($token, $feature, $rows $i, $blocks $j) ),*]
    };
}

/// Indexed by width, then height, then whether sums are long.
static PORTABLE: [&[[TileFn; 2]]; 1] = [column!(Portable, [], 1 [0], 1 [0], 2 [0 1])];

#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
static AVX2: [&[[TileFn; 2]]; 4] = [
    column!(Avx2, [#[target_feature(enable = "avx2,fma")]], 1 [0],
        1 [0], 2 [0 1], 3 [0 1 2], 4 [0 1 2 3], 5 [0 1 2 3 4], 6 [0 1 2 3 4 5]),
    column!(Avx2, [#[target_feature(enable = "avx2,fma")]], 2 [0 1], 1 [0], 2 [0 1]),
    column!(Avx2, [#[target_feature(enable = "avx2,fma")]], 3 [0 1 2], 1 [0]),
    column!(Avx2, [#[target_feature(enable = "avx2,fma")]], 4 [0 1 2 3], 1 [0]),
];

#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
static AVX512: [&[[TileFn; 2]]; 4] = [
    column!(Avx512, [#[target_feature(enable = "avx512f")]], 1 [0],
        1 [0], 2 [0 1], 3 [0 1 2], 4 [0 1 2 3], 5 [0 1 2 3 4], 6 [0 1 2 3 4 5], 7 [0 1 2 3 4 5 6], 8 [0 1 2 3 4 5 6 7],
        9 [0 1 2 3 4 5 6 7 8], 10 [0 1 2 3 4 5 6 7 8 9], 11 [0 1 2 3 4 5 6 7 8 9 10], 12 [0 1 2 3 4 5 6 7 8 9 10 11]),
    column!(Avx512, [#[target_feature(enable = "avx512f")]], 2 [0 1],
        1 [0], 2 [0 1], 3 [0 1 2], 4 [0 1 2 3], 5 [0 1 2 3 4], 6 [0 1 2 3 4 5], 7 [0 1 2 3 4 5 6], 8 [0 1 2 3 4 5 6 7],
        9 [0 1 2 3 4 5 6 7 8], 10 [0 1 2 3 4 5 6 7 8 9], 11 [0 1 2 3 4 5 6 7 8 9 10], 12 [0 1 2 3 4 5 6 7 8 9 10 11]),
    column!(Avx512, [#[target_feature(enable = "avx512f")]], 3 [0 1 2],
        1 [0], 2 [0 1], 3 [0 1 2], 4 [0 1 2 3], 5 [0 1 2 3 4], 6 [0 1 2 3 4 5], 7 [0 1 2 3 4 5 6], 8 [0 1 2 3 4 5 6 7]),
    column!(Avx512, [#[target_feature(enable = "avx512f")]], 4 [0 1 2 3],
        1 [0], 2 [0 1], 3 [0 1 2], 4 [0 1 2 3], 5 [0 1 2 3 4], 6 [0 1 2 3 4 5]),
];
