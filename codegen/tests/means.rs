//! A loss as a sum of means: what parts of a batch give, mean by mean and weight by weight, is what the whole gives, in double
//! precision, on the plain graph and by the kernels of both targets' plans.

mod common;

use common::network::{leaves, lower};
use kiln_codegen::declaration::{Fusion, Precision};
use kiln_codegen::graph::op::Leaf;
use kiln_codegen::graph::{Module, Value};
use kiln_codegen::interpret::{Env, Tensor, run};
use kiln_codegen::schedule::program::{Program, program};
use kiln_codegen::schedule::{ParamPlan, ProgramKind, Target, schedule};
use std::collections::HashMap;

/// These samples of every leaf.
fn part(leaves: &HashMap<Leaf, Tensor>, from: usize, to: usize) -> HashMap<Leaf, Tensor> {
    let cut = |tensor: &Tensor| {
        if !tensor.shape.batch {
            return tensor.clone();
        }
        let data = (from..to).flat_map(|sample| tensor.sample(sample).to_vec()).collect();
        Tensor::new(tensor.shape.clone(), to - from, data)
    };
    leaves.iter().map(|(leaf, tensor)| (*leaf, cut(tensor))).collect()
}

fn values(program: &Program, leaves: &HashMap<Leaf, Tensor>, wanted: &[Value], env: &Env) -> Vec<Vec<f64>> {
    run(&program.graph, leaves, wanted, env).unwrap().into_iter().map(|tensor| tensor.data).collect()
}

fn near(found: f64, expected: f64, what: &str) {
    assert!((found - expected).abs() < 1e-10 * (1.0 + expected.abs()), "{what}: {found}, expected {expected}");
}

/// Loss and gradients of `cuts` of a batch, added up, beside those of all of it.
fn check_program(program: &Program, module: &Module, cuts: &[usize], what: &str) {
    let batch = cuts.iter().sum();
    let all = leaves(module, &program.graph, batch, 1);
    let roots = &program.roots;
    let gradients: Vec<Value> = roots.gradients.iter().map(|(_, value)| *value).collect();
    let wanted: Vec<Value> = roots.loss.into_iter().chain(gradients.clone()).collect();
    let whole = values(program, &all, &wanted, &Env::batch(batch));
    // By mean: its sum and its gradients' sums, and the weight of both.
    let mut sums: Vec<(Vec<Vec<f64>>, f64)> = Vec::new();
    for (k, mean) in roots.means.iter().enumerate() {
        let (mut sum, mut total): (Vec<_>, _) = (whole.iter().map(|tensor| vec![0.0; tensor.len()]).collect(), 0.0);
        let wanted: Vec<Value> = [mean.value].into_iter().chain(gradients.clone()).chain(mean.weight).collect();
        let mut from = 0;
        for cut in cuts {
            let env = Env { only: Some(k as u32), ..Env::batch(*cut) };
            let found = values(program, &part(&all, from, from + cut), &wanted, &env);
            let weight = mean.weight.map_or(*cut as f64, |_| found[wanted.len() - 1][0]);
            from += cut;
            if weight == 0.0 {
                continue;
            }
            total += weight;
            for (sum, found) in sum.iter_mut().flatten().zip(found[..whole.len()].iter().flatten()) {
                *sum += weight * found;
            }
        }
        sums.push((sum, total));
    }
    for (i, expected) in whole.iter().enumerate() {
        for (element, expected) in expected.iter().enumerate() {
            let found = sums.iter().map(|(sum, weight)| sum[i][element] / weight).sum();
            near(found, *expected, &format!("{what}, result {i}, element {element}"));
        }
    }
}

/// As many means as expected, which add up.
fn check(loss: &str, means: usize) {
    let known = [("y", "class<4>"), ("z", "class<2>"), ("t", "[2]")];
    let named = known.iter().filter(|(name, _)| loss.contains(&format!(", {name})")));
    let targets: String = named.map(|(name, kind)| format!("target {name}: {kind}; ")).collect();
    let text = format!(
        "pub N {{ input x: [5]; {targets}
        param p: [2] = Ones;
        Linear<6>; Tanh as h; Linear<4>(h) as scores; Linear<2>(h) as odds; LogSoftmax(odds) as logs; Mul(odds, p) as scaled;
        output scores, logs, scaled; loss: {loss}; }}"
    );
    let module = lower(&text);
    let plain = program(&module, ProgramKind::Gradients).unwrap();
    assert_eq!(plain.roots.means.len(), means, "{loss}");
    if means == 0 {
        return;
    }
    for cuts in [&[6, 1, 13, 4][..], &[1, 1, 1, 1, 1, 1, 1, 1, 1], &[11, 5]] {
        check_program(&plain, &module, cuts, &format!("{loss}, {cuts:?}"));
        for target in [Target::cpu(Fusion::On), Target::cpu(Fusion::Off), Target::cuda(Fusion::On, Precision::F32)] {
            let s = schedule(&module, &ParamPlan::new(&module, target.order), &plain, &target);
            check_program(&s.program, &module, cuts, &format!("{loss}, {cuts:?}, {:?}", target.order));
        }
    }
}

#[test]
fn parts_add_up() {
    const W: &str = "weight = [0.5, 4, 1, 7]";
    check("CrossEntropy(scores, y)", 0);
    check("Mse(scaled, t) + 0.1 * Mean(p)", 0);
    check(&format!("CrossEntropy<{W}>(scores, y)"), 1);
    check(&format!("3 * CrossEntropy<{W}, label_smoothing = 0.3>(scores, y) + 0.5 * Mean(p)"), 1);
    check(&format!("CrossEntropy<{W}>(scores, y) + 0.2 * CrossEntropy<{W}, label_smoothing = 0.1>(scores, y)"), 1);
    check("Nll<weight = [0.2, 3]>(logs, z) + 0.3 * CrossEntropy<weight = [0.2, 3]>(odds, z)", 1);
    check(&format!("CrossEntropy<{W}>(scores, y) + Mse(scaled, t)"), 2);
    check("L1(scaled, t) - 0.5 * Nll<weight = [0.2, 3]>(logs, z) + 0.1 * Mean(p)", 2);
    // The same numbers for the labels of another target are other weights.
    check(
        &format!("CrossEntropy<{W}>(scores, y) + Nll<weight = [0.2, 3]>(logs, z) + HalfSquare(scaled, t) + Mean(p)"),
        3,
    );
    // Parts of no weight.
    check("Nll<weight = [0, 3]>(logs, z) + Mse(scaled, t)", 2);
    check("Nll<weight = [0, 3]>(logs, z)", 1);
}
