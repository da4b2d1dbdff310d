// Written by `KILN_BLESS=1 cargo test -p kiln-codegen --test random`.

parity! { random_3 Random3 Random3Unfused {
    input x: [20];
    target y: class<14>;
    LayerNorm;
    head: Linear<14>;
    loss: CrossEntropy<label_smoothing = 0.1>(_, y);
} }

fused! { random_4 Random4 {
    input x: [1, 7, 7];
    target y: class<6>;
    Conv2d<5, [4, 3], stride = [2, 1], padding = [0, 1], dilation = 1, groups = 1, bias = false>;
    Sigmoid;
    r1: Residual { Step; }
    Flatten;
    head: Linear<6>;
    loss: CrossEntropy<label_smoothing = 0.1>(_, y);
} }

fused! { random_5 Random5 {
    input x: [4, 7, 7];
    target y: class<13>;
    Tanh as v1;
    Silu;
    Add(_, v1);
    Flatten;
    head: Linear<13>;
    loss: CrossEntropy<label_smoothing = 0.1>(_, y);
} }

parity! { random_13 Random13 Random13Unfused {
    input x: [16, 6, 3];
    target y: [6];
    Elu<0.6>;
    Flatten;
    head: Linear<6>;
    Sigmoid;
    loss: Bce(_, y);
} }

fused! { random_15 Random15 {
    input x: [1, 6, 8];
    target y: [17];
    AdaptiveAvgPool2d<[5, 7]>;
    Flatten;
    Dropout<0.3>;
    head: Linear<17>;
    Sigmoid;
    loss: Mse(_, y);
} }

fused! { random_22 Random22 {
    input x: [3, 7, 13];
    target y: [3];
    Conv2d<2, [4, 2], stride = [1, 2], padding = [0, 1], dilation = 1, groups = 1, bias = true>;
    Conv2d<14, [4, 4], stride = [2, 1], padding = [2, 2], dilation = 2, groups = 1, bias = true>;
    Flatten;
    head: Linear<3>;
    loss: L1(_, y);
} }

parity! { random_23 Random23 Random23Unfused {
    input x: [4, 7, 13];
    target y: [11];
    Dropout<0.2>;
    GlobalAvgPool;
    head: Linear<11>;
    loss: BceWithLogits<pos_weight = 2>(_, y);
} }

fused! { random_28 Random28 {
    input x: [12];
    target y: [11];
    Standardize;
    Linear<35, bias = false>;
    head: Linear<11>;
    Sigmoid;
    loss: Bce(_, y);
} }

fused! { random_30 Random30 {
    input x: [16, 4, 7];
    target y: [15];
    MaxPool2d<[2, 1], stride = [3, 1], padding = [0, 0]>;
    Dropout2d<0.3>;
    Flatten;
    head: Linear<15>;
    loss: L1(_, y);
} }

parity! { random_31 Random31 Random31Unfused {
    input x: [8, 4, 9];
    target y: class<3>;
    BatchNorm<track_running_stats = false>;
    Flatten;
    Dropout<0.3>;
    head: Linear<3>;
    loss: CrossEntropy<label_smoothing = 0.1>(_, y);
} }

fused! { random_32 Random32 {
    input x: [12];
    target y: class<12>;
    Standardize<per = pixel>;
    Elu<0.6>;
    Linear<30, bias = true>;
    head: Linear<12>;
    loss: CrossEntropy<label_smoothing = 0.1>(_, y);
} }

fused! { random_33 Random33 {
    input x: [17];
    target y: class<12>;
    Standardize<per = pixel>;
    repeat 1 { Elu<0.6>; }
    repeat 2 { Relu; }
    head: Linear<12>;
    loss: CrossEntropy<label_smoothing = 0.1>(_, y);
} }

parity! { random_34 Random34 Random34Unfused {
    input x: [4, 6, 7];
    target y: class<19>;
    Standardize;
    MaxPool2d<[2, 1], stride = [3, 2], padding = [1, 0]>;
    Flatten;
    head: Linear<19>;
    loss: CrossEntropy<label_smoothing = 0.1>(_, y);
} }

fused! { random_40 Random40 {
    input x: [3, 5, 9];
    target y: class<19>;
    Standardize<per = pixel>;
    AvgPool2d<[3, 2], stride = [1, 2], padding = [1, 1]>;
    GlobalAvgPool;
    head: Linear<19>;
    loss: CrossEntropy<label_smoothing = 0.1>(_, y);
} }

fused! { random_42 Random42 {
    input x: [2, 3, 10];
    target y: class<14>;
    Conv2d<18, [4, 3], stride = [2, 3], padding = [2, 1], dilation = 1, groups = 1, bias = true>;
    Flatten;
    head: Linear<14>;
    loss: CrossEntropy<label_smoothing = 0.1>(_, y);
} }

parity! { random_43 Random43 Random43Unfused {
    input x: [35];
    target y: class<11>;
    Linear<34, bias = true>;
    Linear<14, bias = true>;
    LayerNorm;
    head: Linear<11>;
    loss: CrossEntropy<label_smoothing = 0.1>(_, y);
} }

fused! { random_44 Random44 {
    input x: [1];
    target y: class<11>;
    Step;
    repeat 2 { Dropout<0.2>; }
    head: Linear<11>;
    loss: CrossEntropy<label_smoothing = 0.1>(_, y);
} }

fused! { random_48 Random48 {
    input x: [17, 11, 3];
    target y: class<13>;
    Gelu<approximate = tanh>;
    GlobalAvgPool;
    head: Linear<13>;
    loss: CrossEntropy(head, y) + 0.25 * Mse(head, one_hot(y));
    output head;
} }

parity! { random_55 Random55 Random55Unfused {
    input x: [25];
    target y: class<11>;
    BatchNorm<momentum = none, eps = 0.01>;
    LayerNorm;
    Linear<15, bias = true>;
    head: Linear<11>;
    loss: CrossEntropy<label_smoothing = 0.1>(_, y);
} }

fused! { random_57 Random57 {
    input x: [6, 12, 13];
    target y: class<10>;
    Conv2d<1, [2, 3], stride = [1, 2], padding = [2, 1], dilation = 2, groups = 1, bias = true>;
    repeat 2 { LeakyRelu<0.2>; }
    Flatten;
    head: Linear<10>;
    loss: CrossEntropy(head, y) + 0.25 * Mse(head, one_hot(y));
    output head;
} }

fused! { random_58 Random58 {
    input x: [3, 12, 6];
    target y: class<16>;
    Tanh as v1;
    Silu;
    Mul(_, v1);
    Flatten;
    head: Linear<16>;
    loss: CrossEntropy<label_smoothing = 0.1>(_, y);
} }

parity! { random_59 Random59 Random59Unfused {
    input x: [6, 12, 7];
    target y: class<5>;
    Tanh;
    Flatten;
    head: Linear<5>;
    loss: CrossEntropy(head, y) + 0.25 * Mse(head, one_hot(y));
    output head;
} }

fused! { random_65 Random65 {
    input x: [1, 11, 6];
    target y: class<4>;
    AdaptiveAvgPool2d<[5, 6]>;
    Tanh;
    Flatten;
    head: Linear<4>;
    loss: CrossEntropy<label_smoothing = 0.1>(_, y);
} }

fused! { random_66 Random66 {
    input x: [9];
    target y: class<8>;
    Linear<10, bias = true>;
    Linear<2, bias = false>;
    repeat 2 { Tanh; }
    head: Linear<8>;
    LogSoftmax;
    loss: Nll(_, y);
} }
