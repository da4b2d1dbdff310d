//! A spatial transformer.

use kiln_macros::network;

network! {
    /// The network of PyTorch's tutorial on spatial transformers (Jaderberg, Simonyan, Zisserman and Kavukcuoglu, "Spatial
    /// transformer networks", 2015): it looks at the digit through an affine map that a small network of its own chooses, at
    /// first the identity. Takes images [1, 28, 28], gives logarithms of probabilities; 27 360 parameters with ten classes.
    pub block SpatialTransformerNet<CLASSES = 10> {
        input image: [1, 28, 28];
        target digit: class<CLASSES>;

        localization: { Conv2d<8, 7>; MaxPool2d<2>; Relu; Conv2d<10, 5>; MaxPool2d<2>; Relu; }
        Flatten;
        fc_loc: {
            Linear<32>; Relu;
            #[init(weight = Zeros, bias = Identity<[2, 3]>)]
            Linear<6>;
        }
        AffineSample(image, fc_loc);

        conv1: Conv2d<10, 5>;            MaxPool2d<2>; Relu;
        conv2: Conv2d<20, 5>; Dropout2d<0.5>; MaxPool2d<2>; Relu;
        Flatten;
        fc1: Linear<50>; Relu; Dropout<0.5>;
        fc2: Linear<CLASSES>; LogSoftmax;

        loss: Nll(_, digit);
    }
}
