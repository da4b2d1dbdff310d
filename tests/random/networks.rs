// Written by `KILN_BLESS=1 cargo test -p kiln-codegen --test random`.

parity! { random_2 Random2 Random2Unfused {
    input x: [14];
    target y: class<14>;
    Linear<17, bias = true>;
    r1: Residual { Dropout<0.2>; }
    Linear<2, bias = false>;
    head: Linear<14>;
    LogSoftmax;
    loss: Nll(_, y);
} }

fused! { random_3 Random3 {
    input x: [20];
    target y: class<14>;
    Linear<3, bias = true>;
    head: Linear<14>;
    loss: CrossEntropy<label_smoothing = 0.1>(_, y);
} }

fused! { random_9 Random9 {
    input x: [38];
    target y: class<13>;
    BatchNorm;
    Linear<33, bias = true>;
    head: Linear<13>;
    loss: CrossEntropy<label_smoothing = 0.1>(_, y);
} }

parity! { random_12 Random12 Random12Unfused {
    input x: [8, 6, 10];
    target y: [18];
    repeat 1 { Dropout<0.2>; }
    Conv2d<7, [4, 3], stride = [2, 1], padding = [2, 2], dilation = 1, groups = 1, bias = true>;
    Flatten;
    head: Linear<18>;
    Sigmoid;
    loss: Mse(_, y);
} }

fused! { random_18 Random18 {
    input x: [4, 6, 5];
    target y: [17];
    Relu;
    BatchNorm;
    Flatten;
    head: Linear<17>;
    Sigmoid;
    loss: Mse(_, y);
} }

fused! { random_20 Random20 {
    input x: [22];
    target y: [13];
    r1: Residual { BatchNorm; }
    Linear<12, bias = true>;
    repeat 1 { Dropout<0.2>; }
    head: Linear<13>;
    loss: HalfSquare(_, y);
} }

parity! { random_21 Random21 Random21Unfused {
    input x: [28];
    target y: [13];
    Linear<2, bias = true>;
    LeakyRelu<0.2>;
    head: Linear<13>;
    loss: HalfSquare(_, y);
} }

fused! { random_24 Random24 {
    input x: [17, 5, 5];
    target y: [16];
    Relu;
    LeakyRelu<0.2>;
    BatchNorm;
    Flatten;
    head: Linear<16>;
    loss: HalfSquare(_, y);
} }

fused! { random_26 Random26 {
    input x: [33];
    target y: class<11>;
    Linear<23, bias = true>;
    Linear<19, bias = true>;
    Relu;
    head: Linear<11>;
    loss: CrossEntropy<label_smoothing = 0.1>(_, y);
} }

parity! { random_27 Random27 Random27Unfused {
    input x: [7];
    target y: class<11>;
    LeakyRelu<0.2>;
    LeakyRelu<0.2>;
    head: Linear<11>;
    loss: CrossEntropy<label_smoothing = 0.1>(_, y);
} }

fused! { random_29 Random29 {
    input x: [3, 6, 6];
    target y: [10];
    Conv2d<11, [1, 3], stride = [2, 1], padding = [0, 0], dilation = 1, groups = 1, bias = true>;
    Flatten;
    head: Linear<10>;
    Sigmoid;
    loss: Mse(_, y);
} }

fused! { random_30 Random30 {
    input x: [16, 4, 7];
    target y: [15];
    Relu;
    Flatten;
    head: Linear<15>;
    Sigmoid;
    loss: Mse(_, y);
} }

parity! { random_31 Random31 Random31Unfused {
    input x: [8, 4, 9];
    target y: class<3>;
    Conv2d<18, [1, 4], stride = [1, 1], padding = [0, 2], dilation = 1, groups = 1, bias = false>;
    Conv2d<7, [1, 1], stride = [1, 2], padding = [0, 0], dilation = 2, groups = 1, bias = true>;
    Flatten;
    head: Linear<3>;
    loss: CrossEntropy(head, y) + 0.25 * Mse(head, one_hot(y));
    output head;
} }

fused! { random_32 Random32 {
    input x: [12];
    target y: class<12>;
    Linear<30, bias = false>;
    Linear<14, bias = false>;
    Linear<12, bias = true>;
    head: Linear<12>;
    LogSoftmax;
    loss: Nll(_, y);
} }

fused! { random_33 Random33 {
    input x: [17];
    target y: class<12>;
    Linear<16, bias = false>;
    repeat 2 { Relu; }
    head: Linear<12>;
    loss: CrossEntropy<label_smoothing = 0.1>(_, y);
} }

parity! { random_34 Random34 Random34Unfused {
    input x: [4, 6, 7];
    target y: class<19>;
    AvgPool2d<[2, 2], stride = [2, 1], padding = [0, 1]>;
    Conv2d<11, [2, 3], stride = [2, 3], padding = [1, 0], dilation = 1, groups = 1, bias = true>;
    GlobalAvgPool;
    Dropout<0.3>;
    head: Linear<19>;
    loss: CrossEntropy<label_smoothing = 0.1>(_, y);
} }

fused! { random_38 Random38 {
    input x: [30];
    target y: [11];
    Linear<14, bias = true>;
    Linear<21, bias = true>;
    Linear<23, bias = true>;
    head: Linear<11>;
    Sigmoid;
    loss: Mse(_, y);
} }

fused! { random_39 Random39 {
    input x: [36];
    target y: class<11>;
    Linear<35, bias = true>;
    Linear<34, bias = false>;
    head: Linear<11>;
    loss: CrossEntropy(head, y) + 0.25 * Mse(head, one_hot(y));
    output head;
} }

parity! { random_41 Random41 Random41Unfused {
    input x: [6, 5, 10];
    target y: class<8>;
    AvgPool2d<[2, 1], stride = [1, 2], padding = [0, 0]>;
    Flatten;
    head: Linear<8>;
    loss: CrossEntropy(head, y) + 0.25 * Mse(head, one_hot(y));
    output head;
} }

fused! { random_42 Random42 {
    input x: [2, 3, 10];
    target y: class<14>;
    BatchNorm;
    GlobalAvgPool;
    head: Linear<14>;
    loss: CrossEntropy<label_smoothing = 0.1>(_, y);
} }

fused! { random_48 Random48 {
    input x: [17, 11, 3];
    target y: class<13>;
    Conv2d<13, [2, 2], stride = [2, 2], padding = [1, 1], dilation = 1, groups = 1, bias = false>;
    Flatten;
    Dropout<0.3>;
    head: Linear<13>;
    loss: CrossEntropy<label_smoothing = 0.1>(_, y);
} }

parity! { random_49 Random49 Random49Unfused {
    input x: [16, 11, 6];
    target y: class<18>;
    Relu;
    Flatten;
    head: Linear<18>;
    loss: CrossEntropy<label_smoothing = 0.1>(_, y);
} }

fused! { random_51 Random51 {
    input x: [26];
    target y: class<10>;
    repeat 2 { LeakyRelu<0.2>; }
    Linear<13, bias = true>;
    head: Linear<10>;
    loss: CrossEntropy<label_smoothing = 0.1>(_, y);
} }

fused! { random_57 Random57 {
    input x: [6, 12, 13];
    target y: class<10>;
    AdaptiveAvgPool2d<[10, 5]>;
    GlobalAvgPool;
    head: Linear<10>;
    LogSoftmax;
    loss: Nll(_, y);
} }
