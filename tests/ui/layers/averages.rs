use kiln::network;

network! {
    pub ByPlace { input x: [3, 5, 5]; AvgPool2d<2, 1>; }
    pub Padded { input x: [3, 5, 5]; AvgPool2d<2, padding = 2>; }
    pub Vector { input x: [5]; GlobalAvgPool; }
    pub Adaptive { input x: [3, 5, 5]; AdaptiveAvgPool2d<[2, 2, 2]>; }
}

fn main() {}
