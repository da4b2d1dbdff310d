use kiln::network;

network! {
    block Deeper<H> { Linear<H>; Relu; Deeper<H>; }

    pub Digits {
        input pixels: [784];
        Deeper<120>;
        Linear<10>;
    }
}

fn main() {}
