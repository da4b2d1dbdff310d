pub Vgg16Bn<CLASSES = 1000> {
    input image: [3, 224, 224];
    target label: class<CLASSES>;
    features: {
        repeat 2 { Conv2d<64, 3, padding = 1>; BatchNorm; Relu; }  MaxPool2d<2>;
        repeat 2 { Conv2d<128, 3, padding = 1>; BatchNorm; Relu; } MaxPool2d<2>;
        repeat 3 { Conv2d<256, 3, padding = 1>; BatchNorm; Relu; } MaxPool2d<2>;
        repeat 2 { repeat 3 { Conv2d<512, 3, padding = 1>; BatchNorm; Relu; } MaxPool2d<2>; }
    }
    avgpool: AdaptiveAvgPool2d<[7, 7]>;
    Flatten;
    classifier: {
        Linear<4096>; Relu; Dropout<0.5>;
        Linear<4096>; Relu; Dropout<0.5>;
        Linear<CLASSES>;
    }
    loss: CrossEntropy(_, label);
}
