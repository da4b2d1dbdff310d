//! What backward passes look like: few nodes, and nothing kept that need not be.

mod common;

use common::Bench;
use kiln_codegen::autodiff::gradients;
use kiln_codegen::graph::builder::Builder;
use kiln_codegen::graph::expr::{Binary, Unary};
use kiln_codegen::graph::op::{Leaf, Op};
use kiln_codegen::graph::{Shape, Value};

/// Mean cross-entropy with labels, as `CrossEntropy` is lowered.
fn cross_entropy(b: &mut Builder, z: Value, label: Value) -> Value {
    let max = b.max(z, &[0]);
    let max = b.detach(max);
    let e = b.map2(z, max, |p, z, m| {
        let d = p.sub(z, m);
        p.unary(Unary::Exp, d)
    });
    let s = b.sum(e, &[0], false);
    let picked = b.map2(z, label, |p, z, l| {
        let (index, zero) = (p.index(0), p.constant(0.0));
        let truth = p.binary(Binary::Eq, index, l);
        p.select(truth, z, zero)
    });
    let picked = b.sum(picked, &[0], false);
    let loss = b.map(&[s, max, picked], |p, i| {
        let log = p.unary(Unary::Ln, i[0]);
        let sum = p.add(log, i[1]);
        p.sub(sum, i[2])
    });
    let total = b.sum(loss, &[0], true);
    let mean = b.over_batch(total);
    b.reshape(mean, &[])
}

fn lines(bench: &Bench, from: usize) -> Vec<String> {
    bench.graph.values().skip(from).map(|v| bench.graph.line(v)).collect()
}

#[test]
fn cross_entropy_is_one_map() {
    let mut bench = Bench::new(3);
    let z = bench.float(Shape::sample([5]));
    let label = bench.integer(Shape::sample([]), 5);
    let loss = cross_entropy(&mut bench.builder(), z, label);
    let from = bench.graph.nodes.len();
    gradients(&mut bench.graph, loss, &[z]);
    let text = lines(&bench, from);
    println!("{}", bench.graph);
    assert_eq!(text.len(), 1, "{text:#?}");

    let mut bench = Bench::new(3);
    let z = bench.float(Shape::sample([5]));
    let label = bench.integer(Shape::sample([]), 5);
    let loss = cross_entropy(&mut bench.builder(), z, label);
    bench.check_loss("cross-entropy", loss, 40);
}

fn batch_norm(b: &mut Builder, x: Value, weight: Value, bias: Value) -> Value {
    let dims = b.dims(x).to_vec();
    let n = (dims[1] * dims[2]) as f64;
    let mean = |b: &mut Builder, x: Value| {
        let sum = b.sum(x, &[1, 2], true);
        let sum = b.over_batch(sum);
        b.map1(sum, |p, x| p.scale(1.0 / n, x))
    };
    let m = mean(b, x);
    let fixed = b.detach(m);
    let square = b.map2(x, fixed, |p, x, m| {
        let d = p.sub(x, m);
        p.mul(d, d)
    });
    let v = mean(b, square);
    b.map(&[x, m, v, weight, bias], |p, i| {
        let d = p.sub(i[0], i[1]);
        let eps = p.constant(1e-5);
        let v = p.add(i[2], eps);
        let std = p.unary(Unary::Sqrt, v);
        let n = p.div(d, std);
        let scaled = p.mul(n, i[3]);
        p.add(scaled, i[4])
    })
}

#[test]
fn batch_norm_reduces_twice() {
    let build = || {
        let mut bench = Bench::new(3);
        let x = bench.float(Shape::sample([2, 2, 3]));
        let w = bench.float(Shape::fixed([2, 1, 1]));
        let bias = bench.float(Shape::fixed([2, 1, 1]));
        let mut b = bench.builder();
        let y = batch_norm(&mut b, x, w, bias);
        let y = b.map1(y, |p, x| {
            let zero = p.constant(0.0);
            p.binary(Binary::Max, x, zero)
        });
        let loss = bench.weighted(y);
        (bench, [x, w, bias], loss)
    };
    let (mut bench, wrt, loss) = build();
    let from = bench.graph.nodes.len();
    gradients(&mut bench.graph, loss, &wrt);
    println!("{}", bench.graph);
    let reduces = bench.graph.nodes[from..].iter().filter(|n| matches!(n.op, Op::Reduce { .. })).count();
    assert_eq!(reduces, 2, "{:#?}", lines(&bench, from));
    let (bench, _, loss) = build();
    bench.check_loss("batch norm", loss, 40);
}

#[test]
fn layer_norm_and_softmax() {
    let mut bench = Bench::new(2);
    let x = bench.float(Shape::sample([2, 4]));
    let w = bench.float(Shape::fixed([1, 4]));
    let mut b = bench.builder();
    let sum = b.sum(x, &[1], false);
    let mean = b.map1(sum, |p, x| p.scale(0.25, x));
    let square = b.map2(x, mean, |p, x, m| {
        let d = p.sub(x, m);
        p.mul(d, d)
    });
    let var = b.sum(square, &[1], false);
    let y = b.map(&[x, mean, var, w], |p, i| {
        let d = p.sub(i[0], i[1]);
        let quarter = p.scale(0.25, i[2]);
        let eps = p.constant(1e-5);
        let v = p.add(quarter, eps);
        let std = p.unary(Unary::Sqrt, v);
        let n = p.div(d, std);
        p.mul(n, i[3])
    });
    let max = b.max(y, &[1]);
    let max = b.detach(max);
    let e = b.map2(y, max, |p, z, m| {
        let d = p.sub(z, m);
        p.unary(Unary::Exp, d)
    });
    let s = b.sum(e, &[1], false);
    let soft = b.map2(e, s, |p, e, s| p.div(e, s));
    let loss = bench.weighted(soft);
    println!("{}", bench.graph);
    bench.check_loss("layer norm, softmax", loss, 40);
}

/// The backward part of a declaration's training graph.
fn backward(text: &str) -> Vec<String> {
    let module = common::network::lower(text);
    let mut graph = module.training.graph.clone();
    let from = graph.nodes.len();
    let params: Vec<Value> = graph.values().filter(|v| matches!(graph.node(*v).op, Op::Leaf(Leaf::Param(_)))).collect();
    gradients(&mut graph, module.training.loss.unwrap(), &params);
    graph.values().skip(from).map(|v| graph.line(v)).collect()
}

#[test]
fn losses_of_labels_start_with_one_map() {
    let heads = ["Linear<10>; loss: CrossEntropy(_, c);", "Linear<10>; LogSoftmax; loss: Nll(_, c);"];
    for head in heads {
        let lines = backward(&format!("pub N {{ input x: [4]; target c: class<10>; {head} }}"));
        // The gradient of the scores, the bias and the weight.
        assert_eq!(lines.len(), 3, "{head}\n{lines:#?}");
    }
}

#[test]
fn batch_norm_has_two_statistics_each_way() {
    let lines = backward(
        "pub N { input x: [4, 5, 5]; target t: [4, 5, 5]; Conv2d<4, 1, bias = false>; BatchNorm; loss: Mse(_, t); }",
    );
    assert_eq!(lines.iter().filter(|l| l.contains("reduce.sum")).count(), 2, "{lines:#?}");
}
