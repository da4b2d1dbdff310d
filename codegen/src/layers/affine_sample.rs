//! `AffineSample(image, theta)`, `AffineSample<size = [24, 24]>(image, theta)`: the image [C, H, W] seen through the affine
//! map theta [2, 3] (or its six numbers as a vector), by bilinear interpolation, zeros outside: PyTorch's `affine_grid` and
//! `grid_sample` with `align_corners = false` (Jaderberg, Simonyan, Zisserman and Kavukcuoglu, "Spatial transformer
//! networks", 2015). Both operands have gradients.
//!
//! Coordinates are computed for all channels at once, as one long vector. Each of the four elements around a position is
//! gathered from the flat image; where it lies outside, another is read and weighs nothing. A map with a NaN or an infinity
//! gives NaN, as there.

use super::prelude::*;

pub const LAYER: Layer = Layer {
    name: "AffineSample",
    doc: "An image seen through an affine map, by bilinear interpolation.",
    usage: "AffineSample(image, theta)",
    operands: Operands::Two,
    arguments: &[named("size")],
    surplus: Surplus::Named(&["size"]),
    lower,
};

fn lower(site: &mut Site) -> Result<Value> {
    let [channels, height, width] = site.image()?;
    let [rows, columns] = site.args.pair_or("size", [height, width])?;
    let (image, theta) = (site.inputs[0], site.inputs[1]);
    if !matches!(site.dims(1)[..], [2, 3] | [6]) {
        let message = format!("`theta` of `AffineSample` is [2, 3], found {}", dims_text(&site.dims(1)));
        return Err(site.shape_error(message).help("six numbers, for example from `Linear<6>`"));
    }
    let (from, to) = (height * width, rows * columns);
    let largest = channels.saturating_mul(from.max(to));
    if largest >= 1 << 23 {
        let message = format!("`AffineSample` counts up to {} elements, found {largest}", (1 << 23) - 1);
        return Err(site.shape_error(message).help("sample a smaller image, or fewer channels"));
    }
    let flat = site.b.reshape(image, &[channels * from]);
    let mut theta = site.b.reshape(theta, &[6]);
    // A map that is the same for all samples.
    if site.b.graph.shape(image).batch && !site.b.graph.shape(theta).batch {
        theta = site.b.op(Op::Move(MoveOp::Broadcast { dims: vec![6], batch: true }), &[theta]);
    }
    let theta: Vec<Value> =
        (0..6).map(|i| site.b.op(Op::Move(MoveOp::Slice { axis: 0, start: i, len: 1 }), &[theta])).collect();
    // What is the same for all samples: the middle of each element of the result, and where its channel begins.
    let one = site.b.map(&[], |p, _| p.constant(1.0));
    let one = site.b.reshape(one, &[1]);
    let long = site.b.op(Op::Move(MoveOp::Broadcast { dims: vec![channels * to], batch: false }), &[one]);
    let mut grid = |f: &dyn Fn(&mut Pool, [Id; 3]) -> Id| {
        site.b.map1(long, |p, _| {
            let at = place(p, to, columns);
            f(p, at)
        })
    };
    let middle = [grid(&|p, at| centred(p, at[2], columns)), grid(&|p, at| centred(p, at[1], rows))];
    let channel = grid(&|p, at| p.scale(from as f64, at[0]));
    let mut position = |first: usize, extent: usize| {
        let operands = [middle[0], middle[1], theta[first], theta[first + 1], theta[first + 2]];
        site.b.map(&operands, |p, i| {
            let (a, b) = (p.mul(i[2], i[0]), p.mul(i[3], i[1]));
            let sum = p.add(a, b);
            let sum = p.add(sum, i[4]);
            // ((sum + 1) · extent − 1) / 2
            let scaled = p.scale(extent as f64 / 2.0, sum);
            let shift = p.constant((extent as f64 - 1.0) / 2.0);
            p.add(scaled, shift)
        })
    };
    let (x, y) = (position(0, width), position(3, height));
    let mut operands = vec![x, y];
    for (below, right) in CORNERS {
        let index = site.b.map(&[x, y, channel], |p, i| {
            let column = corner(p, i[0], right);
            let column = clamped(p, column, width);
            let row = corner(p, i[1], below);
            let row = clamped(p, row, height);
            let row = p.scale(width as f64, row);
            let within = p.add(row, column);
            p.add(i[2], within)
        });
        operands.push(site.b.op(Op::Gather, &[flat, index]));
    }
    let sampled = site.b.map(&operands, |p, i| {
        let mut sum = p.constant(0.0);
        for (k, (below, right)) in CORNERS.into_iter().enumerate() {
            let across = weight(p, i[0], right, width);
            let along = weight(p, i[1], below, height);
            let weight = p.mul(across, along);
            let term = p.mul(weight, i[k + 2]);
            sum = p.add(sum, term);
        }
        sum
    });
    Ok(site.b.reshape(sampled, &[channels, rows, columns]))
}

/// The elements around a position: whether below, whether to the right.
const CORNERS: [(bool, bool); 4] = [(false, false), (false, true), (true, false), (true, true)];

/// Channel, row and column of an element of the flat result.
fn place(p: &mut Pool, size: usize, columns: usize) -> [Id; 3] {
    let index = p.index(0);
    let (channel, rest) = divided(p, index, size);
    let (row, column) = divided(p, rest, columns);
    [channel, row, column]
}

/// Quotient and rest. The half keeps what is rounded off the whole numbers.
fn divided(p: &mut Pool, number: Id, by: usize) -> (Id, Id) {
    let half = p.constant(0.5);
    let shifted = p.add(number, half);
    let exact = p.scale(1.0 / by as f64, shifted);
    let quotient = p.unary(Unary::Floor, exact);
    let whole = p.scale(by as f64, quotient);
    (quotient, p.sub(number, whole))
}

/// The middle of place `i` of `extent` in [-1, 1]: (2i + 1) / extent − 1.
fn centred(p: &mut Pool, i: Id, extent: usize) -> Id {
    let scaled = p.scale(2.0 / extent as f64, i);
    let shift = p.constant(1.0 / extent as f64 - 1.0);
    p.add(scaled, shift)
}

/// The element before a position, or behind it.
fn corner(p: &mut Pool, position: Id, behind: bool) -> Id {
    let first = p.unary(Unary::Floor, position);
    let one = p.constant(if behind { 1.0 } else { 0.0 });
    p.add(first, one)
}

fn clamped(p: &mut Pool, element: Id, extent: usize) -> Id {
    let (zero, last) = (p.constant(0.0), p.constant(extent as f64 - 1.0));
    let low = p.binary(Binary::Max, zero, element);
    p.binary(Binary::Min, last, low)
}

/// How much an element counts at a position, along one axis: nothing outside of the image, and NaN at a position that is no
/// number or infinite, as in PyTorch.
fn weight(p: &mut Pool, position: Id, behind: bool, extent: usize) -> Id {
    let element = corner(p, position, behind);
    let first = p.unary(Unary::Floor, position);
    let share = p.sub(position, first);
    let one = p.constant(1.0);
    let share = if behind { share } else { p.sub(one, share) };
    // 0 where the position is finite.
    let nothing = p.sub(share, share);
    let (zero, last) = (p.constant(0.0), p.constant(extent as f64 - 1.0));
    let above = p.binary(Binary::Ge, element, zero);
    let below = p.binary(Binary::Le, element, last);
    let inside = p.binary(Binary::And, above, below);
    p.select(inside, share, nothing)
}
