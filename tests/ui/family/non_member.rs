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

fn main() -> kiln::Result<()> {
    let model = Mlp::<64>::new(&Device::cpu(), 42)?;
    drop(model);
    Ok(())
}
