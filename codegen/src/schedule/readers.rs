//! Maps that their readers compute, and sums that are taken where their operand is made: fewer passes over memory.
//!
//! Fusion has given every element-wise node one kernel. Afterwards
//!
//! 1. a map between kernels is computed by its readers instead, where they read less that way than through memory: the
//!    normalisation before a max-pool, the gradient of a max-pool for the sums and the map of a normalisation's backward,
//!    normalisations (with their activation) and their gradients that Winograd's input transforms read;
//! 2. a max-pool is taken of the tiles of a convolution by Winograd's algorithm;
//! 3. a sum over the batch is taken by the pass that makes its operand: the gradient of a bias.
//!
//! The gradient of a max-pool counts as a map here where its windows tile the image: an element is then one comparison.

use super::form::{self, Form, Iter, Reduced};
use super::{Kernel, Schedule, Storage, Target, Uses, winograd};
use crate::graph::Value;
use crate::graph::expr::{Binary, Expr, Scalar, Unary};
use crate::graph::op::{ConvRole, Leaf, Op, WindowAxis, WindowOp};

/// Operands of Winograd's transforms are computed where no more outputs than these meet them (a task has 64 of them) …
const OPERAND_OF: usize = 128;
/// … from no more values of their size than these.
const OPERAND_FROM: usize = 2;

pub fn readers(s: &mut Schedule, target: &Target) {
    if !target.fusion || !target.computing_readers {
        return;
    }
    let mut uses = Uses::of(s);
    for k in 0..s.kernels.len() {
        if moved_into_readers(s, &mut uses, k) {
            uses.remove(s, k);
        }
    }
    for k in 0..s.kernels.len() {
        if let Some(pool) = pool_to_join(s, &uses, k) {
            join_pool(s, &mut uses, k, pool);
        }
    }
    for k in 0..s.kernels.len() {
        while let Some(sum) = sum_to_join(s, &uses, k) {
            join_sum(s, &mut uses, k, sum);
        }
    }
    uses.finish(s);
}

/// The elements that a kernel makes one by one, if it makes nothing else: each stored value has the extents of the walk, and each
/// node needs its operands at its own place only (a route: its own window's). So any loop over the same extents can make them.
fn elements(s: &Schedule, kernel: &Kernel) -> Option<Iter> {
    let iter = match &kernel.form {
        Form::Map(iter) => *iter,
        Form::Window { op: WindowOp::Route, axes, iter } if form::tile(axes) && iter.pixels > 1 => *iter,
        _ => return None,
    };
    let own = |v: &Value| s.graph().shape(*v).batch && Iter::of(s.order, s.graph().shape(*v)) == iter;
    let simple = |v: &Value| match &s.graph().node(*v).op {
        Op::Map(_) | Op::Random { .. } => true,
        Op::Window { op, .. } => *op == WindowOp::Route,
        _ => false,
    };
    (iter.batch && kernel.stores.iter().all(own) && kernel.nodes.iter().all(simple)).then_some(iter)
}

/// The gradients of max-pools among a kernel's nodes, and the windows of each.
fn routes<'a>(s: &'a Schedule, kernel: &'a Kernel) -> impl Iterator<Item = (Value, &'a [WindowAxis])> {
    kernel.nodes.iter().filter_map(|v| match &s.graph().node(*v).op {
        Op::Window { op: WindowOp::Route, axes } => Some((*v, &axes[..])),
        _ => None,
    })
}

/// Whether this node reads what `kernel` stores.
fn takes_from(s: &Schedule, value: Value, kernel: &Kernel) -> bool {
    s.graph().node(value).inputs.iter().any(|i| kernel.stores.contains(&s.base(*i)))
}

/// Takes kernel `k` apart where all of its readers compute its elements themselves. It suffices that nobody else needs them in memory
/// (`free`: no place of their own, no result of the program; every reader `computes` them), that what they are made of is the
/// same when the reader runs (each value is stored once, but for states, which are assigned under way: those are excluded), and
/// that readers come later, which is so as they read what this kernel stores.
fn moved_into_readers(s: &mut Schedule, uses: &mut Uses, k: usize) -> bool {
    let kernel = &s.kernels[k];
    let Some(iter) = elements(s, kernel) else { return false };
    let free = |v: &Value| s.storage(*v).is_none() && !uses.is_root(*v);
    let state = |v: &Value| matches!(s.graph().node(*v).op, Op::Leaf(Leaf::State(_)));
    let readers: Vec<usize> = uses.readers_behind(&kernel.stores, k).into_iter().collect();
    let can = kernel.stores.iter().all(free)
        && !kernel.reads.iter().any(state)
        && readers.iter().all(|r| computes(s, &s.kernels[*r], kernel, iter))
        && (readers.len() == 1 || kernel.nodes.iter().all(|v| is_light(s, *v)));
    if !can || readers.is_empty() || !pays(s, kernel, &readers) {
        return false;
    }
    let kernel = kernel.clone();
    for r in readers {
        let mut reader = s.kernels[r].clone();
        prepend(&mut reader, &kernel);
        reader.reads.retain(|v| !kernel.stores.contains(v));
        uses.replace(s, r, reader);
    }
    true
}

/// The nodes of `first` come before a kernel's own.
fn prepend(kernel: &mut Kernel, first: &Kernel) {
    let own = std::mem::replace(&mut kernel.nodes, first.nodes.clone());
    kernel.nodes.extend(own.into_iter().filter(|v| !first.nodes.contains(v)));
    kernel.reads.extend(&first.reads);
    kernel.reads.sort_unstable();
    kernel.reads.dedup();
}

/// Whether a reader's maps want of `kernel` the element at which they are themselves. A value per channel that is broadcast over
/// an image has other elements than the map that reads it, and what it is made of lies elsewhere than where that map looks.
fn at_its_place(s: &Schedule, reader: &Kernel, kernel: &Kernel, iter: Iter) -> bool {
    reader.nodes.iter().filter(|v| takes_from(s, **v, kernel)).all(|v| {
        let node = s.graph().node(*v);
        !matches!(node.op, Op::Map(_)) || Iter::of(s.order, &node.ty.shape) == iter
    })
}

/// Whether `reader` sees these elements one by one, and can compute them there. Loops over the same extents stand at the element
/// that they read; a template computes what it loads, at the place that it loads, where its anchor (a product, a window) does not
/// read the element itself but only maps in its epilogue do, or where its loads are a place for maps (Winograd's transforms, the
/// windows of a pool).
fn computes(s: &Schedule, reader: &Kernel, kernel: &Kernel, iter: Iter) -> bool {
    if !at_its_place(s, reader, kernel, iter) {
        return false;
    }
    let anchored = |allowed: fn(&Op) -> bool| {
        let mut readers = reader.nodes.iter().filter(|v| takes_from(s, **v, kernel)).map(|v| &s.graph().node(*v).op);
        readers.all(|op| matches!(op, Op::Map(_)) || allowed(op))
    };
    let route = routes(s, kernel).chain(routes(s, reader)).next().is_some();
    let walks = || same_windows(s, &[kernel, reader]) && !loads_for_windows(s, reader, kernel);
    match &reader.form {
        Form::Map(own) => *own == iter && walks(),
        Form::Column { iter: own, reduced } => *own == iter && sums_pixels(*reduced, route) && walks(),
        Form::Dense(_) | Form::Conv { .. } => !route && !iter.flat && anchored(|_| false),
        Form::Winograd { .. } | Form::ConvWeight { .. } => {
            !route && !iter.flat && (anchored(|_| false) || as_an_operand(s, reader, kernel))
        }
        Form::Window { op: WindowOp::Max | WindowOp::ArgMax, axes, .. } => {
            !route
                && !iter.flat
                && form::tile(axes)
                && reader.reads.iter().all(|v| !read_beside(s, reader, *v))
                && anchored(|op| matches!(op, Op::Window { .. }))
        }
        _ => false,
    }
}

/// Whether these elements can be computed as operands of Winograd's transforms, which happens for rows of an image at a time,
/// in every task that reads them.
fn as_an_operand(s: &Schedule, reader: &Kernel, kernel: &Kernel) -> bool {
    let anchor = reader.anchor(s);
    let node = s.graph().node(anchor);
    let Op::Conv { role, geometry: g } = &node.op else { return false };
    let reads = |i: usize| kernel.stores.contains(&s.base(node.inputs[i]));
    let most = match role {
        ConvRole::Forward => g.outputs,
        ConvRole::Input => g.channels,
        // Of each operand a task has some channels, and reads all of the other's that meet them.
        ConvRole::Weight => usize::max(if reads(0) { g.outputs } else { 0 }, if reads(1) { g.channels } else { 0 }),
    };
    let images = kernel.reads.iter().filter(|v| s.graph().shape(**v).batch).count();
    s.is_by_winograd(anchor) && most <= OPERAND_OF && images <= OPERAND_FROM
}

/// Whether a window kernel reads this value in its epilogue, whose walk is another.
fn read_beside(s: &Schedule, reader: &Kernel, value: Value) -> bool {
    let windows = |v: &&Value| matches!(s.graph().node(**v).op, Op::Window { .. });
    let operand = |v: &Value| s.graph().node(*v).inputs.iter().any(|i| s.base(*i) == value);
    reader.nodes.iter().filter(windows).any(operand) && reader.nodes.iter().filter(|v| !windows(v)).any(operand)
}

/// Whether `reader` routes what `kernel` makes. It then loads it for each window from memory, where it must stay; windows of one
/// pixel have the image's own extents, which do not tell the two apart.
fn loads_for_windows(s: &Schedule, reader: &Kernel, kernel: &Kernel) -> bool {
    routes(s, reader).any(|(route, _)| takes_from(s, route, kernel))
}

/// Loops over windows go over all pixels of a block.
fn sums_pixels(reduced: Reduced, route: bool) -> bool {
    !route || (reduced.pixels && !reduced.channels)
}

/// A kernel walks the windows of one pool.
fn same_windows(s: &Schedule, kernels: &[&Kernel]) -> bool {
    let mut axes = kernels.iter().flat_map(|k| routes(s, k)).map(|(_, axes)| axes);
    let first = axes.next();
    axes.all(|a| Some(a) == first)
}

/// Whether it is cheap enough to be computed more than once.
fn is_light(s: &Schedule, value: Value) -> bool {
    use Unary::*;
    let heavy = |n: &Scalar| {
        matches!(
            n,
            Scalar::Unary(Exp | Expm1 | Ln | Log1p | Sin | Cos | Tanh | Sigmoid | Erf | Erfc, _)
                | Scalar::Binary(Binary::Pow, _, _)
        )
    };
    match &s.graph().node(value).op {
        Op::Map(expr) => !expr_has(expr, heavy),
        Op::Random { .. } => false,
        _ => true,
    }
}

fn expr_has(expr: &Expr, wanted: impl Fn(&Scalar) -> bool) -> bool {
    expr.nodes().iter().any(wanted)
}

/// Whether memory sees less: a store costs twice, because the line is fetched first.
fn pays(s: &Schedule, kernel: &Kernel, readers: &[usize]) -> bool {
    let size = |v: &Value| if s.graph().shape(*v).batch { s.layout(s.base(*v)).size } else { 0 };
    let stored: usize = kernel.stores.iter().map(size).sum();
    let read: usize = kernel.reads.iter().map(size).sum();
    let (mut before, mut after) = (2 * stored + read, 0);
    for r in readers {
        let reads = &s.kernels[*r].reads;
        before += kernel.stores.iter().filter(|v| reads.contains(v)).map(size).sum::<usize>();
        after += kernel.reads.iter().filter(|v| !reads.contains(v)).map(size).sum::<usize>();
    }
    after < before
}

/// A max-pool of nothing but what kernel `k` makes by Winograd's algorithm, which no one else needs: its windows lie in the
/// tiles. It suffices that windows of 2×2, side by side, begin at even places, as the tiles of 4×4 results do, so that none lies in
/// two tiles; that the image is read by this pool alone; and that what the pool's epilogue reads besides is made before kernel `k`.
fn pool_to_join(s: &Schedule, uses: &Uses, k: usize) -> Option<usize> {
    let kernel = &s.kernels[k];
    let (Form::Winograd { role: ConvRole::Forward, .. }, [image]) = (&kernel.form, &kernel.stores[..]) else {
        return None;
    };
    let made_before = |v: &Value| uses.maker(*v).is_none_or(|maker| maker < k);
    let pools = |other: &Kernel| {
        let Form::Window { op: WindowOp::Max | WindowOp::ArgMax, axes, .. } = &other.form else { return false };
        let pairs = |a: &WindowAxis| a.kernel == 2 && a.stride == 2 && a.output == a.input / 2;
        let of_image = winograd::pooled(s, other) == Some(*image);
        let rest = other.reads.iter().filter(|v| *v != image);
        form::tile(axes) && axes.iter().all(pairs) && of_image && rest.copied().all(|v| made_before(&v))
    };
    let pool = uses.readers_behind([image], k).into_iter().find(|other| pools(&s.kernels[*other]))?;
    let simple = !s.kernels[pool].nodes.iter().any(|v| {
        let epilogue = !matches!(s.graph().node(*v).op, Op::Window { .. });
        epilogue && s.graph().node(*v).inputs.iter().any(|i| s.base(*i) == *image)
    });
    (simple && !uses.is_needed_outside(*image, &[k, pool])).then_some(pool)
}

fn join_pool(s: &mut Schedule, uses: &mut Uses, k: usize, pool: usize) {
    let pool = uses.remove(s, pool);
    let mut kernel = s.kernels[k].clone();
    kernel.nodes.extend(pool.nodes);
    kernel.reads.extend(pool.reads.iter().filter(|v| !kernel.stores.contains(v)));
    kernel.reads.sort_unstable();
    kernel.reads.dedup();
    kernel.stores = pool.stores;
    uses.replace(s, k, kernel);
}

/// A kernel of sums over the batch that can be taken while kernel `k` makes their operand. It suffices that both walk the same
/// elements, that all elements of a channel are summed (`whole`), so that each task adds up what it makes, that nothing which the
/// sum reads besides is made by kernel `k` or later, or is itself a sum that ends with the pass (`waits_for_no_sum`), and that
/// loops over windows are over the same ones and route nothing that the pass makes.
fn sum_to_join(s: &Schedule, uses: &Uses, k: usize) -> Option<usize> {
    let kernel = &s.kernels[k];
    let iter = elements(s, kernel).or(match kernel.form {
        // Sums have joined already.
        Form::Column { iter, .. } if kernel.stores.iter().any(|v| s.graph().shape(*v).batch) => Some(iter),
        _ => None,
    })?;
    let fits = |sum: &Kernel| {
        let Form::Column { iter: own, reduced } = sum.form else { return false };
        let same = !matches!(kernel.form, Form::Column { reduced: r, .. } if r != reduced);
        let whole = reduced.batch && !reduced.channels && (reduced.pixels || iter.pixels == 1);
        let other = |v: &&Value| !kernel.stores.contains(v) && !kernel.reads.contains(v);
        let made = |v: &Value| uses.maker(*v).is_some_and(|maker| maker >= k);
        own == iter
            && same
            && whole
            && waits_for_no_sum(s, kernel, sum, iter)
            && !sum.reads.iter().filter(other).any(made)
            && same_windows(s, &[kernel, sum])
            && !loads_for_windows(s, sum, kernel)
    };
    uses.readers_behind(&kernel.stores, k).into_iter().find(|other| fits(&s.kernels[*other]))
}

/// Whether all that `sum` reads of `kernel` is there element by element. A sum that has joined before is whole only when the pass
/// is over: who adds up what such a sum is part of, as the second of two normalisations does, needs a pass of its own.
fn waits_for_no_sum(s: &Schedule, kernel: &Kernel, sum: &Kernel, iter: Iter) -> bool {
    let element = |v: &Value| s.graph().shape(*v).batch && Iter::of(s.order, s.graph().shape(*v)) == iter;
    sum.reads.iter().filter(|v| kernel.stores.contains(v)).all(element)
}

fn join_sum(s: &mut Schedule, uses: &mut Uses, k: usize, sum: usize) {
    let mut joined = uses.remove(s, sum);
    let kernel = s.kernels[k].clone();
    prepend(&mut joined, &kernel);
    joined.reads.retain(|v| !kernel.stores.contains(v));
    let sums = std::mem::take(&mut joined.stores);
    joined.stores = kernel.stores;
    joined.stores.extend(sums);
    // What only the sums read need not be stored any more.
    let kept = |v: &Value| uses.is_needed_outside(*v, &[k]) || !matches!(s.storage(*v), None | Some(Storage::Batch));
    joined.stores.retain(kept);
    uses.replace(s, k, joined);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::declaration::Fusion;
    use crate::schedule::{ParamPlan, ProgramKind, program, schedule};

    fn step(text: &str) -> Schedule {
        let (declarations, _, errors) = crate::lower::frontend(text.parse().unwrap());
        assert!(errors.is_empty());
        let module = &declarations[0].members[0].module;
        let program = program::program(module, ProgramKind::Step).unwrap();
        let target = Target::cpu(Fusion::On);
        schedule(module, &ParamPlan::new(module, target.order), &program, &target)
    }

    #[test]
    fn winograds_transforms_normalise_what_they_read() {
        let net = |outputs: usize| {
            step(&format!(
                "pub Net {{ input x: [16, 16, 16]; target c: class<3>;
                Conv2d<32, 3, padding = 1>; BatchNorm; Relu; Conv2d<{outputs}, 3, padding = 1>; BatchNorm; Relu;
                GlobalAvgPool; Flatten; Linear<3>; loss: CrossEntropy(_, c); }}"
            ))
        };
        // Of 32 channels in full extents: what the first convolution made, and the gradient of what it was normalised to.
        let stored = |s: &Schedule| {
            let full = |v: &&Value| s.graph().shape(**v).dims == [32, 16, 16];
            s.kernels.iter().flat_map(|k| &k.stores).filter(full).count()
        };
        let s = net(64);
        assert_eq!(stored(&s), 2);
        // In one pass with the convolution, the normalisation is computed by four kernels: the forward pass, the second
        // convolution's weight gradient, the slope of its input gradient …
        let first = s.kernels.iter().position(|k| matches!(k.form, Form::Winograd { .. })).unwrap();
        let statistics = s.kernels.iter().find(|k| matches!(k.form, Form::Moments { .. })).unwrap();
        assert!(matches!(statistics.form, Form::Moments { tiled: true, .. }));
        assert_eq!(super::super::moments::producer(&Uses::of(&s), statistics), Some(first));
        // … but not where many tasks would compute it over and over.
        assert!(stored(&net(192)) > 2);
    }

    #[test]
    fn a_pool_is_taken_of_winograds_tiles_where_nobody_needs_the_image() {
        let found = |activation: &str, pool: &str| {
            let s = step(&format!(
                "pub Net {{ input x: [32, 16, 17]; target c: class<3>; Conv2d<32, 3, padding = 1>; {activation} {pool}
                Flatten; Linear<3>; loss: CrossEntropy(_, c); }}"
            ));
            let full = |v: &&Value| s.graph().shape(**v).dims == [32, 16, 17];
            let kernel = s.kernels.iter().find(|k| matches!(k.form, Form::Winograd { role: ConvRole::Forward, .. }));
            let kernel = kernel.unwrap();
            (kernel.stores.iter().filter(full).count(), winograd::pooled(&s, kernel).is_some())
        };
        assert_eq!(found("Relu;", "MaxPool2d<2>;"), (0, true));
        // Windows that overlap; slopes of a function that are taken of its operand.
        assert_eq!(found("Relu;", "MaxPool2d<3, stride = 2>;"), (1, false));
        assert!(!found("Gelu;", "MaxPool2d<2>;").1);
    }

    #[test]
    fn a_normalised_pool_keeps_neither_what_it_pools_nor_the_gradient_of_that() {
        let s = step(
            "pub Net { input x: [16, 8, 8]; target c: class<3>;
            Conv2d<32, 3>; BatchNorm; Relu; MaxPool2d<2>; Flatten; Linear<3>; loss: CrossEntropy(_, c); }",
        );
        let stored = |op: WindowOp| {
            let is = |v: &Value| matches!(s.graph().node(*v).op, Op::Window { op: o, .. } if o == op);
            s.kernels.iter().flat_map(|k| &k.stores).filter(|v| is(v)).count()
        };
        assert_eq!((stored(WindowOp::Max), stored(WindowOp::ArgMax), stored(WindowOp::Route)), (1, 1, 0));
        // In full extents there are what the convolution made, and its gradient.
        let full = |v: &&Value| s.graph().shape(**v).dims == [32, 6, 6];
        assert_eq!(s.kernels.iter().flat_map(|k| &k.stores).filter(full).count(), 2);
        assert_eq!(s.kernels.iter().filter(|k| matches!(k.form, Form::Moments { .. })).count(), 1);
    }
}
