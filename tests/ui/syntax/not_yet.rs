use kiln::network;

network! {
    use shared::Basic;

    pub block Hidden<H> { Linear<H>; Relu; }

    pub Pets = kiln::zoo::ResNet18<CLASSES = 37>;

    pub Digits {
        input pixels: [784];
        Hidden<120>;
        Linear<10>;
    }
}

fn main() {}
