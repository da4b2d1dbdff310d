//! Optimizers' kernels as machine code.

use super::skip::skip;
use crate::device::cuda::{Nvrtc, Unit, accumulate_unit, pass_unit};
use crate::optim::{Adam, Optimizer, Pass, Recorded, Sgd};

fn recorded(optimizer: &impl Optimizer) -> Recorded {
    let mut recorded = None;
    optimizer.update(&mut Pass::record(1, &mut 0, &mut recorded));
    recorded.unwrap()
}

#[test]
fn compile_without_spills() {
    let Some(nvrtc) = Nvrtc::find().map_err(|e| skip(&e)).ok() else { return };
    let rules = [
        recorded(&Sgd::default()),
        recorded(&Sgd { momentum: 0.9, nesterov: true, ..Sgd::default() }),
        recorded(&Adam::default()),
    ];
    assert_eq!(rules.map(|rule| rule.states), [0, 1, 2]);
    let mut units: Vec<Unit> = rules.iter().map(|rule| pass_unit(rule.rule, rule.states)).collect();
    units.push(accumulate_unit());
    for unit in units {
        for architecture in ["sm_80", "sm_90", "sm_90a"] {
            let (_, resources) = nvrtc.report(&unit, architecture).unwrap();
            assert_eq!(
                (resources.spill_stores, resources.spill_loads, resources.stack),
                (0, 0, 0),
                "{}",
                unit.optimizer
            );
        }
    }
}
