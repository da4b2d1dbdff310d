//! GoogLeNet.

use kiln_macros::network;

network! {
    /// A convolution without bias, normalised. The original has a bias and no normalisation.
    block BasicConv2d<C, K, stride = 1, padding = 0> {
        #[init(weight = TruncatedNormal<std = 0.01>)]
        conv: Conv2d<C, K, stride = stride, padding = padding, bias = false>;
        bn: BatchNorm<eps = 0.001>;
        Relu;
    }

    /// Four branches of C1, C3, C5 and P channels. The third has windows of 3, where the paper has 5.
    block Inception<C1, R3, C3, R5, C5, P> {
        Concat {
            branch1: BasicConv2d<C1, 1>;
            branch2: { BasicConv2d<R3, 1>; BasicConv2d<C3, 3, padding = 1>; }
            branch3: { BasicConv2d<R5, 1>; BasicConv2d<C5, 3, padding = 1>; }
            branch4: { MaxPool2d<3, stride = 1, padding = 1, ceil_mode = true>; BasicConv2d<P, 1>; }
        }
    }

    /// A second opinion from half way, which only the loss hears.
    block InceptionAux<CLASSES, DROPOUT> {
        AdaptiveAvgPool2d<[4, 4]>;
        conv: BasicConv2d<128, 1>;
        Flatten;
        #[init(weight = TruncatedNormal<std = 0.01>)]
        fc1: Linear<1024>; Relu; Dropout<DROPOUT>;
        #[init(weight = TruncatedNormal<std = 0.01>)]
        fc2: Linear<CLASSES>;
    }

    /// GoogLeNet, or Inception v1 (Szegedy et al., "Going deeper with convolutions", 2015), as torchvision has it: batch
    /// normalisation behind each convolution, windows of 3 in the place of 5. Two auxiliary heads enter the loss, with weight
    /// 0.3; `forward` does not compute them. Takes images [3, SIZE, SIZE]; its parameters are the same for all sizes,
    /// 13 004 888 with 1000 classes.
    ///
    /// `SMALL = true` is a usual form for CIFAR's 32 × 32: a stem of 3 × 3 without stride, and no max-pools before the first
    /// inception; 9 952 958 parameters with ten classes.
    pub block GoogLeNet<CLASSES = 1000, SIZE = 224, DROPOUT = 0.2, DROPOUT_AUX = 0.7, SMALL = false> {
        input image: [3, SIZE, SIZE];
        target label: class<CLASSES>;

        if SMALL {
            conv1: BasicConv2d<64, 3, padding = 1>;
        } else {
            conv1: BasicConv2d<64, 7, stride = 2, padding = 3>;
            MaxPool2d<3, stride = 2, ceil_mode = true>;
        }
        conv2: BasicConv2d<64, 1>;
        conv3: BasicConv2d<192, 3, padding = 1>;
        if !SMALL { MaxPool2d<3, stride = 2, ceil_mode = true>; }

        inception3a: Inception<64, 96, 128, 16, 32, 32>;
        inception3b: Inception<128, 128, 192, 32, 96, 64>;
        MaxPool2d<3, stride = 2, ceil_mode = true>;

        inception4a: Inception<192, 96, 208, 16, 48, 64>;
        aux1: InceptionAux<CLASSES, DROPOUT_AUX>;
        from inception4a;
        inception4b: Inception<160, 112, 224, 24, 64, 64>;
        inception4c: Inception<128, 128, 256, 24, 64, 64>;
        inception4d: Inception<112, 144, 288, 32, 64, 64>;
        aux2: InceptionAux<CLASSES, DROPOUT_AUX>;
        from inception4d;
        inception4e: Inception<256, 160, 320, 32, 128, 128>;
        MaxPool2d<2, stride = 2, ceil_mode = true>;

        inception5a: Inception<256, 160, 320, 32, 128, 128>;
        inception5b: Inception<384, 192, 384, 48, 128, 128>;
        avgpool: GlobalAvgPool; Dropout<DROPOUT>;
        #[init(weight = TruncatedNormal<std = 0.01>)]
        fc: Linear<CLASSES>;
        output fc;

        loss: CrossEntropy(fc, label) + 0.3 * CrossEntropy(aux1, label) + 0.3 * CrossEntropy(aux2, label);
    }
}
