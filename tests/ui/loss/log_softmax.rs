use kiln::network;

network! {
    pub Digits {
        input image: [1, 28, 28];
        target digit: class<10>;

        Flatten;
        Linear<10>;
        LogSoftmax;

        loss: CrossEntropy(_, digit);
    }
}

fn main() {}
