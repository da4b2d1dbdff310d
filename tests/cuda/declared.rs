//! Random declarations, planned for CUDA and executed on the emulator while the test runs, against the interpreter: training
//! and evaluation, fused and unfused. `KILN_RANDOM_NETWORKS` says how many.

use crate::common::network::{env, leaves, lower};
use crate::declarations::declaration;
use crate::harness::Compiled;
use crate::primitives::{close, each_device, emulator};
use kiln_codegen::declaration::{Fusion, Precision};
use kiln_codegen::interpret::run;
use kiln_codegen::schedule::ProgramKind;
use kiln_codegen::schedule::program::program;

const NETWORKS: u64 = 12;

/// Even and odd seeds, so that both threads of a small machine have work.
fn check(parity: u64) {
    let emulator = emulator(true);
    let count = std::env::var("KILN_RANDOM_NETWORKS").map_or(NETWORKS, |n| n.parse().expect("a number of networks"));
    for seed in (0..count).filter(|seed| seed % 2 == parity) {
        let text = declaration(seed);
        let module = lower(&text);
        let batch = [1, 3, 17][seed as usize % 3];
        for kind in [ProgramKind::Infer, ProgramKind::Step] {
            let Some(program) = program(&module, kind) else { continue };
            let leaves = leaves(&module, &program.graph, batch, 1);
            let roots = program.roots.all();
            let expected = run(&program.graph, &leaves, &roots, &env(batch)).unwrap();
            for fusion in [Fusion::On, Fusion::Off] {
                let at = format!("{} of seed {seed} ({fusion:?}, batch {batch})\n{text}", kind.name());
                let compiled = Compiled::new(&module, &program, fusion, Precision::F32);
                let way = (seed % 5, [None, Some(1), Some(3), Some(5)][seed as usize % 4]);
                each_device(emulator, &[way], |device, way| {
                    let found = compiled.run(device, &leaves, &env(batch), &compiled.roots());
                    let found = found.unwrap_or_else(|why| panic!("{way}, {at}: {why}"));
                    for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
                        close(&format!("root {i}, {way}, {at}"), found, &expected.data);
                    }
                });
            }
        }
    }
}

#[test]
fn even() {
    check(0);
}

#[test]
fn odd() {
    check(1);
}
