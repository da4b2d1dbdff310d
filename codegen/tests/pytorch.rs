//! Every layer and loss against PyTorch: outputs, losses, gradients and running statistics, on the interpreter.
//!
//! `scripts/layer_fixtures.py` writes `pytorch.txt`. Inputs and parameters follow the formulas that it states.

use kiln_codegen::autodiff::gradients;
use kiln_codegen::graph::op::{Leaf, Op};
use kiln_codegen::graph::verify::verify;
use kiln_codegen::graph::{Graph, Module, PortKind, Shape, Value};
use kiln_codegen::interpret::{Env, Tensor, run};
use kiln_codegen::lower::frontend;
use std::collections::HashMap;

const BATCH: usize = 3;

fn module(text: &str) -> Module {
    let (mut declarations, _, errors) = frontend(text.parse().unwrap());
    let texts: Vec<String> = errors.iter().map(|d| d.text()).collect();
    assert!(texts.is_empty(), "{text}\n{}", texts.join("\n\n"));
    declarations.remove(0).members.remove(0).module
}

fn waves(shape: Shape, scale: f64, step: f64, shift: f64) -> Tensor {
    let n = shape.numel();
    Tensor::from_fn(shape, BATCH, |sample, i| scale * (step * (sample * n + i) as f64 + shift).sin())
}

fn leaves(module: &Module) -> HashMap<Leaf, Tensor> {
    let mut leaves = HashMap::new();
    let shift = |k: usize| k as f64 + 1.0;
    let ports = module.inputs.iter().map(|p| (p, Leaf::Input as fn(usize) -> Leaf, 0));
    let ports = ports.chain(module.targets.iter().map(|p| (p, Leaf::Target as fn(usize) -> Leaf, 1)));
    for (k, (port, leaf, offset)) in ports.enumerate() {
        let tensor = match &port.kind {
            PortKind::Class(n) => Tensor::from_fn(Shape::sample([]), BATCH, |b, _| ((3 * b + 1) % n) as f64),
            PortKind::Dense(dims) | PortKind::Ids(dims, _) => {
                waves(Shape::sample(dims.clone()), 2.0, 0.7, shift(offset))
            }
        };
        leaves.insert(leaf(k - offset), tensor);
    }
    for (k, param) in module.params.iter().enumerate() {
        leaves.insert(Leaf::Param(k), waves(Shape::fixed(param.dims.clone()), 0.5, 0.3, shift(k)));
    }
    for (k, state) in module.states.iter().enumerate() {
        let start = match state.name.rsplit('.').next() {
            Some("running_var") => 1.0,
            Some("mean") => 0.5,
            Some("deviation") => 1.5,
            _ => 0.0,
        };
        leaves.insert(Leaf::State(k), Tensor::from_fn(Shape::fixed(state.dims.clone()), 1, |_, _| start));
    }
    leaves
}

#[track_caller]
fn close(net: &str, what: &str, found: &[f64], expected: &str) {
    let expected: Vec<f64> = expected.split_whitespace().map(|x| x.parse().unwrap()).collect();
    assert_eq!(found.len(), expected.len(), "{net}: {what}");
    for (i, (a, b)) in found.iter().zip(&expected).enumerate() {
        assert!((a - b).abs() <= 1e-7 * (1.0 + b.abs()), "{net}: {what} [{i}] is {a}, PyTorch has {b}");
    }
}

fn evaluate(graph: &Graph, leaves: &HashMap<Leaf, Tensor>, wanted: &[Value]) -> Vec<Vec<f64>> {
    run(graph, leaves, wanted, &Env::batch(BATCH)).unwrap().into_iter().map(|t| t.data).collect()
}

#[test]
fn layers_and_losses() {
    let mut cases: Vec<(&str, Vec<(&str, &str)>)> = Vec::new();
    for line in include_str!("pytorch.txt").lines() {
        let (word, rest) = line.split_once(' ').unwrap();
        match word {
            "net" => cases.push((rest, Vec::new())),
            _ => cases.last_mut().unwrap().1.push((word, rest)),
        }
    }
    assert!(cases.len() > 40);
    for (net, expected) in cases {
        let module = module(net);
        let leaves = leaves(&module);
        verify(&module.evaluation.graph).unwrap();
        let mut mode = module.training.clone();
        let all = |word: &str| expected.iter().filter(|(w, _)| *w == word).map(|(_, x)| *x).collect::<Vec<_>>();
        close(net, "output", &evaluate(&mode.graph, &leaves, &mode.outputs)[0], all("output")[0]);
        for (assign, state) in mode.assigns.clone().iter().zip(all("state")) {
            close(net, "state", &evaluate(&mode.graph, &leaves, &[*assign])[0], state);
        }
        assert_eq!(mode.assigns.len(), all("state").len(), "{net}");
        let Some(loss) = mode.loss else { continue };
        close(net, "loss", &evaluate(&mode.graph, &leaves, &[loss])[0], all("loss")[0]);
        let params: Vec<Value> = (0..module.params.len())
            .map(|k| mode.graph.values().find(|v| mode.graph.node(*v).op == Op::Leaf(Leaf::Param(k))).unwrap())
            .collect();
        let grads = gradients(&mut mode.graph, loss, &params);
        assert_eq!(grads.len(), all("grad").len(), "{net}");
        for ((grad, expected), param) in grads.into_iter().zip(all("grad")).zip(&module.params) {
            let what = format!("gradient of {}", param.name);
            close(net, &what, &evaluate(&mode.graph, &leaves, &[grad.unwrap()])[0], expected);
        }
    }
}
