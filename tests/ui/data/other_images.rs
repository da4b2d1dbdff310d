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

fn test(model: &Model<Digits>, photos: &Dataset<Images<3, 32, 32>, Classes<10>>) -> kiln::Result<f64> {
    Ok(model.evaluate(photos)?.accuracy)
}

fn main() {}
