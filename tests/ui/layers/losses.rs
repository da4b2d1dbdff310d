use kiln::network;

network! {
    pub Absolute { input x: [4]; target t: [3]; Linear<3>; loss: L1<1.0>(_, t); }
    pub Squares { input x: [4]; target t: [3]; Linear<3>; loss: Mse<reduction = sum>(_, t); }
    pub Halves { input x: [4]; target t: [2]; Linear<3>; loss: HalfSquare(_, t); }
    pub Robust { input x: [4]; target t: [3]; Linear<3>; loss: Huber<delta = 0>(_, t); }
    pub Smooth { input x: [4]; target t: [3]; Linear<3>; loss: SmoothL1<beta = -1>(_, t); }
    pub Odds { input x: [4]; target t: class<3>; Linear<3>; Sigmoid; loss: Bce(_, t); }
    pub Twice { input x: [4]; target t: [3]; Linear<3>; Sigmoid; loss: BceWithLogits(_, t); }
    pub Weights { input x: [4]; target t: [3]; Linear<3>; loss: BceWithLogits<pos_weight = [1, 2]>(_, t); }
    pub Stepped { input x: [4]; target t: [3]; Linear<3>; Step; loss: Perceptron(_, t); }
    pub ClassWeights { input x: [4]; target t: class<3>; Linear<3>; LogSoftmax; loss: Nll<weight = [1, 2]>(_, t); }
    pub Smoothing { input x: [4]; target t: class<3>; Linear<3>; loss: CrossEntropy<label_smoothing = 2>(_, t); }
}

fn main() {}
