use kiln::network;

network! {
    pub Sharp { input x: [4]; Relu<0.1>; }
    pub Leaky { input x: [4]; LeakyRelu<0.1, 0.2>; }
    pub Logistic { input x: [4]; Sigmoid(x, x); }
    pub Hyperbolic { input x: [4]; Tanh<alpha = 2>; }
    pub Exponential { input x: [4]; Elu<negative_slope = 1.0>; }
    pub Gaussian { input x: [4]; Gelu<approximate = exact>; }
    pub ByPlace { input x: [4]; Gelu<tanh>; }
    pub Swish { input x: [4]; Silu<1.0>; }
    pub Smooth { input x: [4]; Softplus<beta = 0>; }
    pub Threshold { input x: [4]; Step<0.5>; }
    pub Mild { input x: [4]; Mish<beta = 2>; }
}

fn main() {}
