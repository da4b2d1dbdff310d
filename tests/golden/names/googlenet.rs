block BasicConv<C, K, S = 1, P = 0> {
    conv: Conv2d<C, K, stride = S, padding = P, bias = false>; bn: BatchNorm<eps = 0.001>; Relu;
}

// torchvision's third branch has a 3 × 3 kernel where the paper has 5 × 5; weights need it.
block Inception<C1, R3, C3, R5, C5, P> {
    Concat {
        branch1: BasicConv<C1, 1>;
        branch2: { BasicConv<R3, 1>; BasicConv<C3, 3, P = 1>; }
        branch3: { BasicConv<R5, 1>; BasicConv<C5, 3, P = 1>; }
        branch4: { MaxPool2d<3, stride = 1, padding = 1, ceil_mode = true>; BasicConv<P, 1>; }
    }
}

block InceptionAux<CLASSES> {
    AdaptiveAvgPool2d<[4, 4]>;
    conv: BasicConv<128, 1>;
    Flatten;
    fc1: Linear<1024>; Relu; Dropout<0.7>;
    fc2: Linear<CLASSES>;
}

pub GoogLeNet<CLASSES = 1000> {
    input image: [3, 224, 224];
    target label: class<CLASSES>;

    conv1: BasicConv<64, 7, S = 2, P = 3>;
    maxpool1: MaxPool2d<3, stride = 2, ceil_mode = true>;
    conv2: BasicConv<64, 1>;
    conv3: BasicConv<192, 3, P = 1>;
    maxpool2: MaxPool2d<3, stride = 2, ceil_mode = true>;
    inception3a: Inception<64, 96, 128, 16, 32, 32>;
    inception3b: Inception<128, 128, 192, 32, 96, 64>;
    maxpool3: MaxPool2d<3, stride = 2, ceil_mode = true>;
    inception4a: Inception<192, 96, 208, 16, 48, 64>;
    inception4b: Inception<160, 112, 224, 24, 64, 64>;
    inception4c: Inception<128, 128, 256, 24, 64, 64>;
    inception4d: Inception<112, 144, 288, 32, 64, 64>;
    inception4e: Inception<256, 160, 320, 32, 128, 128>;
    maxpool4: MaxPool2d<2, stride = 2, ceil_mode = true>;
    inception5a: Inception<256, 160, 320, 32, 128, 128>;
    inception5b: Inception<384, 192, 384, 48, 128, 128>;
    avgpool: GlobalAvgPool;
    dropout: Dropout<0.2>;
    fc: Linear<CLASSES>;

    aux1: InceptionAux<CLASSES>(inception4a);
    aux2: InceptionAux<CLASSES>(inception4d);

    loss: CrossEntropy(fc, label) + 0.3 * CrossEntropy(aux1, label) + 0.3 * CrossEntropy(aux2, label);
    output fc;
}
