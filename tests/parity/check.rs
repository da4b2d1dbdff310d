//! One network, declared once for `network!` and once as text for the interpreter, run both ways: on the CPU at each SIMD
//! level, and from its CUDA kernels on the emulator, which looks at every access. NVRTC compiles the same kernels.
//! `KILN_TEST_DEVICE=cuda` adds a real GPU.

use crate::skip::skip;
use kiln::__private::cuda::{Nvrtc, TEMPLATES, Unit, store_functor};
use kiln::__private::plan::Plan;
use kiln::data::{Classes, Dataset, Feed, Ids, Images, Receive, Rows, Sequences};
use kiln::{Device, Error, Level, Model, Network};
use kiln_codegen::graph::op::{Leaf, Op};
use kiln_codegen::graph::{Module, PortKind, Shape, Value};
use kiln_codegen::interpret::{Env, Tensor, run};
use kiln_codegen::schedule::ProgramKind;
use kiln_codegen::schedule::program::{Program, program};
use kiln_emulator::{Emulator, Settings};
use std::collections::{BTreeSet, HashMap};
use std::marker::PhantomData;
use std::sync::Mutex;

const SEED: u64 = 7;

/// Around one vector, one tile, two, and a prime.
const BATCHES: [usize; 6] = [1, 2, 15, 16, 17, 37];

/// Batch, schedule and blocks of each part of a launch on the emulator.
const EMULATED: [(usize, u64, Option<usize>); 5] =
    [(1, 0, None), (2, 1, Some(1)), (3, 2, Some(3)), (5, 3, Some(5)), (17, 4, None)];

/// Declares a network (and its unfused twin), `with` functions that it uses, and checks both against the interpreter.
macro_rules! parity {
    ($(#[$attribute:meta])* $test:ident $name:ident $unfused:ident { $($body:tt)* }) => {
        $crate::check::parity! { $(#[$attribute])* $test $name $unfused with {} { $($body)* } }
    };
    ($(#[$attribute:meta])* $test:ident $name:ident $unfused:ident with { $($fns:tt)* } { $($body:tt)* }) => {
        kiln::network! { $($fns)* #[fusion(both)] $(#[$attribute])* pub $name { $($body)* } }

        #[test]
        fn $test() {
            let source = concat!(stringify!($($fns)*), " pub ", stringify!($name), " { ", stringify!($($body)*), " }");
            crate::check::check::<$name>(source);
            crate::check::check::<$unfused>(source);
        }
    };
}
pub(crate) use parity;

/// Host types that a test can fill and read.
pub trait Host: Feed {
    fn fill(samples: usize, seed: u32) -> Self;
    fn values(&self) -> Vec<f64>;
}

/// A number in [-1, 1) from a hash; no generator, so that every test is on its own.
fn number(seed: u32, i: usize) -> f32 {
    let mut z = (i as u32).wrapping_mul(0x9E37_79B9) ^ seed.wrapping_mul(0x85EB_CA6B);
    z = (z ^ (z >> 16)).wrapping_mul(0x7FEB_352D);
    z = (z ^ (z >> 15)).wrapping_mul(0x846C_A68B);
    z ^= z >> 16;
    (z >> 8) as f32 / (1 << 23) as f32 - 1.0
}

fn numbers(count: usize, seed: u32) -> Vec<f32> {
    (0..count).map(|i| number(seed, i)).collect()
}

impl<const N: usize> Host for Rows<N> {
    fn fill(samples: usize, seed: u32) -> Self {
        Rows::from_vec(numbers(samples * N, seed)).unwrap()
    }
    fn values(&self) -> Vec<f64> {
        self.view().iter().map(|x| f64::from(*x)).collect()
    }
}

impl<const C: usize, const L: usize> Host for Sequences<C, L> {
    fn fill(samples: usize, seed: u32) -> Self {
        Sequences::from_vec(numbers(samples * C * L, seed)).unwrap()
    }
    fn values(&self) -> Vec<f64> {
        self.view().iter().map(|x| f64::from(*x)).collect()
    }
}

impl<const C: usize, const H: usize, const W: usize> Host for Images<C, H, W> {
    fn fill(samples: usize, seed: u32) -> Self {
        Images::from_vec(numbers(samples * C * H * W, seed)).unwrap()
    }
    fn values(&self) -> Vec<f64> {
        self.view().iter().map(|x| f64::from(*x)).collect()
    }
}

impl<const N: usize> Host for Classes<N> {
    fn fill(samples: usize, seed: u32) -> Self {
        let classes = (0..samples).map(|i| ((number(seed, i) + 1.0) / 2.0 * N as f32) as usize % N);
        Classes::from_vec(classes.collect::<Vec<usize>>()).unwrap()
    }
    fn values(&self) -> Vec<f64> {
        self.view().iter().map(|x| f64::from(*x)).collect()
    }
}

impl<const L: usize, const V: usize> Host for Ids<L, V> {
    fn fill(samples: usize, seed: u32) -> Self {
        let ids = (0..samples * L).map(|i| ((number(seed, i) + 1.0) / 2.0 * V as f32) as usize % V);
        Ids::from_vec(ids.collect::<Vec<usize>>()).unwrap()
    }
    fn values(&self) -> Vec<f64> {
        self.view().iter().map(|x| f64::from(*x)).collect()
    }
}

impl Host for () {
    fn fill(_: usize, _: u32) -> Self {}
    fn values(&self) -> Vec<f64> {
        Vec::new()
    }
}

/// Outputs that a test can read.
pub trait Readable: Receive {
    fn all(&self) -> Vec<f64>;
}

macro_rules! readable {
    ($($t:ident<$($n:ident),*>)*) => { $(
        impl<$(const $n: usize),*> Readable for $t<$($n),*> {
            fn all(&self) -> Vec<f64> {
                self.view().iter().map(|x| f64::from(*x)).collect()
            }
        }
    )* };
}
readable! { Rows<N> Sequences<C, L> Images<C, H, W> }

fn lower(source: &str) -> Module {
    let (mut declarations, _, errors) = kiln_codegen::lower::frontend(source.parse().unwrap());
    let texts: Vec<String> = errors.iter().map(|d| d.text()).collect();
    assert!(texts.is_empty(), "{}", texts.join("\n"));
    declarations.remove(0).members.remove(0).module
}

fn levels() -> Vec<Level> {
    Level::ALL.into_iter().filter(|level| kiln::__private::cpu::supported(*level).is_ok()).collect()
}

pub fn check<N: Network>(source: &str)
where
    N::Inputs: Host,
    N::Targets: Host,
    N::Outputs: Readable,
{
    let network: Declared<N> = Declared::new(source);
    for level in levels() {
        let mut model = network.model(&Device::cpu().threads(2).simd(level));
        for batch in BATCHES {
            network.compare(&mut model, batch, &format!("{level:?}"));
        }
    }
    if std::env::var("KILN_TEST_DEVICE").is_ok_and(|device| device == "cuda") {
        let mut model = network.model(&Device::Cuda(0));
        for batch in BATCHES {
            network.compare(&mut model, batch, "CUDA");
        }
    }
    to_machine_code(N::plan());
    if let Err(why) = Emulator::available() {
        return skip(&format!("{} on the CUDA emulator: {why}", N::NAME));
    }
    let emulator = Emulator::leak(Settings { checked: true, ..Settings::default() });
    let mut model = network.model(&Device::Other(emulator));
    for (batch, schedule, blocks) in EMULATED {
        emulator.set_schedule(schedule);
        emulator.set_blocks(blocks);
        network.compare(&mut model, batch, &format!("the emulator (schedule {schedule}, blocks {blocks:?})"));
    }
}

/// NVRTC takes every kernel: for one of three architectures each, by its name, so that all networks together meet them all.
/// A kernel that several networks share is compiled once.
fn to_machine_code(plan: &Plan) {
    static SEEN: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let nvrtc = match Nvrtc::find() {
        Ok(nvrtc) => nvrtc,
        Err(why) => return skip(&why),
    };
    for kernel in plan.cuda.kernels.iter().filter(|kernel| SEEN.lock().unwrap().insert(kernel.name)) {
        let unit = Unit {
            name: kernel.name.to_owned(),
            templates: TEMPLATES,
            optimizer: if kernel.updates { store_functor() } else { String::new() },
            text: kernel.text.to_owned(),
            threads: kernel.threads,
            shared: kernel.shared,
        };
        let number: usize = kernel.name.bytes().map(usize::from).sum();
        let architecture = ["sm_80", "sm_90", "sm_90a"][number % 3];
        let (_, used) = nvrtc.report(&unit, architecture).unwrap_or_else(|why| panic!("{}: {why}", plan.name));
        assert_eq!(
            (used.spill_stores, used.spill_loads),
            (0, 0),
            "{} of {} for {architecture}: {used:?}",
            kernel.name,
            plan.name
        );
    }
}

/// A network for the interpreter.
struct Declared<N> {
    module: Module,
    infer: Program,
    gradients: Option<Program>,
    network: PhantomData<N>,
}

impl<N: Network> Declared<N>
where
    N::Inputs: Host,
    N::Targets: Host,
    N::Outputs: Readable,
{
    fn new(source: &str) -> Self {
        let module = lower(source);
        let infer = program(&module, ProgramKind::Infer).unwrap();
        let gradients = program(&module, ProgramKind::Gradients);
        Declared { module, infer, gradients, network: PhantomData }
    }

    /// A model that finds NaN wherever it reads what no kernel wrote.
    fn model(&self, device: &Device) -> Model<N> {
        let mut model: Model<N> = Model::new(device, SEED).unwrap();
        model.poison_scratch(true);
        fill_parameters(&mut model, &self.module);
        model
    }

    fn compare(&self, model: &mut Model<N>, batch: usize, device: &str) {
        let at = format!("{} on {device}, batch {batch}", N::NAME);
        let inputs = N::Inputs::fill(batch, 1);
        let targets = N::Targets::fill(batch, 2);
        let leaves = leaves(model, &self.module, &inputs, &targets, batch);
        // One value per channel has no variance.
        let refused = |single: Option<&str>| batch == 1 && single.is_some();
        let is_refusal = |why: Error| matches!(why, Error::SingleValue { .. });
        if refused(N::plan().infer.single) {
            assert!(model.forward(&inputs).is_err_and(is_refusal), "{at}");
        } else {
            let expected = interpret(&self.infer, &leaves, batch, &self.infer.roots.outputs);
            let found = model.forward(&inputs).unwrap_or_else(|why| panic!("{at}: {why}"));
            close(&found.all(), &expected[0], &format!("{at}, output"));
        }
        let Some(program) = &self.gradients else { return };
        let data = Dataset::new(inputs, targets).unwrap();
        if refused(N::plan().gradients.and_then(|program| program.single)) {
            assert!(model.gradients(&data).is_err_and(is_refusal), "{at}");
            return;
        }
        let found = model.gradients(&data).unwrap_or_else(|why| panic!("{at}: {why}"));
        let mut wanted = vec![program.roots.loss.unwrap()];
        wanted.extend(program.roots.gradients.iter().map(|g| g.1));
        let expected = interpret(program, &leaves, batch, &wanted);
        close(&[f64::from(found.step.loss)], &expected[0], &format!("{at}, loss"));
        for ((param, _), expected) in program.roots.gradients.iter().zip(&expected[1..]) {
            let name = &self.module.params[*param].name;
            let found: Vec<f64> = found.get(name).unwrap().iter().map(|x| f64::from(*x)).collect();
            close(&found, expected, &format!("{at}, gradient of {name}"));
        }
    }
}

/// Parameters of a size that keeps activations near 1, other than what an initialiser would make of them.
fn fill_parameters<N: Network>(model: &mut Model<N>, module: &Module) {
    for (i, param) in module.params.iter().enumerate() {
        let scale = if param.dims.len() > 1 { 1.5 / (param.fan_in.max(1) as f32).sqrt() } else { 1.0 };
        let count = param.dims.iter().product();
        let values = numbers(count, 100 + i as u32).into_iter().map(|x| x * scale).collect();
        let array = ndarray::ArrayD::from_shape_vec(param.dims.clone(), values).unwrap();
        model.set_parameter(&param.name, array.view()).unwrap();
    }
    for (i, state) in module.states.iter().enumerate() {
        let count = state.dims.iter().product();
        let values = numbers(count, 500 + i as u32).into_iter().map(|x| 1.0 + 0.4 * x).collect();
        let array = ndarray::ArrayD::from_shape_vec(state.dims.clone(), values).unwrap();
        model.set_parameter(&state.name, array.view()).unwrap();
    }
}

fn leaves<N: Network>(
    model: &Model<N>,
    module: &Module,
    inputs: &N::Inputs,
    targets: &N::Targets,
    batch: usize,
) -> HashMap<Leaf, Tensor>
where
    N::Inputs: Host,
    N::Targets: Host,
{
    let mut leaves = HashMap::new();
    let dims = |kind: &PortKind| match kind {
        PortKind::Dense(dims) | PortKind::Ids(dims, _) => dims.clone(),
        PortKind::Class(_) => Vec::new(),
    };
    leaves.insert(Leaf::Input(0), Tensor::new(Shape::sample(dims(&module.inputs[0].kind)), batch, inputs.values()));
    if let Some(target) = module.targets.first() {
        leaves.insert(Leaf::Target(0), Tensor::new(Shape::sample(dims(&target.kind)), batch, targets.values()));
    }
    let fixed = |name: &str, dims: &[usize]| {
        let values = model.parameter(name).unwrap().iter().map(|x| f64::from(*x)).collect();
        Tensor::new(Shape::fixed(dims), 1, values)
    };
    for (i, param) in module.params.iter().enumerate() {
        leaves.insert(Leaf::Param(i), fixed(&param.name, &param.dims));
    }
    for (i, state) in module.states.iter().enumerate() {
        leaves.insert(Leaf::State(i), fixed(&state.name, &state.dims));
    }
    leaves
}

fn interpret(program: &Program, leaves: &HashMap<Leaf, Tensor>, batch: usize, wanted: &[Value]) -> Vec<Vec<f64>> {
    debug_assert!(program.graph.values().any(|v| matches!(program.graph.node(v).op, Op::Leaf(_))));
    let env = Env { seed: SEED, step: 0, ..Env::batch(batch) };
    run(&program.graph, leaves, wanted, &env).unwrap().into_iter().map(|t| t.data).collect()
}

/// Equal to the accuracy of single precision sums, relative to the largest value.
fn close(found: &[f64], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}: number of values");
    let scale = expected.iter().fold(1e-3f64, |m, x| m.max(x.abs()));
    // The difference of what is not a number is none, and wrong too.
    let wrong = |(f, e): &(&f64, &f64)| (*f - *e).is_nan() || (*f - *e).abs() > 5e-5 * scale + 1e-6;
    let count = found.iter().zip(expected).filter(wrong).count();
    if let Some(i) = found.iter().zip(expected).position(|pair| wrong(&pair)) {
        panic!("{what}[{i}]: expected {}, found {} ({count} wrong, largest {scale})", expected[i], found[i]);
    }
}
