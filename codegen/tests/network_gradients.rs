//! Every layer and loss, and networks made of them, against finite differences.

mod common;

use common::network::check_gradients;

/// A network of one body over one input, with a dense target of the output's shape.
fn check_body(input: &str, output: &str, body: &str) {
    let text = format!(
        "pub N {{ input x: {input}; target t: {output}; param shift: {input} = Constant<0.1>; Add(x, shift);
        {body} loss: Mse(_, t); }}"
    );
    check_gradients(&text, 3, 12);
}

#[test]
fn dense_layers() {
    check_body("[5]", "[4]", "Linear<4>;");
    check_body("[3, 5]", "[3, 4]", "Linear<4, bias = false>;");
    check_body("[2, 3, 4]", "[5]", "Flatten; Linear<5>;");
    check_body("[6, 3, 4]", "[5]", "Flatten; Linear<5>;");
    check_body("[2, 6]", "[3, 4]", "Reshape<[3, 4]>; Tanh;");
}

#[test]
fn element_wise_layers() {
    for layer in ["Relu", "LeakyRelu<0.1>", "Sigmoid", "Tanh", "Softmax", "LogSoftmax"] {
        check_body("[5]", "[5]", &format!("{layer};"));
        check_body("[3, 2, 4]", "[3, 2, 4]", &format!("{layer};"));
    }
    for layer in [
        "Elu",
        "Elu<0.3>",
        "Gelu",
        "Gelu<approximate = tanh>",
        "Silu",
        "Mish",
        "Softplus",
        "Softplus<beta = 3, threshold = 2>",
        // Flat: what comes after it learns, what comes before does not.
        "Step; Linear<7>",
    ] {
        check_body("[7]", "[7]", &format!("{layer};"));
    }
}

#[test]
fn convolutions() {
    for (arguments, output) in [
        ("4, 3", "[4, 5, 4]"),
        ("6, 3, padding = 1, groups = 2", "[6, 7, 6]"),
        ("4, 3, stride = 2, padding = 1, bias = false", "[4, 4, 3]"),
        ("2, 2, dilation = 2", "[2, 5, 4]"),
        ("4, [1, 3], padding = [0, 1]", "[4, 7, 6]"),
        ("4, 1, stride = 3", "[4, 3, 2]"),
    ] {
        check_body("[4, 7, 6]", output, &format!("Conv2d<{arguments}>;"));
    }
}

#[test]
fn pools() {
    for (layer, output) in [
        ("MaxPool2d<2>", "[3, 3, 2]"),
        ("MaxPool2d<3, stride = 2, padding = 1>", "[3, 4, 3]"),
        ("MaxPool2d<2, ceil_mode = true>", "[3, 4, 3]"),
        ("AvgPool2d<2>", "[3, 3, 2]"),
        ("AvgPool2d<3, stride = 2, padding = 1, ceil_mode = true>", "[3, 4, 3]"),
        ("AvgPool2d<3, stride = 2, padding = 1, count_include_pad = false>", "[3, 4, 3]"),
        ("AdaptiveAvgPool2d<[2, 3]>", "[3, 2, 3]"),
        ("GlobalAvgPool", "[3]"),
    ] {
        check_body("[3, 7, 5]", output, &format!("{layer};"));
    }
}

#[test]
fn windows_over_sequences() {
    for (layer, output) in [
        ("Conv1d<4, 3>", "[4, 6]"),
        ("Conv1d<6, 3, stride = 2, padding = 2, dilation = 2, groups = 2, bias = false>", "[6, 4]"),
        ("MaxPool1d<2>", "[4, 4]"),
        ("MaxPool1d<3, stride = 2, padding = 1, ceil_mode = true>", "[4, 5]"),
        ("AvgPool1d<3, stride = 2, padding = 1, count_include_pad = false>", "[4, 4]"),
        ("GlobalMaxPool", "[4]"),
    ] {
        check_body("[4, 8]", output, &format!("{layer};"));
    }
}

#[test]
fn transposed_convolutions() {
    for (arguments, output) in [
        ("3, 3", "[3, 6, 5]"),
        ("6, 3, stride = 2, padding = 1, output_padding = 1, groups = 2", "[6, 8, 6]"),
        ("3, [2, 3], stride = [1, 2], dilation = 2, bias = false", "[3, 6, 9]"),
    ] {
        check_body("[4, 4, 3]", output, &format!("ConvTranspose2d<{arguments}>;"));
    }
}

#[test]
fn images_in_another_size() {
    for (layer, output) in [
        ("GlobalMaxPool", "[3]"),
        ("AvgPool2d<2, divisor_override = 3>", "[3, 2, 1]"),
        ("Upsample2d<scale_factor = 2>", "[3, 10, 6]"),
        ("Upsample2d<size = [7, 5]>", "[3, 7, 5]"),
        ("Upsample2d<scale_factor = [1.5, 2], mode = bilinear>", "[3, 7, 6]"),
        ("Upsample2d<size = [3, 4], mode = bilinear, align_corners = true>", "[3, 3, 4]"),
    ] {
        check_body("[3, 5, 3]", output, &format!("{layer};"));
    }
    check_body("[7, 2, 3]", "[7, 2, 3]", "LocalResponseNorm<5, alpha = 0.3>;");
    check_body("[4, 3]", "[4, 3]", "LocalResponseNorm<2, alpha = 0.5, beta = 0.5, k = 2>;");
}

#[test]
fn embeddings() {
    // A `padding_idx` would have no gradient where differences find one.
    check_gradients("pub N { input text: ids<[5], 6>; target t: [5, 4]; Embedding<4>; Tanh; loss: Mse(_, t); }", 3, 24);
}

#[test]
fn affine_samples() {
    for (image, size, output) in [("[1, 5, 4]", "", "[1, 5, 4]"), ("[2, 4, 3]", "<size = [3, 6]>", "[2, 3, 6]")] {
        let text = format!(
            "pub N {{ input image: {image}; target t: {output};
            param theta: [2, 3] = Zeros; param shift: {image} = Zeros; Add(image, shift) as shifted;
            look: {{ Flatten; Linear<6>; }}(image); Reshape<[2, 3]>; Add(_, theta) as map;
            AffineSample{size}(shifted, map); loss: Mse(_, t); }}"
        );
        check_gradients(&text, 3, 12);
    }
}

#[test]
fn normalisation_and_dropout() {
    check_body("[4]", "[4]", "BatchNorm;");
    check_body("[4, 3, 2]", "[4, 3, 2]", "BatchNorm; Relu;");
    check_body("[4, 3, 2]", "[4, 3, 2]", "#[frozen] BatchNorm; Conv2d<4, 1>;");
    check_body("[6]", "[6]", "Dropout<0.4>; Linear<6>;");
}

#[test]
fn normalising_layers() {
    check_body("[4]", "[4]", "BatchNorm<affine = false>;");
    check_body("[4, 3]", "[4, 3]", "BatchNorm<eps = 0.01, momentum = none>;");
    check_body("[4, 3, 2]", "[4, 3, 2]", "BatchNorm<track_running_stats = false>;");
    check_body("[5]", "[5]", "LayerNorm;");
    check_body("[3, 5]", "[3, 5]", "LayerNorm<5>;");
    check_body("[2, 3, 4]", "[2, 3, 4]", "LayerNorm<[3, 4], eps = 0.01>;");
    check_body("[2, 3, 4]", "[2, 3, 4]", "LayerNorm<bias = false>;");
    check_body("[3, 5]", "[3, 5]", "LayerNorm<elementwise_affine = false>;");
    check_body("[6]", "[6]", "GroupNorm<2>;");
    check_body("[4, 3]", "[4, 3]", "GroupNorm<4>;");
    check_body("[6, 3, 2]", "[6, 3, 2]", "GroupNorm<3, eps = 0.01>;");
    check_body("[4, 3, 2]", "[4, 3, 2]", "GroupNorm<1, affine = false>;");
    for (input, layer) in [("[4]", "Standardize"), ("[2, 3]", "Standardize"), ("[2, 2, 3]", "Standardize<per = pixel>")]
    {
        let text =
            format!("pub N {{ input x: {input}; target t: [2]; {layer}; Flatten; Linear<2>; loss: Mse(_, t); }}");
        check_gradients(&text, 3, 12);
    }
}

#[test]
fn random_layers() {
    check_body("[4, 3, 3]", "[4, 3, 3]", "Dropout2d<0.4>; Conv2d<4, 1>;");
    check_body("[6]", "[6]", "GaussianNoise<0.2>; Linear<6>; Tanh;");
}

#[test]
fn shapes() {
    for (layer, output) in [
        ("Permute<[2, 0, 1]>", "[4, 2, 3]"),
        ("Permute<[0, 2, 1]>; Relu", "[2, 4, 3]"),
        ("Slice<axis = 1, start = 1, end = 3>", "[2, 2, 4]"),
        ("Slice<start = 1>", "[1, 3, 4]"),
        ("Slice<axis = 2, end = 3>; Tanh", "[2, 3, 3]"),
        ("ZeroPad2d<1>", "[2, 5, 6]"),
        ("ZeroPad2d<[0, 1, 2, 3]>; Sigmoid", "[2, 8, 5]"),
        ("Sum", "[1]"),
        ("Sum<axis = 1>", "[2, 4]"),
        ("Sum<axis = [0, 2], keepdim = true>", "[1, 3, 1]"),
        ("Average", "[1]"),
        ("Average<axis = [1, 2]>", "[2]"),
        ("Max", "[1]"),
        ("Max<axis = 0>", "[3, 4]"),
        ("Max<axis = 2, keepdim = true>", "[2, 3, 1]"),
        ("a: Conv2d<2, 1>; b: Tanh; Dot(a, b)", "[1]"),
        ("a: Conv2d<2, 1>; Dot<axis = 0>(_, shift)", "[3, 4]"),
    ] {
        check_body("[2, 3, 4]", output, &format!("{layer};"));
    }
    check_body("[3, 4]", "[3, 6]", "ZeroPad1d<1>;");
    check_body("[3, 4]", "[4, 3]", "Permute<[1, 0]>;");
    check_body("[5]", "[2]", "Slice<start = 2, end = 4>;");
    check_body("[5]", "[1]", "a: Linear<3>; b: Linear<3>; Dot(a, b);");
}

#[test]
fn joins() {
    check_body("[4, 3, 3]", "[4, 3, 3]", "a: Conv2d<4, 1>; b: Conv2d<4, 3, padding = 1>(x); Add(a, b);");
    check_body("[4, 3, 3]", "[4, 3, 3]", "param scale: [4, 1, 1] = Constant<0.25>; Mul(_, scale);");
    check_body("[4, 3, 3]", "[7, 3, 3]", "Concat { a: Conv2d<3, 1>; b: { Relu; Conv2d<4, 1>; } }");
    check_body("[4, 3, 3]", "[4, 3, 3]", "Residual { Conv2d<4, 3, padding = 1>; Relu; Conv2d<4, 1>; }");
    check_body("[4, 3, 3]", "[6, 3, 3]", "Residual { Conv2d<6, 3, padding = 1>; } shortcut { Conv2d<6, 1>; }");
}

#[test]
fn functions() {
    let check = |function: &str, body: &str| {
        check_gradients(
            &format!("{function} pub N {{ input x: [6]; target t: [6]; Linear<6>; {body} loss: Mse(_, t); }}"),
            3,
            12,
        );
    };
    check("fn leaky<A>(x) { if x > 0 { x } else { A * x } }", "leaky<0.1>;");
    check("fn gate(a, b) { sigmoid(a) * tanh(b) }", "a: Linear<6>; b: Linear<6>(a); gate(a, b);");
    check("fn gelu(x) { 0.5 * x * (1 + erf(x / sqrt(2))) }", "gelu;");
    check("fn odd(x) { let y = abs(x) + 0.5; pow(y, 1.5) - ln(y) * min(x, 0.2) + sqrt(y) * cos(x) }", "odd;");
}

#[test]
fn losses() {
    for loss in ["CrossEntropy(_, c)", "CrossEntropy<label_smoothing = 0.1>(_, c)"] {
        let text = format!("pub N {{ input x: [4]; target c: class<5>; Linear<5>; loss: {loss}; }}");
        check_gradients(&text, 4, 12);
    }
    check_gradients("pub N { input x: [4]; target c: class<5>; Linear<5>; LogSoftmax; loss: Nll(_, c); }", 4, 12);
    let weighted =
        "pub N { input x: [4]; target c: class<3>; Linear<3>; LogSoftmax; loss: Nll<weight = [1, 0.5, 2]>(_, c); }";
    check_gradients(weighted, 4, 12);
    for loss in ["Mse", "HalfSquare", "L1", "Huber", "Huber<delta = 0.3>", "SmoothL1<beta = 0.3>", "Perceptron"] {
        let text =
            format!("pub N {{ input x: [4]; target t: [3, 2]; Linear<6>; Reshape<[3, 2]>; loss: {loss}(_, t); }}");
        check_gradients(&text, 4, 12);
    }
    check_gradients(
        "pub N { input x: [4]; target t: [3]; param p: [2, 2] = Ones; Mul(p, p) as size; Linear<3>(x); Mul(_, t) as product;
            Tanh; Mul(_, _) as wide; Linear<2>(x) as out;
            loss: Mean(wide) + Mean(size) - 0.5 * Mean(out); output out; }",
        4,
        12,
    );
    for loss in ["BceWithLogits", "BceWithLogits<pos_weight = 2.5>", "BceWithLogits<pos_weight = [0.5, 1, 3]>"] {
        let text =
            format!("pub N {{ input x: [4]; target t: [3, 2]; Linear<6>; Reshape<[3, 2]>; loss: {loss}(_, t); }}");
        check_gradients(&text, 4, 12);
    }
    check_gradients("pub N { input x: [4]; target t: [3]; Linear<3>; Sigmoid; loss: Bce(_, t); }", 4, 12);
    let two = "pub N { input x: [4]; target c: class<3>; target t: [2];
        h: Linear<6>; Relu as r; a: Linear<3>; b: Linear<2>(r); output a, b;
        loss: CrossEntropy(a, c) + 0.3 * Mse(b, t); }";
    check_gradients(two, 4, 12);
}

#[test]
fn whole_networks() {
    check_gradients(
        "pub LeNet { input x: [1, 12, 12]; target digit: class<4>;
            features: { Conv2d<6, 5, padding = 2>; Relu; MaxPool2d<2>; Conv2d<7, 3>; Relu; MaxPool2d<2>; }
            Flatten; classifier: { Linear<9>; Relu; Linear<4>; } loss: CrossEntropy(_, digit); }",
        2,
        6,
    );
    check_gradients(
        "pub BnCnn { input x: [1, 8, 8]; target digit: class<4>;
            Conv2d<6, 3>; BatchNorm; Relu; Conv2d<5, 3>; BatchNorm; Relu; MaxPool2d<2>; Dropout<0.25>; Flatten;
            Linear<9>; BatchNorm; Relu; Dropout<0.5>; Linear<4>; LogSoftmax; loss: Nll(_, digit); }",
        3,
        5,
    );
    check_gradients(
        "block Basic<C, S = 1> {
            Residual {
                conv1: Conv2d<C, 3, stride = S, padding = 1, bias = false>; bn1: BatchNorm; Relu;
                conv2: Conv2d<C, 3, padding = 1, bias = false>; bn2: BatchNorm;
            } shortcut downsample if reshaped { Conv2d<C, 1, stride = S, bias = false>; BatchNorm; }
            Relu;
        }
        pub ResNet { input x: [3, 8, 8]; target digit: class<4>;
            conv1: Conv2d<4, 3, padding = 1>; Relu; layer1: { Basic<4>; } layer2: { Basic<6, 2>; Basic<6>; }
            GlobalAvgPool; fc: Linear<4>; loss: CrossEntropy(_, digit); }",
        2,
        4,
    );
}
