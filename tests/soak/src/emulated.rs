//! The third comparison: the plan for CUDA on the emulator, which looks at every access, in all precisions.

use crate::declared;
use crate::dice::Dice;
use crate::harness::Compiled;
use crate::reference::{Compared, LOOKS, Noise, looks};
use kiln_codegen::declaration::{Fusion, Precision};
use kiln_codegen::interpret::Env;
use kiln_codegen::schedule::ProgramKind;
use kiln_codegen::schedule::program::program;
use kiln_emulator::{Emulator, Settings};
use std::sync::OnceLock;

/// Why there is no emulator on this machine, if there is none.
pub fn available() -> Result<(), String> {
    Emulator::available()
}

/// Compares all networks of a declaration; the first difference is the error.
pub fn check(text: &str, dice: &mut Dice) -> Result<Compared, String> {
    static EMULATOR: OnceLock<&'static Emulator> = OnceLock::new();
    let emulator = *EMULATOR.get_or_init(|| Emulator::leak(Settings { checked: true, ..Settings::default() }));
    let mut compared = Compared::default();
    for network in declared::networks(text)? {
        let module = &network.module;
        let batch = dice.pick(&[1, 2, 3, 5, 17]);
        let leaves = declared::leaves(module, batch, 1);
        let env = Env { seed: 11, step: 3, ..Env::batch(batch) };
        for kind in [ProgramKind::Evaluate, ProgramKind::Infer, ProgramKind::Step] {
            let Some(program) = program(module, kind) else { continue };
            if kind == ProgramKind::Infer && module.training.loss.is_some() {
                continue;
            }
            let (precision, noise) = dice.pick(&[
                (Precision::F32, Noise::SINGLE),
                (Precision::Tf32, Noise::TF32),
                (Precision::Bf16, Noise::BF16),
            ]);
            let fusion = dice.pick(&[Fusion::On, Fusion::On, Fusion::Off]);
            let (schedule, blocks) = (dice.below(5) as u64, dice.pick(&[None, Some(1), Some(3), Some(5)]));
            let at = format!(
                "{} {} ({fusion:?}, {precision:?}, batch {batch}, schedule {schedule}, blocks {blocks:?})",
                network.name,
                kind.name()
            );
            let known = looks(&program, &leaves, &env, noise, LOOKS, dice).map_err(|why| format!("{at}: {why}"))?;
            let cuda = Compiled::new(module, &program, fusion, precision);
            emulator.set_schedule(schedule);
            emulator.set_blocks(blocks);
            let found = cuda.run(emulator, &leaves, &env, &cuda.roots()).map_err(|why| format!("{at}: {why}"))?;
            for (root, (known, found)) in known.iter().zip(&found).enumerate() {
                let found: Vec<f32> = found.iter().map(|x| *x as f32).collect();
                compared += known.compare(&found).map_err(|why| format!("{at}, root {root}: {why}"))?;
            }
        }
    }
    Ok(compared)
}
