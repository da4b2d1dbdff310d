use kiln::network;

network! {
    pub Digits {
        input pixels: [784];
        target digit: class<10>;

        near: Linear<10>;
        far: Linear<10>(pixels);

        loss: CrossEntropy(near, digit) + 0.3 * CrossEntropy(far, digit);
    }
}

fn main() {}
