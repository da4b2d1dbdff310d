use kiln::network;

network! {
    pub Digits {
        input image: [1, 28, 28];
        target digit: class<10>;

        Concat {
            wide: Conv2d<6, 5>;
            narrow: { Conv2d<6, 3>; Relu; }
        }
        Flatten;
        Linear<10>;

        loss: CrossEntropy(_, digit);
    }
}

fn main() {}
