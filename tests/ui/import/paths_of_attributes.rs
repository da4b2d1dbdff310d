use kiln::network;

network! {
    #[frozen(feature)]
    #[init(classifier.5.weight = Zeros)]
    #[no_decay(classifier.6)]
    pub Pets = kiln::zoo::LeNet5<CLASSES = 37>;
}

fn main() {}
