//! The networks that examples, benches and tests share. Each also exists unfused (`LeNet5Unfused`), one kernel for each
//! primitive: the baseline of what fusion gains.

#![allow(dead_code)] // Not every user of this file uses every network.

use kiln::prelude::*;

network! {
    /// Two hidden layers of 512.
    #[fusion(both)]
    pub Mlp = kiln::zoo::Mlp;

    /// LeNet-5 (LeCun, Bottou, Bengio and Haffner, 1998), ReLU variant.
    #[fusion(both)]
    pub LeNet5 = kiln::zoo::LeNet5;

    /// An image through 256 values and back.
    #[fusion(both)]
    pub Autoencoder = kiln::zoo::Autoencoder;

    /// The convolutional network of many MNIST tutorials, with batch normalisation.
    #[fusion(both)]
    pub MnistBnCnn = kiln::zoo::MnistBnCnn;
}
