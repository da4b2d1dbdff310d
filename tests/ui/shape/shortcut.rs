use kiln::network;

network! {
    pub Digits {
        input image: [1, 28, 28];
        target digit: class<10>;

        Residual {
            Conv2d<12, 3, stride = 2, padding = 1>;
        } shortcut down { Conv2d<6, 1, stride = 2>; }
        Flatten;
        Linear<10>;

        loss: CrossEntropy(_, digit);
    }
}

fn main() {}
