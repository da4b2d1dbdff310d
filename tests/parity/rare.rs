//! What takes the scalar fallback, functions of the user's, trainable operands, frozen layers, sequences.

use crate::check::parity;

parity! { trainable_operands Operands OperandsUnfused {
    input image: [6, 4, 4]; target t: [6, 4, 4];
    param scale: [6, 1, 1] = Constant<0.5>;
    param shift: [1, 4, 4] = Zeros;
    param whole: [6, 4, 4] = Ones;
    Mul(_, scale); Add(_, shift); Mul(_, whole);
    loss: Mse(_, t);
} }

parity! { operands_of_few_channels FewOperands FewOperandsUnfused {
    input image: [3, 4, 5]; target t: [3, 4, 5];
    param scale: [3, 1, 1] = Constant<0.5>;
    param column: [1, 4, 1] = Ones;
    Mul(_, scale); Add(_, column); Tanh;
    loss: Mse(_, t);
} }

parity! { positions Positions PositionsUnfused {
    input x: [7, 10]; target t: [7, 3];
    a: Linear<12>; Relu; b: Linear<3>;
    loss: Mse(_, t);
} }

parity! { reshapes Reshapes ReshapesUnfused {
    input x: [24]; target label: class<4>;
    a: Linear<96>; Relu; Reshape<[6, 4, 4]>; c: Conv2d<8, 3, padding = 1>; Relu; Reshape<[128]>; b: Linear<4>;
    loss: CrossEntropy(_, label);
} }

parity! { frozen Frozen FrozenUnfused {
    input x: [1, 8, 8]; target label: class<3>;
    #[frozen] c: Conv2d<6, 3>;
    #[frozen] n: BatchNorm;
    Relu; d: Conv2d<5, 3>; Relu; Flatten; fc: Linear<3>;
    loss: CrossEntropy(_, label);
} }

parity! { adaptive Adaptive AdaptiveUnfused {
    input image: [3, 9, 7]; target label: class<4>;
    c: Conv2d<8, 3, padding = 1>; Relu; AdaptiveAvgPool2d<[3, 7]>; Flatten; fc: Linear<4>;
    loss: CrossEntropy(_, label);
} }
