use kiln::network;

network! {
    pub Digits {
        input image: [1, 28, 28];
        target digit: class<10>;

        low: Conv2d<6, 5>;
        side: { Conv2d<6, 3>; Relu; }
        from low;
        Flatten;
        Linear<10>;

        loss: CrossEntropy(_, digit);
    }
}

fn main() {}
