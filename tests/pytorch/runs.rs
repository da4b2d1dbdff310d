//! LeNet-5 and mnist_bn_cnn over ten steps of SGD and of Adam.

#[path = "../../examples/networks/mod.rs"]
mod networks;

use kiln::Network;
use kiln::data::{Dense, mnist};
use kiln::optim::Optimizer;
use kiln::prelude::*;
use ndarray::{ArrayD, IxDyn};
use networks::{LeNet5, LeNet5Unfused};

use super::fixture::{Fixture, close, sampled, uniform};

network! {
    /// The shared `MnistBnCnn` without its dropout.
    #[fusion(both)]
    pub BnCnn {
        input image: [1, 28, 28];
        target digit: class<10>;

        conv1: Conv2d<32, 3>; bn1: BatchNorm; Relu;
        conv2: Conv2d<64, 3>; bn2: BatchNorm; Relu;
        MaxPool2d<2>; Flatten;
        fc1: Linear<128>;     bn3: BatchNorm; Relu;
        fc2: Linear<10>;      LogSoftmax;

        loss: Nll(_, digit);
    }
}

const STEPS: usize = 10;
const BATCH: usize = 8;

type Digits = Dataset<Images<1, 28, 28>, Classes<10>>;

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

fn check<N, O>(fixture: &str, optimizer: O, data: &Digits)
where
    N: Network<Inputs = Images<1, 28, 28>, Targets = Classes<10>, Outputs = Rows<10>>,
    O: Optimizer,
{
    let fixture = Fixture::read(fixture);
    let mut model = N::new(&Device::cpu().threads(2), 1).unwrap();
    model.poison_scratch(true);
    initialise(&mut model);
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
        close("evaluation", outputs.values(), &fixture.get("evaluation").values);
    }
}

fn sgd() -> Sgd {
    Sgd { lr: 0.01, momentum: 0.9, ..Sgd::default() }
}

fn digits() -> Digits {
    mnist::embedded().train.take(STEPS * BATCH)
}

fn noise() -> Digits {
    let samples = STEPS * BATCH;
    let pixels = uniform("images").map(|x| (x + 1.0) * 0.5).take(samples * 784).collect();
    let labels = (0..samples).map(|sample| sample * 3 % 10).collect();
    Dataset::new(Images::from_vec(pixels).unwrap(), Classes::from_vec(labels).unwrap()).unwrap()
}

#[test]
fn lenet5_sgd() {
    check::<LeNet5, _>("lenet5_sgd", sgd(), &digits());
    check::<LeNet5Unfused, _>("lenet5_sgd", sgd(), &digits());
}

#[test]
fn lenet5_adam() {
    check::<LeNet5, _>("lenet5_adam", Adam::default(), &digits());
    check::<LeNet5Unfused, _>("lenet5_adam", Adam::default(), &digits());
}

#[test]
fn mnist_bn_cnn_sgd() {
    check::<BnCnn, _>("mnist_bn_cnn_sgd", sgd(), &noise());
    check::<BnCnnUnfused, _>("mnist_bn_cnn_sgd", sgd(), &noise());
}

#[test]
fn mnist_bn_cnn_adam() {
    check::<BnCnn, _>("mnist_bn_cnn_adam", Adam::default(), &noise());
    check::<BnCnnUnfused, _>("mnist_bn_cnn_adam", Adam::default(), &noise());
}
