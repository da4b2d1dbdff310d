use kiln::network;

network! {
    pub use kiln::zoo::LeNet5;
    use kiln::zoo::*;

    pub Digits = LeNet5;
}

fn main() {}
