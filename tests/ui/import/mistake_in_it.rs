use kiln::network;

mod pieces {
    kiln::network! {
        pub block Tail<H> { Linear<H>; Relu; }
    }
}

network! {
    use pieces::Tail;

    pub Digits {
        input image: [1, 28, 28];
        Tail<120>;
        Linear<10>;
    }
}

network! {
    pub Pets = kiln::zoo::LeNet5<CLASSES = -1>;
}

fn main() {}
