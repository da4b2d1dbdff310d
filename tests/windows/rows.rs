//! Rows by number: embeddings and their gradients, samples of images, tables.

use crate::check::parity;

parity! { embedding Words WordsUnfused {
    input text: ids<[7], 40>; target label: class<3>;
    e: Embedding<17>; Tanh;
    Flatten; fc: Linear<3>;
    loss: CrossEntropy(_, label);
} }

// Ids that are there often, rows that are there never, a vector of one number, more ids than a block.
parity! { embedding_of_few Few FewUnfused {
    input text: ids<[19], 3>; target t: [19, 1];
    e: Embedding<1, padding_idx = 1>;
    loss: Mse(_, t);
} }

parity! { embedding_twice Twice TwiceUnfused {
    input text: ids<[4], 100>; target label: class<4>;
    a: Embedding<6>(text); b: Embedding<6, padding_idx = 0>(text); Mul(a, b);
    seq: Conv1d<8, 3>; Relu; GlobalMaxPool; fc: Linear<4>;
    loss: CrossEntropy(_, label);
} }

parity! { sample_of_one_channel Sampled SampledUnfused {
    input image: [1, 7, 6]; target label: class<3>;
    theta: { Flatten; Linear<6>; }(image);
    AffineSample(image, theta);
    c: Conv2d<4, 3>; Relu; Flatten; fc: Linear<3>;
    loss: CrossEntropy(_, label);
} }

parity! { sample_of_feature_maps SampledMaps SampledMapsUnfused {
    input image: [2, 6, 5]; target t: [6, 4, 7];
    c: Conv2d<6, 2> as maps; Flatten; Linear<6>; Reshape<[2, 3]> as theta;
    AffineSample<size = [4, 7]>(maps, theta); Tanh;
    loss: Mse(_, t);
} }

parity! { sample_of_blocks SampledBlocks SampledBlocksUnfused {
    input image: [3, 4, 5]; target t: [18, 3, 3];
    param theta: [2, 3] = Zeros;
    c: Conv2d<18, 2> as maps;
    AffineSample<size = 3>(maps, theta);
    loss: Mse(_, t);
} }

parity! { tables Tables TablesUnfused {
    input image: [3, 5, 7]; target t: [17, 6, 4];
    a: Conv2d<17, 2>; AdaptiveAvgPool2d<[3, 4]>; Relu;
    Upsample2d<size = [7, 9], mode = bilinear>;
    b: Conv2d<3, 1>; AdaptiveAvgPool2d<[5, 4]>; Upsample2d<scale_factor = [1.3, 1]>; Sigmoid;
    c: Conv2d<17, 1>;
    loss: Mse(_, t);
} }
