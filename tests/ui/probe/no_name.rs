use kiln::network;

network! {
    pub Digits {
        input image: [1, 28, 28];

        #[probe] Conv2d<6, 5>;
        #[probe] Residual { Relu; }
        Flatten;
        #[probe] parameters: Linear<10>;
    }

    #[probe]
    pub Other {
        input x: [4];
        Linear<2>;
    }

    #[probe(feature.3)]
    pub Pets = kiln::zoo::LeNet5;
}

fn main() {}
