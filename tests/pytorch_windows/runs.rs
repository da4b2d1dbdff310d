//! A spatial transformer and a convolutional autoencoder over ten steps of SGD and of Adam.

use kiln::data::mnist;
use kiln::prelude::*;
use ndarray::Array1;

use super::train::{BATCH, STEPS, check};

network! {
    /// Jaderberg, Simonyan, Zisserman and Kavukcuoglu (2015), at the sizes of PyTorch's tutorial, without its dropout.
    #[fusion(both)]
    pub SpatialTransformer {
        input image: [1, 28, 28];
        target digit: class<10>;

        localization: { Conv2d<8, 7>; MaxPool2d<2>; Relu; Conv2d<10, 5>; MaxPool2d<2>; Relu; }
        Flatten;
        fc_loc: { Linear<32>; Relu; Linear<6>; }
        AffineSample(image, fc_loc);

        conv1: Conv2d<10, 5>; MaxPool2d<2>; Relu;
        conv2: Conv2d<20, 5>; MaxPool2d<2>; Relu;
        Flatten;
        fc1: Linear<50>; Relu;
        fc2: Linear<10>;

        loss: CrossEntropy(_, digit);
    }

    #[fusion(both)]
    pub ConvAutoencoder {
        input image: [1, 28, 28];

        encoder: {
            Conv2d<16, 3, stride = 2, padding = 1>; Relu;
            Conv2d<32, 3, stride = 2, padding = 1>; Relu;
        }
        decoder: {
            ConvTranspose2d<16, 3, stride = 2, padding = 1, output_padding = 1>; Relu;
            ConvTranspose2d<1, 3, stride = 2, padding = 1, output_padding = 1>; Sigmoid;
        }

        loss: Mse(_, image);
    }
}

fn digits() -> Dataset<Images<1, 28, 28>, Classes<10>> {
    mnist::embedded().train.take(STEPS * BATCH)
}

fn sgd() -> Sgd {
    Sgd { lr: 0.01, momentum: 0.9, ..Sgd::default() }
}

/// Near the map that changes nothing: a tenth of the weights, and a bias of almost the identity.
fn near_identity<N: kiln::Network>(model: &mut Model<N>) {
    let weight = model.parameter("fc_loc.2.weight").unwrap() * 0.1;
    model.set_parameter("fc_loc.2.weight", weight.view()).unwrap();
    let bias = Array1::from_vec(vec![0.9, 0.2, 0.1, -0.1, 1.1, -0.05]).into_dyn();
    model.set_parameter("fc_loc.2.bias", bias.view()).unwrap();
}

#[test]
fn spatial_transformer_sgd() {
    check::<SpatialTransformer, _>("spatial_transformer_sgd", sgd(), &digits(), near_identity);
    check::<SpatialTransformerUnfused, _>("spatial_transformer_sgd", sgd(), &digits(), near_identity);
}

#[test]
fn conv_autoencoder_adam() {
    let images = digits().inputs_only();
    check::<ConvAutoencoder, _>("conv_autoencoder_adam", Adam::default(), &images, |_| ());
    check::<ConvAutoencoderUnfused, _>("conv_autoencoder_adam", Adam::default(), &images, |_| ());
}
