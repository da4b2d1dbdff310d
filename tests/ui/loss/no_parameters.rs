use kiln::network;

network! {
    pub Digits {
        input scores: [10];
        target digit: class<10>;

        Relu;

        loss: CrossEntropy(_, digit);
    }
}

fn main() {}
