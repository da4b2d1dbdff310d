//! Lines applied again: which parameters they meet, what their gradients add up to, and how running statistics move.

mod common;

use common::network::{check_gradients, check_schedules, lower};
use kiln_codegen::declaration::Fusion;
use kiln_codegen::graph::op::{Leaf, Op};
use kiln_codegen::graph::{DType, Shape, Value};
use kiln_codegen::interpret::{Env, Tensor, run};
use kiln_codegen::lower::frontend;
use std::collections::HashMap;

const SIAMESE: &str = "
    fn contrast<M>(a, b, same) {
        let d = a - b;
        same * d * d + (1 - same) * pow(max(M - abs(d), 0), 2)
    }
    block Embed<N> { conv: Conv2d<N, 3>; Tanh; Flatten; fc: Linear<N>; }
    pub Siamese {
        input left: [1, 6, 6]; input right: [1, 6, 6];
        target same: [3];
        embed: Embed<3>(left);
        other: embed(right);
        contrast<1>(embed, other, same);
        loss: Mean(_);
        output embed, other;
    }";

const NORMS: &str = "
    pub Norms {
        input x: [4, 5]; target t: [4, 5];
        unit: { norm: BatchNorm<momentum = 0.25>; Tanh; }
        unit(_) as second; again: unit.norm(x);
        Add(second, again);
        loss: Mse(_, t);
    }";

const RESIDUALS: &str = "
    pub Deep {
        input x: [4]; target y: class<3>;
        unit: Residual { a: Linear<4>; Relu; b: Linear<4>; }
        three: { unit(_); inner: Linear<4>; unit(_); inner(_); }
        three(_);
        two: Concat { a: Linear<2>; b: { Linear<1>; Tanh; } }
        Add(_, two) as sum;
        from x; two(_) as last;
        Add(sum, last);
        loss: CrossEntropy(_, y);
    }";

fn names(text: &str) -> Vec<String> {
    lower(text).params.iter().map(|p| p.name.clone()).collect()
}

#[test]
fn parameters_are_there_once() {
    assert_eq!(names(SIAMESE), ["embed.conv.weight", "embed.conv.bias", "embed.fc.weight", "embed.fc.bias"]);
    assert_eq!(names(NORMS), ["unit.norm.weight", "unit.norm.bias"]);
    let deep = names(RESIDUALS);
    assert_eq!(deep.len(), 10, "{deep:?}");
    for text in [SIAMESE, NORMS, RESIDUALS] {
        let module = lower(text);
        for mode in [&module.training, &module.evaluation] {
            for p in 0..module.params.len() {
                let is = |v: &Value| mode.graph.node(*v).op == Op::Leaf(Leaf::Param(p));
                assert_eq!(mode.graph.values().filter(is).count(), 1, "{}", module.params[p].name);
            }
        }
    }
}

#[test]
fn gradients_add_up() {
    for text in [SIAMESE, NORMS, RESIDUALS] {
        check_gradients(text, 3, 8);
        for fusion in [Fusion::On, Fusion::Off] {
            check_schedules(text, 5, fusion);
        }
    }
}

#[test]
fn running_statistics_move_with_every_use() {
    let module = lower(
        "pub N { input x: [2]; target t: [2]; n: BatchNorm<momentum = 0.25>; from x; Linear<2> as z;
        n(z) as m; loss: Mse(n, t) + Mse(m, t); output n; }",
    );
    let assigned: Vec<(usize, Value)> = module
        .training
        .assigns
        .iter()
        .map(|v| match module.training.graph.node(*v).op {
            Op::Assign { state } => (state, module.training.graph.node(*v).inputs[0]),
            ref other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(assigned.iter().map(|a| a.0).collect::<Vec<_>>(), [0, 1]);
    let mut leaves: HashMap<Leaf, Tensor> = HashMap::new();
    let x = [1.0, 3.0, 2.0, -1.0, 4.0, 1.5];
    leaves.insert(Leaf::Input(0), Tensor::new(Shape::sample([2]), 3, x.to_vec()));
    leaves.insert(Leaf::Target(0), Tensor::new(Shape::sample([2]), 3, vec![0.0; 6]));
    for (i, param) in module.params.iter().enumerate() {
        let values = match param.dims.len() {
            2 => vec![2.0, 0.0, 0.0, 2.0],
            _ => vec![0.0; 2],
        };
        leaves.insert(Leaf::Param(i), Tensor::new(Shape::fixed(param.dims.clone()), 1, values));
    }
    for (i, start) in [0.0, 1.0].into_iter().enumerate() {
        leaves.insert(Leaf::State(i), Tensor::new(Shape::fixed([2]), 1, vec![start; 2]));
    }
    let wanted: Vec<Value> = assigned.iter().map(|a| a.1).collect();
    let found = run(&module.training.graph, &leaves, &wanted, &Env { seed: 0, step: 0, ..Env::batch(3) }).unwrap();
    for channel in 0..2 {
        let column: Vec<f64> = (0..3).map(|s| x[2 * s + channel]).collect();
        let mean = column.iter().sum::<f64>() / 3.0;
        let var = column.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / 2.0;
        // The second batch is twice the first.
        let twice = |start: f64, a: f64, b: f64| 0.75 * (0.75 * start + 0.25 * a) + 0.25 * b;
        assert!((found[0].data[channel] - twice(0.0, mean, 2.0 * mean)).abs() < 1e-9);
        assert!((found[1].data[channel] - twice(1.0, var, 4.0 * var)).abs() < 1e-9);
    }
    assert_eq!(module.training.graph.ty(wanted[0]).dtype, DType::F32);
}

#[test]
fn frozen_stays_frozen() {
    let module = lower(
        "pub N { input x: [4]; target t: [4]; #[frozen] f: { Linear<4>; Dropout<0.5>; } Linear<4>; f(_);
        loss: Mse(_, t); }",
    );
    assert!(module.params[0].frozen && !module.params[2].frozen);
    assert!(!module.training.graph.nodes.iter().any(|n| matches!(n.op, Op::Random { .. })));
}

#[test]
fn mistakes() {
    let check = |lines: &str, expected: &[&str]| {
        let text = format!("pub N {{ input x: [4]; target y: class<3>; {lines} }}");
        let (_, _, errors) = frontend(text.parse().unwrap());
        let found =
            errors.iter().map(|d| format!("{}: {}", d.source.first.source_text().unwrap_or_default(), d.text()));
        assert_eq!(found.collect::<Vec<_>>(), expected, "{lines}");
    };
    let help = "help: the same parameters fit only what has the shape that `a` was first applied to";
    check(
        "a: Linear<3>; b: a(_);",
        &[&format!("a: `a` cannot be applied here: `a.weight` has shape [3, 4], but [3, 3] is needed\n{help}")],
    );
    check(
        "a: Residual { Linear<6>; Linear<4>; } shortcut if reshaped { Linear<4>; } Linear<2>; a(_);",
        &[&format!("a: `a` cannot be applied here: `a.0.weight` has shape [6, 4], but [6, 2] is needed\n{help}")],
    );
    check(
        "a: Residual { Flatten; } shortcut s if reshaped { Flatten; Linear<4>; } Reshape<[2, 2]>; a(_); Linear<2>;",
        &[&format!("a: `a` cannot be applied here: it would need a `a.s.1.weight`, which it does not have\n{help}")],
    );
    check(
        "a: { Flatten; Tanh; } Reshape<[2, 2]>; b: { Conv2d<3, 1>; }",
        &["Conv2d: `Conv2d` takes an image [channels, height, width], but its input has shape [2, 2]\n\
           help: `Conv1d` takes sequences\n\
           trail: x [4] → Reshape [2, 2] → here"],
    );
    check(
        "a: Softmax; Residual { Linear<4>; a(_); } Linear<3>; Reshape<[3, 1]>; b: { Linear<2, bias = false>; Flatten; } b(x);",
        &[&format!("b: `b` cannot be applied here: `b.0.weight` has shape [2, 1], but [2, 4] is needed\n{help}")
            .replace("`a` was", "`b` was")],
    );
    check(
        "a: Linear<4>; a<4>(_); Linear<3>;",
        &["4: `a` is there already, so it takes no `<…>`\nhelp: write `a(…)`, or a line of its own"],
    );
    check(
        "Linear<4> as a; a(_); x(a);",
        &[
            "a: `a` is a value, not a line that can be applied\nhelp: a label does that: `name: Layer;`, not `Layer as name;`",
            "x: `x` is a value, not a line that can be applied\nhelp: a label does that: `name: Layer;`, not `Layer as name;`",
        ],
    );
    check(
        "a: Linear<4>; #[frozen] a(_);",
        &["frozen: `#[frozen]` says nothing here: the parameters are those of `a`\n\
           help: write it before the line `a`"],
    );
    check("a: Linear<4>; a(a, x);", &["a: `a` takes 1 value, found 2\nhelp: `a(_)`"]);
    check("g: { a: Linear<4>; } a(_);", &["a: there is no layer `a`\nhelp: from outside its group it is `g.a`"]);
    check("g: { a: Linear<4>; } g.b(_);", &["b: `g` names no `b`\nhelp: it names `a`"]);
}

#[test]
fn losses_of_any_computation() {
    let text = "
        fn far(a, b) { pow(a - b, 2) }
        pub N {
            input x: [4]; target y: class<3>; target t: [3];
            fc: Linear<3>; Softmax as p;
            far(p, one_hot(y)) as wrong; far(fc, t) as off;
            param scale: [3] = Ones; far(scale, scale) as zero; Mul(scale, scale) as size;
            loss: Mean(wrong) + 0.5 * Mean(off) - 0.1 * Mean(zero) + 0.01 * Mean(size) + Mse(fc, x4);
            output fc;
        }"
    .replace(" + Mse(fc, x4)", "");
    check_gradients(&text, 4, 8);
    let check = |lines: &str, expected: &[&str]| {
        let text = format!("pub N {{ input x: [3]; target y: class<3>; target t: [3]; {lines} }}");
        let (_, _, errors) = frontend(text.parse().unwrap());
        let found =
            errors.iter().map(|d| format!("{}: {}", d.source.first.source_text().unwrap_or_default(), d.text()));
        assert_eq!(found.collect::<Vec<_>>(), expected, "{lines}");
    };
    check(
        "fc: Linear<3>; Add(fc, t) as sum; loss: Mean(sum) + CrossEntropy(fc, y); output sum;",
        &["sum: `sum` depends on the target `t`, which `forward` does not get\n\
           help: say what it returns: `output scores;`, or declare the target as an `input`"],
    );
    check(
        "fc: Linear<3>; loss: Mean(fc, t) + CrossEntropy(fc, y); output fc;",
        &["Mean: `Mean` takes a value, found 2 values\nhelp: `Mean(penalty)`"],
    );
    check(
        "fc: Linear<3>; Add(fc, y); loss: Mse(_, t); output fc;",
        &["y: `y` is a class target, and layers take dense values\nhelp: write `one_hot(y)`"],
    );
}
