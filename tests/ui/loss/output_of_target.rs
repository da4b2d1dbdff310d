use kiln::network;

network! {
    fn square(a, b) { (a - b) * (a - b) }

    pub Digits {
        input image: [784];
        target value: [10];

        Linear<10>;
        distance: square(_, value);

        loss: Mean(distance);
    }
}

fn main() {}
