//! Every primitive, and its derivative, from its CUDA kernels on the emulator against the interpreter: fused and unfused, in
//! all schedules, with one, three and five blocks of threads.

use crate::common::{Bench, numbers};
use crate::harness::Compiled;
use crate::skip::skip;
use kiln::__private::cuda::{Accelerator, open};
use kiln_codegen::autodiff::gradients;
use kiln_codegen::declaration::{Fusion, Precision};
use kiln_codegen::graph::builder::Builder;
use kiln_codegen::graph::expr::{Binary, Unary, Uniform};
use kiln_codegen::graph::op::*;
use kiln_codegen::graph::verify::verify;
use kiln_codegen::graph::{Init, Module, Param, Port, PortKind, Shape, State, Value};
use kiln_codegen::interpret::{Env, run};
use kiln_codegen::schedule::{Program, ProgramKind, Roots};
use kiln_emulator::{Emulator, Settings};

/// Schedule and blocks of each part of a launch.
const WAYS: [(u64, Option<usize>); 4] = [(0, None), (1, Some(1)), (2, Some(3)), (3, Some(5))];

pub fn emulator(checked: bool) -> Option<&'static Emulator> {
    match Emulator::available() {
        Ok(()) => Some(Emulator::leak(Settings { checked, ..Settings::default() })),
        Err(why) => {
            skip(&why);
            None
        }
    }
}

/// The emulator in each of these ways, and the real device where `KILN_TEST_DEVICE=cuda` asks for it.
pub fn each_device(
    emulator: Option<&'static Emulator>,
    ways: &[(u64, Option<usize>)],
    mut run: impl FnMut(&'static dyn Accelerator, &str),
) {
    for (schedule, blocks) in ways {
        if let Some(emulator) = emulator {
            emulator.set_schedule(*schedule);
            emulator.set_blocks(*blocks);
            run(emulator, &format!("schedule {schedule}, blocks {blocks:?}"));
        }
    }
    if std::env::var("KILN_TEST_DEVICE").is_ok_and(|device| device == "cuda") {
        run(open(0).unwrap(), "the GPU");
    }
}

/// A network around a graph whose leaves have numbers: every number gets a port, a parameter and a state.
pub fn module(bench: &Bench) -> Module {
    let count = bench.leaves.len();
    let mut module = Module { name: "Primitive".into(), ..Module::default() };
    module.evaluation.graph = bench.graph.clone();
    for i in 0..count {
        let dims = |leaf: Leaf| bench.leaves.get(&leaf).map_or(vec![1], |t| t.shape.dims.clone());
        let port = |leaf| Port { name: format!("p{i}"), kind: PortKind::Dense(dims(leaf)), source: Default::default() };
        module.inputs.push(port(Leaf::Input(i)));
        module.targets.push(port(Leaf::Target(i)));
        module.params.push(Param {
            name: format!("w{i}"),
            dims: dims(Leaf::Param(i)),
            init: Init::Zeros,
            fan_in: 1,
            fan_out: 1,
            frozen: false,
            no_decay: false,
            source: Default::default(),
        });
        let dims = dims(Leaf::State(i));
        module.states.push(State { name: format!("s{i}"), dims, init: Init::Zeros, source: Default::default() });
    }
    module
}

/// The value and, where asked for, its derivative by all float operands.
struct Case {
    bench: Bench,
    floats: Vec<Value>,
}

impl Case {
    fn new(batch: usize) -> Self {
        Case { bench: Bench::new(batch), floats: Vec::new() }
    }

    fn float(&mut self, shape: Shape) -> Value {
        let value = self.bench.float(shape);
        self.floats.push(value);
        value
    }

    fn check(self, name: &str, out: Value, differentiate: bool) {
        self.check_in(&WAYS, true, name, out, differentiate);
    }

    fn check_in(mut self, ways: &[(u64, Option<usize>)], checked: bool, name: &str, out: Value, differentiate: bool) {
        let emulator = emulator(checked);
        let mut wanted = vec![out];
        if differentiate {
            let loss = self.bench.weighted(out);
            wanted.push(loss);
            wanted.extend(gradients(&mut self.bench.graph, loss, &self.floats).into_iter().flatten());
        }
        let Bench { graph, leaves, batch, .. } = &self.bench;
        verify(graph).unwrap_or_else(|why| panic!("{name}: {why}"));
        let env = Env { seed: 0x1234_5678_9abc, step: 5, ..Env::batch(*batch) };
        let expected = run(graph, leaves, &wanted, &env).unwrap_or_else(|why| panic!("{name}: {why}"));
        let module = module(&self.bench);
        let roots = Roots { outputs: wanted, ..Roots::default() };
        let program = Program { kind: ProgramKind::Infer, graph: graph.clone(), roots };
        for fusion in [Fusion::On, Fusion::Off] {
            let compiled = Compiled::new(&module, &program, fusion, Precision::F32);
            each_device(emulator, ways, |device, way| {
                let at = format!("{name} ({fusion:?}, {way})");
                let found = compiled.run(device, leaves, &env, &compiled.roots());
                let found = found.unwrap_or_else(|why| panic!("{at}: {why}\n{graph}"));
                for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
                    close(&format!("{at}, result {i}"), found, &expected.data);
                }
            });
        }
    }
}

/// To the accuracy of single precision sums, relative to the largest value.
pub fn close(what: &str, found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{what}: number of values");
    let scale = expected.iter().fold(1e-3f64, |m, x| m.max(x.abs()));
    for (i, (f, e)) in found.iter().zip(expected).enumerate() {
        let near = (f - e).abs() <= 2e-5 * scale + 1e-6;
        assert!(near, "{what}[{i}]: expected {e}, found {f} (largest {scale})");
    }
}

fn check(name: &str, batch: usize, shapes: &[Shape], build: impl FnOnce(&mut Builder, &[Value]) -> Value) {
    let mut case = Case::new(batch);
    let inputs: Vec<Value> = shapes.iter().map(|s| case.float(s.clone())).collect();
    let out = build(&mut case.bench.builder(), &inputs);
    case.check(name, out, true);
}

fn sample(dims: &[usize]) -> Shape {
    Shape::sample(dims)
}

fn fixed(dims: &[usize]) -> Shape {
    Shape::fixed(dims)
}

#[test]
fn maps() {
    check(
        "broadcasts",
        3,
        &[sample(&[4, 3, 2]), fixed(&[4, 1, 1]), sample(&[1, 3, 2]), fixed(&[1, 3, 1]), sample(&[])],
        |g, x| {
            g.map(x, |p, i| {
                let a = p.mul(i[0], i[1]);
                let b = p.sub(i[2], i[3]);
                let c = p.mul(b, i[4]);
                p.add(a, c)
            })
        },
    );
    check("functions", 5, &[sample(&[7]), sample(&[7])], |g, x| {
        g.map2(x[0], x[1], |p, a, b| {
            let mut sum = p.binary(Binary::Max, a, b);
            for op in [
                Unary::Exp,
                Unary::Expm1,
                Unary::Sin,
                Unary::Cos,
                Unary::Tanh,
                Unary::Sigmoid,
                Unary::Erf,
                Unary::Erfc,
                Unary::Abs,
                Unary::Floor,
            ] {
                let term = p.unary(op, a);
                sum = p.add(sum, term);
            }
            let (two, square) = (p.constant(2.0), p.mul(b, b));
            let positive = p.add(square, two);
            for op in [Unary::Ln, Unary::Log1p, Unary::Sqrt] {
                let term = p.unary(op, positive);
                sum = p.add(sum, term);
            }
            let power = p.binary(Binary::Pow, positive, a);
            let less = p.binary(Binary::Min, power, a);
            let (below, zero) = (p.binary(Binary::Lt, a, b), p.constant(0.0));
            let chosen = p.select(below, less, zero);
            p.add(sum, chosen)
        })
    });
    check("index and batch", 4, &[sample(&[3, 4])], |g, x| {
        g.map1(x[0], |p, x| {
            let (row, column, batch) = (p.index(0), p.index(1), p.uniform(Uniform::Batch));
            let sum = p.add(row, column);
            let product = p.mul(sum, x);
            p.div(product, batch)
        })
    });
}

#[test]
fn reductions() {
    for batch in [false, true] {
        for axes in [&[0usize][..], &[1], &[2], &[1, 2], &[0, 1, 2], &[0, 2]] {
            check(&format!("sum {axes:?} {batch}"), 3, &[sample(&[5, 3, 2])], |g, x| g.sum(x[0], axes, batch));
        }
        check("max", 3, &[sample(&[2, 7, 2])], |g, x| g.reduce(ReduceOp::Max, x[0], &[1], batch));
    }
    check("many rows", 7, &[sample(&[3, 9, 9])], |g, x| g.sum(x[0], &[1, 2], true));
    check("wide rows", 3, &[sample(&[70])], |g, x| {
        let max = g.max(x[0], &[0]);
        let shifted = g.map2(x[0], max, |p, x, m| p.sub(x, m));
        let e = g.map1(shifted, |p, x| p.unary(Unary::Exp, x));
        let sum = g.sum(e, &[0], false);
        g.map2(e, sum, |p, e, s| p.div(e, s))
    });
    check("rows of pixels", 2, &[sample(&[6, 2, 3])], |g, x| {
        let sum = g.sum(x[0], &[0], false);
        g.mul(x[0], sum)
    });
    check("parameters", 2, &[fixed(&[6, 5]), sample(&[])], |g, x| {
        let sum = g.sum(x[0], &[0, 1], false);
        g.mul(sum, x[1])
    });
    for dims in [&[1usize][..], &[9], &[33], &[5, 2, 2]] {
        let mut case = Case::new(5);
        let x = case.float(sample(dims));
        let out = case.bench.builder().reduce(ReduceOp::ArgMax, x, &[0], false);
        case.check(&format!("argmax {dims:?}"), out, false);
    }
}

#[test]
fn contractions() {
    type Names<'a> = &'a [u8];
    let cases: [(&str, Shape, Names, Shape, Names, Names); 9] = [
        ("linear", sample(&[19]), &[0, 1], fixed(&[37, 19]), &[2, 1], &[0, 2]),
        ("wide linear", sample(&[132]), &[0, 1], fixed(&[68, 132]), &[2, 1], &[0, 2]),
        ("linear on rank 2", sample(&[2, 3]), &[0, 3, 1], fixed(&[4, 3]), &[2, 1], &[0, 3, 2]),
        ("weight gradient", sample(&[3]), &[0, 1], sample(&[4]), &[0, 2], &[2, 1]),
        ("dot", sample(&[5]), &[0, 1], sample(&[5]), &[0, 1], &[0]),
        ("batched product", sample(&[2, 3]), &[0, 1, 2], sample(&[3, 4]), &[0, 2, 3], &[0, 1, 3]),
        ("outer", sample(&[2]), &[0, 1], fixed(&[3]), &[2], &[0, 1, 2]),
        ("axis lost in one operand", sample(&[2, 3]), &[0, 1, 2], fixed(&[3]), &[2], &[0]),
        ("all summed", sample(&[2]), &[0, 1], sample(&[2]), &[0, 1], &[]),
    ];
    for (name, a, lhs, b, rhs, out) in cases {
        check(name, 17, &[a, b], |g, x| g.contract(x[0], lhs, x[1], rhs, out));
    }
}

/// Where a matrix is so big that its tiles are. Not looked at access by access: it is the tile that other tests look at.
#[test]
fn big_contractions() {
    for (inputs, outputs) in [(1028, 1030), (1030, 1028)] {
        let mut case = Case::new(3);
        let (x, w) = (case.float(sample(&[inputs])), case.float(fixed(&[outputs, inputs])));
        let out = case.bench.builder().contract(x, &[0, 1], w, &[2, 1], &[0, 2]);
        case.check_in(&[(3, Some(5))], false, &format!("{inputs} to {outputs}"), out, true);
    }
}

fn geometry(channels: usize, outputs: usize, groups: usize) -> ConvGeometry {
    ConvGeometry {
        channels,
        outputs,
        input: [7, 6],
        output: [7, 6],
        kernel: [3, 3],
        stride: [1, 1],
        padding: [1, 1],
        dilation: [1, 1],
        groups,
    }
}

#[test]
fn convolutions() {
    let plain = geometry(4, 8, 1);
    let geometries = [
        ("plain", plain),
        ("one channel", geometry(1, 3, 1)),
        ("many channels", geometry(36, 33, 1)),
        ("many outputs", geometry(4, 72, 1)),
        ("many inputs", geometry(72, 4, 1)),
        ("strided", ConvGeometry { stride: [2, 2], output: [4, 3], ..plain }),
        (
            "uneven",
            ConvGeometry { stride: [3, 2], output: [2, 3], padding: [0, 1], kernel: [2, 3], ..geometry(3, 5, 1) },
        ),
        ("dilated", ConvGeometry { dilation: [2, 1], output: [5, 6], ..plain }),
        ("one by one", ConvGeometry { kernel: [1, 1], padding: [0, 0], ..geometry(5, 6, 1) }),
        ("whole input", ConvGeometry { kernel: [7, 6], padding: [0, 0], output: [1, 1], ..geometry(3, 9, 1) }),
        ("groups", geometry(6, 4, 2)),
        ("depthwise", geometry(5, 10, 5)),
    ];
    for (name, g) in geometries {
        let x = sample(&[g.channels, g.input[0], g.input[1]]);
        let y = sample(&[g.outputs, g.output[0], g.output[1]]);
        let w = fixed(&[g.outputs, g.channels / g.groups, g.kernel[0], g.kernel[1]]);
        check(name, 3, &[x.clone(), w.clone()], |b, v| b.conv(ConvRole::Forward, g, v[0], v[1]));
        check(&format!("{name}, input"), 2, &[y.clone(), w], |b, v| b.conv(ConvRole::Input, g, v[0], v[1]));
        check(&format!("{name}, weight"), 2, &[x, y], |b, v| b.conv(ConvRole::Weight, g, v[0], v[1]));
    }
}

#[test]
fn windows() {
    let axis = |input, output, kernel, stride, dilation, padding| WindowAxis {
        input,
        output,
        kernel,
        stride,
        dilation,
        padding,
    };
    let cases = [
        ("halves", vec![WindowAxis::trivial(5), axis(6, 3, 2, 2, 1, 0), axis(4, 2, 2, 2, 1, 0)]),
        ("overlap and padding", vec![WindowAxis::trivial(3), axis(7, 4, 3, 2, 1, 1), axis(5, 5, 3, 1, 1, 1)]),
        ("dilated and uneven", vec![WindowAxis::trivial(2), axis(7, 3, 2, 2, 2, 0), axis(6, 3, 3, 3, 1, 1)]),
        ("over channels", vec![axis(6, 6, 3, 1, 1, 1), WindowAxis::trivial(2)]),
    ];
    for (name, axes) in cases {
        let inputs: Vec<usize> = axes.iter().map(|a| a.input).collect();
        let outputs: Vec<usize> = axes.iter().map(|a| a.output).collect();
        for op in [WindowOp::Sum, WindowOp::Max] {
            check(&format!("{name}, {op:?}"), 3, &[sample(&inputs)], |b, x| b.window(op, &axes, &[x[0]]));
        }
        check(&format!("{name}, spread"), 2, &[sample(&outputs)], |b, x| b.window(WindowOp::Spread, &axes, &[x[0]]));
        let mut case = Case::new(3);
        let x = case.float(sample(&inputs));
        let arg = case.bench.builder().window(WindowOp::ArgMax, &axes, &[x]);
        case.check(&format!("{name}, argmax"), arg, false);
        for (op, shape) in [(WindowOp::Route, &outputs), (WindowOp::Pick, &inputs)] {
            check(&format!("{name}, {op:?}"), 2, &[sample(&inputs), sample(shape)], |b, x| {
                let arg = b.window(WindowOp::ArgMax, &axes, &[x[0]]);
                b.window(op, &axes, &[x[1], arg])
            });
        }
    }
}

#[test]
fn tables_and_moves() {
    let weight = |x: f64| x.to_bits();
    let rows = vec![vec![(0, weight(0.5)), (2, weight(0.25))], vec![], vec![(3, weight(2.0))]];
    for axis in [0, 1] {
        let dims = if axis == 0 { [4, 3] } else { [3, 4] };
        check("table", 3, &[sample(&dims)], |b, x| b.op(Op::Table { axis, rows: rows.clone() }, &[x[0]]));
    }
    let moves = [
        MoveOp::Reshape(vec![6, 4]),
        MoveOp::Reshape(vec![24]),
        MoveOp::Transpose(vec![2, 0, 1]),
        MoveOp::Slice { axis: 1, start: 1, len: 2 },
        MoveOp::Pad { axis: 0, before: 1, behind: 2 },
    ];
    for op in moves {
        check(&format!("{op:?}"), 3, &[sample(&[2, 3, 4])], |b, x| b.op(Op::Move(op.clone()), &[x[0]]));
    }
    for axis in [0, 1] {
        check("concat", 3, &[sample(&[2, 3]), sample(&[2, 3]), sample(&[2, 3])], |b, x| {
            b.op(Op::Move(MoveOp::Concat { axis }), x)
        });
    }
    check("broadcast", 3, &[fixed(&[1, 4])], |b, x| {
        b.op(Op::Move(MoveOp::Broadcast { dims: vec![3, 4], batch: true }), &[x[0]])
    });
}

#[test]
fn gathers() {
    for (data, index, batch) in [
        (fixed(&[5, 2]), sample(&[3]), false),
        (fixed(&[5, 2]), sample(&[]), false),
        (sample(&[4, 2, 2]), sample(&[3]), true),
    ] {
        let extent = data.dims[0];
        let mut case = Case::new(3);
        let x = case.float(data.clone());
        let i = case.bench.integer(index.clone(), extent);
        let out = case.bench.builder().op(Op::Gather, &[x, i]);
        case.check("gather", out, true);
        let mut case = Case::new(3);
        let dims: Vec<usize> = index.dims.iter().chain(&data.dims[1..]).copied().collect();
        let x = case.float(sample(&dims));
        let i = case.bench.integer(index, extent);
        let out = case.bench.builder().op(Op::ScatterAdd { extent, batch }, &[x, i]);
        case.check("scatter", out, true);
    }
}

#[test]
fn random_numbers_and_states() {
    check("dropout", 5, &[sample(&[6, 3])], |b, x| {
        let noise = b.random(4, sample(&[6, 3]));
        b.map2(x[0], noise, |p, x, r| {
            let (rate, zero) = (p.constant(0.4), p.constant(0.0));
            let keep = p.binary(Binary::Ge, r, rate);
            p.select(keep, x, zero)
        })
    });
    let mut case = Case::new(3);
    let x = case.float(sample(&[4, 2]));
    let old = numbers(9, &fixed(&[4]), 3);
    let ty = kiln_codegen::graph::Type { dtype: kiln_codegen::graph::DType::F32, shape: fixed(&[4]) };
    let state = case.bench.graph.push_leaf(Leaf::State(0), ty, Default::default(), "");
    case.bench.leaves.insert(Leaf::State(0), old);
    let mut b = case.bench.builder();
    let sum = b.sum(x, &[1], true);
    let sum = b.reshape(sum, &[4]);
    let next = b.map2(state, sum, |p, a, b| p.add(a, b));
    let assign = b.op(Op::Assign { state: 0 }, &[next]);
    let Bench { graph, leaves, batch, .. } = &case.bench;
    let env = Env::batch(*batch);
    let expected = run(graph, leaves, &[next], &env).unwrap();
    let roots = Roots { assigns: vec![assign], ..Roots::default() };
    let program = Program { kind: ProgramKind::Step, graph: graph.clone(), roots };
    for fusion in [Fusion::On, Fusion::Off] {
        let compiled = Compiled::new(&module(&case.bench), &program, fusion, Precision::F32);
        each_device(emulator(true), &WAYS, |device, way| {
            let found = compiled.run(device, leaves, &env, &compiled.roots()).unwrap();
            close(&format!("assign ({fusion:?}, {way})"), &found[0], &expected[0].data);
        });
    }
}
