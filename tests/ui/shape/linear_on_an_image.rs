use kiln::network;

network! {
    pub LeNet5<CLASSES = 10> {
        input image: [1, 28, 28];
        target digit: class<CLASSES>;

        features: {
            Conv2d<6, 5, padding = 2>; Relu; MaxPool2d<2>;
            Conv2d<16, 5>;             Relu; MaxPool2d<2>;
        }
        classifier: { Linear<120>; Relu; Linear<84>; Relu; Linear<CLASSES>; }

        loss: CrossEntropy(_, digit);
    }
}

fn main() {}
