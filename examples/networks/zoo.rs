//! Every network of `kiln::zoo` in the form of its paper: those of `networks/mod.rs` and `networks/large.rs`, and the others.

#![allow(dead_code, unused_imports)] // Not every user of this file uses every network.

#[path = "large.rs"]
mod large;
#[path = "mod.rs"]
mod small;

use kiln::prelude::*;

pub use large::{AlexNet, AlexNetUnfused, ResNet18Cifar, ResNet18CifarUnfused, Vgg16, Vgg16Unfused};
pub use small::{
    Autoencoder, AutoencoderUnfused, LeNet5, LeNet5Unfused, Mlp, MlpUnfused, MnistBnCnn, MnistBnCnnUnfused,
};

network! {
    #[fusion(both)]
    pub Perceptron = kiln::zoo::Perceptron<INPUTS = 784, OUTPUTS = 10>;

    #[fusion(both)]
    pub TwoLayer = kiln::zoo::TwoLayer;

    #[fusion(both)]
    pub LeNet = kiln::zoo::LeNet;

    #[fusion(both)]
    pub ConvAutoencoder = kiln::zoo::ConvAutoencoder;

    #[fusion(both)]
    pub SpatialTransformerNet = kiln::zoo::SpatialTransformerNet;
}

network! {
    pub Vgg19 = kiln::zoo::Vgg19;
    pub ResNet18 = kiln::zoo::ResNet18;
    pub ResNet34 = kiln::zoo::ResNet34;
    pub ResNet50 = kiln::zoo::ResNet50;
    pub GoogLeNet = kiln::zoo::GoogLeNet;
}

// What the papers and torchvision say.
const _: () = {
    assert!(Perceptron::PARAMETERS == 785 * 10);
    assert!(TwoLayer::PARAMETERS == 2 * 32 + 33);
    assert!(Mlp::PARAMETERS == 669_706);
    assert!(LeNet::PARAMETERS == 431_080);
    assert!(LeNet5::PARAMETERS == 61_706);
    assert!(MnistBnCnn::PARAMETERS == 1_200_330);
    assert!(Autoencoder::PARAMETERS == 402_448);
    assert!(ConvAutoencoder::PARAMETERS == 9_569);
    assert!(SpatialTransformerNet::PARAMETERS == 27_360);
    assert!(AlexNet::PARAMETERS == 61_100_840);
    assert!(Vgg16::PARAMETERS == 138_357_544);
    assert!(Vgg19::PARAMETERS == 143_667_240);
    assert!(ResNet18::PARAMETERS == 11_689_512);
    assert!(ResNet18Cifar::PARAMETERS == 11_173_962);
    assert!(ResNet34::PARAMETERS == 21_797_672);
    assert!(ResNet50::PARAMETERS == 25_557_032);
    assert!(GoogLeNet::PARAMETERS == 13_004_888);
};
