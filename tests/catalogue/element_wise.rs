//! Element-wise layers on vectors and on feature maps.

use crate::check::parity;

parity! { smooth_rows SmoothRows SmoothRowsUnfused {
    input x: [9]; target t: [17];
    a: Linear<17>; Elu<0.7>; b: Linear<16>; Gelu; c: Linear<5>; Gelu<approximate = tanh>; d: Linear<17>; Silu;
    loss: Mse(_, t);
} }

parity! { smooth_images SmoothImages SmoothImagesUnfused {
    input x: [3, 5, 4]; target t: [17, 3, 2];
    a: Conv2d<17, 3>; Softplus<beta = 2, threshold = 3>; b: Conv2d<5, 1>; Silu; c: Conv2d<17, 1>; Elu;
    loss: Mse(_, t);
} }

parity! { step_rows StepRows StepRowsUnfused {
    input x: [6]; target t: [3];
    Step; Linear<5>; Gelu; Linear<3>; Step as answer; from answer; Linear<3>;
    loss: Mse(_, t);
} }

parity! { mish Mish MishUnfused {
    input x: [3, 5, 4]; target t: [17, 3, 2];
    a: Conv2d<17, 3>; Mish;
    loss: Mse(_, t);
} }
