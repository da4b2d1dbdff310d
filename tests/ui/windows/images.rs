use kiln::network;

network! {
    pub Output {
        input image: [3, 8, 8];
        target t: [6, 16, 16];

        ConvTranspose2d<6, 3, stride = 2, output_padding = 2>;
        loss: Mse(_, t);
    }

    pub Both {
        input image: [3, 8, 8];
        target t: [3, 16, 16];

        c: Conv2d<3, 1>;
        Upsample2d<2>;
        Upsample2d<size = 16, scale_factor = 2>;
        loss: Mse(_, t);
    }

    pub Size {
        input image: [3, 8, 8];
        target t: [3, 8, 8];

        c: Conv2d<3, 1>;
        LocalResponseNorm<0>;
        loss: Mse(_, t);
    }

    pub Sampled {
        input image: [3, 8, 8];
        target t: [3, 8, 8];

        look: { Flatten; Linear<4>; }
        AffineSample(image, look);
        loss: Mse(_, t);
    }
}

fn main() {}
