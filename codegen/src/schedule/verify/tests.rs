//! Plans that are wrong on purpose, each refused with the reason; and plans as a network could have had them when a rule was
//! wrong.

use super::*;
use crate::declaration::Fusion;
use crate::graph::op::WindowOp;
use crate::memory::{self, Tenant};
use crate::schedule::form::{Iter, Reduced};
use crate::schedule::lanes::Chain;
use crate::schedule::{Form, Kernel, ParamPlan, Target, launches, program, schedule};

/// The Step program of a network with states, parameters and several kernels.
fn step(fusion: Fusion) -> Schedule {
    let text = "pub Net { input x: [1, 6, 6]; target c: class<3>;
        Conv2d<5, 3>; BatchNorm; Relu; MaxPool2d<2>; Flatten; Linear<3>; loss: CrossEntropy(_, c); }";
    planned(text, ProgramKind::Step, &Target::cpu(fusion))
}

fn planned(text: &str, kind: ProgramKind, target: &Target) -> Schedule {
    let (declarations, _, errors) = crate::lower::frontend(text.parse().unwrap());
    assert!(errors.is_empty(), "{errors:?}");
    let module = &declarations[0].members[0].module;
    let program = program::program(module, kind).unwrap();
    schedule(module, &ParamPlan::new(module, target.order), &program, target)
}

/// The only chain of a schedule.
fn chain(s: &mut Schedule) -> &mut Chain {
    let chains =
        s.kernels.iter_mut().filter_map(|k| if let Form::Lanes(chain) = &mut k.form { Some(chain) } else { None });
    chains.last().expect("a chain")
}

/// Plants that a kernel computes what an earlier one made for it.
fn compute_in(s: &mut Schedule, maker: usize, reader: usize) {
    let maker = s.kernels.remove(maker);
    let kernel = &mut s.kernels[reader - 1];
    kernel.nodes.splice(0..0, maker.nodes);
    kernel.reads.retain(|v| !maker.stores.contains(v));
    kernel.reads.extend(maker.reads);
}

fn expect_error(s: &Schedule, expected: &str) {
    let found = verify(s).expect_err(expected);
    assert!(found.contains(expected), "{found}");
}

fn refused(name: &str, expected: &str, plant: impl Fn(&mut Schedule)) {
    for fusion in [Fusion::On, Fusion::Off] {
        let mut s = step(fusion);
        assert_eq!(verify(&s), Ok(()));
        plant(&mut s);
        let found = verify(&s).expect_err(name);
        assert!(found.contains(expected), "{name} ({fusion:?}): {found}");
    }
}

#[test]
fn planted_violations_are_refused() {
    refused("a kernel too early", "which no earlier kernel stores", |s| {
        let last = s.kernels.pop().unwrap();
        let reader = s.kernels.iter().rposition(|k| k.reads.iter().any(|r| s.storage(*r) == Some(Storage::Batch)));
        let reader = s.kernels.remove(reader.unwrap());
        s.kernels.insert(0, reader);
        s.kernels.push(last);
    });
    refused("a root forgotten", "is not stored", |s| {
        let root = s.program.roots.assigns[0];
        s.kernels.iter_mut().for_each(|k| k.stores.retain(|v| *v != root));
    });
    refused("a value stored twice", "both store", |s| {
        let first = s.kernels.iter().find(|k| !k.stores.is_empty()).unwrap().clone();
        s.kernels.push(Kernel { reads: Vec::new(), ..first });
    });
    refused("a store of what is not computed", "does not compute", |s| {
        let stored = s.kernels[0].stores[0];
        s.kernels[0].nodes.retain(|v| *v != stored);
    });
    refused("an old state read too late", "has assigned", |s| {
        let state = s.graph().leaf(Leaf::State(0)).unwrap();
        s.kernels.push(Kernel { form: Form::Scalar, nodes: Vec::new(), reads: vec![state], stores: Vec::new() });
    });
    refused("one slot, two gradients", "both write Grad", |s| {
        let [(first, _), (_, second), ..] = s.program.roots.gradients[..] else { panic!("two gradients") };
        let base = s.base(second);
        s.storage[base.index()] = Some(Storage::Grad(first));
    });
    refused("a gradient elsewhere", "the gradient of parameter", |s| {
        let (_, gradient) = s.program.roots.gradients[0];
        let base = s.base(gradient);
        s.storage[base.index()] = Some(Storage::Fixed);
    });
    refused("a parameter written", "which programs only read", |s| {
        let (param, gradient) = s.program.roots.gradients[0];
        let base = s.base(gradient);
        s.storage[base.index()] = Some(Storage::Param(param));
    });
    refused("an operand from nowhere", "which it neither reads nor computes", |s| {
        let reader = s.kernels.iter_mut().find(|k| !k.reads.is_empty()).unwrap();
        reader.reads.clear();
    });
    refused("a value without a place", "has no place", |s| {
        let stored = s.kernels[0].stores[0];
        s.storage[stored.index()] = None;
    });
}

/// `Conv2d; MaxPool2d` on one go: the pool's result lies apart from the image that its convolution still reads.
#[test]
fn a_pool_is_not_written_over_the_image_that_its_convolution_reads() {
    let text = "pub Net { input x: [1, 12, 12]; Conv2d<6, 5>; MaxPool2d<2>; }";
    let mut s = planned(text, ProgramKind::Infer, &Target::cpu(Fusion::On));
    assert_eq!(verify(&s), Ok(()));
    let chain = chain(&mut s);
    let image = chain.imports[0];
    let image = chain.slots.iter().find(|slot| slot.value == image).copied().unwrap();
    // As long as the pool was taken for a step of its own, its result came into the image's place.
    let pooled = chain.exports[0];
    chain.slots.iter_mut().find(|slot| slot.value == pooled).unwrap().offset = image.offset;
    expect_error(&s, "which it is still busy with");
}

#[test]
fn a_pool_that_reads_what_comes_later_is_no_part_of_its_convolution() {
    let text = "pub Net { input x: [1, 12, 12]; Conv2d<6, 3, padding = 1> as stem; Conv2d<6, 3, padding = 1> as a;
        Conv2d<6, 3, padding = 1, stride = 2>(stem) as b; MaxPool2d<2>(a); Add(_, b); }";
    let mut s = planned(text, ProgramKind::Infer, &Target::cpu(Fusion::On));
    assert_eq!(verify(&s), Ok(()));
    let chain = chain(&mut s);
    assert!(chain.steps.iter().all(|step| step.pool.is_none()), "{chain:?}");
    let pool = chain.steps.remove(3);
    assert!(matches!(pool.stage.form, Form::Window { .. }), "{pool:?}");
    chain.steps[1].pool = Some(pool.stage);
    expect_error(&s, "does not lie in its place");
}

#[test]
fn a_result_of_a_chain_that_is_overwritten_before_it_is_exported_is_missed() {
    let text = "pub Net { input x: [1, 12, 12]; Conv2d<6, 3, padding = 1> as a; Relu; Conv2d<6, 3, padding = 1>; Tanh as b; output a, b; }";
    let mut s = planned(text, ProgramKind::Infer, &Target::cpu(Fusion::On));
    assert_eq!(verify(&s), Ok(()));
    let chain = chain(&mut s);
    let [first, last] = [chain.exports[0], chain.exports[1]];
    let at = chain.slots.iter().find(|slot| slot.value == first).unwrap().offset;
    chain.slots.iter_mut().find(|slot| slot.value == last).unwrap().offset = at;
    let found = verify(&s).unwrap_err();
    assert!(found.contains("no longer in its place") || found.contains("still busy with"), "{found}");
}

/// A sum over the batch alone, of a value per pixel, is not the sum that a bias is.
#[test]
fn a_chain_sums_no_pixels_of_a_value_that_is_trained_pixel_by_pixel() {
    let text = "pub Net { input x: [1, 3, 3]; target t: [1, 3, 3]; param p: [1, 3, 3] = Zeros; Add(x, p);
        Conv2d<1, 3, padding = 1>; loss: Mse(_, t); }";
    let mut s = planned(text, ProgramKind::Step, &Target::cpu(Fusion::On));
    assert_eq!(verify(&s), Ok(()));
    let sums_pixels = |v: &Value| match &s.graph().node(*v).op {
        Op::Reduce { axes, batch: true, .. } => axes.is_empty() && s.graph().shape(*v).dims == [1, 3, 3],
        _ => false,
    };
    let sum = s.graph().values().find(sums_pixels).expect("the gradient of `p`");
    let joined = s.kernels.iter().any(|k| matches!(k.form, Form::Lanes(_)) && k.nodes.contains(&sum));
    assert!(!joined, "{}", s.text());
    // As the walk of its kernel tells it, it looks like one.
    let kernel = s.kernels.iter().find(|k| k.nodes.contains(&sum)).unwrap().clone();
    let operand = s.graph().node(sum).inputs[0];
    let chain = chain(&mut s);
    assert!(chain.stages().any(|stage| stage.nodes.contains(&operand)), "{operand}: {chain:?}");
    let stage = crate::schedule::Stage { form: kernel.form, nodes: vec![sum], stores: vec![sum] };
    chain.steps.push(crate::schedule::lanes::Step { stage, pool: None });
    expect_error(&s, "is no sum over the pixels of each channel");
}

#[test]
fn a_column_that_sums_other_axes_than_its_node_is_refused() {
    let text = "pub Net { input x: [16, 4, 4]; target t: [16, 4, 4]; param p: [16, 4, 4] = Zeros; Add(x, p); loss: Mse(_, t); }";
    let mut s = planned(text, ProgramKind::Step, &Target::cpu(Fusion::On));
    assert_eq!(verify(&s), Ok(()));
    let over_batch = Reduced { batch: true, channels: false, pixels: false };
    let sum = |k: &&mut Kernel| matches!(k.form, Form::Column { reduced, .. } if reduced == over_batch);
    let kernel = s.kernels.iter_mut().find(sum).unwrap();
    let Form::Column { reduced, .. } = &mut kernel.form else { unreachable!() };
    reduced.pixels = true;
    expect_error(&s, "belongs to");
}

/// A number per pixel that is read back from memory must be in every lane that computes with it.
#[test]
fn a_row_knows_its_numbers_in_all_lanes() {
    use crate::schedule::form::{Read, read};
    let numbers = Iter { batch: true, channels: 1, pixels: 8, flat: false };
    assert_eq!(read(&[1, 8], &[1, 8], numbers), Some(Read::Number { per_pixel: true }));
    let text = "fn square(x, m) { (x - m) * (x - m) } fn over(x, v) { x / sqrt(v + 1e-5) }
        pub S { input x: [16, 8]; target t: [16, 8]; conv: Conv1d<16, 1>; Average<axis = 0, keepdim = true> as m;
        square(conv, m); Average<axis = 0, keepdim = true> as v; over(conv, v); loss: Mse(_, t); }";
    let s = planned(text, ProgramKind::Step, &Target::cpu(Fusion::On));
    assert_eq!(verify(&s), Ok(()));
    assert!(s.kernels.iter().any(|k| matches!(k.form, Form::Row { per_pixel: true, .. })), "{}", s.text());
    // One lane of a strided load holds the number: the others nothing.
    let strided = Read::Strided { stride: 8, count: 1 };
    assert_eq!((strided.offset(numbers, 0, 3, 0), strided.offset(numbers, 0, 3, 1)), (Some(3), None));
}

#[test]
fn a_map_that_walks_other_extents_than_its_value_is_refused() {
    let text = "pub Net { input x: [16, 4, 6]; Relu; }";
    let mut s = planned(text, ProgramKind::Infer, &Target::cpu(Fusion::On));
    let map = s.kernels.iter_mut().find(|k| matches!(k.form, Form::Map(_))).unwrap();
    map.form = Form::Map(Iter { batch: true, channels: 24, pixels: 16, flat: false });
    let found = verify(&s).unwrap_err();
    assert!(found.contains("is stored at") || found.contains("lies at"), "{found}");
}

#[test]
fn memory_that_somebody_else_writes_too_early_is_refused() {
    let text = "pub Net { input x: [8]; target c: class<3>; Linear<20>; Tanh; Linear<20>; Tanh; Linear<3>; loss: CrossEntropy(_, c); }";
    for target in [Target::cpu(Fusion::On), Target::cpu(Fusion::Off)] {
        let s = planned(text, ProgramKind::Step, &target);
        let launches = launches::launches(&s, &target);
        let memory = memory::plan(&s, &launches, target.chunks);
        assert_eq!(memory.verify(&s, &launches, target.chunks), Ok(()));
        let refused = |plant: &dyn Fn(&mut memory::Memory), expected: &str| {
            let mut memory = memory.clone();
            plant(&mut memory);
            let found = memory.verify(&s, &launches, target.chunks).expect_err(expected);
            assert!(found.contains(expected), "{found}");
        };
        let long = memory.places.iter().position(|p| p.storage == Storage::Batch && p.alive.1 > p.alive.0 + 1).unwrap();
        // Planned as if its last reader were not there.
        refused(&|memory| memory.places[long].alive.1 -= 1, "lives from");
        refused(&|memory| memory.places[long].size /= 2, "a place for something else");
        refused(&|memory| memory.batch_floats = 16, "ends behind its arena");
        refused(
            &|memory| {
                let tenant = memory.places[long].tenant;
                memory.places.retain(|p| p.tenant != tenant);
            },
            "has no place",
        );
        let both = |a: &memory::Place, b: &memory::Place| {
            a.storage == b.storage && a.alive.0 <= b.alive.1 && b.alive.0 <= a.alive.1 && a.tenant != b.tenant
        };
        let other = memory.places.iter().position(|p| both(p, &memory.places[long])).unwrap();
        refused(&|memory| memory.places[other].offset = memory.places[long].offset, "overlap");
        assert!(matches!(memory.places[long].tenant, Tenant::Value(_)));
    }
}

#[test]
fn what_a_window_of_one_pixel_sends_is_not_computed_where_it_is_routed() {
    let text = "pub Net { input x: [32, 8, 1]; target t: [32, 8, 1]; BatchNorm; LeakyRelu<0.2>; MaxPool2d<1>; loss: Mse(_, t); }";
    let mut s = planned(text, ProgramKind::Step, &Target::cpu(Fusion::On));
    assert_eq!(verify(&s), Ok(()));
    let is_route = |s: &Schedule, v: Value| matches!(s.graph().node(v).op, Op::Window { op: WindowOp::Route, .. });
    let router = s.kernels.iter().position(|k| k.nodes.iter().any(|v| is_route(&s, *v))).unwrap();
    let route = s.kernels[router].nodes.iter().copied().find(|v| is_route(&s, *v)).unwrap();
    let sent = s.base(s.graph().node(route).inputs[0]);
    let maker = s.kernels.iter().position(|k| k.stores.contains(&sent)).unwrap();
    assert_ne!(maker, router, "{route} loads {sent}");
    // As long as equal extents were enough for a map to be computed in its reader.
    compute_in(&mut s, maker, router);
    expect_error(&s, "which this kernel computes");
}

#[test]
fn a_value_per_channel_is_not_computed_where_it_is_broadcast() {
    let text = "pub Net { input x: [8, 6, 6]; input z: [8, 1, 1]; Sigmoid(z) as gate; Conv2d<8, 3, padding = 1>(x); Mul(_, gate); }";
    let mut s = planned(text, ProgramKind::Infer, &Target::cpu(Fusion::On));
    assert_eq!(verify(&s), Ok(()));
    let conv = s.kernels.iter().position(|k| matches!(k.form, Form::Conv { .. })).unwrap();
    let is_gate = |k: &Kernel| k.nodes.iter().any(|v| matches!(s.graph().node(*v).op, Op::Map(_)));
    let gate = s.kernels[..conv].iter().position(is_gate).unwrap();
    // As long as it was enough that the convolution's results are elements of some map.
    compute_in(&mut s, gate, conv);
    expect_error(&s, "lane 0 loads");
}

#[test]
fn an_export_of_whole_vectors_needs_samples_of_whole_vectors() {
    let text = "pub Net { input x: [1, 12, 12]; Conv2d<6, 5>; MaxPool2d<2>; }";
    let mut s = planned(text, ProgramKind::Infer, &Target::cpu(Fusion::On));
    let pooled = chain(&mut s).exports[0];
    s.layouts[pooled.index()].size = s.graph().shape(pooled).numel();
    expect_error(&s, "is exported to");
}
