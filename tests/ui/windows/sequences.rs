use kiln::network;

network! {
    pub Short {
        input signal: [3, 8];
        target label: class<4>;

        Conv1d<6, 9>;
        Flatten; Linear<4>;
        loss: CrossEntropy(_, label);
    }

    pub Image {
        input image: [3, 8, 8];
        target label: class<4>;

        MaxPool1d<2>;
        Flatten; Linear<4>;
        loss: CrossEntropy(_, label);
    }

    pub Padded {
        input signal: [3, 8];
        target label: class<4>;

        AvgPool1d<2, padding = 2>;
        Flatten; Linear<4>;
        loss: CrossEntropy(_, label);
    }

    pub Vector {
        input x: [8];
        target label: class<8>;

        GlobalMaxPool;
        Linear<8>;
        loss: CrossEntropy(_, label);
    }
}

fn main() {}
