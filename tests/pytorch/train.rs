//! Training runs: the same weights, batches and optimizer, so the same losses and weights.

use kiln::Network;
use kiln::data::{Dense, Feed};
use kiln::optim::Optimizer;
use kiln::prelude::*;
use ndarray::{ArrayD, IxDyn};

use super::fixture::{Fixture, close, sampled, uniform};

pub const STEPS: usize = 10;
pub const BATCH: usize = 8;

/// The weights that the script starts from, too.
fn initialise<N: Network>(model: &mut Model<N>) {
    let parameters: Vec<_> = model.parameters().filter(|parameter| parameter.trainable).collect();
    for parameter in &parameters {
        let (layer, kind) = parameter.name.rsplit_once('.').unwrap();
        let weight = parameters.iter().find(|other| other.name == format!("{layer}.weight")).unwrap();
        let values: Vec<f32> = if weight.dims.len() == 1 {
            let centre = if kind == "weight" { 1.0 } else { 0.0 };
            uniform(parameter.name).map(|x| x * 0.25 + centre).take(parameter.dims.iter().product()).collect()
        } else {
            let fan_in: usize = weight.dims[1..].iter().product();
            let bound = (6.0 / fan_in as f64).sqrt() as f32;
            uniform(parameter.name).map(|x| x * bound).take(parameter.dims.iter().product()).collect()
        };
        let array = ArrayD::from_shape_vec(IxDyn(parameter.dims), values).unwrap();
        model.set_parameter(parameter.name, array.view()).unwrap();
    }
}

/// Ten steps against the fixture; `start` changes the weights that all runs begin with.
pub fn check<N, O>(fixture: &str, optimizer: O, data: &Dataset<N::Inputs, N::Targets>, start: impl Fn(&mut Model<N>))
where
    N: Network<Inputs: Feed, Targets: Feed, Outputs: Dense>,
    O: Optimizer,
{
    let fixture = Fixture::read(fixture);
    let mut model = N::new(&Device::cpu().threads(2), 1).unwrap();
    model.poison_scratch(true);
    initialise(&mut model);
    start(&mut model);
    let batch = |step: usize| data.skip(step * BATCH).take(BATCH);

    let gradients = model.gradients(&batch(0)).unwrap();
    for name in fixture.after("gradient.") {
        let found = gradients.get(&name).unwrap();
        close(
            &format!("gradient of {name}"),
            &sampled(found.iter().copied()),
            &fixture.get(&format!("gradient.{name}")).values,
        );
    }
    let mut optimizer = optimizer.bind(&model).unwrap();
    let losses: Vec<f32> =
        (0..STEPS).map(|step| model.train_step(&batch(step), &mut optimizer).unwrap().loss).collect();
    close("losses", &losses, &fixture.get("loss").values);
    for name in fixture.after("final.") {
        let found = model.parameter(&name).unwrap();
        close(&format!("final {name}"), &sampled(found.iter().copied()), &fixture.get(&format!("final.{name}")).values);
    }
    // Adam's run of mnist_bn_cnn stores none.
    if !fixture.after("evaluation").is_empty() {
        let outputs = model.forward(batch(0).inputs()).unwrap();
        close("evaluation", &sampled(outputs.values().iter().copied()), &fixture.get("evaluation").values);
    }
}
