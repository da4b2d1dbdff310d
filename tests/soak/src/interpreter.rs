//! The first comparison: every plan of a network, run on the interpreter in its own memory, against the plain graph.

use crate::arena;
use crate::declared::{self, Leaves};
use crate::dice::Dice;
use kiln_codegen::declaration::{Fusion, Precision};
use kiln_codegen::graph::Module;
use kiln_codegen::graph::verify::verify;
use kiln_codegen::interpret::{Env, Tensor, run};
use kiln_codegen::memory::Planned;
use kiln_codegen::schedule::program::program;
use kiln_codegen::schedule::{ProgramKind, Target};
use kiln_codegen::{Plans, compile, plan};
use proc_macro2::TokenStream;
use std::collections::BTreeMap;

/// What was compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    pub networks: usize,
    /// Programs, each for one target and one range of batches.
    pub programs: usize,
    /// Values that were no numbers in the plain graph already.
    pub skipped: usize,
}

/// Compares all networks of a declaration; the first difference is the error. So is what the compiler cannot print.
pub fn check(text: &str, dice: &mut Dice) -> Result<Count, String> {
    let mut count = Count::default();
    let tokens: TokenStream = text.parse().map_err(|why| format!("no tokens: {why}"))?;
    let errors = compile(tokens).into_iter().filter(|tree| tree.to_string() == "compile_error").count();
    if errors > 0 {
        return Err(format!("{errors} errors from a declaration that the front end takes"));
    }
    for network in declared::networks(text)? {
        count.networks += 1;
        let module = &network.module;
        let batch = dice.pick(&[1, 2, 2, 3, 3, 4]);
        let leaves = declared::leaves(module, batch, 1);
        let mut plain = BTreeMap::new();
        for kind in ProgramKind::ALL {
            let Some(program) = program(module, kind) else { continue };
            verify(&program.graph).map_err(|why| format!("{}: {why}", kind.name()))?;
            let roots = program.roots.all();
            let values = run(&program.graph, &leaves, &roots, &env(batch));
            plain.insert(kind, values.map_err(|why| format!("{}: {why}", kind.name()))?);
        }
        for target in targets() {
            let plans = plan(module, &target);
            for planned in plans.programs.iter().chain(&plans.small) {
                let expected = &plain[&planned.kind];
                let at = || format!("{} {} for {}", network.name, planned.kind.name(), name(&target, &plans, planned));
                let found = arena::run(planned, &plans.params, module.inputs.len(), &leaves, &env(batch));
                let found = found.map_err(|why| format!("{}: {why}", at()))?;
                count.skipped += compare(expected, &found).map_err(|why| format!("{}, batch {batch}: {why}", at()))?;
                count.programs += 1;
            }
        }
    }
    Ok(count)
}

fn env(batch: usize) -> Env {
    Env { seed: 11, step: 3, ..Env::batch(batch) }
}

fn targets() -> [Target; 4] {
    [
        Target::cpu(Fusion::On),
        Target::cpu(Fusion::Off),
        Target::cuda(Fusion::On, Precision::F32),
        Target::cuda(Fusion::Off, Precision::F32),
    ]
}

fn name(target: &Target, plans: &Plans, planned: &Planned) -> String {
    let small = plans.small.iter().any(|p| std::ptr::eq(p, planned));
    let fused = if target.fusion { "fused" } else { "unfused" };
    format!("{}, {fused}{}", target.name, if small { ", small batches" } else { "" })
}

/// Equal but for the order of sums in double precision. Gives how many values are no numbers.
fn compare(expected: &[Tensor], found: &[Tensor]) -> Result<usize, String> {
    let mut skipped = 0;
    if expected.len() != found.len() {
        return Err(format!("{} roots instead of {}", found.len(), expected.len()));
    }
    for (root, (expected, found)) in expected.iter().zip(found).enumerate() {
        if expected.shape != found.shape {
            return Err(format!("root {root} has shape {:?} instead of {:?}", found.shape, expected.shape));
        }
        let scale = expected.data.iter().filter(|x| x.is_finite()).fold(1e-3f64, |m, x| m.max(x.abs()));
        for (i, (e, f)) in expected.data.iter().zip(&found.data).enumerate() {
            if !e.is_finite() {
                skipped += 1;
            } else if f.is_nan() || (e - f).abs() > 1e-7 * scale {
                return Err(format!("root {root}[{i}]: the graph gives {e}, the plan {f}"));
            }
        }
    }
    Ok(skipped)
}

/// The values of a network's leaves at this batch size, as `check` takes them.
pub fn leaves(module: &Module, batch: usize) -> Leaves {
    declared::leaves(module, batch, 1)
}
