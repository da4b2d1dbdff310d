use kiln::network;

network! {
    block Relu { Linear<120>; }

    pub Digits {
        input pixels: [784];
        Linear<10>;
    }
}

fn main() {}
