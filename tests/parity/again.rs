//! Lines applied again with the same parameters, and losses that are any computation.

use crate::check::parity;

parity! { layer_again LayerAgain LayerAgainUnfused {
    input x: [7]; target t: [7];
    step: Linear<7>; Tanh;
    step(_); Tanh;
    second: step(_); Relu;
    Add(_, second);
    loss: Mse(_, t);
} }

parity! { group_again GroupAgain GroupAgainUnfused {
    input x: [3, 6, 6]; target label: class<4>;
    stem: Conv2d<5, 3, padding = 1>;
    unit: { Conv2d<5, 3, padding = 1>; norm: BatchNorm; Relu; }
    other: unit(_);
    Add(other, unit, stem);
    GlobalAvgPool; Linear<4>;
    loss: CrossEntropy(_, label);
} }

parity! { residual_again ResidualAgain ResidualAgainUnfused {
    input x: [6]; target t: [3];
    unit: Residual { a: Linear<6>; Relu; b: Linear<6>; }
    unit(_) as first; unit(x) as raw;
    Concat(first, raw);
    Linear<3>;
    loss: Mse(_, t);
} }

parity! { contrastive Contrastive ContrastiveUnfused {
    input x: [5]; target same: [4];
    embed: { Linear<6>; Tanh; Linear<4>; }
    turned: Linear<5>(x);
    other: embed(turned);
    Mul(embed, other, same) as pairs;
    output embed;
    loss: Mean(pairs) + 0.1 * Mse(other, embed);
} }

parity! { masked_classes MaskedClasses MaskedClassesUnfused {
    input x: [6]; target label: class<3>;
    scores: Linear<3>; Sigmoid as chance;
    Mul(chance, one_hot(label)) as right;
    output chance;
    loss: -Mean(right) + Mean(chance);
} }
