//! LeNet.

use kiln_macros::network;

network! {
    /// LeNet-5 (LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition", 1998) as it is
    /// usually trained today: ReLU instead of tanh, max pooling instead of trainable sums, no sparse connections.
    /// Takes images [1, 28, 28], padded to the paper's 32 × 32 by its first layer; 61 706 parameters with ten classes.
    pub block LeNet5<CLASSES = 10> {
        input image: [1, 28, 28];
        target digit: class<CLASSES>;

        features: {
            Conv2d<6, 5, padding = 2>; Relu; MaxPool2d<2>;
            Conv2d<16, 5>;             Relu; MaxPool2d<2>;
        }
        Flatten;
        classifier: { Linear<120>; Relu; Linear<84>; Relu; Linear<CLASSES>; }

        loss: CrossEntropy(_, digit);
    }
}
