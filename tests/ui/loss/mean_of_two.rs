use kiln::network;

network! {
    pub Digits {
        input image: [784];
        target value: [10];

        Linear<10>;

        loss: Mean(_, value);
    }
}

fn main() {}
