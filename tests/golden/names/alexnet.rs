pub AlexNet<CLASSES = 1000> {
    input image: [3, 224, 224];
    target label: class<CLASSES>;
    features: {
        Conv2d<64, 11, stride = 4, padding = 2>; Relu; MaxPool2d<3, stride = 2>;
        Conv2d<192, 5, padding = 2>; Relu; MaxPool2d<3, stride = 2>;
        Conv2d<384, 3, padding = 1>; Relu;
        Conv2d<256, 3, padding = 1>; Relu;
        Conv2d<256, 3, padding = 1>; Relu; MaxPool2d<3, stride = 2>;
    }
    avgpool: AdaptiveAvgPool2d<[6, 6]>;
    Flatten;
    classifier: {
        Dropout<0.5>; Linear<4096>; Relu;
        Dropout<0.5>; Linear<4096>; Relu;
        Linear<CLASSES>;
    }
    loss: CrossEntropy(_, label);
}
