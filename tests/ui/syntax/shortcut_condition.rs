use kiln::network;

network! {
    pub Digits {
        input image: [1, 28, 28];
        target digit: class<10>;

        Residual { Conv2d<1, 3, padding = 1>; } shortcut if smaller { Conv2d<1, 1>; }
        Flatten;
        Linear<10>;

        loss: CrossEntropy(_, digit);
    }
}

fn main() {}
