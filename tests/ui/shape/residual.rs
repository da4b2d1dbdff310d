use kiln::network;

network! {
    pub Digits {
        input image: [1, 28, 28];
        target digit: class<10>;

        Conv2d<6, 5>;
        Residual {
            Conv2d<12, 3, stride = 2, padding = 1>; Relu;
        }
        Flatten;
        Linear<10>;

        loss: CrossEntropy(_, digit);
    }
}

fn main() {}
