use kiln::network;

network! {
    pub Digits {
        input image: [1, 28, 28];
        input mask: [1, 28, 28];

        from image;
        Flatten;
        Linear<10>;
    }
}

fn main() {}
