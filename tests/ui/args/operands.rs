use kiln::network;

network! {
    pub Digits {
        input image: [1, 28, 28];
        target digit: class<10>;

        low: Conv2d<6, 5>;
        Add(low);
        Flatten;
        Linear<10>(_, low);

        loss: CrossEntropy(_, digit);
    }
}

fn main() {}
