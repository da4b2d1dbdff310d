use kiln::network;

network! {
    pub Digits {
        input image;
        Flatten;
        Linear<10>;
    }
}

fn main() {}
