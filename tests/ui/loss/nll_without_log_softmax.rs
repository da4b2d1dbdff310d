use kiln::network;

network! {
    pub Digits {
        input pixels: [784];
        target digit: class<10>;

        Linear<10>;

        loss: Nll(_, digit);
    }
}

fn main() {}
