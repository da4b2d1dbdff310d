use kiln::network;

network! {
    pub Numbers {
        input x: [32];
        target label: class<4>;

        Embedding<64>;
        Flatten; Linear<4>;
        loss: CrossEntropy(_, label);
    }

    pub Words {
        input text: ids<[32], 5000>;
        target label: class<4>;

        Linear<4>;
        loss: CrossEntropy(_, label);
    }

    pub Sizes {
        input text: ids<[32], 5000>;
        target label: class<4>;

        Embedding<5000, 64>;
        Flatten; Linear<4>;
        loss: CrossEntropy(_, label);
    }

    pub Length {
        input text: ids<32, 5000>;
        target label: class<4>;

        Embedding<64>;
        Flatten; Linear<4>;
        loss: CrossEntropy(_, label);
    }
}

fn main() {}
