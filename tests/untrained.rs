//! Parameters on which the loss does not depend: in PyTorch their `grad` is `None`, and an optimizer passes them over. So it is
//! here, whatever the optimizer, on every device, with the update in the gradients' kernels or behind them.

#[path = "common/skip.rs"]
mod skip;

use kiln::optim::Optimizer;
use kiln::prelude::*;
use kiln_emulator::{Emulator, Settings};
use skip::skip;

network! {
    /// The second head has no loss.
    #[fusion(both)]
    Heads {
        input x: [6];
        target class: class<3>;
        trunk: Linear<8>; Relu as features;
        first: Linear<3>;
        from features; second: Linear<5>;
        output first, second;
        loss: CrossEntropy(first, class);
    }
}

type Batch = Dataset<Rows<6>, Classes<3>>;

fn data() -> Batch {
    let values = (0..20 * 6).map(|i| ((i * 37 + i / 11) % 23) as f32 / 11.5 - 1.0).collect();
    let labels: Vec<usize> = (0..20).map(|i| i * 7 % 3).collect();
    Dataset::new(Rows::from_vec(values).unwrap(), Classes::from_vec(labels).unwrap()).unwrap()
}

fn bits<N: Network>(model: &Model<N>, name: &str) -> Vec<u32> {
    model.parameter(name).unwrap().iter().map(|x| x.to_bits()).collect()
}

/// Which way a step takes.
#[derive(Clone, Copy, Debug)]
enum Way {
    AtOnce,
    Accumulated,
    ClippedByNorm,
}

fn check_on<N, O>(device: &Device, config: &O, what: &str)
where
    N: Network<Inputs = Rows<6>, Targets = Classes<3>>,
    O: Optimizer,
{
    for way in [Way::AtOnce, Way::Accumulated, Way::ClippedByNorm] {
        let at = format!("{config:?} on {what}, {way:?}");
        let mut model: Model<N> = Model::new(device, 5).unwrap();
        let before = |name: &str, model: &Model<N>| bits(model, name);
        let names = ["trunk.weight", "trunk.bias", "first.weight", "first.bias", "second.weight", "second.bias"];
        let start = names.map(|name| before(name, &model));
        let mut optimizer = config.clone().bind(&model).unwrap();
        if let Way::ClippedByNorm = way {
            optimizer = optimizer.clip_norm(0.5).unwrap();
        }
        let batch = data();
        for _ in 0..3 {
            if let Way::Accumulated = way {
                model.accumulate(&batch).unwrap();
                model.apply(&mut optimizer).unwrap();
            } else {
                model.train_step(&batch, &mut optimizer).unwrap();
            }
        }
        for (name, start) in names.iter().zip(start) {
            let changed = before(name, &model) != start;
            assert_eq!(changed, !name.starts_with("second"), "{at}: {name}");
        }
    }
}

fn check<O: Optimizer>(config: O) {
    check_on::<Heads, _>(&Device::cpu(), &config, "the CPU");
    check_on::<HeadsUnfused, _>(&Device::cpu(), &config, "the CPU, unfused");
    if let Err(why) = Emulator::available() {
        return skip(&why);
    }
    let emulator = Emulator::leak(Settings { checked: true, ..Settings::default() });
    check_on::<Heads, _>(&Device::Other(emulator), &config, "the emulator");
    check_on::<HeadsUnfused, _>(&Device::Other(emulator), &config, "the emulator, unfused");
}

#[test]
fn no_rule_touches_them() {
    check(AdamW { lr: 0.1, weight_decay: 0.5, ..AdamW::default() });
    check(Sgd { lr: 0.1, weight_decay: 0.5, ..Sgd::default() });
    check(Sgd { lr: 0.1, weight_decay: 0.5, momentum: 0.9, ..Sgd::default() });
    check(RmsProp { lr: 0.1, weight_decay: 0.5, ..RmsProp::default() });
}
