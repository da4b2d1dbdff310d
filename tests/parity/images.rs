//! Feature maps: convolutions and windows over both layouts, strides, paddings, dilations, groups; branches.

use crate::check::parity;

parity! { lenet_like LenetLike LenetLikeUnfused {
    input image: [1, 12, 12]; target label: class<3>;
    features: { Conv2d<6, 5, padding = 2>; Relu; MaxPool2d<2>; Conv2d<16, 3>; Relu; MaxPool2d<2>; }
    Flatten;
    fc: Linear<3>;
    loss: CrossEntropy(_, label);
} }

parity! { strides_and_dilation Strides StridesUnfused {
    input image: [3, 11, 9]; target label: class<4>;
    a: Conv2d<18, 3, stride = 2, padding = 1>; Tanh;
    b: Conv2d<7, [3, 2], padding = [2, 1], dilation = [2, 1]>; Relu;
    c: Conv2d<5, 2, stride = [1, 2], bias = false>;
    GlobalAvgPool; fc: Linear<4>;
    loss: CrossEntropy(_, label);
} }

parity! { blocked_convolutions Blocked BlockedUnfused {
    input image: [17, 5, 6]; target label: class<4>;
    a: Conv2d<33, 3, padding = 1>; n: BatchNorm; Relu;
    b: Conv2d<16, 1, stride = 2>; m: BatchNorm; Relu;
    Flatten; Dropout<0.25>; fc: Linear<4>;
    loss: CrossEntropy(_, label);
} }

parity! { few_channels FewChannels FewChannelsUnfused {
    input image: [2, 6, 7]; target label: class<2>;
    a: Conv2d<3, 3, padding = 1>; n: BatchNorm; Relu; MaxPool2d<2>;
    b: Conv2d<8, 2>; Sigmoid; c: Conv2d<2, 1>;
    Flatten; fc: Linear<2>;
    loss: CrossEntropy(_, label);
} }

parity! { groups Groups GroupsUnfused {
    input image: [6, 5, 5]; target label: class<3>;
    a: Conv2d<12, 3, groups = 3, padding = 1>; Relu;
    b: Conv2d<12, 3, groups = 12>; GlobalAvgPool; fc: Linear<3>;
    loss: CrossEntropy(_, label);
} }

parity! { pools Pools PoolsUnfused {
    input image: [6, 9, 10]; target label: class<3>;
    a: Conv2d<5, 3, padding = 1>;
    MaxPool2d<3, stride = 2, padding = 1, ceil_mode = true>;
    b: Conv2d<16, 1>; Relu;
    AvgPool2d<3, stride = 2, padding = 1, count_include_pad = false>;
    MaxPool2d<2, stride = 1>;
    Flatten; fc: Linear<3>;
    loss: CrossEntropy(_, label);
} }

parity! { overlapping_average Averages AveragesUnfused {
    input image: [5, 8, 7]; target t: [5, 3, 3];
    c: Conv2d<5, 1>;
    AvgPool2d<[3, 2], stride = [2, 2], ceil_mode = false>;
    loss: Mse(_, t);
} }

parity! { residual_and_branches Branches BranchesUnfused {
    input image: [8, 6, 6]; target label: class<3>;
    Residual { c1: Conv2d<8, 3, padding = 1, bias = false>; n1: BatchNorm; Relu; c2: Conv2d<8, 3, padding = 1>; }
    Relu;
    Residual { d1: Conv2d<20, 3, stride = 2, padding = 1>; } shortcut down { Conv2d<20, 1, stride = 2>; BatchNorm; }
    Relu;
    Concat { one: Conv2d<4, 1>; two: { Conv2d<6, 3, padding = 1>; Relu; } three: { MaxPool2d<3, stride = 1, padding = 1>; Conv2d<16, 1>; } }
    GlobalAvgPool; fc: Linear<3>;
    loss: CrossEntropy(_, label);
} }

// What is computed in the lanes of no sample must not reach the gradients: maps that turn 0 into something else.
parity! { few_channels_and_constants FewConstants FewConstantsUnfused {
    input image: [1, 7, 6]; target t: [4, 4, 3];
    a: Conv2d<5, 3, padding = 1, bias = false>; n: BatchNorm;
    b: Conv2d<6, 3, padding = 1>; Sigmoid;
    c: Conv2d<4, [4, 4], bias = false>; m: BatchNorm; Tanh;
    loss: Mse(_, t);
} }

// Normalisations before a max-pool, computed in its windows; a row and a column belong to no window.
parity! { normalised_pools NormalisedPools NormalisedPoolsUnfused {
    input image: [7, 11, 10]; target label: class<4>;
    a: Conv2d<19, 3>; n: BatchNorm; Relu; MaxPool2d<2>;
    b: Conv2d<33, 1>; m: BatchNorm; LeakyRelu<0.1>; MaxPool2d<[2, 3]>;
    Flatten; Dropout<0.25>; fc: Linear<4>;
    loss: CrossEntropy(_, label);
} }

// What is joined or sliced by whole blocks lies where the whole lies: nested, with a last operand that fills no block, read twice,
// and by a normalisation. An operand that is joined twice is copied once.
parity! { joined_blocks JoinedBlocks JoinedBlocksUnfused {
    input image: [3, 7, 5]; target label: class<3>;
    stem: Conv2d<32, 3, padding = 1>; Relu as low;
    Concat {
        one: Conv2d<16, 1>;
        two: { Conv2d<32, 3, padding = 1>; BatchNorm; Relu; }
        pair: { Concat { left: { Conv2d<16, 1>; Relu; } right: { Conv2d<48, 1>; MaxPool2d<3, stride = 1, padding = 1>; } } }
        last: { MaxPool2d<3, stride = 1, padding = 1>; Conv2d<7, 1>; Tanh; }
    }
    n: BatchNorm; Relu;
    Slice<axis = 0, start = 16, end = 48>; middle: Conv2d<16, 1>;
    Concat(_, low) as again; Concat(low, again); again_conv: Conv2d<20, 3, stride = 2>; Relu;
    GlobalAvgPool as pooled;
    Concat(pooled, pooled);
    fc: Linear<3>;
    loss: CrossEntropy(_, label);
} }

// Feature vectors, joined and taken apart.
parity! { joined_vectors JoinedVectors JoinedVectorsUnfused {
    input x: [9]; target t: [20];
    a: Linear<32>; Relu as a_out;
    b: Linear<20>(x); Sigmoid as b_out;
    Concat(a_out, b_out) as joined;
    c: Linear<48>; Relu as c_out;
    Slice<axis = 0, start = 32, end = 48>; d: Linear<20> as d_out;
    e: Linear<20>(joined);
    Add(_, d_out);
    loss: Mse(_, t);
} }
