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

fn train(model: &mut Model<Digits>, letters: &Dataset<Images<1, 28, 28>, Classes<26>>) -> kiln::Result<()> {
    Trainer::new(model, Adam::default()).fit(letters, letters)?;
    Ok(())
}

fn main() {}
