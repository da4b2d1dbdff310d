use kiln::network;

pub const HIDDEN: usize = 120;

network! {
    pub Digits {
        input pixels: [784];
        Linear<HIDDEN>;
        Relu;
        Linear<10>;
    }
}

fn main() {}
