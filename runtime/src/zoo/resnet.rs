//! ResNet.

use kiln_macros::network;

network! {
    /// Up to the first residual.
    #[init(weight = KaimingNormal<mode = fan_out, nonlinearity = relu>)]
    block Stem<SMALL> {
        if SMALL {
            conv1: Conv2d<64, 3, padding = 1, bias = false>;             bn1: BatchNorm; Relu;
        } else {
            conv1: Conv2d<64, 7, stride = 2, padding = 3, bias = false>; bn1: BatchNorm; Relu;
            MaxPool2d<3, stride = 2, padding = 1>;
        }
    }

    #[init(weight = KaimingNormal<mode = fan_out, nonlinearity = relu>)]
    block BasicBlock<C, S = 1> {
        Residual {
            conv1: Conv2d<C, 3, stride = S, padding = 1, bias = false>; bn1: BatchNorm; Relu;
            conv2: Conv2d<C, 3, padding = 1, bias = false>;             bn2: BatchNorm;
        } shortcut downsample if reshaped { Conv2d<C, 1, stride = S, bias = false>; BatchNorm; }
        Relu;
    }

    #[init(weight = KaimingNormal<mode = fan_out, nonlinearity = relu>)]
    block Bottleneck<C, S = 1> {
        Residual {
            conv1: Conv2d<C, 1, bias = false>;                          bn1: BatchNorm; Relu;
            conv2: Conv2d<C, 3, stride = S, padding = 1, bias = false>; bn2: BatchNorm; Relu;
            conv3: Conv2d<{4 * C}, 1, bias = false>;                    bn3: BatchNorm;
        } shortcut downsample if reshaped { Conv2d<{4 * C}, 1, stride = S, bias = false>; BatchNorm; }
        Relu;
    }

    /// So many residuals of each width.
    block BasicLayers<A, B, C, D> {
        layer1: { repeat A { BasicBlock<64>; } }
        layer2: { BasicBlock<128, 2>; repeat {B - 1} { BasicBlock<128>; } }
        layer3: { BasicBlock<256, 2>; repeat {C - 1} { BasicBlock<256>; } }
        layer4: { BasicBlock<512, 2>; repeat {D - 1} { BasicBlock<512>; } }
    }

    /// ResNet-18 (He, Zhang, Ren and Sun, "Deep residual learning for image recognition", 2016) as torchvision has it.
    /// Takes images [3, SIZE, SIZE]; its parameters are the same for all sizes, 11 689 512 with 1000 classes.
    ///
    /// `SMALL = true` is the usual form for CIFAR's 32 × 32: a stem of 3 × 3 without stride, and no first max-pool;
    /// 11 173 962 parameters with ten classes.
    pub block ResNet18<CLASSES = 1000, SIZE = 224, SMALL = false> {
        input image: [3, SIZE, SIZE];
        target label: class<CLASSES>;

        Stem<SMALL>;
        BasicLayers<2, 2, 2, 2>;
        avgpool: GlobalAvgPool;
        fc: Linear<CLASSES>;

        loss: CrossEntropy(_, label);
    }

    /// ResNet-34, [`ResNet18`] with 3, 4, 6 and 3 blocks of two convolutions instead of two each; 21 797 672 parameters with
    /// 1000 classes, 21 282 122 with `SMALL = true` and ten.
    pub block ResNet34<CLASSES = 1000, SIZE = 224, SMALL = false> {
        input image: [3, SIZE, SIZE];
        target label: class<CLASSES>;

        Stem<SMALL>;
        BasicLayers<3, 4, 6, 3>;
        avgpool: GlobalAvgPool;
        fc: Linear<CLASSES>;

        loss: CrossEntropy(_, label);
    }

    /// ResNet-50, [`ResNet34`] with blocks of 1 × 1, 3 × 3 and 1 × 1 convolutions, the stride in the second of them as in
    /// torchvision; 25 557 032 parameters with 1000 classes, 23 520 842 with `SMALL = true` and ten.
    pub block ResNet50<CLASSES = 1000, SIZE = 224, SMALL = false> {
        input image: [3, SIZE, SIZE];
        target label: class<CLASSES>;

        Stem<SMALL>;
        layer1: { repeat 3 { Bottleneck<64>; } }
        layer2: { Bottleneck<128, 2>; repeat 3 { Bottleneck<128>; } }
        layer3: { Bottleneck<256, 2>; repeat 5 { Bottleneck<256>; } }
        layer4: { Bottleneck<512, 2>; repeat 2 { Bottleneck<512>; } }
        avgpool: GlobalAvgPool;
        fc: Linear<CLASSES>;

        loss: CrossEntropy(_, label);
    }
}
