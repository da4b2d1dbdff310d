//! The networks that examples, benches and tests share. Each also exists unfused (`LeNet5Unfused`), one kernel for each
//! primitive: the baseline of what fusion gains.

#![allow(dead_code)] // Not every user of this file uses every network.

use kiln::prelude::*;

network! {
    /// Two hidden layers of 512.
    #[fusion(both)]
    pub Mlp {
        input image: [784];
        target digit: class<10>;

        fc1: Linear<512>; Relu;
        fc2: Linear<512>; Relu;
        fc3: Linear<10>;

        loss: CrossEntropy(_, digit);
    }
}

network! {
    /// LeNet-5 (LeCun, Bottou, Bengio and Haffner, 1998), ReLU variant.
    #[fusion(both)]
    pub LeNet5<CLASSES = 10> {
        input image: [1, 28, 28];
        target digit: class<CLASSES>;

        features: {
            Conv2d<6, 5, padding = 2>; Relu; MaxPool2d<2>;
            Conv2d<16, 5>;             Relu; MaxPool2d<2>;
        }
        Flatten;
        classifier: { Linear<120>; Relu; Linear<84>; Relu; Linear<CLASSES>; }

        loss: CrossEntropy(_, digit);
    }
}

network! {
    /// An image through 256 values and back.
    #[fusion(both)]
    pub Autoencoder {
        input image: [784];

        encoder: Linear<256>; Relu;
        decoder: Linear<784>; Sigmoid;

        loss: Mse(_, image);
    }
}

network! {
    /// The convolutional network of many MNIST tutorials, with batch normalisation.
    #[fusion(both)]
    pub MnistBnCnn {
        input image: [1, 28, 28];
        target digit: class<10>;

        conv1: Conv2d<32, 3>; bn1: BatchNorm; Relu;
        conv2: Conv2d<64, 3>; bn2: BatchNorm; Relu;
        MaxPool2d<2>; Dropout<0.25>; Flatten;
        fc1: Linear<128>;     bn3: BatchNorm; Relu; Dropout<0.5>;
        fc2: Linear<10>;      LogSoftmax;

        loss: Nll(_, digit);
    }
}
