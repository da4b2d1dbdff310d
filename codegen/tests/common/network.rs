//! Declarations as text: lowered, given numbers, interpreted.

use super::numbers;
use kiln_codegen::autodiff::gradients;
use kiln_codegen::declaration::{Fusion, Precision};
use kiln_codegen::graph::op::{Leaf, Op};
use kiln_codegen::graph::verify::verify;
use kiln_codegen::graph::{Graph, Init, Module, PortKind, Value};
use kiln_codegen::interpret::{Env, Tensor, evaluate, run};
use kiln_codegen::lower::frontend;
use kiln_codegen::schedule::program::program;
use kiln_codegen::schedule::{ParamPlan, ProgramKind, Schedule, Target, schedule};
use std::collections::HashMap;

/// The only network of a correct declaration.
pub fn lower(text: &str) -> Module {
    let tokens = text.parse().unwrap_or_else(|why| panic!("{why}\n{text}"));
    let (mut declarations, _, errors) = frontend(tokens);
    let texts: Vec<String> = errors.iter().map(|d| d.text()).collect();
    assert!(texts.is_empty(), "{}\n{text}", texts.join("\n\n"));
    let module = declarations.remove(0).members.remove(0).module;
    for (name, mode) in [("training", &module.training), ("evaluation", &module.evaluation)] {
        verify(&mode.graph).unwrap_or_else(|why| panic!("{name}: {why}\n{text}"));
    }
    module
}

/// Numbers for every leaf: parameters of the size that keeps activations near 1, variances above 0.
pub fn leaves(module: &Module, graph: &Graph, batch: usize, salt: u32) -> HashMap<Leaf, Tensor> {
    let mut result = HashMap::new();
    for (i, node) in graph.nodes.iter().enumerate() {
        let Op::Leaf(leaf) = node.op else { continue };
        let name = salt * 1000
            + match leaf {
                Leaf::Input(k) => k,
                Leaf::Target(k) => 100 + k,
                Leaf::Param(k) => 200 + k,
                Leaf::State(k) => 600 + k,
            } as u32;
        let mut tensor = numbers(name, graph.shape(Value(i as u32)), batch);
        let port = match leaf {
            Leaf::Input(k) => Some(&module.inputs[k].kind),
            Leaf::Target(k) => Some(&module.targets[k].kind),
            Leaf::Param(_) | Leaf::State(_) => None,
        };
        let scale = match leaf {
            Leaf::Param(k) if module.params[k].dims.len() > 1 => 1.5 / (module.params[k].fan_in.max(1) as f64).sqrt(),
            _ => 1.0,
        };
        let positive = matches!(leaf, Leaf::State(k) if module.states[k].init == Init::Ones);
        for x in &mut tensor.data {
            *x = match port {
                Some(PortKind::Class(n) | PortKind::Ids(_, n)) => ((*x + 1.0) / 2.0 * *n as f64).floor(),
                _ if positive => 1.0 + 0.5 * *x,
                _ => *x * scale,
            };
        }
        result.insert(leaf, tensor);
    }
    result
}

pub fn env(batch: usize) -> Env {
    Env { seed: 11, step: 3, ..Env::batch(batch) }
}

/// Every parameter's gradient of the loss against differences, at up to `most` elements each.
pub fn check_gradients(text: &str, batch: usize, most: usize) {
    let module = lower(text);
    let mut graph = module.training.graph.clone();
    let loss = module.training.loss.expect("a loss");
    let wrt: Vec<(Leaf, Value)> = graph
        .values()
        .filter_map(|v| match graph.node(v).op {
            Op::Leaf(leaf @ Leaf::Param(p)) if !module.params[p].frozen => Some((leaf, v)),
            Op::Leaf(leaf @ Leaf::Input(i)) if matches!(module.inputs[i].kind, PortKind::Dense(_)) => Some((leaf, v)),
            _ => None,
        })
        .collect();
    let mut leaves = leaves(&module, &graph, batch, 1);
    let values: Vec<Value> = wrt.iter().map(|(_, v)| *v).collect();
    let found = gradients(&mut graph, loss, &values);
    verify(&graph).unwrap_or_else(|why| panic!("{why}\n{text}"));
    let env = env(batch);
    let wanted: Vec<Value> = found.iter().flatten().copied().collect();
    let mut results = run(&graph, &leaves, &wanted, &env).unwrap_or_else(|why| panic!("{why}\n{text}")).into_iter();
    for ((leaf, value), gradient) in wrt.iter().zip(&found) {
        let analytic = gradient.and_then(|_| results.next());
        let count = leaves[leaf].data.len();
        for i in (0..count).step_by(count.div_ceil(most).max(1)) {
            let symbolic = analytic.as_ref().map_or(0.0, |t| t.data[i]);
            let mut numeric = f64::NAN;
            // A step may cross a kink; a smaller one then does not.
            let fits = [1e-5, 1e-6, 1e-7, 3e-8].into_iter().any(|h| {
                let mut at = |h: f64| {
                    let old = leaves[leaf].data[i];
                    leaves.get_mut(leaf).unwrap().data[i] = old + h;
                    let result = run(&graph, &leaves, &[loss], &env).unwrap();
                    leaves.get_mut(leaf).unwrap().data[i] = old;
                    result[0].data[0]
                };
                numeric = (at(h) - at(-h)) / (2.0 * h);
                (numeric - symbolic).abs() <= 1e-5 * (0.01 + numeric.abs())
            });
            assert!(
                fits,
                "{leaf:?} {value}[{i}]: differences give {numeric}, the gradient is {symbolic}\n{text}\n{graph}"
            );
        }
    }
}

/// Every program, scheduled for this target and run kernel by kernel from nothing but what earlier kernels stored, against
/// the plain graph.
#[allow(dead_code, reason = "not every test crate uses it")]
pub fn check_schedules(text: &str, batch: usize, fusion: Fusion) {
    let module = lower(text);
    for target in [Target::cpu(fusion), Target::cuda(fusion, Precision::F32)] {
        check_target(&module, text, batch, &target);
    }
}

fn check_target(module: &Module, text: &str, batch: usize, target: &Target) {
    let params = ParamPlan::new(module, target.order);
    for kind in ProgramKind::ALL {
        let Some(program) = program(module, kind) else { continue };
        let at = || format!("{} ({}, fusion {})\n{text}", kind.name(), target.name, target.fusion);
        verify(&program.graph).unwrap_or_else(|why| panic!("{why}\n{}", at()));
        let schedule = schedule(module, &params, &program, target);
        let leaves = leaves(module, &program.graph, batch, 1);
        let roots = program.roots.all();
        let plain = run(&program.graph, &leaves, &roots, &env(batch)).unwrap_or_else(|why| panic!("{why}\n{}", at()));
        let fused = run_schedule(&schedule, &leaves, batch).unwrap_or_else(|why| panic!("{why}\n{}", at()));
        for ((root, plain), fused) in roots.iter().zip(&plain).zip(&fused) {
            assert_eq!(plain.shape, fused.shape, "{root} in {}", at());
            for (i, (a, b)) in plain.data.iter().zip(&fused.data).enumerate() {
                let close = (a - b).abs() <= 1e-9 * (1.0 + a.abs()) || (a.is_nan() && b.is_nan());
                assert!(close, "{root}[{i}]: the graph gives {a}, the schedule {b}; {}", at());
            }
        }
    }
}

/// The roots of a schedule, in order.
fn run_schedule(s: &Schedule, leaves: &HashMap<Leaf, Tensor>, batch: usize) -> Result<Vec<Tensor>, String> {
    let graph = s.graph();
    verify(graph)?;
    let count = graph.nodes.len();
    let mut stored: Vec<Option<Tensor>> = vec![None; count];
    for value in graph.values() {
        if let Op::Leaf(leaf) = graph.node(value).op {
            stored[value.index()] = leaves.get(&leaf).cloned();
        }
    }
    for (k, kernel) in s.kernels.iter().enumerate() {
        let mut known: Vec<Option<Tensor>> = vec![None; count];
        for read in &kernel.reads {
            known[read.index()] = stored[read.index()].clone();
            if known[read.index()].is_none() {
                return Err(format!("kernel {k} reads {read}, which nobody stored"));
            }
        }
        let given: Vec<bool> = known.iter().map(Option::is_some).collect();
        evaluate(graph, &mut known, &kernel.stores, &env(batch)).map_err(|why| format!("kernel {k}: {why}"))?;
        for value in graph.values().filter(|v| known[v.index()].is_some() && !given[v.index()]) {
            // What is joined or sliced is there once its parts, or the whole, are.
            let lies_there = s.within.contains_key(&value) || s.within.values().any(|place| place.whole == value);
            if !kernel.nodes.contains(&value) && s.base(value) == value && !lies_there {
                return Err(format!("kernel {k} computes {value}, which is not among its nodes"));
            }
        }
        for store in &kernel.stores {
            stored[store.index()] = known[store.index()].take();
        }
    }
    // What is free to look at differently.
    let roots = s.program.roots.all();
    for value in graph.values() {
        let base = s.base(value);
        if base != value && stored[value.index()].is_none() && stored[base.index()].is_some() {
            let mut known = stored.clone();
            if evaluate(graph, &mut known, &[value], &env(batch)).is_ok() {
                stored[value.index()] = known[value.index()].take();
            }
        }
    }
    roots.iter().map(|r| stored[r.index()].clone().ok_or_else(|| format!("root {r} is not stored"))).collect()
}
