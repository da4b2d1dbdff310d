//! Made by `tests/fixtures/make.py`: one network and one test for each case of the fixture.

use super::check::case;

case! { layer of window_layers, conv1d Conv1dCase:
    input x: [3, 9]; target t: [4, 7];
    param shift: [3, 9] = Zeros; Add(x, shift);
    layer: Conv1d<4, 3>;
    loss: HalfSquare(_, t);
}

case! { layer of window_layers, conv1d_options Conv1dOptionsCase:
    input x: [4, 11]; target t: [6, 6];
    param shift: [4, 11] = Zeros; Add(x, shift);
    layer: Conv1d<6, 3, stride = 2, padding = 2, dilation = 2, groups = 2>;
    loss: HalfSquare(_, t);
}

case! { layer of window_layers, conv1d_blocks Conv1dBlocksCase:
    input x: [17, 19]; target t: [33, 19];
    param shift: [17, 19] = Zeros; Add(x, shift);
    layer: Conv1d<33, 5, padding = 2, bias = false>;
    loss: HalfSquare(_, t);
}

case! { layer of window_layers, conv1d_whole Conv1dWholeCase:
    input x: [5, 6]; target t: [7, 1];
    param shift: [5, 6] = Zeros; Add(x, shift);
    layer: Conv1d<7, 6>;
    loss: HalfSquare(_, t);
}

case! { layer of window_layers, max_pool1d MaxPool1dCase:
    input x: [3, 9]; target t: [3, 4];
    param shift: [3, 9] = Zeros; Add(x, shift);
    layer: MaxPool1d<2>;
    loss: HalfSquare(_, t);
}

case! { layer of window_layers, avg_pool1d AvgPool1dCase:
    input x: [3, 9]; target t: [3, 4];
    param shift: [3, 9] = Zeros; Add(x, shift);
    layer: AvgPool1d<2>;
    loss: HalfSquare(_, t);
}

case! { layer of window_layers, max_pool1d_overlap MaxPool1dOverlapCase:
    input x: [7, 10]; target t: [7, 5];
    param shift: [7, 10] = Zeros; Add(x, shift);
    layer: MaxPool1d<3, stride = 2, padding = 1>;
    loss: HalfSquare(_, t);
}

case! { layer of window_layers, avg_pool1d_overlap AvgPool1dOverlapCase:
    input x: [7, 10]; target t: [7, 5];
    param shift: [7, 10] = Zeros; Add(x, shift);
    layer: AvgPool1d<3, stride = 2, padding = 1>;
    loss: HalfSquare(_, t);
}

case! { layer of window_layers, max_pool1d_ceil MaxPool1dCeilCase:
    input x: [17, 8]; target t: [17, 5];
    param shift: [17, 8] = Zeros; Add(x, shift);
    layer: MaxPool1d<3, stride = 2, padding = 1, ceil_mode = true>;
    loss: HalfSquare(_, t);
}

case! { layer of window_layers, avg_pool1d_ceil AvgPool1dCeilCase:
    input x: [17, 8]; target t: [17, 5];
    param shift: [17, 8] = Zeros; Add(x, shift);
    layer: AvgPool1d<3, stride = 2, padding = 1, ceil_mode = true>;
    loss: HalfSquare(_, t);
}

case! { layer of window_layers, max_pool1d_dilation MaxPool1dDilationCase:
    input x: [4, 9]; target t: [4, 6];
    param shift: [4, 9] = Zeros; Add(x, shift);
    layer: MaxPool1d<2, stride = 1, dilation = 3>;
    loss: HalfSquare(_, t);
}

case! { layer of window_layers, avg_pool1d_exclude_pad AvgPool1dExcludePadCase:
    input x: [6, 10]; target t: [6, 4];
    param shift: [6, 10] = Zeros; Add(x, shift);
    layer: AvgPool1d<4, stride = 3, padding = 2, ceil_mode = true, count_include_pad = false>;
    loss: HalfSquare(_, t);
}

case! { layer of window_layers, avg_pool_divisor AvgPoolDivisorCase:
    input x: [7, 6, 7]; target t: [7, 3, 4];
    param shift: [7, 6, 7] = Zeros; Add(x, shift);
    layer: AvgPool2d<3, stride = 2, padding = 1, divisor_override = 5>;
    loss: HalfSquare(_, t);
}

case! { layer of window_layers, global_max_pool GlobalMaxPoolCase:
    input x: [6, 4, 5]; target t: [6];
    param shift: [6, 4, 5] = Zeros; Add(x, shift);
    layer: GlobalMaxPool;
    loss: HalfSquare(_, t);
}

case! { layer of window_layers, global_max_pool_few GlobalMaxPoolFewCase:
    input x: [3, 4, 5]; target t: [3];
    param shift: [3, 4, 5] = Zeros; Add(x, shift);
    layer: GlobalMaxPool;
    loss: HalfSquare(_, t);
}

case! { layer of window_layers, global_max_pool_sequence GlobalMaxPoolSequenceCase:
    input x: [17, 9]; target t: [17];
    param shift: [17, 9] = Zeros; Add(x, shift);
    layer: GlobalMaxPool;
    loss: HalfSquare(_, t);
}

case! { layer of window_layers, adaptive_avg_pool_uneven AdaptiveAvgPoolUnevenCase:
    input x: [17, 7, 8]; target t: [17, 3, 5];
    param shift: [17, 7, 8] = Zeros; Add(x, shift);
    layer: AdaptiveAvgPool2d<[3, 5]>;
    loss: HalfSquare(_, t);
}

case! { layer of window_layers, adaptive_avg_pool_larger AdaptiveAvgPoolLargerCase:
    input x: [2, 4, 4]; target t: [2, 6, 4];
    param shift: [2, 4, 4] = Zeros; Add(x, shift);
    layer: AdaptiveAvgPool2d<[6, 4]>;
    loss: HalfSquare(_, t);
}

case! { layer of window_layers, conv_transpose ConvTransposeCase:
    input x: [3, 5, 4]; target t: [4, 7, 6];
    param shift: [3, 5, 4] = Zeros; Add(x, shift);
    layer: ConvTranspose2d<4, 3>;
    loss: HalfSquare(_, t);
}

case! { layer of window_layers, conv_transpose_stride ConvTransposeStrideCase:
    input x: [3, 5, 4]; target t: [4, 10, 8];
    param shift: [3, 5, 4] = Zeros; Add(x, shift);
    layer: ConvTranspose2d<4, 3, stride = 2, padding = 1, output_padding = 1>;
    loss: HalfSquare(_, t);
}

case! { layer of window_layers, conv_transpose_uneven ConvTransposeUnevenCase:
    input x: [6, 5, 4]; target t: [5, 5, 11];
    param shift: [6, 5, 4] = Zeros; Add(x, shift);
    layer: ConvTranspose2d<5, [3, 2], stride = [1, 3], padding = [2, 0], dilation = [2, 1], bias = false>;
    loss: HalfSquare(_, t);
}

case! { layer of window_layers, conv_transpose_groups ConvTransposeGroupsCase:
    input x: [4, 3, 4]; target t: [6, 7, 9];
    param shift: [4, 3, 4] = Zeros; Add(x, shift);
    layer: ConvTranspose2d<6, 3, stride = 2, groups = 2>;
    loss: HalfSquare(_, t);
}

case! { layer of window_layers, conv_transpose_blocks ConvTransposeBlocksCase:
    input x: [33, 4, 5]; target t: [17, 4, 5];
    param shift: [33, 4, 5] = Zeros; Add(x, shift);
    layer: ConvTranspose2d<17, 3, padding = 1>;
    loss: HalfSquare(_, t);
}

case! { layer of window_layers, conv_transpose_upsampling ConvTransposeUpsamplingCase:
    input x: [18, 3, 4]; target t: [19, 6, 8];
    param shift: [18, 3, 4] = Zeros; Add(x, shift);
    layer: ConvTranspose2d<19, 2, stride = 2>;
    loss: HalfSquare(_, t);
}

case! { layer of window_layers, conv_transpose_from_vector ConvTransposeFromVectorCase:
    input x: [20, 1, 1]; target t: [9, 4, 4];
    param shift: [20, 1, 1] = Zeros; Add(x, shift);
    layer: ConvTranspose2d<9, 4>;
    loss: HalfSquare(_, t);
}

case! { layer of window_layers, upsample_nearest UpsampleNearestCase:
    input x: [3, 4, 5]; target t: [3, 8, 10];
    param shift: [3, 4, 5] = Zeros; Add(x, shift);
    layer: Upsample2d<scale_factor = 2>;
    loss: HalfSquare(_, t);
}

case! { layer of window_layers, upsample_nearest_blocks UpsampleNearestBlocksCase:
    input x: [17, 3, 4]; target t: [17, 9, 8];
    param shift: [17, 3, 4] = Zeros; Add(x, shift);
    layer: Upsample2d<scale_factor = [3, 2], mode = nearest>;
    loss: HalfSquare(_, t);
}

case! { layer of window_layers, upsample_nearest_size UpsampleNearestSizeCase:
    input x: [5, 4, 6]; target t: [5, 7, 4];
    param shift: [5, 4, 6] = Zeros; Add(x, shift);
    layer: Upsample2d<size = [7, 4]>;
    loss: HalfSquare(_, t);
}

case! { layer of window_layers, upsample_nearest_fraction UpsampleNearestFractionCase:
    input x: [3, 5, 6]; target t: [3, 8, 10];
    param shift: [3, 5, 6] = Zeros; Add(x, shift);
    layer: Upsample2d<scale_factor = 1.7>;
    loss: HalfSquare(_, t);
}

case! { layer of window_layers, upsample_bilinear UpsampleBilinearCase:
    input x: [3, 4, 5]; target t: [3, 8, 10];
    param shift: [3, 4, 5] = Zeros; Add(x, shift);
    layer: Upsample2d<scale_factor = 2, mode = bilinear>;
    loss: HalfSquare(_, t);
}

case! { layer of window_layers, upsample_bilinear_blocks UpsampleBilinearBlocksCase:
    input x: [18, 5, 7]; target t: [18, 9, 5];
    param shift: [18, 5, 7] = Zeros; Add(x, shift);
    layer: Upsample2d<size = [9, 5], mode = bilinear>;
    loss: HalfSquare(_, t);
}

case! { layer of window_layers, upsample_bilinear_fraction UpsampleBilinearFractionCase:
    input x: [2, 5, 4]; target t: [2, 6, 10];
    param shift: [2, 5, 4] = Zeros; Add(x, shift);
    layer: Upsample2d<scale_factor = [1.3, 2.6], mode = bilinear>;
    loss: HalfSquare(_, t);
}

case! { layer of window_layers, upsample_bilinear_aligned UpsampleBilinearAlignedCase:
    input x: [6, 5, 4]; target t: [6, 8, 11];
    param shift: [6, 5, 4] = Zeros; Add(x, shift);
    layer: Upsample2d<size = [8, 11], mode = bilinear, align_corners = true>;
    loss: HalfSquare(_, t);
}

case! { layer of window_layers, local_response_norm LocalResponseNormCase:
    input x: [7, 3, 4]; target t: [7, 3, 4];
    param shift: [7, 3, 4] = Zeros; Add(x, shift);
    layer: LocalResponseNorm<5>;
    loss: HalfSquare(_, t);
}

case! { layer of window_layers, local_response_norm_strong LocalResponseNormStrongCase:
    input x: [19, 3, 4]; target t: [19, 3, 4];
    param shift: [19, 3, 4] = Zeros; Add(x, shift);
    layer: LocalResponseNorm<5, alpha = 0.8, beta = 0.6, k = 2>;
    loss: HalfSquare(_, t);
}

case! { layer of window_layers, local_response_norm_even LocalResponseNormEvenCase:
    input x: [3, 3, 4]; target t: [3, 3, 4];
    param shift: [3, 3, 4] = Zeros; Add(x, shift);
    layer: LocalResponseNorm<4, alpha = 1.5>;
    loss: HalfSquare(_, t);
}

case! { layer of window_layers, local_response_norm_sequence LocalResponseNormSequenceCase:
    input x: [6, 5]; target t: [6, 5];
    param shift: [6, 5] = Zeros; Add(x, shift);
    layer: LocalResponseNorm<3, alpha = 0.9>;
    loss: HalfSquare(_, t);
}

case! { layer of window_layers, local_response_norm_wide LocalResponseNormWideCase:
    input x: [4, 2, 3]; target t: [4, 2, 3];
    param shift: [4, 2, 3] = Zeros; Add(x, shift);
    layer: LocalResponseNorm<9, alpha = 2>;
    loss: HalfSquare(_, t);
}

case! { layer of window_layers, embedding EmbeddingCase:
    input x: ids<[5], 8>; target t: [5, 5];
    layer: Embedding<5>;
    loss: HalfSquare(_, t);
}

case! { layer of window_layers, embedding_wide EmbeddingWideCase:
    input x: ids<[3], 21>; target t: [3, 19];
    layer: Embedding<19>;
    loss: HalfSquare(_, t);
}

case! { layer of window_layers, embedding_padding EmbeddingPaddingCase:
    input x: ids<[5], 8>; target t: [5, 17];
    layer: Embedding<17, padding_idx = 3>;
    loss: HalfSquare(_, t);
}

case! { layer of window_layers, affine_sample AffineSampleCase:
    input x: [1, 6, 5]; target t: [1, 6, 5];
    param shift: [1, 6, 5] = Zeros; Add(x, shift) as image; Flatten;
    layer: Linear<6>; AffineSample(image, _);
    loss: HalfSquare(_, t);
}

case! { layer of window_layers, affine_sample_colours AffineSampleColoursCase:
    input x: [3, 5, 6]; target t: [3, 5, 6];
    param shift: [3, 5, 6] = Zeros; Add(x, shift) as image; Flatten;
    layer: Linear<6>; AffineSample(image, _);
    loss: HalfSquare(_, t);
}

case! { layer of window_layers, affine_sample_size AffineSampleSizeCase:
    input x: [2, 4, 5]; target t: [2, 7, 3];
    param shift: [2, 4, 5] = Zeros; Add(x, shift) as image; Flatten;
    layer: Linear<6>; AffineSample<size = [7, 3]>(image, _);
    loss: HalfSquare(_, t);
}

case! { layer of window_layers, affine_sample_blocks AffineSampleBlocksCase:
    input x: [17, 3, 4]; target t: [17, 4, 4];
    param shift: [17, 3, 4] = Zeros; Add(x, shift) as image; Flatten;
    layer: Linear<6>; AffineSample<size = [4, 4]>(image, _);
    loss: HalfSquare(_, t);
}
