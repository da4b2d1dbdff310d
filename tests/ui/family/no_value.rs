use kiln::network;

network! {
    pub Mlp<H> {
        input pixels: [784];
        Linear<H>;
    }
}

fn main() {}
