use kiln::network;

network! {
    pub Batch { input x: [4]; Linear<4>; BatchNorm<momentum = None>; }
    pub Factor { input x: [4]; Linear<4>; BatchNorm<momentum = 1.5>; }
    pub Features { input x: [4]; Linear<4>; BatchNorm<64>; }
    pub Layers { input x: [3, 5]; LayerNorm<3>; }
    pub Epsilon { input x: [3, 5]; LayerNorm<5, eps = -1>; }
    pub Groups { input x: [6, 4, 4]; GroupNorm<4>; }
    pub NoGroups { input x: [6, 4, 4]; GroupNorm; }
    pub Computed { input x: [6]; Linear<4>; Standardize; }
    pub Per { input x: [6]; Standardize<per = sample>; }
    pub Probabilities { input x: [6]; Softmax<dim = 1>; }
    pub Logarithms { input x: [6]; LogSoftmax<1>; }
}

fn main() {}
