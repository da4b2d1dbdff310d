//! Whether every kernel for the CPU computes with the elements that its nodes ask for.
//!
//! A kernel is loops over places (block of channels, pixel, lane) at which nodes are computed together, and operands are read
//! from memory at an address that the place gives. Nothing in that says that the address is the element's: this does. At the
//! places where rules change (ends of blocks, of rows, of images, the lanes behind the last channel) the elements are followed from
//! what is stored back to what is read, through each node's own extents, and compared with where the layouts put them. Only the
//! finished plan is asked: which node joined which kernel for which reason does not matter.
//!
//! Chains over groups of samples have their own walk, in `lanes`.

use crate::graph::expr::{Expr, Scalar};
use crate::graph::op::{MoveOp, Op, WindowOp};
use crate::graph::{Graph, Value};
use crate::schedule::form::{Iter, Read, Reduced, read};
use crate::schedule::fuse::column_result;
use crate::schedule::layout::LANES;
use crate::schedule::{Form, Kernel, Schedule, Storage};
use std::collections::{HashMap, HashSet};

/// A place of a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    pub block: usize,
    pub pixel: usize,
    pub lane: usize,
}

/// A kernel that knows its nodes.
struct Inside<'a> {
    kernel: &'a Kernel,
    own: HashSet<Value>,
    read: HashSet<Value>,
}

impl Inside<'_> {
    fn computes(&self, value: Value) -> bool {
        self.own.contains(&value)
    }
}

impl std::ops::Deref for Inside<'_> {
    type Target = Kernel;

    fn deref(&self) -> &Kernel {
        self.kernel
    }
}

/// Where nodes are computed together.
struct Walk<'a> {
    s: &'a Schedule,
    kernel: &'a Inside<'a>,
    iter: Iter,
    /// Values that are in registers already, and the element that each holds at a place; `None` in lanes that hold nothing.
    given: Vec<(Value, Given)>,
}

/// What a register holds at a place.
#[derive(Clone, Copy)]
enum Given {
    /// The element at the place, in lanes that have a channel.
    Element(Iter),
    /// In all lanes the pixel's number, or the sample's only one.
    Number { per_pixel: bool },
}

impl Given {
    fn element(self, place: Place) -> Option<usize> {
        match self {
            Given::Element(iter) => element(iter, place),
            Given::Number { per_pixel: true } => Some(place.pixel),
            Given::Number { per_pixel: false } => Some(0),
        }
    }
}

/// The canonical number of the element at a place, if the lane has one.
fn element(iter: Iter, Place { block, pixel, lane }: Place) -> Option<usize> {
    let channel = block * LANES + lane;
    (channel < iter.channels).then_some(channel * iter.pixels + pixel)
}

/// Of so many numbers those at which a wrong rule shows: the first and last two, and one in the middle.
pub fn ends(count: usize) -> Vec<usize> {
    let mut list = vec![0, 1, count / 2, count.saturating_sub(2), count.saturating_sub(1)];
    list.retain(|i| *i < count);
    list.sort_unstable();
    list.dedup();
    list
}

/// Places at the ends of blocks, pixels and lanes, the lanes behind the last channel included.
fn places(iter: Iter) -> Vec<Place> {
    let mut list = Vec::new();
    for block in ends(iter.blocks()) {
        let live = (iter.channels - block * LANES).min(LANES);
        let mut lanes = ends(live);
        lanes.extend(ends(LANES));
        lanes.sort_unstable();
        lanes.dedup();
        for pixel in ends(iter.pixels) {
            list.extend(lanes.iter().map(|lane| Place { block, pixel, lane: *lane }));
        }
    }
    list
}

/// The element of an operand that a node's element is computed with: extents of 1 are repeated. `None` where the extents are
/// not those of an operand.
pub fn broadcast(element: usize, node: &[usize], operand: &[usize]) -> Option<usize> {
    if operand.iter().all(|d| *d == 1) {
        return Some(0);
    }
    if operand.len() != node.len() {
        return None;
    }
    let (mut rest, mut at, mut stride) = (element, 0, 1);
    for (n, o) in node.iter().zip(operand).rev() {
        let index = rest % n;
        rest /= n;
        at += match *o {
            1 => 0,
            o if o == *n => index * stride,
            _ => return None,
        };
        stride *= o;
    }
    Some(at)
}

/// The element of a reduction's result that an element of its operand goes into, of one sample.
pub fn reduced_to(element: usize, operand: &[usize], axes: &[usize]) -> usize {
    let (mut rest, mut at, mut stride) = (element, 0, 1);
    for (axis, extent) in operand.iter().enumerate().rev() {
        let index = rest % extent;
        rest /= extent;
        if !axes.contains(&axis) {
            at += index * stride;
            stride *= extent;
        }
    }
    at
}

pub fn verify(s: &Schedule, kernel: &Kernel) -> Result<(), String> {
    let set = |values: &[Value]| values.iter().copied().collect::<HashSet<Value>>();
    let kernel = &Inside { kernel, own: set(&kernel.nodes), read: set(&kernel.reads) };
    match &kernel.form {
        Form::Map(iter) => walk(s, kernel, *iter, &[]).stores(&kernel.stores),
        Form::Row { iter, per_pixel } => row(s, kernel, *iter, *per_pixel),
        Form::Column { iter, reduced } => column(s, kernel, *iter, *reduced),
        Form::Moments { iter, x, tiled } => moments(s, kernel, *iter, *x, *tiled),
        Form::Dense(_) | Form::DenseBackward(_) | Form::Conv { .. } | Form::ConvWeight { .. } | Form::Window { .. } => {
            template(s, kernel)
        }
        Form::Winograd { .. } => winograd(s, kernel),
        Form::Lanes(chain) => super::lanes::verify(s, chain),
        // Each reads the operands of its one node by their own layouts, one by one or in rows that `rows` found in them.
        Form::ConvFlipped { .. } | Form::WinogradWeights { .. } | Form::Rows(_) | Form::Scalar => {
            match kernel.nodes[..] {
                [_] => Ok(()),
                _ => Err("computes one node, whose operands lie in memory".into()),
            }
        }
        Form::Block(_) => Ok(()),
    }
}

fn walk<'a>(s: &'a Schedule, kernel: &'a Inside<'a>, iter: Iter, given: &[(Value, Given)]) -> Walk<'a> {
    Walk { s, kernel, iter, given: given.to_vec() }
}

impl Walk<'_> {
    fn graph(&self) -> &Graph {
        self.s.graph()
    }

    /// Whether each of these values is stored where its layout has the element that was computed.
    fn stores(&self, stores: &[Value]) -> Result<(), String> {
        let mut writes = Vec::new();
        for &value in stores {
            let dims = &self.graph().shape(value).dims;
            let Some(write) = read(dims, dims, self.iter) else {
                return Err(format!("{value} is no value of this walk"));
            };
            writes.push((value, dims, write));
        }
        for place in places(self.iter) {
            let Some(own) = element(self.iter, place) else { continue };
            // One register a value, whoever reads it.
            let mut seen = HashMap::new();
            for (value, dims, write) in &writes {
                let count = self.graph().shape(*value).numel();
                let element = if count == 1 { 0 } else { own };
                if element >= count {
                    return Err(format!("{value} has no element {element} to store"));
                }
                self.follow(*value, element, dims, place, &mut seen)?;
                let at = match write {
                    Read::Number { .. } if place.lane > 0 => continue,
                    write => write.offset(self.iter, place.block, place.pixel, place.lane),
                };
                if at != Some(self.s.layout(*value).offset(element)) {
                    return Err(format!("element {element} of {value} is stored at {at:?}"));
                }
            }
        }
        Ok(())
    }

    /// Whether what this kernel computes of `value` at a place is this element.
    fn computes(&self, value: Value, element: usize, place: Place) -> Result<(), String> {
        let own = self.graph().shape(value).dims.clone();
        self.follow(value, element, &own, place, &mut HashMap::new())
    }

    /// As `computes`, under a node of extents `under`; `seen` are values met before at the place, each with its element.
    fn follow(
        &self,
        value: Value,
        wanted: usize,
        under: &[usize],
        place: Place,
        seen: &mut HashMap<Value, usize>,
    ) -> Result<(), String> {
        let base = self.s.base(value);
        if let Some((_, given)) = self.given.iter().find(|(v, _)| *v == base) {
            let found = given.element(place);
            return if found == Some(wanted) {
                Ok(())
            } else {
                Err(format!("element {wanted} of {base} is wanted at {place:?}, where a register has {found:?}"))
            };
        }
        match seen.insert(base, wanted) {
            Some(before) if before == wanted => return Ok(()),
            Some(before) => return Err(format!("elements {before} and {wanted} of {base} at the one place {place:?}")),
            None => {}
        }
        if !self.kernel.computes(base) {
            return self.loads(value, wanted, under, place);
        }
        let node = self.graph().node(base);
        let dims = &node.ty.shape.dims;
        match &node.op {
            Op::Map(_) | Op::Assign { .. } | Op::Move(MoveOp::Broadcast { .. }) => {
                if let Op::Map(expr) = &node.op {
                    indices(expr, dims, wanted, place).map_err(|why| format!("{base} {why}"))?;
                }
                for &input in &node.inputs {
                    let operand = &self.graph().shape(input).dims;
                    let Some(element) = broadcast(wanted, dims, operand) else {
                        return Err(format!("{input} does not broadcast to {base}"));
                    };
                    self.follow(input, element, dims, place, seen)?;
                }
                Ok(())
            }
            Op::Random { .. } => {
                let own = self.iter.counting(&node.ty.shape);
                let channel = if own.channels == 1 { 0 } else { place.block * LANES + place.lane };
                let drawn = channel * own.pixels + if own.pixels == 1 { 0 } else { place.pixel };
                if drawn == wanted { Ok(()) } else { Err(format!("draws number {drawn} of {base} for {wanted}")) }
            }
            Op::Window { op: WindowOp::Route, .. } => {
                let found = element(self.iter, place);
                if found == Some(wanted) { Ok(()) } else { Err(format!("routes {found:?} of {base} for {wanted}")) }
            }
            other => Err(format!("{base}, a {}, is wanted element by element", other.name())),
        }
    }

    /// Whether the load of an operand brings this element, and stays within the value's memory.
    fn loads(&self, value: Value, wanted: usize, under: &[usize], place: Place) -> Result<(), String> {
        let base = self.s.base(value);
        let dims = &self.graph().shape(value).dims;
        if !self.kernel.read.contains(&base) && !self.is_part_of_a_read(base) {
            return Err(format!("{base} is read, but not among the kernel's reads"));
        }
        let Some(read) = read(dims, under, self.iter) else {
            return Err(format!("{value} cannot be followed in vectors under {under:?}"));
        };
        let Place { block, pixel, lane } = place;
        let lies = self.s.layout(base).offset(wanted);
        match read.offset(self.iter, block, pixel, lane) {
            Some(at) if at == lies => {}
            at => return Err(format!("element {wanted} of {base} lies at {lies}, and lane {lane} loads {at:?}")),
        }
        // A vector is loaded whole, and what a sample has no floats for belongs to someone else.
        let size = self.s.layout(base).size;
        let whole = match read {
            Read::Channels => block * LANES + LANES,
            Read::Vector => (block * self.iter.pixels + pixel) * LANES + LANES,
            Read::Number { .. } | Read::Strided { .. } => 0,
        };
        if whole > size {
            return Err(format!("a vector of {base} ends at {whole}, its memory at {size}"));
        }
        Ok(())
    }

    /// A part's readers depend on whoever stores the whole, or a part of it.
    fn is_part_of_a_read(&self, base: Value) -> bool {
        let whole = self.s.whole(base).whole;
        self.kernel.reads.iter().any(|v| self.s.whole(*v).whole == whole)
    }

    /// Whether a sum (or maximum) of `value` over this walk takes in each element, and where `goes` says.
    fn reduces(&self, value: Value, goes: impl Fn(Place) -> usize) -> Result<(), String> {
        let node = self.graph().node(value);
        let Op::Reduce { axes, .. } = &node.op else { return Err(format!("{value} is no reduction")) };
        let operand = node.inputs[0];
        let shape = self.graph().shape(operand);
        if shape.numel() != self.iter.channels * self.iter.pixels {
            return Err(format!("{operand} has {} elements, not those of the walk", shape.numel()));
        }
        for place in places(self.iter) {
            let Some(element) = element(self.iter, place) else { continue };
            self.computes(operand, element, place)?;
            let (result, sum) = (reduced_to(element, &shape.dims, axes), goes(place));
            if result != sum {
                return Err(format!("element {element} of {operand} belongs to {result} of {value}, not to {sum}"));
            }
        }
        Ok(())
    }
}

/// Whether the indices that an expression reads are those of its element: the first axis lies in blocks and lanes, the others
/// in the pixel.
fn indices(expr: &Expr, dims: &[usize], element: usize, place: Place) -> Result<(), String> {
    for scalar in expr.nodes() {
        let Scalar::Index(axis) = scalar else { continue };
        let axis = *axis as usize;
        let stride: usize = dims[axis + 1..].iter().product();
        let index = element / stride % dims[axis];
        let read = match axis {
            _ if dims[axis] == 1 => 0,
            0 => place.block * LANES + place.lane,
            _ => place.pixel / stride % dims[axis],
        };
        if read != index {
            return Err(format!("reads {read} for index {index} along axis {axis}"));
        }
    }
    Ok(())
}

fn is_reduction(s: &Schedule, value: Value) -> bool {
    matches!(s.graph().node(value).op, Op::Reduce { .. })
}

/// Reductions and single numbers in order, each of them known to what follows; then the elements.
fn row(s: &Schedule, kernel: &Inside, iter: Iter, per_pixel: bool) -> Result<(), String> {
    let outer = Iter { channels: 1, pixels: if per_pixel { iter.pixels } else { 1 }, ..iter };
    let mut given: Vec<(Value, Given)> = Vec::new();
    for &value in &kernel.nodes {
        let dims = &s.graph().shape(value).dims;
        let single = if per_pixel { dims[0] == 1 } else { s.graph().shape(value).numel() == 1 };
        // A number of the whole sample is computed again for each pixel.
        let per_pixel_number = per_pixel && s.graph().shape(value).numel() > 1;
        if is_reduction(s, value) {
            let goes = |place: Place| if per_pixel { place.pixel } else { 0 };
            walk(s, kernel, iter, &given).reduces(value, goes)?;
        } else if single {
            // What is computed once is used in every lane of the row.
            for place in all_lanes(outer) {
                let wanted = if per_pixel_number { place.pixel } else { 0 };
                walk(s, kernel, outer, &given).computes(value, wanted, place)?;
            }
        } else {
            continue;
        }
        given.push((value, Given::Number { per_pixel: per_pixel_number }));
    }
    let numbers: Vec<Value> = given.iter().map(|(v, _)| *v).collect();
    for value in kernel.stores.iter().filter(|v| numbers.contains(v)) {
        walk(s, kernel, outer, &given).stores(&[*value])?;
    }
    let elements: Vec<Value> = kernel.stores.iter().copied().filter(|v| !numbers.contains(v)).collect();
    walk(s, kernel, iter, &given).stores(&elements)
}

/// The places of a walk of numbers, in every lane.
fn all_lanes(iter: Iter) -> Vec<Place> {
    let mut pixels: Vec<usize> = places(iter).into_iter().map(|place| place.pixel).collect();
    pixels.dedup();
    pixels.into_iter().flat_map(|pixel| (0..LANES).map(move |lane| Place { block: 0, pixel, lane })).collect()
}

/// Reductions that keep channels or drop the batch, then maps on the results.
fn column(s: &Schedule, kernel: &Inside, iter: Iter, reduced: Reduced) -> Result<(), String> {
    let result = column_result(iter, reduced);
    let goes = |place: Place| result_of(place, reduced, result);
    let sums = kernel.reduces(s);
    for &value in &sums {
        batch_is(s, value, reduced.batch)?;
        walk(s, kernel, iter, &[]).reduces(value, goes)?;
    }
    let is_element = |v: &Value| {
        let shape = s.graph().shape(*v);
        reduced.batch && shape.batch && Iter::of(s.order, shape) == iter
    };
    let (elements, results): (Vec<Value>, Vec<Value>) = kernel.stores.iter().copied().partition(is_element);
    walk(s, kernel, iter, &[]).stores(&elements)?;
    let kind = if reduced.channels { Given::Number { per_pixel: false } } else { Given::Element(result) };
    let given: Vec<(Value, Given)> = sums.iter().map(|v| (*v, kind)).collect();
    walk(s, kernel, result, &given).stores(&results)
}

/// The element of a column's result that a place goes into.
fn result_of(place: Place, reduced: Reduced, result: Iter) -> usize {
    let channel = if reduced.channels { 0 } else { place.block * LANES + place.lane };
    let pixel = if reduced.pixels { 0 } else { place.pixel };
    channel * result.pixels + pixel
}

fn batch_is(s: &Schedule, reduction: Value, summed: bool) -> Result<(), String> {
    match s.graph().node(reduction).op {
        Op::Reduce { batch, .. } if batch == summed => Ok(()),
        _ => Err(format!("{reduction} does not treat the batch as its kernel does")),
    }
}

/// Sum and squared distances of `x`, over batch and pixels.
fn moments(s: &Schedule, kernel: &Inside, iter: Iter, x: Value, tiled: bool) -> Result<(), String> {
    let reduced = Reduced { batch: true, channels: false, pixels: true };
    let result = column_result(iter, reduced);
    let sums = kernel.reduces(s);
    for &value in &sums {
        batch_is(s, value, true)?;
    }
    let [sum, squares] = sums[..] else { return Err("moments are two reductions".into()) };
    if s.base(s.graph().node(sum).inputs[0]) != s.base(x) {
        return Err(format!("{sum} is not the sum of {x}"));
    }
    let shape = s.graph().shape(x);
    for value in [sum, squares] {
        let node = s.graph().node(value);
        let Op::Reduce { axes, .. } = &node.op else { unreachable!("`reduces` lists reductions") };
        let dims = &s.graph().shape(node.inputs[0]).dims;
        for place in places(iter) {
            let Some(element) = element(iter, place) else { continue };
            if reduced_to(element, dims, axes) != result_of(place, reduced, result) {
                return Err(format!("element {element} belongs to another moment of {value}"));
            }
        }
    }
    if !tiled {
        for place in places(iter) {
            let Some(element) = element(iter, place) else { continue };
            walk(s, kernel, iter, &[]).computes(x, element, place)?;
        }
    }
    if shape.numel() != iter.channels * iter.pixels {
        return Err(format!("{x} has other elements than the walk"));
    }
    let given: Vec<(Value, Given)> = sums.iter().map(|v| (*v, Given::Element(result))).collect();
    walk(s, kernel, result, &given).stores(&kernel.stores)
}

/// What a template does not store itself, by its sink: everything but gradients of parameters.
fn sunk(s: &Schedule, kernel: &Inside) -> Vec<Value> {
    let grad = |v: &&Value| !matches!(s.storage(**v), Some(Storage::Grad(_)));
    kernel.stores.iter().filter(grad).copied().collect()
}

/// The epilogue of a template, the operands that it computes, and the sums that it takes along.
fn template(s: &Schedule, kernel: &Inside) -> Result<(), String> {
    let graph = s.graph();
    let anchors = |v: &&Value| matches!(graph.node(**v).op, Op::Contract { .. } | Op::Conv { .. } | Op::Window { .. });
    let anchors: Vec<Value> = kernel.nodes.iter().filter(anchors).copied().collect();
    for &anchor in &anchors {
        operands(s, kernel, anchor)?;
    }
    for value in kernel.reduces(s) {
        sum_of_gradient(s, kernel, value, &anchors)?;
    }
    // Weights go where the template writes them, in its own order.
    let whole = |v: &Value| graph.shape(*v).batch;
    let given: Vec<(Value, Given)> =
        anchors.iter().filter(|v| whole(v)).map(|v| (*v, Given::Element(Iter::channelwise(graph.shape(*v))))).collect();
    let Some((first, _)) = given.first() else { return Ok(()) };
    walk(s, kernel, Iter::channelwise(graph.shape(*first)), &given).stores(&sunk(s, kernel))
}

/// Operands that a kernel computes instead of reading them, element by element in the operand's own walk. An operand in a
/// template that reads memory must be there.
fn operands(s: &Schedule, kernel: &Inside, anchor: Value) -> Result<(), String> {
    let node = s.graph().node(anchor);
    for (i, &input) in node.inputs.iter().enumerate() {
        let base = s.base(input);
        if !kernel.computes(base) {
            continue;
        }
        let computes = match &kernel.form {
            Form::Window { .. } => i == 0,
            Form::Winograd { .. } => i == 0,
            Form::ConvWeight { .. } => s.is_by_winograd(anchor),
            _ => false,
        };
        if !computes {
            return Err(format!("{base} is read from memory, where this kernel does not store it"));
        }
        let iter = Iter::channelwise(s.graph().shape(input));
        for place in places(iter) {
            if let Some(element) = element(iter, place) {
                walk(s, kernel, iter, &[]).computes(base, element, place)?;
            }
        }
    }
    Ok(())
}

/// A dense weight's kernel sums the gradient of its outputs over the batch: one number an output.
fn sum_of_gradient(s: &Schedule, kernel: &Inside, value: Value, anchors: &[Value]) -> Result<(), String> {
    let node = s.graph().node(value);
    let Op::Reduce { axes, batch: true, .. } = &node.op else {
        return Err(format!("{value} is no sum over the batch"));
    };
    let dims = &s.graph().shape(node.inputs[0]).dims;
    let operand = s.base(node.inputs[0]);
    let multiplied = anchors.iter().any(|v| s.graph().node(*v).inputs.iter().any(|i| s.base(*i) == operand));
    let each = (0..dims.iter().product()).all(|e| reduced_to(e, dims, axes) == e);
    let reads = matches!(kernel.form, Form::Dense(_) | Form::DenseBackward(_));
    if multiplied && each && reads { Ok(()) } else { Err(format!("{value} is not the sum of what is multiplied")) }
}

/// A convolution by Winograd's algorithm; where it pools, the image and the windows are two walks.
fn winograd(s: &Schedule, kernel: &Inside) -> Result<(), String> {
    let Some(pooled) = crate::schedule::winograd::pooled(s, kernel) else { return template(s, kernel) };
    let graph = s.graph();
    let conv = kernel.anchor(s);
    operands(s, kernel, conv)?;
    let image = Iter::channelwise(graph.shape(pooled));
    let given = [(conv, Given::Element(Iter::channelwise(graph.shape(conv))))];
    for place in places(image) {
        if let Some(element) = element(image, place) {
            walk(s, kernel, image, &given).computes(pooled, element, place)?;
        }
    }
    let windows: Vec<Value> =
        kernel.nodes.iter().copied().filter(|v| matches!(graph.node(*v).op, Op::Window { .. })).collect();
    let iter = Iter::channelwise(graph.shape(windows[0]));
    let given: Vec<(Value, Given)> = windows.iter().map(|v| (*v, Given::Element(iter))).collect();
    walk(s, kernel, iter, &given).stores(&sunk(s, kernel))
}
