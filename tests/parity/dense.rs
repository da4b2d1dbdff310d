//! Vectors: linear layers at extents around the tile edges, element-wise layers, normalisation, dropout.

use crate::check::parity;

parity! { linear_one LinearOne LinearOneUnfused {
    input x: [1]; target t: [1];
    Linear<1>;
    loss: Mse(_, t);
} }

parity! { linear_below_block LinearBelow LinearBelowUnfused {
    input x: [15]; target t: [17];
    a: Linear<7>; Tanh; b: Linear<17>;
    loss: Mse(_, t);
} }

parity! { linear_around_tiles LinearTiles LinearTilesUnfused {
    input x: [31]; target label: class<33>;
    a: Linear<32>; Relu; b: Linear<97>; Sigmoid; c: Linear<16, bias = false>; LeakyRelu<0.2>; d: Linear<33>;
    loss: CrossEntropy(_, label);
} }

parity! { norm_and_dropout NormDropout NormDropoutUnfused {
    input x: [20]; target label: class<5>;
    a: Linear<23>; n: BatchNorm; Relu; Dropout<0.3>; b: Linear<5>; LogSoftmax;
    loss: Nll(_, label);
} }

parity! { soft_rows SoftRows SoftRowsUnfused {
    input x: [19]; target t: [19];
    a: Linear<19>; Softmax;
    loss: HalfSquare(_, t);
} }

parity! { several_losses SeveralLosses SeveralLossesUnfused {
    input x: [9]; target label: class<4>;
    a: Linear<12>; Tanh as hidden; b: Linear<4> as logits;
    from hidden; c: Linear<9> as back;
    output logits;
    loss: CrossEntropy(logits, label) + 0.3 * Mse(back, x);
} }

parity! { one_hot_target OneHot OneHotUnfused {
    input x: [6]; target label: class<3>;
    Linear<3>; Softmax;
    loss: Mse(_, one_hot(label));
} }
