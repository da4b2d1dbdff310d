use kiln::network;

network! {
    pub Mlp<H in [1, 2, 3, 4, 5, 6, 7, 8, 9], D in [1, 2, 3, 4, 5, 6, 7, 8]> {
        input pixels: [784];
        repeat D { Linear<H>; }
    }
}

fn main() {}
