//! AlexNet.

use kiln_macros::network;

network! {
    /// AlexNet as torchvision has it (Krizhevsky, "One weird trick for parallelizing convolutional neural networks", 2014;
    /// first in Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional neural networks", 2012).
    /// Takes images [3, SIZE, SIZE] of at least 63 × 63 pixels; its parameters are the same for all sizes, 61 100 840 with
    /// 1000 classes.
    ///
    /// `SMALL = true` is a usual form for CIFAR's 32 × 32: windows of 3 with smaller strides, features averaged to 2 × 2
    /// instead of 6 × 6; 23 272 266 parameters with ten classes.
    pub block AlexNet<CLASSES = 1000, SIZE = 224, DROPOUT = 0.5, SMALL = false> {
        input image: [3, SIZE, SIZE];
        target label: class<CLASSES>;

        features: {
            if SMALL {
                Conv2d<64, 3, stride = 2, padding = 1>;  Relu; MaxPool2d<2>;
                Conv2d<192, 3, padding = 1>;             Relu; MaxPool2d<2>;
            } else {
                Conv2d<64, 11, stride = 4, padding = 2>; Relu; MaxPool2d<3, stride = 2>;
                Conv2d<192, 5, padding = 2>;             Relu; MaxPool2d<3, stride = 2>;
            }
            Conv2d<384, 3, padding = 1>; Relu;
            Conv2d<256, 3, padding = 1>; Relu;
            Conv2d<256, 3, padding = 1>; Relu;
            if SMALL { MaxPool2d<2>; } else { MaxPool2d<3, stride = 2>; }
        }
        if SMALL { AdaptiveAvgPool2d<[2, 2]>; } else { AdaptiveAvgPool2d<[6, 6]>; }
        Flatten;
        classifier: {
            Dropout<DROPOUT>; Linear<4096>; Relu;
            Dropout<DROPOUT>; Linear<4096>; Relu;
            Linear<CLASSES>;
        }

        loss: CrossEntropy(_, label);
    }
}
