//! LeNet-5 and mnist_bn_cnn over ten steps of SGD and of Adam.

#[path = "../../examples/networks/mod.rs"]
mod networks;

use kiln::data::mnist;
use kiln::prelude::*;
use networks::{LeNet5, LeNet5Unfused};

use super::fixture::uniform;
use super::train::{BATCH, STEPS, check};

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

type Digits = Dataset<Images<1, 28, 28>, Classes<10>>;

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
    check::<LeNet5, _>("lenet5_sgd", sgd(), &digits(), |_| ());
    check::<LeNet5Unfused, _>("lenet5_sgd", sgd(), &digits(), |_| ());
}

#[test]
fn lenet5_adam() {
    check::<LeNet5, _>("lenet5_adam", Adam::default(), &digits(), |_| ());
    check::<LeNet5Unfused, _>("lenet5_adam", Adam::default(), &digits(), |_| ());
}

#[test]
fn mnist_bn_cnn_sgd() {
    check::<BnCnn, _>("mnist_bn_cnn_sgd", sgd(), &noise(), |_| ());
    check::<BnCnnUnfused, _>("mnist_bn_cnn_sgd", sgd(), &noise(), |_| ());
}

#[test]
fn mnist_bn_cnn_adam() {
    check::<BnCnn, _>("mnist_bn_cnn_adam", Adam::default(), &noise(), |_| ());
    check::<BnCnnUnfused, _>("mnist_bn_cnn_adam", Adam::default(), &noise(), |_| ());
}
