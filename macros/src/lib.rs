//! The proc-macros of Kiln: a doorway to `kiln-codegen`, and the reference of the language that [`network!`] reads.
//!
//! ```text
//! use kiln::prelude::*;
//!
//! network! {
//!     /// LeNet-5 (LeCun, Bottou, Bengio and Haffner, 1998), ReLU variant.
//!     pub LeNet5<CLASSES = 10> {
//!         input image: [1, 28, 28];
//!         target digit: class<CLASSES>;
//!
//!         features: {
//!             Conv2d<6, 5, padding = 2>; Relu; MaxPool2d<2>;
//!             Conv2d<16, 5>;             Relu; MaxPool2d<2>;
//!         }
//!         Flatten;
//!         classifier: { Linear<120>; Relu; Linear<84>; Relu; Linear<CLASSES>; }
//!
//!         loss: CrossEntropy(_, digit);
//!     }
//! }
//! ```
//!
//! `<…>` holds what is fixed while the program compiles, `(…)` holds values, `{…}` holds layers. What can be computed is
//! not written: input channels, flattened sizes and the shapes of weights follow from the lines above. Numbers, defaults
//! and names are PyTorch's.
//!
//! # Items
//!
//! One `network!` holds any number of networks, blocks and functions, in any order; each sees the blocks and functions
//! that stand before it.
//!
//! | form | meaning |
//! |---|---|
//! | `pub Name { … }` | a network: a type with that name |
//! | `pub Name<N = 10, BN = true> { … }` | with constants: numbers and truth values for its lines |
//! | `pub Name<H in [8, 32]> { … }` | a family: the types `Name<8>` and `Name<32>`, and no others; at most 64 members. `Name!(f)` is the array `[f::<Name<8>>, f::<Name<32>>]` |
//! | `block Name<C, S = 1> { … }` | a piece for use in networks and later blocks: `Name<64>;` |
//! | `block Name(x, skip) { … }` | a piece of several values: `Name(_, low);` |
//! | `fn leaky<A>(x) { if x > 0 { x } else { A * x } }` | an element-wise function: `leaky<0.1>;`, `gate(a, b);` |
//! | `pub block …` · `pub fn …` | for other `network!`s too |
//! | `use path::Name;` · `use path::Name as Other;` · `use path::{A, B};` | a `pub block` or `pub fn` of another one, of any module or crate |
//! | `pub Pets = path::ResNet18<CLASSES = 37>;` | a network from a block that has all of one (`input`, `target`, `loss:`), with other constants |
//!
//! What a `pub block` needs from its own `network!` goes with it, and its names stay its own. Beside the macro it is an
//! ordinary item: `pub use` hands it on, documentation lists it. A mistake in it stands on its use. Where the crate is
//! called otherwise in Cargo.toml (`k = { package = "kiln", … }`), the root of the program says
//! `extern crate k as kiln;`, for what the macro writes says `::kiln`.
//!
//! The body of a `fn` is any number of `let`s and one expression of `+ - * /`, comparisons, `if`/`else`, numbers, other
//! `fn`s, and `exp expm1 ln log1p sqrt abs sin cos tanh sigmoid erf erfc pow min max`. It is differentiated symbolically and fused like a
//! built-in layer.
//!
//! # Statements
//!
//! Each line takes the current value, which is the line before it (at the start, the only input), and becomes it.
//!
//! | form | meaning |
//! |---|---|
//! | `input NAME: [d, …];` | fed from outside; `[n]`, `[c, l]` or `[c, h, w]` per sample, the batch is not written |
//! | `input NAME: ids<[l], V>;` | integers below `V`, for `Embedding` |
//! | `target NAME: class<N>;` · `target NAME: [d, …];` | what a loss compares with: a class, or dense values |
//! | `Layer<args>;` · `name: Layer<args>;` | a layer; with a name, its value and its parameters bear it |
//! | `Layer<args> as name;` | names the value only: parameter names do not change |
//! | `Layer<args>(a, _);` | takes the listed values; `_` is the current one |
//! | `from name;` | makes `name` the current value |
//! | `name: { … }` · `name: { … }(value)` | a group; its value is its last line's |
//! | `other: name(value);` | applies the labelled layer or group `name` again, with the same parameters; gradients add up |
//! | `repeat 3 { … }` | the lines three times, each with parameters of its own |
//! | `if BN { … } else { … }` | chosen by constants, while the program compiles |
//! | `Residual { … }` | body(x) + x |
//! | `Residual { … } shortcut NAME { … }` | body(x) + shortcut(x) |
//! | `Residual { … } shortcut NAME if reshaped { … }` | the shortcut only where the body changes the shape |
//! | `Concat { a: { … } b: Layer; }` | branches of the current value, joined along the channels |
//! | `param scale: [16, 1, 1] = Constant<0.25>;` | a trainable value, an operand like any other |
//! | `output a, b;` | what `forward` returns; default: the prediction of the only loss term, or the last value |
//! | `loss: A(_, t) + 0.3 * B(aux, t);` | weighted terms; a network without a loss has no backward code |
//!
//! A name is visible from its line on, in its own and inner braces; from outside of a group by its path,
//! `features.low`. A value that reaches no output, no loss and no probe is a mistake, unless its name begins with `_`.
//!
//! # Arguments
//!
//! Literals and names stand bare, expressions in braces: `Linear<{4 * H}>`; they know `+ - * / %`, `min` and `max`.
//! By place are only what nobody mistakes (channels and kernel of a convolution, size of `Linear` and `Embedding`, kernel of a pool, a
//! rate, a slope), all else is named: `Conv2d<64, 3, stride = 2, groups = 4, bias = false>`. Height and width apart are
//! `[1, 7]`. `_` is the input's channel count: `Conv2d<_, 3, groups = _>`. A macro cannot see Rust constants: declare
//! `<H = 64>` with the network.
//!
//! # Layers
//!
//! | layer | arguments, with defaults | takes → gives |
//! |---|---|---|
//! | `Linear<120>` | `bias = true` | `[n]` → `[120]`, `[l, n]` → `[l, 120]` |
//! | `Conv2d<64, 3>` | `stride = 1, padding = 0, dilation = 1, groups = 1, bias = true` | images |
//! | `Conv1d<64, 3>` | as `Conv2d` | sequences |
//! | `ConvTranspose2d<64, 3>` | `stride = 1, padding = 0, output_padding = 0, groups = 1, bias = true, dilation = 1` | images |
//! | `MaxPool2d<2>` | `stride = kernel, padding = 0, dilation = 1, ceil_mode = false` | images |
//! | `AvgPool2d<2>` | `stride = kernel, padding = 0, ceil_mode = false, count_include_pad = true`, `divisor_override` | images |
//! | `MaxPool1d<2>`, `AvgPool1d<2>` | as for images, without `divisor_override` | sequences |
//! | `AdaptiveAvgPool2d<[7, 7]>` | | `[c, h, w]` → `[c, 7, 7]` |
//! | `GlobalAvgPool`, `GlobalMaxPool` | | `[c, h, w]` or `[c, l]` → `[c]` |
//! | `Upsample2d<scale_factor = 2>`, `Upsample2d<size = [56, 56]>` | `mode = nearest` or `bilinear`, `align_corners = false` | `[c, h, w]` → `[c, 2h, 2w]`, `[c, 56, 56]` |
//! | `LocalResponseNorm<5>` | `alpha = 1e-4, beta = 0.75, k = 1` | the same shape |
//! | `Embedding<64>` | `padding_idx` | `ids<[l], V>` → `[l, 64]` |
//! | `AffineSample(image, theta)` | `size = [h, w]` | `[c, h, w]` and `[2, 3]` → the image seen through theta: `affine_grid` and `grid_sample` with bilinear interpolation, zeros outside and `align_corners = false` |
//! | `BatchNorm` | `eps = 1e-5, momentum = 0.1` (or `none`: the mean over all batches), `affine = true, track_running_stats = true` | the same shape |
//! | `LayerNorm`, `LayerNorm<64>`, `LayerNorm<[8, 64]>` | `eps = 1e-5, elementwise_affine = true, bias = true`; over all axes, or over the last ones, which are given | the same shape |
//! | `GroupNorm<4>` | `eps = 1e-5, affine = true` | the same shape |
//! | `Standardize` | `per = channel` (or `pixel`); of an input: `model.fit_standardize` sets mean and deviation | the same shape |
//! | `Dropout<0.5>` | | the same shape |
//! | `Dropout2d<0.5>` | whole channels | images |
//! | `GaussianNoise<0.1>` | normal numbers of this deviation, in training | the same shape |
//! | `Flatten` | | any → `[n]` |
//! | `Reshape<[16, 7, 7]>` | | as many values |
//! | `Permute<[1, 0]>` | axis i of the result is axis `dims[i]` of the input | `[a, b]` → `[b, a]` |
//! | `Slice<axis = 0, start = 2, end = 5>` | `axis = 0, start = 0, end =` all | the axis from `start` up to but not `end` |
//! | `ZeroPad1d<1>` | or `<[left, right]>` | `[c, l]` → `[c, l + 2]` |
//! | `ZeroPad2d<1>` | or `<[left, right, top, bottom]>` | `[c, h, w]` → `[c, h + 2, w + 2]` |
//! | `Relu`, `LeakyRelu<0.01>`, `Sigmoid`, `Tanh`, `Silu`, `Mish` | | element-wise |
//! | `Elu<1.0>` | | element-wise: alpha·(eˣ − 1) below 0 |
//! | `Gelu` | `approximate = none` (or `tanh`) | element-wise |
//! | `Softplus` | `beta = 1, threshold = 20` | element-wise: ln(1 + e^(beta·x)) / beta |
//! | `Step` | | element-wise: 1 where positive, 0 elsewhere; its slope is 0 |
//! | `Softmax`, `LogSoftmax` | | along the first axis (PyTorch's `dim = 1`) |
//! | `Add(a, b, …)`, `Mul(a, b, …)` | | element-wise; axes of size 1 repeat |
//! | `Concat(a, b, …)` | | joined along the first axis |
//! | `Sum`, `Average`, `Max` | `axis =` all, `keepdim = false` | to `[1]`; without the axes of `axis = 1` or `axis = [1, 2]` |
//! | `Dot(a, b)` | `axis =` all, `keepdim = false` | the sum of the products, to `[1]` or along axes |
//!
//! A convolution takes any padding, as PyTorch's do; where a kernel sees nothing but padding it gives the bias.
//!
//! 3 × 3 convolutions at stride 1 may be computed by Winograd's algorithm (`#[cpu(conv = direct)]` on the network
//! forbids it).
//! Its tiles are 4 × 4, and a result is a sum over all 6 × 6 pixels that its tile reads, in which what does not belong to it
//! cancels. NaN and infinities do not cancel: one NaN in a plane makes every tile that reads it NaN, up to 64 pixels where a
//! direct convolution has 9. Nothing finite comes out wrong by it, and no NaN gets lost.
//!
//! Axes are those of a sample and count from 0: `[c, h, w]` has the axes 0, 1 and 2. Where several values of `Max` are
//! equal they share the gradient, as in PyTorch's `amax`.
//!
//! # Losses
//!
//! `Loss<options>(prediction, truth)`; the truth is a target, an input or any value, or `one_hot(digit)` for a class as
//! dense values. Any other loss is a computation: `Mean(value)` makes a term of what lines before have computed, also from
//! targets, so long as no output depends on those.
//!
//! | loss | truth | options | mean over |
//! |---|---|---|---|
//! | `CrossEntropy` | a class; the prediction are scores, before any softmax | `label_smoothing = 0, weight = […]` | the batch |
//! | `Nll` | a class; the prediction comes from `LogSoftmax` | `weight = […]` | the batch |
//! | `Mse` | dense values | | all elements |
//! | `L1` | dense values | | all elements |
//! | `Huber` | dense values: half of the square up to delta, linear beyond | `delta = 1` | all elements |
//! | `SmoothL1` | dense values: square by 2·beta up to beta, the difference less beta/2 beyond | `beta = 1` | all elements |
//! | `Bce` | 0 to 1; the prediction are probabilities | | all elements |
//! | `BceWithLogits` | 0 to 1; the prediction are scores, before any `Sigmoid` | `pos_weight = 1` (or `[…]`, one for each channel) | all elements |
//! | `HalfSquare` | dense values: (y − p)² / 2, summed over a sample | | the batch |
//! | `Mean(value)` | none | | all elements |
//! | `Perceptron` | 0 or 1; the prediction are scores, before any `Step`: (step(s) − y)·s, summed over a sample | | the batch |
//!
//! # Attributes
//!
//! | attribute | stands on | meaning |
//! |---|---|---|
//! | `#[frozen]` | network, block, group, layer | no gradient, no optimizer state, runs in evaluation mode |
//! | `#[frozen(conv1, layer1.0)]` | network | the same for these lines, by their paths |
//! | `#[init(weight = KaimingNormal<mode = fan_out>, bias = Zeros)]` | network, block, group, layer | start values |
//! | `#[init(fc.weight = Zeros)]` | network | the same, by the parameter's full name |
//! | `#[no_decay]` · `#[no_decay(bias)]` | network, block, group, layer | no weight decay |
//! | `#[no_decay(layer1, fc.bias)]` | network | the same by path |
//! | `#[name = "encoder.0"]` | group, layer | what its parameters are called |
//! | `#[probe]` · `#[probe(features.3)]` | a line with a name · network | a constant of its path, `Net::FEATURES_3`, to look at its value with `Model::activations`, and with `Model::excite` at what in the input would raise a channel, unit or class of it |
//! | `#[fusion(off)]` · `#[fusion(both)]` | network | one kernel per primitive · a twin `NameUnfused` beside it |
//! | `#[cuda(precision = f32)]`, `tf32`, `bf16` | network | how contractions multiply on CUDA: exactly (the default), or on tensor cores with operands rounded to 10 or 7 bits of mantissa; sums and weights stay f32, and the CPU is not concerned |
//! | `#[dump(graph, schedule, memory, cpu, cuda)]` | network | prints these stages while the program compiles |
//!
//! Initialisers: `Zeros`, `Ones`, `Constant<x>`, `Uniform<a, b>`, `Normal<mean, std>`, `TruncatedNormal<mean, std>` (`a = -2`,
//! `b = 2`: where it is cut off), `KaimingUniform` and `KaimingNormal` (`mode = fan_in`, `nonlinearity = leaky_relu`, `a = 0`),
//! `XavierUniform<gain>`, `XavierNormal<gain>` and `Orthogonal<gain>` (or `nonlinearity`, whose gain is that of
//! `calculate_gain`), `LeCunUniform`, `LeCunNormal`, `Identity` (of a matrix; `Identity<[2, 3]>` reads a vector as one),
//! `Dirac` (`groups = 1`; the identity of a convolution).
//!
//! # Names of parameters
//!
//! They are torchvision's, so that a state dict loads by name. A named `{…}` is a `Sequential`: each line counts from 0,
//! with or without parameters, `repeat` is unrolled in place, a named line bears its name. The body of a network or block
//! is a module: names give names, an unnamed layer bears its position, an unnamed `Residual`, `Concat`, `repeat` or block
//! is transparent. `BatchNorm` has `weight`, `bias`, `running_mean` and `running_var`.
//!
//! # Mistakes
//!
//! A mistake is a compile error on the smallest token that must change: what is wrong with both values, what to type, and
//! for shapes the trail that led there. Several mistakes are several errors, and nothing is said about lines or uses that
//! only follow from one.
//!
//! ```text
//! error: `Linear` takes a vector, but its input has shape [16, 5, 5]
//!        help: put `Flatten;` before it (it gives [400])
//!        trail: image [1, 28, 28] → features.0 [6, 28, 28] → features.2 [6, 14, 14] → … → features.5 [16, 5, 5] → here
//! ```

use proc_macro::TokenStream;

/// Declares networks. [The language](crate) is described at the head of this crate.
///
/// Each network becomes a type with the constants `PARAMETERS`, `FORWARD_FLOPS` and `TRAINING_BYTES_PER_SAMPLE`, the
/// functions `new`, `open`, `summary` and `diagram`, and an implementation of `kiln::Network`.
#[proc_macro]
pub fn network(input: TokenStream) -> TokenStream {
    let wanted = kiln_codegen::Wanted { code: makes_code(), cuda: cfg!(feature = "cuda") };
    kiln_codegen::compile_for(input.into(), wanted).into()
}

/// Whether code will be made of what this process reads. `cargo check`, documentation and editors want types, numbers and mistakes
/// only: rustc, in whose process a macro runs, is then told to emit nothing but metadata. Where that is not sure, code is made.
fn makes_code() -> bool {
    let arguments: Vec<String> = std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect();
    // Miri reads metadata as if it were code.
    let miri = std::env::vars_os().any(|(name, _)| name.to_string_lossy().starts_with("MIRI"));
    miri || emits_code(&arguments)
}

/// Whether this command line of rustc, or of a program in its place, asks for more than metadata.
fn emits_code(arguments: &[String]) -> bool {
    let program = arguments.first().map(|path| path.rsplit(['/', '\\']).next().unwrap_or(path)).unwrap_or_default();
    if program.starts_with("rustdoc") || program.starts_with("rust-analyzer") {
        return false;
    }
    let mut kinds = arguments.iter().enumerate().flat_map(|(i, argument)| {
        let list = match argument.strip_prefix("--emit") {
            Some("") => arguments.get(i + 1).map_or("", String::as_str),
            Some(list) => list.trim_start_matches('='),
            None => "",
        };
        list.split(',').filter(|kind| !kind.is_empty()).map(|kind| kind.split('=').next().unwrap_or(kind))
    });
    let Some(first) = kinds.next() else { return true };
    [first].into_iter().chain(kinds).any(|kind| !matches!(kind, "dep-info" | "metadata"))
}

/// An optimizer's arithmetic on one element, for `kiln` itself.
#[doc(hidden)]
#[proc_macro]
pub fn update(input: TokenStream) -> TokenStream {
    kiln_codegen::update::update(input.into()).into()
}

#[cfg(test)]
mod tests {
    use super::emits_code;

    #[test]
    fn only_metadata_is_no_code() {
        let code = |line: &str| emits_code(&line.split(' ').map(String::from).collect::<Vec<_>>());
        assert!(!code("/usr/bin/rustc --crate-name a --emit=dep-info,metadata -C debuginfo=2"));
        assert!(!code("rustc --emit dep-info,metadata=a.rmeta a.rs"));
        assert!(!code("clippy-driver rustc --emit=dep-info,metadata"));
        assert!(!code("C:\\rustdoc.exe --crate-name a"));
        assert!(!code("/opt/rust-analyzer-proc-macro-srv"));
        assert!(code("rustc --emit=dep-info,metadata,link"));
        assert!(code("rustc --emit=metadata --emit=asm"));
        assert!(code("rustc a.rs"));
        assert!(code("rustc @arguments"));
    }
}
