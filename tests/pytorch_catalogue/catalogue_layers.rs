//! Made by `tests/fixtures/make.py`: one network and one test for each case of the fixture.

use super::check::case;

case! { layer of catalogue_layers, elu EluCase:
    input x: [2, 3, 4]; target t: [2, 3, 4];
    param shift: [2, 3, 4] = Zeros; Add(x, shift);
    layer: Elu;
    loss: HalfSquare(_, t);
}

case! { layer of catalogue_layers, elu_far EluFarCase:
    input x: [6]; target t: [6];
    param shift: [6] = Zeros; Add(x, shift);
    layer: Elu;
    loss: HalfSquare(_, t);
}

case! { layer of catalogue_layers, elu_low EluLowCase:
    input x: [2, 3, 4]; target t: [2, 3, 4];
    param shift: [2, 3, 4] = Zeros; Add(x, shift);
    layer: Elu<0.4>;
    loss: HalfSquare(_, t);
}

case! { layer of catalogue_layers, elu_low_far EluLowFarCase:
    input x: [6]; target t: [6];
    param shift: [6] = Zeros; Add(x, shift);
    layer: Elu<0.4>;
    loss: HalfSquare(_, t);
}

case! { layer of catalogue_layers, gelu GeluCase:
    input x: [2, 3, 4]; target t: [2, 3, 4];
    param shift: [2, 3, 4] = Zeros; Add(x, shift);
    layer: Gelu;
    loss: HalfSquare(_, t);
}

case! { layer of catalogue_layers, gelu_far GeluFarCase:
    input x: [6]; target t: [6];
    param shift: [6] = Zeros; Add(x, shift);
    layer: Gelu;
    loss: HalfSquare(_, t);
}

case! { layer of catalogue_layers, gelu_tanh GeluTanhCase:
    input x: [2, 3, 4]; target t: [2, 3, 4];
    param shift: [2, 3, 4] = Zeros; Add(x, shift);
    layer: Gelu<approximate = tanh>;
    loss: HalfSquare(_, t);
}

case! { layer of catalogue_layers, gelu_tanh_far GeluTanhFarCase:
    input x: [6]; target t: [6];
    param shift: [6] = Zeros; Add(x, shift);
    layer: Gelu<approximate = tanh>;
    loss: HalfSquare(_, t);
}

case! { layer of catalogue_layers, silu SiluCase:
    input x: [2, 3, 4]; target t: [2, 3, 4];
    param shift: [2, 3, 4] = Zeros; Add(x, shift);
    layer: Silu;
    loss: HalfSquare(_, t);
}

case! { layer of catalogue_layers, silu_far SiluFarCase:
    input x: [6]; target t: [6];
    param shift: [6] = Zeros; Add(x, shift);
    layer: Silu;
    loss: HalfSquare(_, t);
}

case! { layer of catalogue_layers, mish MishCase:
    input x: [2, 3, 4]; target t: [2, 3, 4];
    param shift: [2, 3, 4] = Zeros; Add(x, shift);
    layer: Mish;
    loss: HalfSquare(_, t);
}

case! { layer of catalogue_layers, mish_far MishFarCase:
    input x: [6]; target t: [6];
    param shift: [6] = Zeros; Add(x, shift);
    layer: Mish;
    loss: HalfSquare(_, t);
}

case! { layer of catalogue_layers, softplus SoftplusCase:
    input x: [2, 3, 4]; target t: [2, 3, 4];
    param shift: [2, 3, 4] = Zeros; Add(x, shift);
    layer: Softplus;
    loss: HalfSquare(_, t);
}

case! { layer of catalogue_layers, softplus_far SoftplusFarCase:
    input x: [6]; target t: [6];
    param shift: [6] = Zeros; Add(x, shift);
    layer: Softplus;
    loss: HalfSquare(_, t);
}

case! { layer of catalogue_layers, softplus_sharp SoftplusSharpCase:
    input x: [2, 3, 4]; target t: [2, 3, 4];
    param shift: [2, 3, 4] = Zeros; Add(x, shift);
    layer: Softplus<beta = 3, threshold = 2>;
    loss: HalfSquare(_, t);
}

case! { layer of catalogue_layers, softplus_sharp_far SoftplusSharpFarCase:
    input x: [6]; target t: [6];
    param shift: [6] = Zeros; Add(x, shift);
    layer: Softplus<beta = 3, threshold = 2>;
    loss: HalfSquare(_, t);
}

case! { layer of catalogue_layers, softmax_sequence SoftmaxSequenceCase:
    input x: [5, 4]; target t: [5, 4];
    param shift: [5, 4] = Zeros; Add(x, shift);
    layer: Softmax;
    loss: HalfSquare(_, t);
}

case! { layer of catalogue_layers, log_softmax_sequence LogSoftmaxSequenceCase:
    input x: [5, 4]; target t: [5, 4];
    param shift: [5, 4] = Zeros; Add(x, shift);
    layer: LogSoftmax;
    loss: HalfSquare(_, t);
}

case! { layer of catalogue_layers, linear_positions LinearPositionsCase:
    input x: [4, 5]; target t: [4, 7];
    param shift: [4, 5] = Zeros; Add(x, shift);
    layer: Linear<7>;
    loss: HalfSquare(_, t);
}

case! { layer of catalogue_layers, batch_norm_sequence BatchNormSequenceCase:
    input x: [5, 6]; target t: [5, 6];
    param shift: [5, 6] = Zeros; Add(x, shift);
    layer: BatchNorm;
    loss: HalfSquare(_, t);
}

case! { layer of catalogue_layers, batch_norm_options BatchNormOptionsCase:
    input x: [17, 3, 2]; target t: [17, 3, 2];
    param shift: [17, 3, 2] = Zeros; Add(x, shift);
    layer: BatchNorm<eps = 0.01, momentum = 0.3>;
    loss: HalfSquare(_, t);
}

case! { layer of catalogue_layers, batch_norm_plain BatchNormPlainCase:
    input x: [7]; target t: [7];
    param shift: [7] = Zeros; Add(x, shift);
    layer: BatchNorm<affine = false>;
    loss: HalfSquare(_, t);
}

case! { layer of catalogue_layers, batch_norm_plain_evaluation BatchNormPlainEvaluationCase:
    input x: [5, 6]; target t: [5, 6];
    param shift: [5, 6] = Zeros; Add(x, shift);
    #[frozen] layer: BatchNorm<affine = false>;
    loss: HalfSquare(_, t);
}

case! { layer of catalogue_layers, batch_norm_cumulative BatchNormCumulativeCase:
    input x: [3, 4, 5]; target t: [3, 4, 5];
    param shift: [3, 4, 5] = Zeros; Add(x, shift);
    layer: BatchNorm<momentum = none>;
    loss: HalfSquare(_, t);
}

case! { layer of catalogue_layers, batch_norm_untracked BatchNormUntrackedCase:
    input x: [6, 4, 5]; target t: [6, 4, 5];
    param shift: [6, 4, 5] = Zeros; Add(x, shift);
    layer: BatchNorm<track_running_stats = false>;
    loss: HalfSquare(_, t);
}

case! { layer of catalogue_layers, batch_norm_untracked_evaluation BatchNormUntrackedEvaluationCase:
    input x: [19]; target t: [19];
    param shift: [19] = Zeros; Add(x, shift);
    #[frozen] layer: BatchNorm<track_running_stats = false>;
    loss: HalfSquare(_, t);
}

case! { layer of catalogue_layers, layer_norm LayerNormCase:
    input x: [19]; target t: [19];
    param shift: [19] = Zeros; Add(x, shift);
    layer: LayerNorm;
    loss: HalfSquare(_, t);
}

case! { layer of catalogue_layers, layer_norm_image LayerNormImageCase:
    input x: [5, 3, 4]; target t: [5, 3, 4];
    param shift: [5, 3, 4] = Zeros; Add(x, shift);
    layer: LayerNorm<eps = 0.01>;
    loss: HalfSquare(_, t);
}

case! { layer of catalogue_layers, layer_norm_blocks LayerNormBlocksCase:
    input x: [18, 3, 2]; target t: [18, 3, 2];
    param shift: [18, 3, 2] = Zeros; Add(x, shift);
    layer: LayerNorm;
    loss: HalfSquare(_, t);
}

case! { layer of catalogue_layers, layer_norm_positions LayerNormPositionsCase:
    input x: [4, 6]; target t: [4, 6];
    param shift: [4, 6] = Zeros; Add(x, shift);
    layer: LayerNorm<6>;
    loss: HalfSquare(_, t);
}

case! { layer of catalogue_layers, layer_norm_last LayerNormLastCase:
    input x: [5, 3, 4]; target t: [5, 3, 4];
    param shift: [5, 3, 4] = Zeros; Add(x, shift);
    layer: LayerNorm<[3, 4], bias = false>;
    loss: HalfSquare(_, t);
}

case! { layer of catalogue_layers, layer_norm_plain LayerNormPlainCase:
    input x: [7]; target t: [7];
    param shift: [7] = Zeros; Add(x, shift);
    layer: LayerNorm<elementwise_affine = false>;
    loss: HalfSquare(_, t);
}

case! { layer of catalogue_layers, group_norm GroupNormCase:
    input x: [6, 4, 5]; target t: [6, 4, 5];
    param shift: [6, 4, 5] = Zeros; Add(x, shift);
    layer: GroupNorm<3>;
    loss: HalfSquare(_, t);
}

case! { layer of catalogue_layers, group_norm_blocks GroupNormBlocksCase:
    input x: [34, 2, 3]; target t: [34, 2, 3];
    param shift: [34, 2, 3] = Zeros; Add(x, shift);
    layer: GroupNorm<2, eps = 0.01>;
    loss: HalfSquare(_, t);
}

case! { layer of catalogue_layers, group_norm_vector GroupNormVectorCase:
    input x: [20]; target t: [20];
    param shift: [20] = Zeros; Add(x, shift);
    layer: GroupNorm<4>;
    loss: HalfSquare(_, t);
}

case! { layer of catalogue_layers, group_norm_sequence GroupNormSequenceCase:
    input x: [17, 5]; target t: [17, 5];
    param shift: [17, 5] = Zeros; Add(x, shift);
    layer: GroupNorm<1, affine = false>;
    loss: HalfSquare(_, t);
}

case! { layer of catalogue_layers, dropout_evaluation DropoutEvaluationCase:
    input x: [3, 4, 5]; target t: [3, 4, 5];
    param shift: [3, 4, 5] = Zeros; Add(x, shift);
    #[frozen] layer: Dropout<0.4>;
    loss: HalfSquare(_, t);
}

case! { layer of catalogue_layers, dropout2d_evaluation Dropout2dEvaluationCase:
    input x: [3, 4, 5]; target t: [3, 4, 5];
    param shift: [3, 4, 5] = Zeros; Add(x, shift);
    #[frozen] layer: Dropout2d<0.4>;
    loss: HalfSquare(_, t);
}

case! { layer of catalogue_layers, gaussian_noise_evaluation GaussianNoiseEvaluationCase:
    input x: [3, 4, 5]; target t: [3, 4, 5];
    param shift: [3, 4, 5] = Zeros; Add(x, shift);
    #[frozen] layer: GaussianNoise<0.4>;
    loss: HalfSquare(_, t);
}

case! { layer of catalogue_layers, permute PermuteCase:
    input x: [3, 4, 5]; target t: [5, 3, 4];
    param shift: [3, 4, 5] = Zeros; Add(x, shift);
    layer: Permute<[2, 0, 1]>;
    loss: HalfSquare(_, t);
}

case! { layer of catalogue_layers, permute_sequence PermuteSequenceCase:
    input x: [17, 6]; target t: [6, 17];
    param shift: [17, 6] = Zeros; Add(x, shift);
    layer: Permute<[1, 0]>;
    loss: HalfSquare(_, t);
}

case! { layer of catalogue_layers, slice_channels SliceChannelsCase:
    input x: [20, 3, 2]; target t: [17, 3, 2];
    param shift: [20, 3, 2] = Zeros; Add(x, shift);
    layer: Slice<start = 2, end = 19>;
    loss: HalfSquare(_, t);
}

case! { layer of catalogue_layers, slice_rows SliceRowsCase:
    input x: [3, 4, 5]; target t: [3, 3, 5];
    param shift: [3, 4, 5] = Zeros; Add(x, shift);
    layer: Slice<axis = 1, start = 1>;
    loss: HalfSquare(_, t);
}

case! { layer of catalogue_layers, slice_vector SliceVectorCase:
    input x: [9]; target t: [4];
    param shift: [9] = Zeros; Add(x, shift);
    layer: Slice<end = 4>;
    loss: HalfSquare(_, t);
}

case! { layer of catalogue_layers, zero_pad1d ZeroPad1dCase:
    input x: [3, 5]; target t: [3, 8];
    param shift: [3, 5] = Zeros; Add(x, shift);
    layer: ZeroPad1d<[2, 1]>;
    loss: HalfSquare(_, t);
}

case! { layer of catalogue_layers, zero_pad2d ZeroPad2dCase:
    input x: [17, 3, 4]; target t: [17, 5, 6];
    param shift: [17, 3, 4] = Zeros; Add(x, shift);
    layer: ZeroPad2d<1>;
    loss: HalfSquare(_, t);
}

case! { layer of catalogue_layers, zero_pad2d_uneven ZeroPad2dUnevenCase:
    input x: [3, 3, 4]; target t: [3, 8, 5];
    param shift: [3, 3, 4] = Zeros; Add(x, shift);
    layer: ZeroPad2d<[1, 0, 2, 3]>;
    loss: HalfSquare(_, t);
}

case! { layer of catalogue_layers, sum SumCase:
    input x: [3, 4, 5]; target t: [1];
    param shift: [3, 4, 5] = Zeros; Add(x, shift);
    layer: Sum;
    loss: HalfSquare(_, t);
}

case! { layer of catalogue_layers, sum_vector SumVectorCase:
    input x: [19]; target t: [1];
    param shift: [19] = Zeros; Add(x, shift);
    layer: Sum;
    loss: HalfSquare(_, t);
}

case! { layer of catalogue_layers, sum_axes SumAxesCase:
    input x: [6, 4, 5]; target t: [4];
    param shift: [6, 4, 5] = Zeros; Add(x, shift);
    layer: Sum<axis = [0, 2]>;
    loss: HalfSquare(_, t);
}

case! { layer of catalogue_layers, average AverageCase:
    input x: [17, 3, 2]; target t: [1];
    param shift: [17, 3, 2] = Zeros; Add(x, shift);
    layer: Average;
    loss: HalfSquare(_, t);
}

case! { layer of catalogue_layers, average_axis AverageAxisCase:
    input x: [17, 6]; target t: [17];
    param shift: [17, 6] = Zeros; Add(x, shift);
    layer: Average<axis = 1>;
    loss: HalfSquare(_, t);
}

case! { layer of catalogue_layers, average_kept AverageKeptCase:
    input x: [6, 4, 5]; target t: [1, 4, 5];
    param shift: [6, 4, 5] = Zeros; Add(x, shift);
    layer: Average<axis = 0, keepdim = true>;
    loss: HalfSquare(_, t);
}

case! { layer of catalogue_layers, max MaxCase:
    input x: [4, 3, 5]; target t: [1];
    param shift: [4, 3, 5] = Zeros; Add(x, shift);
    layer: Max;
    loss: HalfSquare(_, t);
}

case! { layer of catalogue_layers, max_axis MaxAxisCase:
    input x: [4, 3, 5]; target t: [4, 3];
    param shift: [4, 3, 5] = Zeros; Add(x, shift);
    layer: Max<axis = 2>;
    loss: HalfSquare(_, t);
}

case! { layer of catalogue_layers, max_channels MaxChannelsCase:
    input x: [17, 4]; target t: [4];
    param shift: [17, 4] = Zeros; Add(x, shift);
    layer: Max<axis = 0>;
    loss: HalfSquare(_, t);
}
