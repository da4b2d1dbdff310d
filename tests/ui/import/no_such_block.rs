use kiln::network;

network! {
    use kiln::zoo::LeNet6;

    pub Digits = LeNet6<CLASSES = 4>;
}

fn main() {
    let _ = Digits::PARAMETERS;
}
