//! The larger networks that examples and benches share: images of 32 × 32 and 224 × 224 pixels. Each also exists unfused. They are
//! apart from `networks/mod.rs` because they take the compiler longer.

#![allow(dead_code)] // Not every user of this file uses every network.

use kiln::prelude::*;

network! {
    /// ResNet-18 (He, Zhang, Ren and Sun, 2016) for small images: a 3 × 3 stem and no first max-pool.
    #[fusion(both)]
    pub ResNet18Cifar = kiln::zoo::ResNet18<CLASSES = 10, SIZE = 32, SMALL = true>;

    /// AlexNet (Krizhevsky, 2014), as torchvision has it.
    #[fusion(both)]
    pub AlexNet = kiln::zoo::AlexNet;

    /// VGG-16 (Simonyan and Zisserman, 2015), without batch normalisation.
    #[fusion(both)]
    pub Vgg16 = kiln::zoo::Vgg16;
}
