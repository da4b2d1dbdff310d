//! The larger networks that examples and benches share: images of 32 × 32 and 224 × 224 pixels. Each also exists unfused. They are
//! apart from `networks/mod.rs` because they take the compiler longer.

#![allow(dead_code)] // Not every user of this file uses every network.

use kiln::prelude::*;

network! {
    block Basic<C, S = 1> {
        Residual {
            conv1: Conv2d<C, 3, stride = S, padding = 1, bias = false>; bn1: BatchNorm; Relu;
            conv2: Conv2d<C, 3, padding = 1, bias = false>;             bn2: BatchNorm;
        } shortcut downsample if reshaped { Conv2d<C, 1, stride = S, bias = false>; BatchNorm; }
        Relu;
    }

    /// ResNet-18 (He, Zhang, Ren and Sun, 2016) for small images: a 3 × 3 stem and no first max-pool.
    #[fusion(both)]
    pub ResNet18 {
        input image: [3, 32, 32];
        target label: class<10>;

        conv1: Conv2d<64, 3, padding = 1, bias = false>; bn1: BatchNorm; Relu;
        layer1: { repeat 2 { Basic<64>; } }
        layer2: { Basic<128, 2>; Basic<128>; }
        layer3: { Basic<256, 2>; Basic<256>; }
        layer4: { Basic<512, 2>; Basic<512>; }
        avgpool: GlobalAvgPool;
        fc: Linear<10>;

        loss: CrossEntropy(_, label);
    }
}

network! {
    /// AlexNet (Krizhevsky, 2014), as torchvision has it.
    #[fusion(both)]
    pub AlexNet {
        input image: [3, 224, 224];
        target label: class<1000>;

        features: {
            Conv2d<64, 11, stride = 4, padding = 2>; Relu; MaxPool2d<3, stride = 2>;
            Conv2d<192, 5, padding = 2>;             Relu; MaxPool2d<3, stride = 2>;
            Conv2d<384, 3, padding = 1>;             Relu;
            Conv2d<256, 3, padding = 1>;             Relu;
            Conv2d<256, 3, padding = 1>;             Relu; MaxPool2d<3, stride = 2>;
        }
        Flatten;
        classifier: {
            Dropout<0.5>; Linear<4096>; Relu;
            Dropout<0.5>; Linear<4096>; Relu;
            Linear<1000>;
        }

        loss: CrossEntropy(_, label);
    }
}

network! {
    /// VGG-16 (Simonyan and Zisserman, 2015), without batch normalisation.
    #[fusion(both)]
    pub Vgg16 {
        input image: [3, 224, 224];
        target label: class<1000>;

        features: {
            repeat 2 { Conv2d<64, 3, padding = 1>; Relu; }  MaxPool2d<2>;
            repeat 2 { Conv2d<128, 3, padding = 1>; Relu; } MaxPool2d<2>;
            repeat 3 { Conv2d<256, 3, padding = 1>; Relu; } MaxPool2d<2>;
            repeat 3 { Conv2d<512, 3, padding = 1>; Relu; } MaxPool2d<2>;
            repeat 3 { Conv2d<512, 3, padding = 1>; Relu; } MaxPool2d<2>;
        }
        Flatten;
        classifier: {
            Linear<4096>; Relu; Dropout<0.5>;
            Linear<4096>; Relu; Dropout<0.5>;
            Linear<1000>;
        }

        loss: CrossEntropy(_, label);
    }
}
