//! Made by `tests/fixtures/make.py`: one network and one test for each case of the fixture.

use super::check::case;

case! { layer of layers, linear LinearCase:
    input x: [5]; target t: [7];
    param shift: [5] = Zeros; Add(x, shift);
    layer: Linear<7>;
    loss: HalfSquare(_, t);
}

case! { layer of layers, linear_no_bias LinearNoBiasCase:
    input x: [17]; target t: [33];
    param shift: [17] = Zeros; Add(x, shift);
    layer: Linear<33, bias = false>;
    loss: HalfSquare(_, t);
}

case! { layer of layers, conv ConvCase:
    input x: [2, 6, 7]; target t: [3, 4, 5];
    param shift: [2, 6, 7] = Zeros; Add(x, shift);
    layer: Conv2d<3, 3>;
    loss: HalfSquare(_, t);
}

case! { layer of layers, conv_1x1 Conv1x1Case:
    input x: [5, 4, 4]; target t: [7, 4, 4];
    param shift: [5, 4, 4] = Zeros; Add(x, shift);
    layer: Conv2d<7, 1>;
    loss: HalfSquare(_, t);
}

case! { layer of layers, conv_stride_padding ConvStridePaddingCase:
    input x: [3, 8, 7]; target t: [4, 4, 4];
    param shift: [3, 8, 7] = Zeros; Add(x, shift);
    layer: Conv2d<4, 3, stride = 2, padding = 1>;
    loss: HalfSquare(_, t);
}

case! { layer of layers, conv_uneven ConvUnevenCase:
    input x: [3, 9, 8]; target t: [4, 5, 8];
    param shift: [3, 9, 8] = Zeros; Add(x, shift);
    layer: Conv2d<4, [3, 5], stride = [2, 1], padding = [1, 2]>;
    loss: HalfSquare(_, t);
}

case! { layer of layers, conv_dilation ConvDilationCase:
    input x: [2, 9, 9]; target t: [3, 9, 9];
    param shift: [2, 9, 9] = Zeros; Add(x, shift);
    layer: Conv2d<3, 3, dilation = 2, padding = 2>;
    loss: HalfSquare(_, t);
}

case! { layer of layers, conv_dilation_stride ConvDilationStrideCase:
    input x: [2, 9, 11]; target t: [3, 4, 4];
    param shift: [2, 9, 11] = Zeros; Add(x, shift);
    layer: Conv2d<3, 3, stride = 2, dilation = [1, 2]>;
    loss: HalfSquare(_, t);
}

case! { layer of layers, conv_groups ConvGroupsCase:
    input x: [4, 5, 5]; target t: [6, 5, 5];
    param shift: [4, 5, 5] = Zeros; Add(x, shift);
    layer: Conv2d<6, 3, padding = 1, groups = 2>;
    loss: HalfSquare(_, t);
}

case! { layer of layers, conv_depthwise ConvDepthwiseCase:
    input x: [6, 5, 5]; target t: [6, 5, 5];
    param shift: [6, 5, 5] = Zeros; Add(x, shift);
    layer: Conv2d<_, 3, padding = 1, groups = _>;
    loss: HalfSquare(_, t);
}

case! { layer of layers, conv_no_bias ConvNoBiasCase:
    input x: [1, 6, 6]; target t: [5, 4, 4];
    param shift: [1, 6, 6] = Zeros; Add(x, shift);
    layer: Conv2d<5, 3, bias = false>;
    loss: HalfSquare(_, t);
}

case! { layer of layers, conv_blocks ConvBlocksCase:
    input x: [17, 5, 6]; target t: [33, 5, 6];
    param shift: [17, 5, 6] = Zeros; Add(x, shift);
    layer: Conv2d<33, 3, padding = 1>;
    loss: HalfSquare(_, t);
}

case! { layer of layers, conv_wide_padding ConvWidePaddingCase:
    input x: [2, 2, 2]; target t: [4, 4, 4];
    param shift: [2, 2, 2] = Zeros; Add(x, shift);
    layer: Conv2d<4, 3, padding = 2>;
    loss: HalfSquare(_, t);
}

case! { layer of layers, conv_whole ConvWholeCase:
    input x: [3, 4, 5]; target t: [10, 1, 1];
    param shift: [3, 4, 5] = Zeros; Add(x, shift);
    layer: Conv2d<10, [4, 5]>;
    loss: HalfSquare(_, t);
}

case! { layer of layers, max_pool MaxPoolCase:
    input x: [3, 6, 6]; target t: [3, 3, 3];
    param shift: [3, 6, 6] = Zeros; Add(x, shift);
    layer: MaxPool2d<2>;
    loss: HalfSquare(_, t);
}

case! { layer of layers, avg_pool AvgPoolCase:
    input x: [3, 6, 6]; target t: [3, 3, 3];
    param shift: [3, 6, 6] = Zeros; Add(x, shift);
    layer: AvgPool2d<2>;
    loss: HalfSquare(_, t);
}

case! { layer of layers, max_pool_cut MaxPoolCutCase:
    input x: [3, 7, 5]; target t: [3, 3, 2];
    param shift: [3, 7, 5] = Zeros; Add(x, shift);
    layer: MaxPool2d<2>;
    loss: HalfSquare(_, t);
}

case! { layer of layers, avg_pool_cut AvgPoolCutCase:
    input x: [3, 7, 5]; target t: [3, 3, 2];
    param shift: [3, 7, 5] = Zeros; Add(x, shift);
    layer: AvgPool2d<2>;
    loss: HalfSquare(_, t);
}

case! { layer of layers, max_pool_overlap MaxPoolOverlapCase:
    input x: [2, 9, 7]; target t: [2, 4, 3];
    param shift: [2, 9, 7] = Zeros; Add(x, shift);
    layer: MaxPool2d<3, stride = 2>;
    loss: HalfSquare(_, t);
}

case! { layer of layers, avg_pool_overlap AvgPoolOverlapCase:
    input x: [2, 9, 7]; target t: [2, 4, 3];
    param shift: [2, 9, 7] = Zeros; Add(x, shift);
    layer: AvgPool2d<3, stride = 2>;
    loss: HalfSquare(_, t);
}

case! { layer of layers, max_pool_padding MaxPoolPaddingCase:
    input x: [2, 7, 8]; target t: [2, 4, 4];
    param shift: [2, 7, 8] = Zeros; Add(x, shift);
    layer: MaxPool2d<3, stride = 2, padding = 1>;
    loss: HalfSquare(_, t);
}

case! { layer of layers, avg_pool_padding AvgPoolPaddingCase:
    input x: [2, 7, 8]; target t: [2, 4, 4];
    param shift: [2, 7, 8] = Zeros; Add(x, shift);
    layer: AvgPool2d<3, stride = 2, padding = 1>;
    loss: HalfSquare(_, t);
}

case! { layer of layers, max_pool_ceil MaxPoolCeilCase:
    input x: [2, 8, 6]; target t: [2, 4, 3];
    param shift: [2, 8, 6] = Zeros; Add(x, shift);
    layer: MaxPool2d<3, stride = 2, ceil_mode = true>;
    loss: HalfSquare(_, t);
}

case! { layer of layers, avg_pool_ceil AvgPoolCeilCase:
    input x: [2, 8, 6]; target t: [2, 4, 3];
    param shift: [2, 8, 6] = Zeros; Add(x, shift);
    layer: AvgPool2d<3, stride = 2, ceil_mode = true>;
    loss: HalfSquare(_, t);
}

case! { layer of layers, max_pool_ceil_padding MaxPoolCeilPaddingCase:
    input x: [2, 7, 6]; target t: [2, 3, 3];
    param shift: [2, 7, 6] = Zeros; Add(x, shift);
    layer: MaxPool2d<2, stride = 3, padding = 1, ceil_mode = true>;
    loss: HalfSquare(_, t);
}

case! { layer of layers, avg_pool_ceil_padding AvgPoolCeilPaddingCase:
    input x: [2, 7, 6]; target t: [2, 3, 3];
    param shift: [2, 7, 6] = Zeros; Add(x, shift);
    layer: AvgPool2d<2, stride = 3, padding = 1, ceil_mode = true>;
    loss: HalfSquare(_, t);
}

case! { layer of layers, max_pool_uneven MaxPoolUnevenCase:
    input x: [5, 6, 7]; target t: [5, 6, 3];
    param shift: [5, 6, 7] = Zeros; Add(x, shift);
    layer: MaxPool2d<[3, 2], stride = [1, 2], padding = [1, 0]>;
    loss: HalfSquare(_, t);
}

case! { layer of layers, avg_pool_uneven AvgPoolUnevenCase:
    input x: [5, 6, 7]; target t: [5, 6, 3];
    param shift: [5, 6, 7] = Zeros; Add(x, shift);
    layer: AvgPool2d<[3, 2], stride = [1, 2], padding = [1, 0]>;
    loss: HalfSquare(_, t);
}

case! { layer of layers, max_pool_blocks MaxPoolBlocksCase:
    input x: [17, 5, 4]; target t: [17, 5, 4];
    param shift: [17, 5, 4] = Zeros; Add(x, shift);
    layer: MaxPool2d<3, stride = 1, padding = 1>;
    loss: HalfSquare(_, t);
}

case! { layer of layers, avg_pool_blocks AvgPoolBlocksCase:
    input x: [17, 5, 4]; target t: [17, 5, 4];
    param shift: [17, 5, 4] = Zeros; Add(x, shift);
    layer: AvgPool2d<3, stride = 1, padding = 1>;
    loss: HalfSquare(_, t);
}

case! { layer of layers, max_pool_gaps MaxPoolGapsCase:
    input x: [3, 8, 8]; target t: [3, 3, 3];
    param shift: [3, 8, 8] = Zeros; Add(x, shift);
    layer: MaxPool2d<2, stride = 3>;
    loss: HalfSquare(_, t);
}

case! { layer of layers, avg_pool_gaps AvgPoolGapsCase:
    input x: [3, 8, 8]; target t: [3, 3, 3];
    param shift: [3, 8, 8] = Zeros; Add(x, shift);
    layer: AvgPool2d<2, stride = 3>;
    loss: HalfSquare(_, t);
}

case! { layer of layers, avg_pool_exclude_pad AvgPoolExcludePadCase:
    input x: [2, 6, 7]; target t: [2, 3, 4];
    param shift: [2, 6, 7] = Zeros; Add(x, shift);
    layer: AvgPool2d<3, stride = 2, padding = 1, count_include_pad = false>;
    loss: HalfSquare(_, t);
}

case! { layer of layers, avg_pool_exclude_pad_ceil AvgPoolExcludePadCeilCase:
    input x: [2, 6, 7]; target t: [2, 4, 4];
    param shift: [2, 6, 7] = Zeros; Add(x, shift);
    layer: AvgPool2d<3, stride = 2, padding = 1, ceil_mode = true, count_include_pad = false>;
    loss: HalfSquare(_, t);
}

case! { layer of layers, max_pool_ties MaxPoolTiesCase:
    input x: [3, 7, 7]; target t: [3, 3, 3];
    param shift: [3, 7, 7] = Zeros; Add(x, shift);
    layer: MaxPool2d<3, stride = 2>;
    loss: HalfSquare(_, t);
}

case! { layer of layers, global_avg_pool GlobalAvgPoolCase:
    input x: [5, 3, 4]; target t: [5];
    param shift: [5, 3, 4] = Zeros; Add(x, shift);
    layer: GlobalAvgPool;
    loss: HalfSquare(_, t);
}

case! { layer of layers, flatten FlattenCase:
    input x: [2, 3, 4]; target t: [24];
    param shift: [2, 3, 4] = Zeros; Add(x, shift);
    layer: Flatten;
    loss: HalfSquare(_, t);
}

case! { layer of layers, reshape ReshapeCase:
    input x: [24]; target t: [4, 3, 2];
    param shift: [24] = Zeros; Add(x, shift);
    layer: Reshape<[4, 3, 2]>;
    loss: HalfSquare(_, t);
}

case! { layer of layers, batch_norm BatchNormCase:
    input x: [3, 4, 5]; target t: [3, 4, 5];
    param shift: [3, 4, 5] = Zeros; Add(x, shift);
    layer: BatchNorm;
    loss: HalfSquare(_, t);
}

case! { layer of layers, batch_norm_vector BatchNormVectorCase:
    input x: [7]; target t: [7];
    param shift: [7] = Zeros; Add(x, shift);
    layer: BatchNorm;
    loss: HalfSquare(_, t);
}

case! { layer of layers, batch_norm_blocks BatchNormBlocksCase:
    input x: [19, 2, 3]; target t: [19, 2, 3];
    param shift: [19, 2, 3] = Zeros; Add(x, shift);
    layer: BatchNorm;
    loss: HalfSquare(_, t);
}

case! { layer of layers, batch_norm_evaluation BatchNormEvaluationCase:
    input x: [3, 4, 5]; target t: [3, 4, 5];
    param shift: [3, 4, 5] = Zeros; Add(x, shift);
    #[frozen] layer: BatchNorm;
    loss: HalfSquare(_, t);
}

case! { layer of layers, relu ReluCase:
    input x: [2, 3, 4]; target t: [2, 3, 4];
    param shift: [2, 3, 4] = Zeros; Add(x, shift);
    layer: Relu;
    loss: HalfSquare(_, t);
}

case! { layer of layers, leaky_relu LeakyReluCase:
    input x: [2, 3, 4]; target t: [2, 3, 4];
    param shift: [2, 3, 4] = Zeros; Add(x, shift);
    layer: LeakyRelu<0.01>;
    loss: HalfSquare(_, t);
}

case! { layer of layers, leaky_relu_steep LeakyReluSteepCase:
    input x: [2, 3, 4]; target t: [2, 3, 4];
    param shift: [2, 3, 4] = Zeros; Add(x, shift);
    layer: LeakyRelu<0.3>;
    loss: HalfSquare(_, t);
}

case! { layer of layers, sigmoid SigmoidCase:
    input x: [2, 3, 4]; target t: [2, 3, 4];
    param shift: [2, 3, 4] = Zeros; Add(x, shift);
    layer: Sigmoid;
    loss: HalfSquare(_, t);
}

case! { layer of layers, tanh TanhCase:
    input x: [2, 3, 4]; target t: [2, 3, 4];
    param shift: [2, 3, 4] = Zeros; Add(x, shift);
    layer: Tanh;
    loss: HalfSquare(_, t);
}

case! { layer of layers, sigmoid_far SigmoidFarCase:
    input x: [6]; target t: [6];
    param shift: [6] = Zeros; Add(x, shift);
    layer: Sigmoid;
    loss: HalfSquare(_, t);
}

case! { layer of layers, tanh_far TanhFarCase:
    input x: [6]; target t: [6];
    param shift: [6] = Zeros; Add(x, shift);
    layer: Tanh;
    loss: HalfSquare(_, t);
}

case! { layer of layers, softmax SoftmaxCase:
    input x: [10]; target t: [10];
    param shift: [10] = Zeros; Add(x, shift);
    layer: Softmax;
    loss: HalfSquare(_, t);
}

case! { layer of layers, log_softmax LogSoftmaxCase:
    input x: [10]; target t: [10];
    param shift: [10] = Zeros; Add(x, shift);
    layer: LogSoftmax;
    loss: HalfSquare(_, t);
}

case! { layer of layers, softmax_image SoftmaxImageCase:
    input x: [4, 3, 2]; target t: [4, 3, 2];
    param shift: [4, 3, 2] = Zeros; Add(x, shift);
    layer: Softmax;
    loss: HalfSquare(_, t);
}

case! { layer of layers, log_softmax_image LogSoftmaxImageCase:
    input x: [4, 3, 2]; target t: [4, 3, 2];
    param shift: [4, 3, 2] = Zeros; Add(x, shift);
    layer: LogSoftmax;
    loss: HalfSquare(_, t);
}

case! { layer of layers, log_softmax_far LogSoftmaxFarCase:
    input x: [6]; target t: [6];
    param shift: [6] = Zeros; Add(x, shift);
    layer: LogSoftmax;
    loss: HalfSquare(_, t);
}
