//! Autoencoders.

use kiln_macros::network;

network! {
    /// A vector through fewer numbers and back (Hinton and Salakhutdinov, "Reducing the dimensionality of data with neural
    /// networks", 2006, with one hidden layer). Takes values from 0 to 1, [INPUTS]; 402 448 parameters with the defaults.
    pub block Autoencoder<INPUTS = 784, HIDDEN = 256> {
        input image: [INPUTS];

        encoder: Linear<HIDDEN>; Relu;
        decoder: Linear<INPUTS>; Sigmoid;

        loss: Mse(_, image);
    }

    /// A convolutional autoencoder (Masci, Meier, Cireşan and Schmidhuber, "Stacked convolutional auto-encoders for
    /// hierarchical feature extraction", 2011): convolutions of stride 2 down to [32, 7, 7], transposed ones back. Takes images
    /// [1, 28, 28] of values from 0 to 1; 9 569 parameters.
    pub block ConvAutoencoder {
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
