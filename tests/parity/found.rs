//! Ordinary networks that were computed wrongly once, each by a rule that the networks of that day did not try.

use crate::check::parity;

// A max-pool was taken of a convolution's tiles while its result lay where the convolution still read the image. Every chain
// that was tested had padding, whose bordered copy of the image hid it.
parity! {
    a_pool_behind_a_convolution_without_padding PoolBehindValid PoolBehindValidUnfused {
        input x: [1, 12, 12];
        target t: [6];
        Conv2d<6, 5>; MaxPool2d<2>; Flatten; Linear<6>;
        loss: Mse(_, t);
    }
}

parity! {
    convolution_pool_activation_twice PoolThenRelu PoolThenReluUnfused {
        input x: [1, 20, 16];
        target class: class<4>;
        Conv2d<10, 5>; MaxPool2d<2>; Relu; Conv2d<20, 5>; MaxPool2d<2>; Relu; Flatten; Linear<4>;
        loss: CrossEntropy(_, class);
    }
}

parity! {
    an_activation_before_the_pool_and_three_channels ReluThenPool ReluThenPoolUnfused {
        input x: [3, 13, 9];
        target class: class<4>;
        Conv2d<6, [4, 2]>; Relu; MaxPool2d<2>; Conv2d<10, 3>; Tanh; MaxPool2d<2, ceil_mode = true>; Flatten; Linear<4>;
        loss: CrossEntropy(_, class);
    }
}

// What a pool reads besides the image must be there when its convolution runs: once, it was not asked for.
parity! {
    a_pool_whose_epilogue_reads_a_later_convolution PoolReadsLater PoolReadsLaterUnfused {
        input x: [1, 12, 12];
        target t: [6];
        Conv2d<6, 3, padding = 1> as stem;
        Conv2d<6, 3, padding = 1> as a;
        Conv2d<6, 3, padding = 1, stride = 2>(stem) as b;
        MaxPool2d<2>(a); Add(_, b); Flatten; Linear<6>;
        loss: Mse(_, t);
    }
}

parity! {
    a_pool_whose_epilogue_reads_what_no_chain_makes PoolReadsImport PoolReadsImportUnfused {
        input x: [1, 12, 12];
        target t: [6];
        Flatten; Linear<216>; Reshape<[6, 6, 6]> as y;
        Conv2d<6, 3, padding = 1>(x); MaxPool2d<2>; Mul(_, y); Relu; Conv2d<6, 3>; Flatten; Linear<6>;
        loss: Mse(_, t);
    }
}

// The gradient of a value per pixel is a sum over the batch alone; it was taken for a bias, and the pixels added up.
parity! {
    a_parameter_for_each_pixel_before_a_convolution_of_few_channels EachPixel EachPixelUnfused {
        input x: [1, 3, 3];
        target t: [1, 3, 3];
        param p: [1, 3, 3] = Zeros;
        Add(x, p); Conv2d<1, 3, padding = 1>;
        loss: Mse(_, t);
    }
}

parity! {
    parameters_for_each_pixel_of_several_channels EachPixelOfSix EachPixelOfSixUnfused {
        input x: [2, 5, 4];
        target t: [6, 5, 4];
        param p: [2, 5, 4] = Normal<0, 0.5>;
        param q: [6, 5, 4] = Normal<0, 0.5>;
        param r: [6, 1, 1] = Normal<0, 0.5>;
        Add(x, p); Conv2d<6, 3, padding = 1>; Mul(_, q); Add(_, r); Conv2d<6, 3, padding = 1>;
        loss: Mse(_, t);
    }
}

// A number per position, read back from memory, was loaded into the first lane and used in all.
parity! {
    a_normalisation_of_each_position_by_hand EachPosition EachPositionUnfused with {
        fn square(x, m) { (x - m) * (x - m) }
        fn over(x, v) { x / sqrt(v + 1e-5) }
    } {
        input x: [16, 8];
        target t: [16, 8];
        Conv1d<16, 1> as conv;
        Average<axis = 0, keepdim = true> as m;
        square(conv, m);
        Average<axis = 0, keepdim = true> as v;
        over(conv, v);
        loss: Mse(_, t);
    }
}

parity! {
    a_normalisation_of_each_pixel_by_hand EachPixelNorm EachPixelNormUnfused with {
        fn square(x, m) { (x - m) * (x - m) }
        fn over(x, v) { x / sqrt(v * v + 0.1) }
    } {
        input x: [7, 3, 5];
        target t: [7, 3, 5];
        param scale: [1, 3, 5] = Ones;
        Conv2d<7, 3, padding = 1> as conv;
        Average<axis = 0, keepdim = true> as m;
        square(conv, m);
        Average<axis = 0, keepdim = true>; Mul(_, scale) as v;
        over(conv, v); Gelu; Conv2d<7, 1>;
        loss: Mse(_, t);
    }
}

// A transposed convolution read the caller's buffer as if its channels lay in blocks: the gradient of its weight was wrong wherever
// what it makes has fewer than five channels. Autoencoders were tested behind other layers only.
parity! {
    a_transposed_convolution_of_the_input TransposedInput TransposedInputUnfused {
        input x: [6, 4, 3];
        target t: [2, 8, 6];
        ConvTranspose2d<2, 2, stride = 2>;
        loss: Mse(_, t);
    }
}

parity! {
    a_transposed_convolution_of_a_narrow_input TransposedNarrow TransposedNarrowUnfused {
        input x: [40, 7, 1];
        target t: [4, 7, 1];
        ConvTranspose2d<4, 1>; Elu;
        loss: HalfSquare(_, t);
    }
}

// Numbers drawn behind a reshape were counted by the extents before it: the noise of the backward pass was another one than that
// of the forward pass.
parity! {
    noise_behind_a_reshape NoiseReshaped NoiseReshapedUnfused {
        input x: [4, 3, 3];
        target t: [5];
        Reshape<[36, 1, 1]>; GaussianNoise<0.2>; GlobalAvgPool; Linear<5>;
        loss: Mse(_, t);
    }
}

parity! {
    dropout_before_a_flatten_and_a_sum DropoutSum DropoutSumUnfused {
        input x: [3, 3];
        target t: [5];
        Dropout<0.4>; Flatten as a; Sum<axis = 0, keepdim = true>; Mul(_, a); Linear<5>;
        loss: Mse(_, t);
    }
}

// A value for each channel, made by a map, was computed in the convolution that multiplies by it, where its operand was read as
// if it were as large as the image.
parity! {
    a_gate_that_a_map_makes_behind_a_convolution Gated GatedUnfused {
        input x: [8, 6, 6];
        target t: [8, 6, 6];
        Slice<axis = 1, start = 2, end = 3>; Slice<axis = 2, start = 3, end = 4>; Sigmoid as gate;
        Conv2d<8, 3, padding = 1>(x); Mul(_, gate);
        loss: Mse(_, t);
    }
}

parity! {
    a_gate_for_positions_that_two_convolutions_read GatedTwice GatedTwiceUnfused with {
        fn half(x) { 0.5 * x + 1 }
    } {
        input x: [16, 7, 5];
        target class: class<4>;
        Slice<axis = 0, start = 5, end = 6>; half as gate;
        Conv2d<16, 3, padding = 1>(x); Mul(_, gate); Relu; Conv2d<20, 1>; Add(_, gate); MaxPool2d<2>; Flatten; Linear<4>;
        loss: CrossEntropy(_, class);
    }
}

// What a pool of one pixel sends back was computed in the pass that routes it, and loads it from memory.
parity! {
    windows_of_one_pixel OnePixel OnePixelUnfused {
        input x: [32, 8, 1];
        target t: [32, 8, 1];
        BatchNorm; LeakyRelu<0.2>; MaxPool2d<1>;
        loss: Mse(_, t);
    }
}

// A chain left one number a sample behind, and wrote a whole vector of them for each.
parity! {
    a_gate_of_one_number_that_a_chain_makes GateOfOne GateOfOneUnfused {
        input x: [3, 12, 12];
        target class: class<3>;
        Slice<axis = 0, start = 1, end = 2>; GlobalAvgPool; Reshape<[1, 1, 1]>; Tanh as gate;
        Conv2d<8, 1>(x); Mul(_, gate); Tanh; MaxPool2d<2>; Flatten; Linear<3>;
        loss: CrossEntropy(_, class);
    }
}
