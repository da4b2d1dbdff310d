//! Words of PyTorch, Keras, JAX, burn and candle for layers and their arguments, and ours.

use super::args::closest;
use super::{ALL, LOSSES, find, find_loss};

/// Foreign name (lower case, without `_`) and ours, for those that differ in more than case.
const FOREIGN: &[(&str, &str)] = &[
    ("dense", "Linear"),
    ("fc", "Linear"),
    ("fullyconnected", "Linear"),
    ("lazylinear", "Linear"),
    ("affine", "Linear"),
    ("conv", "Conv2d"),
    ("convolution", "Conv2d"),
    ("convolution2d", "Conv2d"),
    ("lazyconv2d", "Conv2d"),
    ("batchnorm1d", "BatchNorm"),
    ("batchnorm2d", "BatchNorm"),
    ("batchnorm3d", "BatchNorm"),
    ("bn", "BatchNorm"),
    ("batchnormalization", "BatchNorm"),
    ("layernormalization", "LayerNorm"),
    ("groupnormalization", "GroupNorm"),
    ("maxpool", "MaxPool2d"),
    ("maxpooling", "MaxPool2d"),
    ("maxpooling2d", "MaxPool2d"),
    ("avgpool", "AvgPool2d"),
    ("averagepooling2d", "AvgPool2d"),
    ("averagepool2d", "AvgPool2d"),
    ("globalaveragepooling2d", "GlobalAvgPool"),
    ("globalaveragepooling1d", "GlobalAvgPool"),
    ("globalaveragepool", "GlobalAvgPool"),
    ("globalavgpool2d", "GlobalAvgPool"),
    ("globalmaxpooling2d", "GlobalMaxPool"),
    ("globalmaxpooling1d", "GlobalMaxPool"),
    ("globalmaxpool2d", "GlobalMaxPool"),
    ("adaptiveavgpool1d", "GlobalAvgPool"),
    ("adaptivemaxpool2d", "GlobalMaxPool"),
    ("adaptivemaxpool1d", "GlobalMaxPool"),
    ("leakyrectifier", "LeakyRelu"),
    ("conv2dtranspose", "ConvTranspose2d"),
    ("convtranspose", "ConvTranspose2d"),
    ("deconv2d", "ConvTranspose2d"),
    ("maxpooling1d", "MaxPool1d"),
    ("averagepooling1d", "AvgPool1d"),
    ("averagepool1d", "AvgPool1d"),
    ("upsample", "Upsample2d"),
    ("upsampling2d", "Upsample2d"),
    ("upsamplingnearest2d", "Upsample2d"),
    ("upsamplingbilinear2d", "Upsample2d"),
    ("interpolate", "Upsample2d"),
    ("zeropadding2d", "ZeroPad2d"),
    ("zeropadding1d", "ZeroPad1d"),
    ("lrn", "LocalResponseNorm"),
    ("gridsample", "AffineSample"),
    ("affinegrid", "AffineSample"),
    ("spatialtransformer", "AffineSample"),
    ("swish", "Silu"),
    ("heaviside", "Step"),
    ("sign", "Step"),
    ("spatialdropout2d", "Dropout2d"),
    ("gaussiandropout", "GaussianNoise"),
    ("embed", "Embedding"),
    ("crossentropyloss", "CrossEntropy"),
    ("softmaxcrossentropy", "CrossEntropy"),
    ("categoricalcrossentropy", "CrossEntropy"),
    ("sparsecategoricalcrossentropy", "CrossEntropy"),
    ("nllloss", "Nll"),
    ("mseloss", "Mse"),
    ("meansquarederror", "Mse"),
    ("l2loss", "Mse"),
    ("l1loss", "L1"),
    ("mae", "L1"),
    ("meanabsoluteerror", "L1"),
    ("smoothl1loss", "SmoothL1"),
    ("huberloss", "Huber"),
    ("bceloss", "Bce"),
    ("binarycrossentropy", "Bce"),
    ("binarycrossentropywithlogits", "BceWithLogits"),
    ("bcewithlogitsloss", "BceWithLogits"),
    ("logsoftmaxlayer", "LogSoftmax"),
    ("concatenate", "Concat"),
    ("concatenation", "Concat"),
    ("cat", "Concat"),
    ("hstack", "Concat"),
    ("multiply", "Mul"),
    ("mult", "Mul"),
    ("plus", "Add"),
    ("sub", "Add"),
    ("view", "Reshape"),
    ("transpose", "Permute"),
    ("amax", "Max"),
    ("skipconnection", "Residual"),
];

/// Layers that this language does not have, and what to do without.
const MISSING: &[(&str, &str)] = &[
    ("identity", "leave it out: a line that changes nothing is not written"),
    ("lstm", "recurrent layers do not exist here; `Conv1d<64, 3>` takes sequences"),
    ("gru", "recurrent layers do not exist here; `Conv1d<64, 3>` takes sequences"),
    ("rnn", "recurrent layers do not exist here; `Conv1d<64, 3>` takes sequences"),
    ("simplernn", "recurrent layers do not exist here; `Conv1d<64, 3>` takes sequences"),
    ("conv3d", "values have at most 3 axes here; `Conv2d<64, 3>` takes images"),
    ("multiheadattention", "attention does not exist here yet; `Conv1d<64, 3>` takes sequences"),
    ("transformer", "attention does not exist here yet; `Conv1d<64, 3>` takes sequences"),
    ("relu6", "declare it before the network: `fn relu6(x) { min(max(x, 0), 6) }`, and write `relu6;`"),
    ("hardtanh", "declare it before the network: `fn hardtanh(x) { min(max(x, -1), 1) }`, and write `hardtanh;`"),
    ("selu", "`Elu<1.0>` is the nearest layer, or declare a `fn` of your own before the network"),
    (
        "hardsigmoid",
        "declare it before the network: `fn hardsigmoid(x) { min(max(x / 6 + 0.5, 0), 1) }`, and write `hardsigmoid;`",
    ),
    (
        "hardswish",
        "declare it before the network: `fn hardswish(x) { x * min(max(x / 6 + 0.5, 0), 1) }`, and write `hardswish;`",
    ),
    ("softsign", "declare it before the network: `fn softsign(x) { x / (1 + abs(x)) }`, and write `softsign;`"),
    ("prelu", "a slope that is learned is a `param`: `LeakyRelu<0.25>` has a fixed one"),
    ("instancenorm2d", "`GroupNorm<G>` with as many groups as channels normalises each channel by itself"),
    ("rmsnorm", "`LayerNorm` is the nearest layer"),
    ("separableconv2d", "write `Conv2d<_, 3, groups = _>; Conv2d<64, 1>;`: each channel by itself, then all together"),
    ("depthwiseconv2d", "write `Conv2d<_, 3, groups = _>`: each channel by itself"),
    ("input", "declare what the network is fed: `input x: [1, 28, 28];`"),
    ("inputlayer", "declare what the network is fed: `input x: [1, 28, 28];`"),
    ("output", "a network returns the prediction of its loss, or what `output name;` names"),
    ("activation", "an activation is a layer of its own: `Relu`, `Tanh`, `Sigmoid`, …"),
    ("sequential", "lines in order need no container; `name: { … }` is a group of lines"),
    ("modulelist", "lines in order need no container; `name: { … }` is a group of lines"),
    ("shortcut", "a shortcut stands behind the body: `Residual { … } shortcut { … }`"),
    ("skip", "a way around lines is `Residual { … }`"),
];

/// Words for arguments that have another name here.
const ARGUMENTS: &[(&str, &str)] = &[
    ("kernel_size", "kernel"),
    ("kernelsize", "kernel"),
    ("ksize", "kernel"),
    ("k", "kernel"),
    ("pool_size", "kernel"),
    ("filter_size", "kernel"),
    ("window", "kernel"),
    ("strides", "stride"),
    ("pad", "padding"),
    ("dilation_rate", "dilation"),
    ("use_bias", "bias"),
    ("with_bias", "bias"),
    ("negative_slope", "slope"),
    ("alpha", "slope"),
    ("rate", "p"),
    ("prob", "p"),
    ("drop_prob", "p"),
    ("dropout", "p"),
    ("units", "size"),
    ("features", "size"),
    ("out_features", "size"),
    ("d_output", "size"),
    ("out_dim", "size"),
    ("output_dim", "size"),
    ("embedding_dim", "size"),
    ("outputs", "size"),
    ("out", "size"),
    ("n_out", "size"),
    ("features", "channels"),
    ("out_channels", "channels"),
    ("filters", "channels"),
    ("out", "channels"),
    ("output_channels", "channels"),
    ("epsilon", "eps"),
    ("dim", "axis"),
    ("keepdims", "keepdim"),
    ("groups", "num_groups"),
    ("scale", "scale_factor"),
    ("interpolation", "mode"),
    ("target_shape", "shape"),
    ("output_size", "size"),
    ("std", "stddev"),
    ("sigma", "stddev"),
    ("feature_group_count", "groups"),
];

/// Words for what is inferred here or always so.
const INFERRED: &[&str] = &[
    "in_channels",
    "in_features",
    "in",
    "n_in",
    "inputs",
    "num_features",
    "input_dim",
    "input_shape",
    "num_embeddings",
    "d_input",
    "in_dim",
    "input_size",
];

fn known() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|l| l.name).chain(LOSSES.iter().map(|l| l.name)).chain(["Residual"])
}

/// As the tables have it.
fn bare(name: &str) -> String {
    name.to_lowercase().replace('_', "")
}

/// Whether lines already mean something by this name. Losses stand in `loss:` only, so that a block may be called like one.
pub fn is_taken(name: &str) -> bool {
    find(name).is_some() || name == "Residual"
}

/// Our name for a foreign one, or for another spelling.
pub fn ours(name: &str) -> Option<&'static str> {
    let small = bare(name);
    let listed = FOREIGN.iter().find(|(foreign, _)| *foreign == small).map(|(_, ours)| *ours);
    listed.or_else(|| known().find(|own| own.to_lowercase() == small))
}

/// The word for a list of layers in order, which is nothing here.
pub fn container(name: &str) -> Option<&'static str> {
    ["Sequential", "ModuleList", "Some", "Ok", "Box", "Arc", "Rc"].into_iter().find(|own| bare(own) == bare(name))
}

/// What to do without a layer of other languages.
pub fn missing(name: &str) -> Option<&'static str> {
    let small = bare(name);
    MISSING.iter().find(|(foreign, _)| *foreign == small).map(|(_, help)| *help)
}

/// The argument among `known` that a foreign one is.
pub fn argument(name: &str, known: &[&'static str]) -> Option<&'static str> {
    if let Some(own) = known.iter().find(|own| **own == name) {
        return Some(own);
    }
    let small = name.to_lowercase();
    ARGUMENTS
        .iter()
        .filter(|(foreign, _)| *foreign == small)
        .find_map(|(_, ours)| known.iter().find(|own| *own == ours))
        .copied()
}

/// Whether the argument says what is inferred here.
pub fn is_inferred(name: &str) -> bool {
    INFERRED.contains(&name)
}

/// Whether other languages have the argument, and its value can be said among `known` or is not needed. An axis is counted
/// otherwise here, so it is none of these.
pub fn is_argument(name: &str, known: &[&'static str]) -> bool {
    const ELSEWHERE: &[&str] =
        &["activation", "name", "inplace", "device", "dtype", "data_format", "kernel_initializer", "bias_initializer"];
    !matches!(name, "dim" | "axis")
        && (argument(name, known).is_some() || is_inferred(name) || ELSEWHERE.contains(&name))
}

/// The nearest name among ours and `local` ones.
pub fn suggestion<'s>(name: &str, local: impl Iterator<Item = &'s str>) -> Option<String> {
    let all: Vec<String> = known().map(str::to_string).chain(local.map(str::to_string)).collect();
    closest(name, all.iter().map(String::as_str)).map(str::to_string)
}

/// The arguments of a layer or loss of ours.
pub fn arguments(name: &str) -> Option<&'static [super::args::Slot]> {
    find(name).map(|layer| layer.arguments).or_else(|| find_loss(name).map(|loss| loss.arguments))
}
