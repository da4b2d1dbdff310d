//! Names from PyTorch and Keras.

use super::args::closest;
use super::{ALL, LOSSES, find};

/// Foreign name (lower case) and ours, for those that differ in more than case.
const FOREIGN: &[(&str, &str)] = &[
    ("dense", "Linear"),
    ("fc", "Linear"),
    ("fullyconnected", "Linear"),
    ("batchnorm1d", "BatchNorm"),
    ("batchnorm2d", "BatchNorm"),
    ("batchnormalization", "BatchNorm"),
    ("maxpooling2d", "MaxPool2d"),
    ("averagepooling2d", "AvgPool2d"),
    ("averagepool2d", "AvgPool2d"),
    ("globalaveragepooling2d", "GlobalAvgPool"),
    ("globalmaxpooling2d", "GlobalMaxPool"),
    ("leakyrectifier", "LeakyRelu"),
    ("conv2dtranspose", "ConvTranspose2d"),
    ("convtranspose", "ConvTranspose2d"),
    ("maxpooling1d", "MaxPool1d"),
    ("averagepooling1d", "AvgPool1d"),
    ("averagepool1d", "AvgPool1d"),
    ("adaptivemaxpool2d", "GlobalMaxPool"),
    ("upsample", "Upsample2d"),
    ("upsampling2d", "Upsample2d"),
    ("upsamplingnearest2d", "Upsample2d"),
    ("upsamplingbilinear2d", "Upsample2d"),
    ("interpolate", "Upsample2d"),
    ("lrn", "LocalResponseNorm"),
    ("gridsample", "AffineSample"),
    ("affinegrid", "AffineSample"),
    ("spatialtransformer", "AffineSample"),
    ("swish", "Silu"),
    ("crossentropyloss", "CrossEntropy"),
    ("nllloss", "Nll"),
    ("mseloss", "Mse"),
    ("l1loss", "L1"),
    ("smoothl1loss", "SmoothL1"),
    ("huberloss", "Huber"),
    ("bceloss", "Bce"),
    ("bcewithlogitsloss", "BceWithLogits"),
    ("logsoftmaxlayer", "LogSoftmax"),
    ("concatenate", "Concat"),
    ("cat", "Concat"),
    ("multiply", "Mul"),
    ("view", "Reshape"),
    ("sequential", "name: { … }"),
];

fn known() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|l| l.name).chain(LOSSES.iter().map(|l| l.name)).chain(["Residual"])
}

/// Whether lines already mean something by this name. Losses stand in `loss:` only, so that a block may be called like one.
pub fn is_taken(name: &str) -> bool {
    find(name).is_some() || name == "Residual"
}

/// Our name for a foreign one, or for another spelling.
pub fn ours(name: &str) -> Option<&'static str> {
    let small = name.to_lowercase().replace('_', "");
    let listed = FOREIGN.iter().find(|(foreign, _)| *foreign == small).map(|(_, ours)| *ours);
    listed.or_else(|| known().find(|own| own.to_lowercase() == small))
}

/// The nearest name among ours and `local` ones.
pub fn suggestion<'s>(name: &str, local: impl Iterator<Item = &'s str>) -> Option<String> {
    let all: Vec<String> = known().map(str::to_string).chain(local.map(str::to_string)).collect();
    closest(name, all.iter().map(String::as_str)).map(str::to_string)
}
