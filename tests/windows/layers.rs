//! Windows over sequences, transposed convolutions, images in another size, sums over neighbouring channels: extents
//! around the edges of blocks, strides that leave holes, windows that overlap, ties.

use crate::check::parity;

parity! { sequences Sequential SequentialUnfused {
    input signal: [3, 19]; target label: class<3>;
    a: Conv1d<17, 3, stride = 2, padding = 1>; n: BatchNorm; Relu; MaxPool1d<3, stride = 2, padding = 1>;
    b: Conv1d<6, 2, dilation = 2, bias = false>; Tanh; AvgPool1d<2, stride = 1, padding = 1, count_include_pad = false>;
    c: Conv1d<6, 3, padding = 2, groups = 3>; Relu; GlobalMaxPool; fc: Linear<3>;
    loss: CrossEntropy(_, label);
} }

parity! { transposed_convolutions Transposed TransposedUnfused {
    input image: [3, 4, 5]; target t: [2, 13, 16];
    a: ConvTranspose2d<17, 3, stride = 2, padding = 1, output_padding = 1>; n: BatchNorm; Relu;
    b: ConvTranspose2d<6, [2, 3], dilation = [1, 2], padding = [0, 1]>; Sigmoid;
    c: ConvTranspose2d<4, 3, padding = 1, groups = 2, bias = false>; Tanh;
    d: ConvTranspose2d<2, [5, 5]>;
    loss: Mse(_, t);
} }

parity! { transposed_between_blocks TransposedBlocks TransposedBlocksUnfused {
    input code: [20]; target t: [1, 8, 8];
    Reshape<[20, 1, 1]>;
    a: ConvTranspose2d<33, 4>; Relu;
    b: ConvTranspose2d<16, 2, stride = 2>; Relu;
    c: ConvTranspose2d<1, 3, padding = 1>; Sigmoid;
    loss: Mse(_, t);
} }

parity! { images_in_another_size Resized ResizedUnfused {
    input image: [2, 5, 4]; target t: [3, 6, 7];
    a: Conv2d<6, 2>; Upsample2d<scale_factor = [2, 3]>; Relu;
    b: Conv2d<3, 3>; Upsample2d<size = [9, 5], mode = bilinear>; Tanh;
    c: Conv2d<18, 2>; Upsample2d<scale_factor = 0.75>; AdaptiveAvgPool2d<[5, 7]>;
    d: Conv2d<3, 1>; Upsample2d<size = [6, 7], mode = bilinear, align_corners = true>;
    loss: Mse(_, t);
} }

parity! { neighbouring_channels Neighbours NeighboursUnfused {
    input image: [3, 5, 6]; target label: class<3>;
    a: Conv2d<19, 2>; Relu; LocalResponseNorm<5, alpha = 0.5>; MaxPool2d<2>;
    b: Conv2d<4, 2>; LocalResponseNorm<2, alpha = 0.3, beta = 0.5, k = 2>;
    GlobalMaxPool; fc: Linear<3>;
    loss: CrossEntropy(_, label);
} }

// Everything is below 0: the padding of a maximum is below everything.
parity! { maxima_below_zero Below BelowUnfused {
    input image: [6, 7, 5]; target t: [6, 5, 2];
    param shift: [6, 7, 5] = Zeros; Add(_, shift);
    LogSoftmax;
    MaxPool2d<3, stride = 2, padding = 1, ceil_mode = true>;
    AvgPool2d<[2, 3], stride = 1, padding = 1, divisor_override = 4>;
    MaxPool2d<[2, 1], stride = 1, padding = [1, 0]>;
    LogSoftmax; AvgPool2d<2, stride = 1>;
    loss: Mse(_, t);
} }
