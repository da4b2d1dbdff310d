//! Every primitive's gradient against finite differences, in double precision on the interpreter.

mod common;

use common::Bench;
use kiln_codegen::graph::expr::{Binary, Unary, Uniform};
use kiln_codegen::graph::op::*;
use kiln_codegen::graph::{Shape, Value};

/// One output of operands with these shapes.
fn check(
    name: &str,
    shapes: &[Shape],
    build: impl FnOnce(&mut kiln_codegen::graph::builder::Builder, &[Value]) -> Value,
) {
    let mut bench = Bench::new(3);
    let inputs: Vec<Value> = shapes.iter().map(|s| bench.float(s.clone())).collect();
    let out = build(&mut bench.builder(), &inputs);
    bench.check(name, out);
}

fn sample(dims: &[usize]) -> Shape {
    Shape::sample(dims)
}

fn fixed(dims: &[usize]) -> Shape {
    Shape::fixed(dims)
}

#[test]
fn maps_sum_over_what_they_broadcast() {
    let shapes = [sample(&[2, 3]), fixed(&[2, 1]), sample(&[1, 3]), fixed(&[]), sample(&[]), fixed(&[1, 1])];
    for a in &shapes {
        for b in &shapes {
            if a.rank() != b.rank() && a.rank() * b.rank() != 0 {
                continue;
            }
            check(&format!("{a:?} {b:?}"), &[a.clone(), b.clone()], |g, x| {
                g.map2(x[0], x[1], |p, a, b| {
                    let product = p.mul(a, b);
                    let wave = p.unary(Unary::Sin, product);
                    let square = p.mul(b, b);
                    p.add(wave, square)
                })
            });
        }
    }
}

#[test]
fn maps_of_index_and_uniforms() {
    check("index", &[sample(&[]), fixed(&[1, 1])], |g, x| {
        // `index` alone gives the extents nothing: the broadcast leaf does.
        let wide = g.op(Op::Move(MoveOp::Reshape(vec![1, 1])), &[x[0]]);
        let wide = g.op(Op::Move(MoveOp::Broadcast { dims: vec![3, 4], batch: true }), &[wide]);
        g.map(&[wide, x[1]], |p, i| {
            let (row, column) = (p.index(0), p.index(1));
            let batch = p.uniform(Uniform::Batch);
            let term = p.mul(row, i[0]);
            let other = p.mul(column, i[1]);
            let sum = p.add(term, other);
            let wave = p.unary(Unary::Tanh, sum);
            p.div(wave, batch)
        })
    });
    check("one operand twice", &[sample(&[4])], |g, x| {
        g.map(&[x[0], x[0]], |p, i| {
            let e = p.unary(Unary::Exp, i[1]);
            p.mul(i[0], e)
        })
    });
    check("constant gradient over index", &[sample(&[5])], |g, x| {
        let picked = g.map1(x[0], |p, x| {
            let (index, two, zero) = (p.index(0), p.constant(2.0), p.constant(0.0));
            let truth = p.binary(Binary::Eq, index, two);
            p.select(truth, x, zero)
        });
        let sum = g.sum(picked, &[0], false);
        let wide = g.map2(sum, x[0], |p, a, b| p.add(a, b));
        g.op(Op::Move(MoveOp::Slice { axis: 0, start: 1, len: 3 }), &[wide])
    });
}

#[test]
fn reductions() {
    for batch in [false, true] {
        check("sum", &[sample(&[2, 3, 2])], |g, x| g.sum(x[0], &[0, 2], batch));
        check("max", &[sample(&[2, 3, 2])], |g, x| g.reduce(ReduceOp::Max, x[0], &[1], batch));
        check("mean of squares", &[sample(&[2, 3, 2])], |g, x| {
            let square = g.mul(x[0], x[0]);
            let sum = g.sum(square, &[1, 2], batch);
            g.map1(sum, |p, x| p.unary(Unary::Sqrt, x))
        });
        check("centred", &[sample(&[2, 3])], |g, x| {
            let mean = g.sum(x[0], &[1], batch);
            g.map2(x[0], mean, |p, x, m| {
                let d = p.sub(x, m);
                p.mul(d, d)
            })
        });
    }
    check("parameters only", &[fixed(&[3, 2]), sample(&[])], |g, x| {
        let sum = g.sum(x[0], &[0, 1], false);
        g.mul(sum, x[1])
    });
}

#[test]
fn ties_of_a_maximum_share() {
    let mut bench = Bench::new(1);
    let x = bench.float(Shape::sample([4]));
    let max = bench.builder().max(x, &[0]);
    let loss = bench.builder().sum(max, &[0], true);
    let loss = bench.builder().reshape(loss, &[]);
    let g = kiln_codegen::autodiff::gradients(&mut bench.graph, loss, &[x])[0].unwrap();
    bench.leaves.get_mut(&Leaf::Input(0)).unwrap().data = vec![2.0, 1.0, 2.0, 0.0];
    let env = kiln_codegen::interpret::Env::batch(1);
    let result = kiln_codegen::interpret::run(&bench.graph, &bench.leaves, &[g], &env).unwrap();
    assert_eq!(result[0].data, [0.5, 0.0, 0.5, 0.0]);
}

#[test]
fn contractions() {
    type Case<'a> = (&'a str, Shape, &'a [u8], Shape, &'a [u8], &'a [u8]);
    let cases: [Case; 9] = [
        ("linear", sample(&[3]), &[0, 1], fixed(&[4, 3]), &[2, 1], &[0, 2]),
        ("linear on rank 2", sample(&[2, 3]), &[0, 3, 1], fixed(&[4, 3]), &[2, 1], &[0, 3, 2]),
        ("weight gradient", sample(&[3]), &[0, 1], sample(&[4]), &[0, 2], &[2, 1]),
        ("dot", sample(&[5]), &[0, 1], sample(&[5]), &[0, 1], &[0]),
        ("batched product", sample(&[2, 3]), &[0, 1, 2], sample(&[3, 4]), &[0, 2, 3], &[0, 1, 3]),
        ("outer", sample(&[2]), &[0, 1], fixed(&[3]), &[2], &[0, 1, 2]),
        ("axis lost in one operand", sample(&[2, 3]), &[0, 1, 2], fixed(&[3]), &[2], &[0]),
        ("axis of one operand alone lost", sample(&[2, 3]), &[0, 1, 2], fixed(&[4]), &[3], &[0, 1]),
        ("all summed", sample(&[2]), &[0, 1], sample(&[2]), &[0, 1], &[]),
    ];
    for (name, a, lhs, b, rhs, out) in cases {
        check(name, &[a, b], |g, x| g.contract(x[0], lhs, x[1], rhs, out));
    }
}

#[test]
fn convolutions() {
    let plain = ConvGeometry {
        channels: 2,
        outputs: 3,
        input: [5, 6],
        output: [3, 4],
        kernel: [3, 3],
        stride: [1, 1],
        padding: [0, 0],
        dilation: [1, 1],
        groups: 1,
    };
    let cases = [
        ("plain", plain),
        ("padded", ConvGeometry { padding: [1, 2], output: [5, 8], ..plain }),
        ("uneven", ConvGeometry { padding: [1, 0], output: [6, 5], ..plain }),
        ("strided", ConvGeometry { stride: [2, 3], output: [2, 2], padding: [1, 0], ..plain }),
        ("dilated", ConvGeometry { dilation: [2, 1], kernel: [2, 5], output: [3, 2], ..plain }),
        ("grouped", ConvGeometry { channels: 4, outputs: 6, groups: 2, ..plain }),
        ("depthwise", ConvGeometry { channels: 3, outputs: 3, groups: 3, ..plain }),
        ("pointwise, strided", ConvGeometry { kernel: [1, 1], stride: [2, 2], output: [3, 3], ..plain }),
    ];
    for (name, g) in cases {
        let x = sample(&[g.channels, g.input[0], g.input[1]]);
        let y = sample(&[g.outputs, g.output[0], g.output[1]]);
        let w = fixed(&[g.outputs, g.channels / g.groups, g.kernel[0], g.kernel[1]]);
        check(name, &[x.clone(), w.clone()], |b, i| b.conv(ConvRole::Forward, g, i[0], i[1]));
        check(name, &[y.clone(), w], |b, i| b.conv(ConvRole::Input, g, i[0], i[1]));
        check(name, &[x, y], |b, i| b.conv(ConvRole::Weight, g, i[0], i[1]));
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
        ("plain", vec![WindowAxis::trivial(2), axis(4, 2, 2, 2, 1, 0), axis(6, 3, 2, 2, 1, 0)]),
        ("overlapping", vec![WindowAxis::trivial(2), axis(5, 3, 3, 1, 1, 0), axis(5, 5, 3, 1, 1, 1)]),
        ("ceil mode", vec![WindowAxis::trivial(1), axis(5, 3, 2, 2, 1, 0), axis(6, 3, 3, 2, 1, 0)]),
        ("dilated, padded", vec![WindowAxis::trivial(2), axis(6, 4, 2, 1, 3, 1), axis(5, 3, 2, 2, 2, 1)]),
        ("over channels", vec![axis(4, 4, 3, 1, 1, 1), WindowAxis::trivial(3)]),
        ("gaps", vec![axis(7, 3, 2, 3, 1, 0)]),
    ];
    for (name, axes) in &cases {
        let x = sample(&axes.iter().map(|a| a.input).collect::<Vec<_>>());
        let y = sample(&axes.iter().map(|a| a.output).collect::<Vec<_>>());
        check(name, std::slice::from_ref(&x), |b, i| b.window(WindowOp::Sum, axes, i));
        check(name, std::slice::from_ref(&x), |b, i| b.window(WindowOp::Max, axes, i));
        check(name, std::slice::from_ref(&y), |b, i| b.window(WindowOp::Spread, axes, i));
        check(name, &[x.clone(), y.clone()], |b, i| {
            let first = b.window(WindowOp::ArgMax, axes, &i[..1]);
            b.window(WindowOp::Route, axes, &[i[1], first])
        });
        check(name, &[x.clone(), x], |b, i| {
            let first = b.window(WindowOp::ArgMax, axes, &i[..1]);
            b.window(WindowOp::Pick, axes, &[i[1], first])
        });
    }
}

#[test]
fn tables() {
    let weight = |x: f64| x.to_bits();
    let rows = vec![
        vec![(0, weight(0.5)), (1, weight(0.5))],
        vec![],
        vec![(3, weight(2.0)), (0, weight(-1.0)), (2, weight(0.25))],
        vec![(1, weight(1.0))],
        vec![(1, weight(3.0))],
    ];
    for axis in 0..2 {
        let dims = if axis == 0 { [4, 3] } else { [3, 4] };
        check("table", &[sample(&dims)], |b, i| b.op(Op::Table { axis, rows: rows.clone() }, i));
    }
}

#[test]
fn moves() {
    let cases = [
        MoveOp::Reshape(vec![4, 3]),
        MoveOp::Reshape(vec![12]),
        MoveOp::Transpose(vec![2, 0, 1]),
        MoveOp::Slice { axis: 1, start: 1, len: 2 },
        MoveOp::Slice { axis: 2, start: 1, len: 1 },
        MoveOp::Pad { axis: 0, before: 1, behind: 2 },
        MoveOp::Broadcast { dims: vec![2, 3, 2], batch: true },
    ];
    for op in cases {
        check(&format!("{op:?}"), &[sample(&[2, 3, 2])], |b, i| b.op(Op::Move(op.clone()), i));
        // With a gradient that is the same everywhere.
        let mut bench = Bench::new(2);
        let x = bench.float(sample(&[2, 3, 2]));
        let mut b = bench.builder();
        let moved = b.op(Op::Move(op.clone()), &[x]);
        let axes: Vec<usize> = (0..b.graph.shape(moved).rank()).collect();
        let sum = b.sum(moved, &axes, true);
        let square = b.mul(sum, sum);
        let loss = b.reshape(square, &[]);
        bench.check_loss(&format!("flat {op:?}"), loss, 40);
    }
    check("broadcast", &[fixed(&[2, 1])], |b, i| {
        b.op(Op::Move(MoveOp::Broadcast { dims: vec![2, 4], batch: false }), i)
    });
    let mut bench = Bench::new(2);
    let p = bench.float(fixed(&[2, 1]));
    let x = bench.float(sample(&[2, 4]));
    let mut b = bench.builder();
    let wide = b.op(Op::Move(MoveOp::Broadcast { dims: vec![2, 4], batch: true }), &[p]);
    let y = b.mul(wide, x);
    bench.check("broadcast over the batch", y);
    check("concat", &[sample(&[2, 3]), sample(&[1, 3]), sample(&[2, 3])], |b, i| {
        b.op(Op::Move(MoveOp::Concat { axis: 0 }), i)
    });
    check("concat, flat", &[sample(&[3, 2]), sample(&[3, 1])], |b, i| {
        let joined = b.op(Op::Move(MoveOp::Concat { axis: 1 }), i);
        let sum = b.sum(joined, &[1], false);
        b.mul(sum, sum)
    });
    check("pad, flat", &[sample(&[3, 2])], |b, i| {
        let padded = b.op(Op::Move(MoveOp::Pad { axis: 1, before: 2, behind: 1 }), i);
        let sum = b.sum(padded, &[1], false);
        b.mul(sum, sum)
    });
}

#[test]
fn gather_and_scatter() {
    for (data, index, batch) in [
        (fixed(&[5, 2]), sample(&[3]), false),
        (fixed(&[5, 2]), sample(&[]), false),
        (sample(&[4, 2, 2]), sample(&[3]), true),
    ] {
        let mut bench = Bench::new(3);
        let extent = data.dims[0];
        let x = bench.float(data.clone());
        let i = bench.integer(index.clone(), extent);
        let out = bench.builder().op(Op::Gather, &[x, i]);
        bench.check("gather", out);

        let mut bench = Bench::new(3);
        let dims: Vec<usize> = index.dims.iter().chain(&data.dims[1..]).copied().collect();
        let x = bench.float(Shape::sample(dims));
        let i = bench.integer(index, extent);
        let out = bench.builder().op(Op::ScatterAdd { extent, batch }, &[x, i]);
        bench.check("scatter", out);
    }
}

#[test]
fn random_is_a_constant_and_detached_stops() {
    check("dropout", &[sample(&[6])], |b, i| {
        let noise = b.random(1, sample(&[6]));
        b.map2(i[0], noise, |p, x, r| {
            let (rate, zero) = (p.constant(0.4), p.constant(0.0));
            let keep = p.binary(Binary::Ge, r, rate);
            let scaled = p.scale(1.0 / 0.6, x);
            p.select(keep, scaled, zero)
        })
    });
    let mut bench = Bench::new(2);
    let x = bench.float(sample(&[3]));
    let mut b = bench.builder();
    let stopped = b.detach(x);
    let sum = b.sum(stopped, &[0], true);
    let loss = b.reshape(sum, &[]);
    assert_eq!(kiln_codegen::autodiff::gradients(&mut bench.graph, loss, &[x]), [None]);
}

#[test]
fn sums_over_labels() {
    for (name, scale) in [("constant", fixed(&[1, 1])), ("by row", fixed(&[2, 1])), ("by sample", sample(&[1, 1]))] {
        let mut bench = Bench::new(3);
        let x = bench.float(sample(&[2, 5]));
        let s = bench.float(scale);
        let label = bench.integer(sample(&[]), 5);
        let mut b = bench.builder();
        let y = b.map2(x, s, |p, x, s| {
            let e = p.unary(Unary::Exp, s);
            let scaled = p.scale(3.0, e);
            p.sub(x, scaled)
        });
        let picked = b.map2(y, label, |p, y, label| {
            let (column, zero) = (p.index(1), p.constant(0.0));
            let truth = p.binary(Binary::Eq, column, label);
            p.select(truth, y, zero)
        });
        let sum = b.sum(picked, &[0, 1], true);
        let square = b.mul(sum, sum);
        let loss = b.reshape(square, &[]);
        bench.check_loss(name, loss, 40);
    }
}
