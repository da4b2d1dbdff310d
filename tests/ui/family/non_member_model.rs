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

fn parameters(model: &Model<Mlp<64>>) -> usize {
    model.parameters().len()
}

fn main() {}
