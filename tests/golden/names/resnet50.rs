block Bottleneck<C, S = 1> {
    Residual {
        conv1: Conv2d<C, 1, bias = false>;                          bn1: BatchNorm; Relu;
        conv2: Conv2d<C, 3, stride = S, padding = 1, bias = false>; bn2: BatchNorm; Relu;
        conv3: Conv2d<{4 * C}, 1, bias = false>;                    bn3: BatchNorm;
    } shortcut downsample if reshaped { Conv2d<{4 * C}, 1, stride = S, bias = false>; BatchNorm; }
    Relu;
}

block Stem {
    conv1: Conv2d<64, 7, stride = 2, padding = 3, bias = false>; bn1: BatchNorm; Relu;
    MaxPool2d<3, stride = 2, padding = 1>;
}

pub ResNet50<CLASSES = 1000> {
    input image: [3, 224, 224];
    target label: class<CLASSES>;
    Stem;
    layer1: { repeat 3 { Bottleneck<64>; } }
    layer2: { Bottleneck<128, 2>; repeat 3 { Bottleneck<128>; } }
    layer3: { Bottleneck<256, 2>; repeat 5 { Bottleneck<256>; } }
    layer4: { Bottleneck<512, 2>; repeat 2 { Bottleneck<512>; } }
    avgpool: GlobalAvgPool;
    fc: Linear<CLASSES>;
    loss: CrossEntropy(_, label);
}
