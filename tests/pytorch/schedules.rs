//! Each schedule over 24 periods: learning rates of the optimizer and of a group, and momentum.

use kiln::optim::schedule::{
    Anneal, Constant, CosineAnnealing, Exponential, Linear, Mode, MultiStep, OneCycle, ReduceOnPlateau, Schedule, Step,
    ThresholdMode,
};
use kiln::prelude::*;

use super::fixture::Fixture;

network! {
    /// Two parameters: one follows the optimizer, one has a learning rate of its own.
    pub Pair {
        input x: [1];
        target t: [1];
        param a: [1] = Zeros;
        param b: [1] = Zeros;
        Add(x, a, b);
        loss: HalfSquare(_, t);
    }
}

/// Learning rates are seen in what a step changes: for plain descent it is lr · gradient.
fn check<O: Optimizer>(case: &str, optimizer: O, schedule: impl Schedule) {
    let fixture = Fixture::read("schedules");
    let expected = |key: &str| fixture.doubles(&format!("{case}/{key}"));
    let (rates, momenta, losses) = (expected("lr"), expected("momentum"), fixture.doubles("losses"));

    let mut model = Pair::new(&Device::cpu().threads(1), 1).unwrap();
    let data = Dataset::new(Rows::<1>::one([1.0]), Rows::<1>::one([0.0])).unwrap();
    let plain = optimizer.momentum() == Some(0.0);
    let bound = optimizer.bind(&model).unwrap();
    let mut optimizer = bound.groups(Groups::new().lr("b", 0.02)).unwrap();
    let mut schedule = schedule.start(&mut optimizer).unwrap();
    for (period, rates) in rates.chunks(2).enumerate() {
        let near = |what: &str, found: f64, expected: f64, accepted: f64| {
            let apart = (found - expected).abs();
            assert!(apart <= accepted * expected.abs(), "{case}: {what} in period {period}: {found}, not {expected}");
        };
        near("lr", optimizer.config.lr(), rates[0], 1e-12);
        near("momentum", optimizer.config.momentum().unwrap_or(0.0), momenta[period], 1e-12);
        if plain {
            let zero = ndarray::arr1(&[0.0f32]);
            model.set_parameter("a", zero.view().into_dyn()).unwrap();
            model.set_parameter("b", zero.view().into_dyn()).unwrap();
            model.train_step(&data, &mut optimizer).unwrap();
            near("step of a", -f64::from(model.parameter("a").unwrap()[[0]]), rates[0], 1e-6);
            near("step of b", -f64::from(model.parameter("b").unwrap()[[0]]), rates[1], 1e-6);
        }
        if case.starts_with("plateau") {
            schedule.step_with(losses[period], &mut optimizer).unwrap();
        } else {
            schedule.step(&mut optimizer).unwrap();
        }
    }
}

fn plain() -> Sgd {
    Sgd { lr: 0.1, ..Sgd::default() }
}

#[test]
fn functions_of_the_period() {
    check("constant", plain(), Constant { factor: 0.25, total_iters: 7 });
    check("linear", plain(), Linear { start_factor: 0.1, end_factor: 0.9, total_iters: 8 });
    check("step", plain(), Step { step_size: 5, gamma: 0.3 });
    check("multi_step", plain(), MultiStep { milestones: vec![3, 4, 11, 11], gamma: 0.5 });
    check("exponential", plain(), Exponential { gamma: 0.9 });
    check("cosine", plain(), CosineAnnealing { t_max: 9, eta_min: 0.001 });
}

#[test]
fn one_cycle() {
    let default = OneCycle { max_lr: 0.5, total_steps: Some(24), ..OneCycle::default() };
    let momentum = Sgd { momentum: 0.9, ..plain() };
    check("one_cycle", momentum, default.clone());
    let linear = OneCycle {
        pct_start: 0.4,
        anneal_strategy: Anneal::Linear,
        base_momentum: 0.7,
        max_momentum: 0.9,
        div_factor: 10.0,
        final_div_factor: 100.0,
        ..default.clone()
    };
    check("one_cycle_adam", Adam { lr: 0.1, ..Adam::default() }, linear);
    check("one_cycle_three_phases", plain(), OneCycle { three_phase: true, cycle_momentum: false, ..default });
}

#[test]
fn sequences() {
    let warm_up = Linear { start_factor: 0.1, end_factor: 1.0, total_iters: 6 };
    check("warm_up_then_cosine", plain(), warm_up.then(6, CosineAnnealing { t_max: 18, eta_min: 0.0 }));
}

#[test]
fn plateaus() {
    check("plateau", plain(), ReduceOnPlateau { factor: 0.5, patience: 2, ..ReduceOnPlateau::default() });
    let all = ReduceOnPlateau {
        mode: Mode::Max,
        factor: 0.2,
        patience: 1,
        threshold: 0.05,
        threshold_mode: ThresholdMode::Abs,
        cooldown: 2,
        min_lr: 0.003,
        ..ReduceOnPlateau::default()
    };
    check("plateau_all", plain(), all);
}

#[test]
fn mistakes() {
    let model = Pair::new(&Device::cpu().threads(1), 1).unwrap();
    let mut sgd = plain().bind(&model).unwrap();
    let mut adagrad = Adagrad::default().bind(&model).unwrap();
    let text = |result: Result<kiln::optim::Scheduled, Error>| result.err().unwrap().to_string();
    let cycle = || OneCycle { total_steps: Some(2), ..OneCycle::default() };
    assert_eq!(
        text(OneCycle::default().start(&mut sgd)),
        "OneCycle::total_steps must be given, where no `Trainer` knows it, but it is None"
    );
    assert!(
        text(cycle().start(&mut adagrad))
            .starts_with("the optimizer of a schedule of momentum must be one with momentum")
    );
    assert_eq!(
        text(Step { step_size: 0, gamma: 0.1 }.start(&mut sgd)),
        "Step::step_size must be at least 1, but it is 0"
    );
    assert!(text(cycle().then(2, Step::default()).start(&mut sgd)).contains("help: `.every_step()`"));
    let mut short = cycle().start(&mut sgd).unwrap();
    short.step(&mut sgd).unwrap();
    short.step(&mut sgd).unwrap();
    assert_eq!(short.step(&mut sgd).unwrap_err().to_string(), "OneCycle::total_steps must be at least 3, but it is 2");
    let mut plateau = ReduceOnPlateau::default().start(&mut sgd).unwrap();
    assert!(plateau.step(&mut sgd).unwrap_err().to_string().contains("help: `step_with(loss, …)`"));
}
