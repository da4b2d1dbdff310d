use kiln::network;

network! {
    pub Digits {
        input image: [1, 28, 28];
        target digit: class<10>;

        Add(_, low);
        low: Conv2d<1, 5, padding = 2>;
        Flatten;
        Linear<10>;

        loss: CrossEntropy(_, digit);
    }
}

fn main() {}
