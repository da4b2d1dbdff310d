//! VGG.

use kiln_macros::network;

network! {
    /// The convolutions, with `DEEP` of them in each of the last three groups.
    block Features<DEEP, BN> {
        #[init(weight = KaimingNormal<mode = fan_out, nonlinearity = relu>, bias = Zeros)]
        features: {
            repeat 2 { Conv2d<64, 3, padding = 1>;     if BN { BatchNorm; } Relu; } MaxPool2d<2>;
            repeat 2 { Conv2d<128, 3, padding = 1>;    if BN { BatchNorm; } Relu; } MaxPool2d<2>;
            repeat DEEP { Conv2d<256, 3, padding = 1>; if BN { BatchNorm; } Relu; } MaxPool2d<2>;
            repeat DEEP { Conv2d<512, 3, padding = 1>; if BN { BatchNorm; } Relu; } MaxPool2d<2>;
            repeat DEEP { Conv2d<512, 3, padding = 1>; if BN { BatchNorm; } Relu; } MaxPool2d<2>;
        }
    }

    /// What follows the convolutions. Its start values are torchvision's.
    block Classifier<CLASSES, DROPOUT, SMALL> {
        if SMALL { AdaptiveAvgPool2d<[1, 1]>; } else { AdaptiveAvgPool2d<[7, 7]>; }
        Flatten;
        #[init(weight = Normal<std = 0.01>, bias = Zeros)]
        classifier: {
            Linear<4096>; Relu; Dropout<DROPOUT>;
            Linear<4096>; Relu; Dropout<DROPOUT>;
            Linear<CLASSES>;
        }
    }

    /// VGG-16, configuration D of Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition"
    /// (2015), as torchvision's `vgg16` has it; with `BN = true` as `vgg16_bn`, with batch normalisation behind each
    /// convolution. Takes images [3, SIZE, SIZE] of at least 32 × 32 pixels; its parameters are the same for all sizes,
    /// 138 357 544 with 1000 classes, 138 365 992 with `BN = true`.
    ///
    /// `SMALL = true` is a usual form for CIFAR's 32 × 32: features are averaged to 1 × 1 instead of 7 × 7; 33 638 218
    /// parameters with ten classes.
    pub block Vgg16<CLASSES = 1000, SIZE = 224, BN = false, DROPOUT = 0.5, SMALL = false> {
        input image: [3, SIZE, SIZE];
        target label: class<CLASSES>;

        Features<3, BN>;
        Classifier<CLASSES, DROPOUT, SMALL>;

        loss: CrossEntropy(_, label);
    }

    /// VGG-19, configuration E: [`Vgg16`] with a fourth convolution in each of the last three groups; torchvision's `vgg19`,
    /// and with `BN = true` `vgg19_bn`. 143 667 240 parameters with 1000 classes, 143 678 248 with `BN = true`; 38 947 914
    /// with `SMALL = true` and ten classes.
    pub block Vgg19<CLASSES = 1000, SIZE = 224, BN = false, DROPOUT = 0.5, SMALL = false> {
        input image: [3, SIZE, SIZE];
        target label: class<CLASSES>;

        Features<4, BN>;
        Classifier<CLASSES, DROPOUT, SMALL>;

        loss: CrossEntropy(_, label);
    }
}
