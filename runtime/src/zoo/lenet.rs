//! LeNet, and another small network for digits.

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

    /// LeNet as Caffe's example has it (Jia, Shelhamer et al., "Caffe: convolutional architecture for fast feature embedding",
    /// 2014): 20 and 50 channels, 500 hidden units, one ReLU, and Caffe's `xavier` start, whose variance is 1 / fan_in.
    /// Takes images [1, 28, 28]; 431 080 parameters with ten classes.
    #[init(weight = LeCunUniform, bias = Zeros)]
    pub block LeNet<CLASSES = 10> {
        input image: [1, 28, 28];
        target digit: class<CLASSES>;

        conv1: Conv2d<20, 5>; MaxPool2d<2>;
        conv2: Conv2d<50, 5>; MaxPool2d<2>;
        Flatten;
        fc1: Linear<500>; Relu;
        fc2: Linear<CLASSES>;

        loss: CrossEntropy(_, digit);
    }

    /// The convolutional network of many MNIST tutorials, with batch normalisation (Ioffe and Szegedy, "Batch normalization:
    /// accelerating deep network training by reducing internal covariate shift", 2015) and dropout; its outputs are
    /// logarithms of probabilities. Takes images [1, 28, 28]; 1 200 330 parameters with ten classes.
    pub block MnistBnCnn<CLASSES = 10> {
        input image: [1, 28, 28];
        target digit: class<CLASSES>;

        conv1: Conv2d<32, 3>; bn1: BatchNorm; Relu;
        conv2: Conv2d<64, 3>; bn2: BatchNorm; Relu;
        MaxPool2d<2>; Dropout<0.25>; Flatten;
        fc1: Linear<128>;     bn3: BatchNorm; Relu; Dropout<0.5>;
        fc2: Linear<CLASSES>; LogSoftmax;

        loss: Nll(_, digit);
    }
}
