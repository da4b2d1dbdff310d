use kiln::network;

network! {
    pub Mlp<H in [8, 16, 8]> {
        input pixels: [784];
        Linear<H>;
    }
}

fn main() {}
