use kiln::network;

network! {
    pub Pairs {
        input left: [64];
        input right: [64];

        Linear<10>;
        Add(_, right);
    }
}

fn main() {}
