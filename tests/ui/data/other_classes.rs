use kiln::prelude::*;

network! {
    pub Digits {
        input image: [1, 28, 28];
        target digit: class<10>;

        Flatten;
        Linear<10>;

        loss: CrossEntropy(_, digit);
    }
}

fn train(
    model: &mut Model<Digits>,
    digits: &Dataset<Images<1, 28, 28>, Classes<10>>,
    letters: &Dataset<Images<1, 28, 28>, Classes<26>>,
) -> kiln::Result<()> {
    Trainer::new(model, Adam::default()).fit(digits, letters)?;
    Ok(())
}

fn main() {}
