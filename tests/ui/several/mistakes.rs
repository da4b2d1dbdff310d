//! Each is said once, and what follows from a bad line is not.
use kiln::network;

network! {
    pub Digits {
        input image: [1, 28, 28];
        target digit: class<10>;

        features: {
            Conv2d<6, 5, paddin = 2>; ReLU; MaxPool2d<2>;
            Conv2d<16, 5>;            Relu; MaxPool2d<2>;
        }
        Flaten;
        classifier: { Linear(120); Relu; Linear<84, bais = true>; Relu; Linear<10>; }

        loss: CrossEntropy(_, digit);
    }
}

fn main() {}
