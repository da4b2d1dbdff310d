//! Normalising layers over every shape, with and without parameters and running statistics; random layers.

use crate::check::parity;

parity! { layer_norms LayerNorms LayerNormsUnfused {
    input x: [21]; target label: class<5>;
    a: Linear<33>; n: LayerNorm; Gelu; b: Linear<16>; m: LayerNorm<16, bias = false>; Relu; c: Linear<5>;
    k: LayerNorm<elementwise_affine = false>;
    loss: CrossEntropy(_, label);
} }

parity! { layer_norms_of_images LayerNormImages LayerNormImagesUnfused {
    input x: [3, 6, 5]; target label: class<3>;
    a: Conv2d<17, 3>; n: LayerNorm; Relu; b: Conv2d<5, 1, bias = false>; m: LayerNorm<[4, 3]>; Silu; GlobalAvgPool; fc: Linear<3>;
    loss: CrossEntropy(_, label);
} }

parity! { layer_norms_of_positions LayerNormPositions LayerNormPositionsUnfused {
    input x: [4, 6]; target t: [4, 7];
    n: LayerNorm<6>; a: Linear<7>; m: LayerNorm<7, eps = 0.01>;
    loss: Mse(_, t);
} }

parity! { group_norms GroupNorms GroupNormsUnfused {
    input x: [3, 6, 5]; target label: class<3>;
    a: Conv2d<34, 3>; n: GroupNorm<2>; Relu; b: Conv2d<6, 1>; m: GroupNorm<3, affine = false>; Relu; Flatten;
    c: Linear<20>; k: GroupNorm<5>; fc: Linear<3>;
    loss: CrossEntropy(_, label);
} }

parity! { batch_norm_options BatchNormOptions BatchNormOptionsUnfused {
    input x: [6, 5, 4]; target label: class<3>;
    a: Conv2d<17, 3>; n: BatchNorm<affine = false>; Relu; b: Conv2d<5, 1>; m: BatchNorm<momentum = none>; Relu; Flatten;
    c: Linear<9>; k: BatchNorm<eps = 0.01, momentum = 0.3>; fc: Linear<3>;
    loss: CrossEntropy(_, label);
} }

// Whatever the mode, the batch's own statistics.
parity! { batch_norm_untracked BatchNormUntracked BatchNormUntrackedUnfused {
    input x: [4, 5, 4]; target t: [7];
    n: BatchNorm<track_running_stats = false>; a: Conv2d<18, 2>; m: BatchNorm<track_running_stats = false>; Relu;
    GlobalAvgPool; b: Linear<7>;
    loss: Mse(_, t);
} }

parity! { sequences_normalised SequencesNormalised SequencesNormalisedUnfused {
    input x: [17, 5]; target t: [17, 3];
    s: Standardize; n: BatchNorm; a: Linear<3>; Softmax; m: GroupNorm<1>; LogSoftmax;
    loss: Mse(_, t);
} }

parity! { standardized_images StandardizedImages StandardizedImagesUnfused {
    input x: [3, 4, 5]; target t: [4];
    s: Standardize<per = pixel>; a: Conv2d<4, 3>; GlobalAvgPool;
    loss: Mse(_, t);
} }

parity! { random_channels RandomChannels RandomChannelsUnfused {
    input x: [3, 5, 4]; target label: class<3>;
    a: Conv2d<17, 2>; Dropout2d<0.3>; Relu; b: Conv2d<5, 1>; Dropout2d<0.5>; GaussianNoise<0.2>; Flatten;
    c: Linear<18>; GaussianNoise<0.1>; Tanh; fc: Linear<3>;
    loss: CrossEntropy(_, label);
} }
