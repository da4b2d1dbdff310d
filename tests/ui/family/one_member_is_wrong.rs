use kiln::network;

network! {
    pub Mlp<H in [8, 16]> {
        input pixels: [784];
        Linear<H>;
        Residual { Linear<8>; }
    }
}

fn main() {}
