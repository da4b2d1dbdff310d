use kiln::network;

network! {
    pub Digits {
        input pixels: [784];
        target digit: [10];

        Linear<10>;

        loss: CrossEntropy(_, digit);
    }
}

fn main() {}
