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

fn classify(model: &Model<Digits>, images: &Images<1, 28, 28>) -> kiln::Result<Classes<10>> {
    model.forward(images)
}

fn main() {}
