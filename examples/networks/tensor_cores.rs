//! The networks of `networks/mod.rs` as they run on a GPU's tensor cores: operands of products rounded to TF32 or to bfloat16,
//! all else in single precision. They are networks of their own types; `tests/nvrtc.rs` sees that nothing but the
//! precision differs.

#![allow(dead_code)] // Not every user of this file uses every network.

use kiln::prelude::*;

/// One body in both precisions, each also unfused.
macro_rules! on_tensor_cores {
    ($($tf32:ident $bf16:ident { $($body:tt)* })*) => { $(
        network! { #[cuda(precision = tf32)] #[fusion(both)] pub $tf32 { $($body)* } }
        network! { #[cuda(precision = bf16)] #[fusion(both)] pub $bf16 { $($body)* } }
    )* };
}

on_tensor_cores! {
    MlpTf32 MlpBf16 {
        input image: [784];
        target digit: class<10>;

        fc1: Linear<512>; Relu;
        fc2: Linear<512>; Relu;
        fc3: Linear<10>;

        loss: CrossEntropy(_, digit);
    }

    LeNet5Tf32 LeNet5Bf16 {
        input image: [1, 28, 28];
        target digit: class<10>;

        features: {
            Conv2d<6, 5, padding = 2>; Relu; MaxPool2d<2>;
            Conv2d<16, 5>;             Relu; MaxPool2d<2>;
        }
        Flatten;
        classifier: { Linear<120>; Relu; Linear<84>; Relu; Linear<10>; }

        loss: CrossEntropy(_, digit);
    }

    AutoencoderTf32 AutoencoderBf16 {
        input image: [784];

        encoder: Linear<256>; Relu;
        decoder: Linear<784>; Sigmoid;

        loss: Mse(_, image);
    }

    MnistBnCnnTf32 MnistBnCnnBf16 {
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
