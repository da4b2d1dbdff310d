use kiln::network;

network! {
    block Hidden<H> { Linear<H>; Relu; }

    pub Digits {
        input image: [1, 28, 28];
        Hidden<120>;
        Hidden<84>;
        Linear<10>;
    }
}

fn main() {}
