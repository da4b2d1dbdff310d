use kiln::prelude::*;

network! {
    pub Mlp<H in [8, 32, 128]> {
        input pixels: [784];
        target digit: class<10>;

        Linear<H>;
        Relu;
        Linear<10>;

        loss: CrossEntropy(_, digit);
    }
}

struct Sweep {
    small: Model<Mlp<8>>,
    middle: Model<Mlp<64>>,
}

fn main() {}
