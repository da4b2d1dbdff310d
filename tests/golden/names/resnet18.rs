block Basic<C, S = 1> {
    Residual {
        conv1: Conv2d<C, 3, stride = S, padding = 1, bias = false>; bn1: BatchNorm; Relu;
        conv2: Conv2d<C, 3, padding = 1, bias = false>;             bn2: BatchNorm;
    } shortcut downsample if reshaped { Conv2d<C, 1, stride = S, bias = false>; BatchNorm; }
    Relu;
}

block Stem {
    conv1: Conv2d<64, 7, stride = 2, padding = 3, bias = false>; bn1: BatchNorm; Relu;
    MaxPool2d<3, stride = 2, padding = 1>;
}

pub ResNet18<CLASSES = 1000> {
    input image: [3, 224, 224];
    target label: class<CLASSES>;
    Stem;
    layer1: { repeat 2 { Basic<64>; } }
    layer2: { Basic<128, 2>; Basic<128>; }
    layer3: { Basic<256, 2>; Basic<256>; }
    layer4: { Basic<512, 2>; Basic<512>; }
    avgpool: GlobalAvgPool;
    fc: Linear<CLASSES>;
    loss: CrossEntropy(_, label);
}
