use kiln::network;

network! {
    pub Digits {
        input image: [1, 0, 28];
        Flatten;
        Linear<10>;
    }
}

fn main() {}
