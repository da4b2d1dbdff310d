use kiln::network;

network! {
    fn leaky(x) { if x > 0 { x } }

    pub Digits {
        input pixels: [784];
        Linear<10>;
        leaky;
    }
}

fn main() {}
