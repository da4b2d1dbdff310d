//! Losses on odd shapes, with one sample and many.

use crate::check::parity;

parity! { cross_entropy_many_classes ManyClasses ManyClassesUnfused {
    input x: [5]; target label: class<100>;
    Linear<100>;
    loss: CrossEntropy(_, label);
} }

parity! { half_square_image HalfSquareImage HalfSquareImageUnfused {
    input x: [2, 3, 5]; target t: [2, 3, 5];
    c: Conv2d<2, 1>;
    loss: HalfSquare(_, t);
} }

parity! { mse_image MseImage MseImageUnfused {
    input x: [6, 3, 5]; target t: [7, 3, 5];
    c: Conv2d<7, 1>; Tanh;
    loss: Mse(_, t);
} }
