//! The networks of `networks/mod.rs` as they run on a GPU's tensor cores: operands of products rounded to TF32 or to bfloat16,
//! all else in single precision. They are networks of their own types; `tests/nvrtc.rs` sees that nothing but the
//! precision differs.

#![allow(dead_code)] // Not every user of this file uses every network.

use kiln::prelude::*;

network! {
    #[cuda(precision = tf32)] #[fusion(both)] pub MlpTf32 = kiln::zoo::Mlp;
    #[cuda(precision = bf16)] #[fusion(both)] pub MlpBf16 = kiln::zoo::Mlp;

    #[cuda(precision = tf32)] #[fusion(both)] pub LeNet5Tf32 = kiln::zoo::LeNet5;
    #[cuda(precision = bf16)] #[fusion(both)] pub LeNet5Bf16 = kiln::zoo::LeNet5;

    #[cuda(precision = tf32)] #[fusion(both)] pub AutoencoderTf32 = kiln::zoo::Autoencoder;
    #[cuda(precision = bf16)] #[fusion(both)] pub AutoencoderBf16 = kiln::zoo::Autoencoder;

    #[cuda(precision = tf32)] #[fusion(both)] pub MnistBnCnnTf32 = kiln::zoo::MnistBnCnn;
    #[cuda(precision = bf16)] #[fusion(both)] pub MnistBnCnnBf16 = kiln::zoo::MnistBnCnn;
}
