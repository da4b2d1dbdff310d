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

fn classify(model: &Model<Digits>, pixels: &Rows<784>) -> kiln::Result<Rows<10>> {
    model.forward(pixels)
}

fn main() {}
