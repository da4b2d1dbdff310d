use kiln::network;

network! {
    pub Axes { input x: [3, 5]; Permute<[2, 0, 1]>; }
    pub Fewer { input x: [3, 5, 4]; Permute<[1, 0]>; }
    pub Twice { input x: [3, 5]; Permute<[1, 1]>; }
    pub Order { input x: [3, 5]; Permute; }
    pub Beyond { input x: [3, 5]; Slice<axis = 1, start = 2, end = 7>; }
    pub Empty { input x: [3, 5]; Slice<axis = 1, start = 3, end = 3>; }
    pub ByPlace { input x: [3, 5]; Slice<1, 0, 3>; }
    pub Negative { input x: [3, 5]; Slice<end = -1>; }
    pub Sequence { input x: [3, 5, 5]; ZeroPad1d<1>; }
    pub Image { input x: [3, 5]; ZeroPad2d<1>; }
    pub Sides { input x: [3, 5, 5]; ZeroPad2d<[1, 2]>; }
    pub Flat { input x: [3, 5, 5]; Flatten<start_dim = 1>; }
    pub Shape { input x: [3, 5, 5]; Reshape<75>; }
}

fn main() {}
