//! The message of every mistake that LANGUAGE.md lists: its text, and the token it stands on.

use kiln_codegen::lower::frontend;

/// What is wrong in `text`, as `token: message`, one per mistake.
fn mistakes(text: &str) -> Vec<String> {
    let (_, _, errors) = frontend(text.parse().unwrap());
    let list = errors.iter().map(|d| {
        let token = d.source.first.source_text().unwrap_or_default();
        format!("{token}: {}", d.text())
    });
    list.collect()
}

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let found = mistakes(text);
    assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), expected, "\n{}", found.join("\n\n"));
}

/// A classifier of images around these lines.
#[track_caller]
fn check_lines(lines: &str, expected: &[&str]) {
    let text = format!("pub Net {{ input x: [1, 28, 28]; target y: class<10>; {lines} loss: CrossEntropy(_, y); }}");
    check(&text, expected);
}

#[test]
fn shape() {
    check(
        "pub LeNet5 {
            input image: [1, 28, 28];
            target digit: class<10>;
            features: {
                Conv2d<6, 5, padding = 2>; Relu; MaxPool2d<2>;
                Conv2d<16, 5>;             Relu; MaxPool2d<2>;
            }
            classifier: { Linear<120>; Relu; Linear<84>; Relu; Linear<10>; }
            loss: CrossEntropy(_, digit);
        }",
        &["Linear: `Linear` takes a vector, but its input has shape [16, 5, 5]\n\
           help: put `Flatten;` before it (it gives [400])\n\
           trail: image [1, 28, 28] → features.0 [6, 28, 28] → features.2 [6, 14, 14] → features.3 [16, 10, 10] → \
           features.5 [16, 5, 5] → here"],
    );
    check_lines(
        "Conv2d<6, 31>; Conv2d<6, 31>; Flatten; Linear<10>;",
        &["31: kernel 31×31 is larger than the input 28×28\n\
           help: a smaller kernel, or `padding = 2`\n\
           trail: x [1, 28, 28] → here"],
    );
    check_lines(
        "Residual { Conv2d<12, 3, stride = 2, padding = 1>; } Flatten; Linear<10>;",
        &["Residual: the body of `Residual` turns shape [1, 28, 28] into [12, 14, 14]\n\
           help: bring the input to that shape: `Residual { … } shortcut { Conv2d<12, 1, stride = 2, bias = false>; \
           BatchNorm; }`\n\
           trail: x [1, 28, 28] → Conv2d [12, 14, 14] → here"],
    );
    check_lines(
        "Concat { a: Conv2d<6, 5>; b: { Conv2d<6, 3>; Relu; } } Flatten; Linear<10>;",
        &["b: this branch has shape [6, 26, 26], but the first one has [6, 24, 24]\n\
           help: `Concat` joins along the channels: all axes behind the first must be equal\n\
           trail: x [1, 28, 28] → b.0 [6, 26, 26] → here"],
    );
    check_lines(
        "a: Conv2d<6, 5>; Conv2d<8, 5>(x); Add(_, a); Flatten; Linear<10>;",
        &["Add: operands of `Add` have shapes [8, 24, 24] and [6, 24, 24]\n\
           help: extents must be equal, or 1 on one side\n\
           trail: x [1, 28, 28] → Conv2d [8, 24, 24] → here"],
    );
    check_lines(
        "Conv2d<6, 3, padding = 16777216>; Flatten; Linear<10>;",
        &["16777216: with its padding the input has shape [1, 33554456, 33554456], which is too large\n\
           help: a smaller `padding`"],
    );
    check_lines(
        "Reshape<[3, 4]>; Flatten; Linear<10>;",
        &["[: `Reshape` to [3, 4] needs 12 values, but its input [1, 28, 28] has 784\n\
           help: a shape of 784 elements, such as `Reshape<[1, 784]>`\n\
           trail: x [1, 28, 28] → here"],
    );
    check(
        "pub Net<H in [8, 16]> { input x: [4]; Linear<H>; Residual { Linear<8>; } }",
        &["Residual: the body of `Residual` turns shape [16] into [8]\n\
           help: bring the input to that shape: `Residual { … } shortcut { Linear<8>; }`\n\
           trail: with H = 16: x [4] → Linear [16] → Linear [8] → here"],
    );
}

#[test]
fn numbers_that_no_kernel_holds() {
    let large = "help: networks compute in `f32`, whose numbers end at 3.4e38";
    let param = |init: &str| format!("pub Net {{ input x: [2]; param p: [2] = {init}; Mul(x, p); }}");
    let infinite = format!("1e400: `1e400` is infinite\n{large}");
    check(&param("Constant<1e400>"), &[&infinite]);
    check(&param("Normal<0, 1e400>"), &[&infinite]);
    check(&param("Constant<1e39>"), &[&format!("1e39: `value` of `Constant` is a finite number, found 1e39\n{large}")]);
    check(&param("Constant<-1e39>"), &[&format!("-: `value` of `Constant` is a finite number, found -1e39\n{large}")]);
    check(&param("Constant<{0.0 / 0.0}>"), &["0.0: `0.0 / 0.0` has no value\nhelp: write a finite number"]);
    check(&param("Uniform<0, {1.0 / 0.0}>"), &[&format!("1.0: `1.0 / 0.0` is infinite\n{large}")]);
    let line = |line: &str| format!("pub Net {{ input x: [3]; target y: class<3>; {line} }}");
    let classes = |loss: &str| line(&format!("Linear<3>; loss: {loss}(_, y);"));
    check(&classes("CrossEntropy<weight = [1e400, 1, 1]>"), &[&infinite]);
    check(
        &classes("CrossEntropy<weight = [0, 0, 0]>"),
        &["[: `weight` of `CrossEntropy` is 0 for every class, so there is nothing to learn\n\
           help: one number above 0 at least"],
    );
    check(
        &classes("CrossEntropy<weight = [1, -1, 1]>"),
        &["-: `weight` of `CrossEntropy` has no negative numbers, found -1\n\
           help: 0 leaves out, and a cost below zero would have no minimum"],
    );
    check(&classes("1e400 * CrossEntropy"), &[&infinite]);
    check(
        &classes("1e39 * CrossEntropy"),
        &[&format!("1e39: the weight of a loss term is a finite number, found 1e39\n{large}")],
    );
    check(
        &line("LeakyRelu<{0.0 / 0.0}>; Linear<3>; loss: CrossEntropy(_, y);"),
        &["0.0: `0.0 / 0.0` has no value\nhelp: write a finite number"],
    );
    check("fn f(x) { 1e400 * x } pub Net { input x: [3]; f; }", &[&infinite]);
    check(
        "fn f<A>(x) { A * x } pub Net { input x: [3]; f<1e39>; }",
        &[&format!("f: `A` is a finite number, found 1e39\n{large}")],
    );
    check(
        "pub Net { input x: [3]; target t: [3]; Linear<3>; loss: BceWithLogits<pos_weight = -1>(_, t); }",
        &["-: `pos_weight` of `BceWithLogits` is not negative, found -1\n\
           help: 0 leaves out, and a cost below zero would have no minimum"],
    );
    check(
        "pub Net { input x: [3]; target t: [3]; Linear<3>; loss: SmoothL1Loss<beta = 0.5>(_, t); }",
        &["SmoothL1Loss: there is no loss `SmoothL1Loss`\n\
           help: write `SmoothL1<beta = 0.5>(_, t)`"],
    );
    check(
        "pub Net { input x: [3]; target t: [3]; Linear<3>; loss: SmoothL1<beta = -1>(_, t); }",
        &["-: `beta` of `SmoothL1` is not negative, found -1\nhelp: 0 makes it the absolute difference"],
    );
}

#[test]
fn windows() {
    check_lines(
        "Conv1d<4, 3>; Flatten; Linear<10>;",
        &["Conv1d: `Conv1d` takes a sequence [channels, length], but its input has shape [1, 28, 28]\n\
           help: `Conv2d` takes images\n\
           trail: x [1, 28, 28] → here"],
    );
    check_lines(
        "Reshape<[28, 28]>; MaxPool1d<31>; Flatten; Linear<10>;",
        &["31: kernel 31 is larger than the input 28\n\
           help: a smaller kernel, or `padding = 2`\n\
           trail: x [1, 28, 28] → Reshape [28, 28] → here"],
    );
    check_lines(
        "Flatten; AvgPool1d<2>; Flatten; Linear<10>;",
        &["AvgPool1d: `AvgPool1d` takes a sequence [channels, length], but its input has shape [784]\n\
           help: `Reshape<[1, 784]>;` before it makes one channel of a vector\n\
           trail: x [1, 28, 28] → Flatten [784] → here"],
    );
    check_lines(
        "ConvTranspose2d<4, 3, stride = 2, output_padding = 2>; Flatten; Linear<10>;",
        &["2: `output_padding` of `ConvTranspose2d` is 2, but with stride 2 and dilation 1 it is at most 1\n\
           help: write `output_padding = 1` or less\n\
           trail: x [1, 28, 28] → here"],
    );
    check_lines(
        "AvgPool2d<28>; ConvTranspose2d<4, 3, padding = 2>; Flatten; Linear<10>;",
        &["2: nothing is left of 3 with padding 2 on both sides: input 1×1, kernel 3, stride 1\n\
           help: at most `padding = 1`\n\
           trail: x [1, 28, 28] → AvgPool2d [1, 1, 1] → here"],
    );
    check_lines(
        "Upsample2d; Flatten; Linear<10>;",
        &["Upsample2d: `Upsample2d` takes `size` or `scale_factor`, found neither\n\
           help: for example `Upsample2d<scale_factor = 2>`"],
    );
    check_lines(
        "Upsample2d<scale_factor = 0.01>; Flatten; Linear<10>;",
        &["0.01: `scale_factor` 0.01 makes 0 of extent 28\n\
           help: a factor of 2 doubles height and width: `scale_factor = 2`\n\
           trail: x [1, 28, 28] → here"],
    );
    check_lines(
        "Upsample2d<size = 56, align_corners = true>; Flatten; Linear<10>;",
        &["true: `align_corners` of `Upsample2d` has a meaning with `mode = bilinear` only\nhelp: leave it out"],
    );
    check_lines(
        "Upsample2d<size = 56, mode = bicubic>; Flatten; Linear<10>;",
        &["bicubic: `mode` of `Upsample2d` is `nearest` or `bilinear`, found `bicubic`\n\
           help: write `nearest`"],
    );
    check_lines(
        "look: { Flatten; Linear<4>; } AffineSample(x, look); Flatten; Linear<10>;",
        &["AffineSample: `theta` of `AffineSample` is [2, 3], found [4]\n\
           help: six numbers, for example from `Linear<6>`\n\
           trail: x [1, 28, 28] → here"],
    );
    check_lines(
        "AffineSample(x); Flatten; Linear<10>;",
        &["AffineSample: `AffineSample` takes 2 values, found 1\nhelp: `AffineSample(_, other)`"],
    );
}

#[test]
fn ids() {
    let check_ids = |lines: &str, expected: &[&str]| {
        check(
            &format!("pub Net {{ input text: ids<[8], 50>; target y: class<3>; {lines} loss: CrossEntropy(_, y); }}"),
            expected,
        );
    };
    check_ids("Embedding<4>; Flatten; Linear<3>;", &[]);
    check_ids(
        "Linear<3>;",
        &["Linear: `Linear` takes numbers, but `text` are ids\n\
           help: `Embedding<64>(_)` makes a vector of each of `text`"],
    );
    check_ids(
        "Embedding<4, padding_idx = 50>; Flatten; Linear<3>;",
        &["50: `padding_idx` of `Embedding` is 50, but the ids are below 50\n\
           help: write `padding_idx = 49` or less\n\
           trail: text [8] → here"],
    );
    check_ids(
        "e: Embedding<4>; Concat(e, text); Flatten; Linear<3>;",
        &["Concat: `Concat` takes numbers, but `text` are ids\n\
           help: `Embedding<64>(_)` makes a vector of each of `text`"],
    );
    check_lines(
        "Embedding<4>; Flatten; Linear<10>;",
        &["Embedding: `Embedding` takes ids, but its input are numbers of shape [1, 28, 28]\n\
           help: integers come in through an input of ids: `input text: ids<[32], 5000>;`"],
    );
    check(
        "pub Net { input text: ids<32, 5000>; Embedding<4>; }",
        &["ids: `ids` takes the length and the number that all ids stay below\nhelp: `ids<[32], 5000>`"],
    );
    check(
        "pub Net { input text: ids<[4, 8], 5000>; Embedding<4>; }",
        &["[: `text` has 2 axes, but ids are a list [length]\nhelp: the batch axis is not written"],
    );
    check(
        "pub Net { input text: ids<[4], 0>; Embedding<4>; }",
        &["0: a size of `text` is a positive whole number, found 0\n\
           help: the smallest size is 1"],
    );
}

#[test]
fn several_mistakes() {
    check_lines(
        "Conv2d<6, 5, paddin = 2>; Relu6; Flatten; Linear<12, bais = true>; LeakyRelu<slope = true>;",
        &[
            "paddin: `Conv2d` has no argument `paddin`\nhelp: did you mean `padding`?",
            "Relu6: there is no layer `Relu6`\n\
           help: declare it before the network: `fn relu6(x) { min(max(x, 0), 6) }`, and write `relu6;`",
            "bais: `Linear` has no argument `bais`\nhelp: did you mean `bias`?",
        ],
    );
}

#[test]
fn layers() {
    check_lines(
        "Cnov2d<6, 5>; Flatten; Linear<10>;",
        &["Cnov2d: there is no layer `Cnov2d`\nhelp: did you mean `Conv2d`?"],
    );
    check_lines(
        "Wavelet; Flatten; Linear<10>;",
        &["Wavelet: there is no layer `Wavelet`\n\
           help: if it is yours, declare it before: `block Wavelet { … }` or `fn Wavelet(x) { … }`"],
    );
    check_lines(
        "CrossEntropy(_, y); Flatten; Linear<10>;",
        &["CrossEntropy: `CrossEntropy` is a loss, not a layer\n\
           help: write `loss: CrossEntropy(_, y);`"],
    );
}

#[test]
fn foreign_names() {
    let cases = [
        ("ReLU", "there is no layer `ReLU`", "Relu"),
        ("Dense<10>", "there is no layer `Dense`", "Linear<10>"),
        ("BatchNorm2d<6>", "there is no layer `BatchNorm2d`", "BatchNorm"),
        ("MaxPooling2D<2>", "there is no layer `MaxPooling2D`", "MaxPool2d<2>"),
        ("MaxPool2D(3, 2)", "there is no layer `MaxPool2D`", "MaxPool2d<3, stride = 2>"),
        ("nn.Linear(784, 10)", "`nn.Linear` is no layer", "Linear<10>"),
        ("nn::ReLU()", "`nn::ReLU` is no layer", "Relu"),
    ];
    for (line, message, help) in cases {
        let token = line.split(['<', '(', '.', ':']).next().unwrap();
        let expected = format!("{token}: {message}\nhelp: write `{help}`");
        check_lines(&format!("Flatten; {line}; Linear<10>;"), &[&expected]);
    }
    check_lines(
        "Conv2d<1, 6, 5>; Flatten; Linear<10>;",
        &["1: `Conv2d` takes 2 positional arguments, found 3\n\
           help: the input's channel count is inferred: write `Conv2d<6, 5>`"],
    );
    check_lines(
        "Flatten; Linear(120); Linear<10>;",
        &["120: numbers of `Linear` stand in `<…>`, `(…)` holds values\nhelp: write `Linear<120>`"],
    );
    check_lines(
        "Conv2d<6, 5, padding = \"same\">; Flatten; Linear<10>;",
        &["\"same\": `padding` of `Conv2d` is a number, found \"same\"\nhelp: write `padding = 2`"],
    );
    check_lines(
        "MaxPool2d<3, 2>; Flatten; Linear<10>;",
        &["2: `MaxPool2d` takes 1 positional argument, found 2\nhelp: write `MaxPool2d<3, stride = 2>`"],
    );
}

#[test]
fn arguments() {
    check_lines(
        "Conv2d<6>; Flatten; Linear<10>;",
        &["Conv2d: `Conv2d` needs `kernel`\nhelp: for example `Conv2d<64, 3>`"],
    );
    check_lines(
        "Flatten; Linear<10, 20, 30>; Linear<10>;",
        &["20: `Linear` takes 1 positional argument, found 3\n\
           help: only `size` may stand without a name: write `Linear<10, …>` with `name = value` for the others"],
    );
    check_lines("Relu<1>; Flatten; Linear<10>;", &["1: `Relu` takes no arguments, found 1\nhelp: write `Relu`"]);
    check_lines(
        "Flatten; Linear<0>; Linear<10>;",
        &["0: `size` of `Linear` is a positive whole number, found 0\n\
           help: the smallest is 1, as in `Linear<120>`"],
    );
    check_lines(
        "Flatten; Linear<-5>; Linear<10>;",
        &["-: `size` of `Linear` is a positive whole number, found -5\n\
           help: the smallest is 1, as in `Linear<120>`"],
    );
    check_lines(
        "Conv2d<8, 5>; Conv2d<9, 3, groups = 4>; Flatten; Linear<10>;",
        &["4: `groups` = 4 does not divide the 9 output channels\n\
           help: `groups` may be 1\n\
           trail: x [1, 28, 28] → Conv2d [8, 24, 24] → here"],
    );
    check_lines(
        "Flatten; Dropout<1.5>; Linear<10>;",
        &["1.5: `p` of `Dropout` is a probability in [0, 1), found 1.5\nhelp: 1.5 percent are `0.015`"],
    );
    check_lines(
        "Flatten; Linear<10, bias = True>;",
        &["True: `bias` of `Linear` is `true` or `false`, found `True`\nhelp: write `true`"],
    );
    check_lines(
        "Flatten; Linear<4 * 5>; Linear<10>;",
        &["4: an expression in `<…>` stands in braces\nhelp: write `{4 * 5}`"],
    );
    check_lines(
        "Flatten; Linear<HIDDEN>; Linear<10>;",
        &["HIDDEN: `HIDDEN` is no constant of `Net`, and a macro cannot see Rust constants\n\
           help: declare it with the network: `Net<HIDDEN = 64>`"],
    );
    check(
        "pub Net { input x: [0]; Linear<1>; }",
        &["0: a size of `x` is a positive whole number, found 0\n\
           help: the smallest size is 1"],
    );
}

#[test]
fn attributes() {
    check_lines(
        "Flatten; #[frosen] Linear<10>;",
        &["frosen: there is no attribute `frosen`\nhelp: did you mean `frozen`?"],
    );
    check_lines(
        "Flatten; #[cfg(test)] Linear<10>;",
        &["cfg: `#[cfg]` cannot stand in `network!`: a macro does not know the configuration\n\
           help: a constant of the network and `if`: `<BIG = true>`, `if BIG { … }`"],
    );
    check_lines(
        "Flatten; #[init(wieght = Zeros)] Linear<10>;",
        &["wieght: nothing here has a parameter `wieght`\nhelp: did you mean `weight`?"],
    );
    check_lines("Flatten; #[init(weight = 0)] Linear<10>;", &["0: `0` is no initialiser\nhelp: write `Constant<0>`"]);
    check_lines(
        "Flatten; #[init(bias = Orthogonal)] Linear<10>;",
        &["Orthogonal: `bias` of `Linear` has shape [10]: `Orthogonal` needs at least 2 axes\n\
           help: `Normal`, `Uniform`, `Constant`, `Ones` or `Zeros`"],
    );
    check_lines(
        "Flatten; #[init(bias = Identity<[2, 3]>)] Linear<10>;",
        &["Identity: `bias` of `Linear` has shape [10]: `Identity<[2, 3]>` has 6 values\n\
           help: a shape of 10 values"],
    );
    check_lines(
        "Flatten; #[init(weight = Dirac)] Linear<10>;",
        &["Dirac: `weight` of `Linear` has shape [10, 784]: `Dirac` is a convolution's weight, of 3 to 5 axes\n\
           help: `Identity` is that of a matrix"],
    );
    check_lines(
        "Flatten; #[init(weight = TruncatedNormal<a = 2, b = 1>)] Linear<10>;",
        &["2: `TruncatedNormal` from 2 to 1 is empty\nhelp: `a` is the lower end, `b` the upper one"],
    );
    check_lines(
        "Flatten; #[init(weight = XavierNormal<2, nonlinearity = tanh>)] Linear<10>;",
        &["2: `nonlinearity` decides the gain, which is given too\nhelp: remove one of them"],
    );
    check_lines(
        "Flatten; #[probe] Linear<10>;",
        &["probe: `1` is no name for a probe\nhelp: give the line a label: `name: …`"],
    );
}

#[test]
fn operands() {
    check_lines(
        "a: Conv2d<6, 5>; Add(a); Flatten; Linear<10>;",
        &["Add: `Add` takes at least 2 values, found 1\nhelp: `Add(_, other)`"],
    );
    check_lines(
        "Flatten; Linear<10>(_, x);",
        &["Linear: `Linear` takes 1 value, found 2\nhelp: `Linear<10>(_)`, or join them first: `Add(a, b)`, \
           `Concat(a, b)`"],
    );
    check_lines(
        "Flatten; a: Linear<10>; Add(_, y);",
        &["y: `y` is a class target, and layers take dense values\nhelp: write `one_hot(y)`"],
    );
    check(
        "pub Net { input a: [3]; input b: [4]; Linear<3>; Relu; }",
        &["Linear: `Linear` takes the current value, but there are 2 inputs (`a` and `b`)\n\
           help: say which one: `from a;` before it, or `Linear(…)`"],
    );
}

#[test]
fn names() {
    check_lines(
        "Add(_, later); later: Conv2d<6, 5>; Flatten; Linear<10>;",
        &["later: `later` is used before the line that names it\nhelp: a name is visible from its line on: move that \
           line up"],
    );
    check_lines(
        "hidden: Conv2d<6, 5>; Add(_, hiden); Flatten; Linear<10>;",
        &["hiden: there is no value named `hiden` here\nhelp: did you mean `hidden`?"],
    );
    check_lines(
        "a: { low: Relu; Conv2d<1, 1>; } Add(_, low); Flatten; Linear<10>;",
        &["low: there is no value named `low` here\nhelp: from outside its group it is `a.low`"],
    );
    check_lines(
        "a: Conv2d<6, 5>; a: Conv2d<6, 5>; Flatten; Linear<10>;",
        &["a: the name `a` is already used in these braces\nhelp: give one of them another name"],
    );
    check_lines(
        "Flatten; repeat 2 { a: Linear<10>; }",
        &[
            "Linear: two parameters are named `a.weight`\nhelp: its line is there more than once: leave out its label, or give each use of its block one: `name: …`",
        ],
    );
    check_lines(
        "a: Conv2d<6, 5>; b: { Conv2d<6, 5>; Relu; } from a; Flatten; Linear<10>;",
        &["b: the value `b` reaches no output and no loss\n\
           help: use it, remove it, add it to `output`, or let its name begin with `_`"],
    );
    check_lines("a: Conv2d<6, 5>; _b: Conv2d<6, 5>; from a; Flatten; Linear<10>;", &[]);
    check(
        "block A<C> { Conv2d<C, 3>; A<C>; } pub Net { input x: [3, 9, 9]; A<4>; }",
        &["A: the block `A` uses itself\nhelp: a block cannot be recursive: `repeat` unrolls"],
    );
    check(
        "pub Net { Linear<3>; Relu; }",
        &["Net: the network `Net` has no `input`\n\
           help: declare what it is fed: `input image: [1, 28, 28];`; a piece of a network is `block Net { … }`"],
    );
}

#[test]
fn losses() {
    check_lines(
        "Flatten; Linear<12>;",
        &["CrossEntropy: `y` has 10 classes, but the prediction has shape [12], not [10]\n\
           help: end with `Linear<10>;`, or declare `class<12>`\n\
           trail: x [1, 28, 28] → Flatten [784] → Linear [12] → here"],
    );
    check_lines(
        "Flatten; Linear<10>; Softmax;",
        &["Softmax: `CrossEntropy` takes scores, but its prediction comes from `Softmax`\n\
           help: remove `Softmax`: the loss has its own"],
    );
    check_lines(
        "Flatten; #[frozen] Linear<10>;",
        &["loss: the loss reaches no trainable parameter\nhelp: everything it reaches is `#[frozen]`"],
    );
    check(
        "pub Net { input x: [4]; target y: [3]; Linear<3>; Step; loss: Mse(_, y); }",
        &["loss: the loss reaches no trainable parameter\n\
           help: what it reaches stands before something without a slope, such as `Step`"],
    );
    let net =
        |target: &str, loss: &str| format!("pub Net {{ input x: [4]; target y: {target}; Linear<10>; loss: {loss}; }}");
    check(
        &net("class<10>", "Mse(_, y)"),
        &["y: `Mse` compares with dense values, but `y` is class<10>\nhelp: write `one_hot(y)`, or use `CrossEntropy`"],
    );
    check(
        &net("[10]", "CrossEntropy(_, y)"),
        &["y: `CrossEntropy` compares with a class, but `y` has shape [10]\n\
           help: `target y: class<10>;`, or a loss of dense values such as `Mse`"],
    );
    check(
        &net("class<10>", "Nll(_, y)"),
        &["Nll: `Nll` takes log probabilities, but its prediction comes from `Linear`\n\
           help: put `LogSoftmax;` before the loss, or use `CrossEntropy`"],
    );
    check(
        &net("[3]", "Mse(_, y)"),
        &["Mse: the prediction has shape [10], but `y` has [3]\n\
           help: both must have the same shape\n\
           trail: x [4] → Linear [10] → here"],
    );
    check(
        &net("[10]", "MSELoss(_, y)"),
        &["MSELoss: there is no loss `MSELoss`\n\
           help: write `Mse(_, y)`"],
    );
}

#[test]
fn good_networks_come_out_beside_bad_ones() {
    let text = "pub Bad { input x: [3]; target y: class<2>; Linaer<3>; } pub Good { input x: [3]; Linear<3>; }";
    let (declarations, stubs, errors) = frontend(text.parse().unwrap());
    assert_eq!(errors.len(), 1);
    assert_eq!(declarations.len(), 1);
    assert_eq!(declarations[0].ident, "Good");
    assert_eq!(stubs[0].ident, "Bad");
}

#[test]
fn a_class_may_have_no_weight() {
    let text = "pub Net { input x: [4]; target y: class<3>; Linear<3>; LogSoftmax as logs; output logs;
        loss: Nll<weight = [1, 0, 2]>(logs, y); }";
    check(text, &[]);
}
