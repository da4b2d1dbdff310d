//! Optimizers' kernels as machine code.

use super::skip::skip;
use crate::device::cuda::{Nvrtc, Unit, accumulate_unit, clip_unit, join_unit, norm_unit, pass_unit};
use crate::optim::{Adagrad, Adam, AdamW, NAdam, Optimizer, Pass, RmsProp, Rule, Sgd};

fn rule(optimizer: impl Optimizer) -> Rule {
    Pass::rule(&optimizer)
}

#[test]
fn compile_without_spills() {
    let Some(nvrtc) = Nvrtc::find().map_err(|e| skip(&e)).ok() else { return };
    let rules = [
        rule(Sgd::default()),
        rule(Sgd { momentum: 0.9, nesterov: true, ..Sgd::default() }),
        rule(Adam::default()),
        rule(AdamW { amsgrad: true, ..AdamW::default() }),
        rule(NAdam::default()),
        rule(Adagrad::default()),
        rule(RmsProp::default()),
        rule(RmsProp { centered: true, ..RmsProp::default() }),
        rule(RmsProp { momentum: 0.9, ..RmsProp::default() }),
        rule(RmsProp { centered: true, momentum: 0.9, ..RmsProp::default() }),
    ];
    assert_eq!(rules.map(|rule| rule.states), [0, 1, 2, 3, 2, 1, 1, 2, 2, 3]);
    let mut units: Vec<Unit> = rules.iter().map(|rule| pass_unit(rule.text, rule.states)).collect();
    units.extend([accumulate_unit(), join_unit(), norm_unit(), clip_unit()]);
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
