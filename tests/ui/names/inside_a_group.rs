use kiln::network;

network! {
    pub Digits {
        input image: [1, 28, 28];
        target digit: class<10>;

        stem: { low: Conv2d<1, 5, padding = 2>; Relu; }
        Add(_, low);
        Flatten;
        Linear<10>;

        loss: CrossEntropy(_, digit);
    }
}

fn main() {}
