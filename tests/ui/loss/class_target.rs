use kiln::network;

network! {
    pub Digits {
        input pixels: [784];
        target digit: class<10>;

        Linear<10>;

        loss: Mse(_, digit);
    }
}

fn main() {}
