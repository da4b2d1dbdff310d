use kiln::network;

mod pieces {
    kiln::network! {
        pub block Tail<H> { Linear<H>; Relu; }
    }
}

network! {
    use kiln::zoo::LeNet5;

    pub Short = pieces::Tail<5>;

    pub Digits {
        input image: [1, 28, 28];
        LeNet5<10>;
    }

    pub Other = LeNet5<CLASES = 3>;
}

fn main() {}
