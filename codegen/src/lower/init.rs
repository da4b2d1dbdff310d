//! Initialisers as they are written: `KaimingNormal<mode = fan_out>`. Names, arguments and formulas are `torch.nn.init`'s.

use super::body::Lowering;
use super::*;
use crate::graph::Init;
use crate::layers::args::{Args, Slot, Surplus, closest, named, positional};
use crate::syntax::{ArgumentValue, Call};

const NAMES: [&str; 15] = [
    "Zeros",
    "Ones",
    "Constant",
    "Uniform",
    "Normal",
    "TruncatedNormal",
    "KaimingUniform",
    "KaimingNormal",
    "XavierUniform",
    "XavierNormal",
    "LeCunUniform",
    "LeCunNormal",
    "Orthogonal",
    "Identity",
    "Dirac",
];

const KAIMING: &[Slot] = &[named("mode"), named("nonlinearity"), named("a")];
const GAIN: &[Slot] = &[positional("gain"), named("nonlinearity"), named("a")];
const TRUNCATED: &[Slot] = &[positional("mean"), positional("std"), named("a"), named("b")];

/// What `calculate_gain` knows.
const NONLINEARITIES: &[&str] = &["relu", "leaky_relu", "tanh", "sigmoid", "linear", "selu"];

impl Lowering<'_> {
    pub fn init(&mut self, argument: &Argument) -> Option<Init> {
        let ArgumentValue::Word(name, arguments) = &argument.value else {
            let message = format!("`{}` is no initialiser", argument.value.text());
            let help = format!("write `Constant<{}>`", argument.value.text());
            self.errors.push(Mistake::new(argument.source, message).help(help));
            return None;
        };
        let call = Call {
            name: name.clone(),
            qualifier: None,
            arguments: arguments.clone(),
            operands: None,
            source: argument.source,
        };
        let (slots, usage): (&'static [_], _) = match name.to_string().as_str() {
            "Zeros" | "Ones" => (&[], "Zeros"),
            "LeCunUniform" | "LeCunNormal" => (&[], "LeCunNormal"),
            "Constant" => (&const { [positional("value")] }, "Constant<0.25>"),
            "Uniform" => (&const { [positional("a"), positional("b")] }, "Uniform<-0.1, 0.1>"),
            "Normal" => (&const { [positional("mean"), positional("std")] }, "Normal<std = 0.02>"),
            "TruncatedNormal" => (TRUNCATED, "TruncatedNormal<std = 0.02>"),
            "KaimingUniform" | "KaimingNormal" => (KAIMING, "KaimingNormal<mode = fan_out>"),
            "XavierUniform" | "XavierNormal" => (GAIN, "XavierUniform<gain = 1>"),
            "Orthogonal" => (GAIN, "Orthogonal<gain = 1>"),
            "Identity" => (&const { [positional("shape")] }, "Identity<[2, 3]>"),
            "Dirac" => (&const { [named("groups")] }, "Dirac<groups = 1>"),
            other => {
                let diagnostic = Mistake::new(Source::at(name.span()), format!("there is no initialiser `{other}`"));
                let bare = |name: &str| {
                    name.to_lowercase().replace('_', "").replace("glorot", "xavier").replace("he", "kaiming")
                };
                let same = NAMES.into_iter().find(|own| bare(own) == bare(other));
                self.errors.push(match same.or(closest(other, NAMES.into_iter())) {
                    Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                    None => {
                        let alike: Vec<&str> =
                            NAMES.into_iter().filter(|n| n.to_lowercase().starts_with(&other.to_lowercase())).collect();
                        let names = if alike.is_empty() { NAMES.to_vec() } else { alike };
                        diagnostic.help(format!("initialisers are {}", listed(names.into_iter())))
                    }
                });
                return None;
            }
        };
        if let ("Normal", [only @ Argument { name: None, .. }]) = (name.to_string().as_str(), arguments.as_slice()) {
            let number = only.value.text();
            let message = format!("one number of `Normal` is its mean: `Normal<{number}>` has a deviation of 1");
            let help = format!("write `Normal<0, {number}>`, or `Normal<mean = {number}>` if that is meant");
            self.errors.push(Mistake::new(only.source, message).help(help));
            return None;
        }
        let args = Args::read(&call, slots, Surplus::Nothing, usage, &self.constants, None, self.errors)?;
        match read(&name.to_string(), &args) {
            Ok(init) => Some(init),
            Err(diagnostic) => {
                self.errors.push(diagnostic);
                None
            }
        }
    }
}

fn read(name: &str, args: &Args) -> Result<Init, Diagnostic> {
    Ok(match name {
        "Ones" => Init::Ones,
        "Constant" => Init::Constant(args.float("value")?),
        "Uniform" => {
            let (low, high) = (args.float_or("a", 0.0)?, args.float_or("b", 1.0)?);
            if low > high {
                let message = format!("`Uniform` from {low} to {high} is empty");
                return Err(Mistake::new(args.source("a"), message).help(format!("`Uniform<{high}, {low}>`")));
            }
            Init::Uniform { low, high }
        }
        "Normal" => Init::Normal { mean: args.float_or("mean", 0.0)?, std: deviation(name, args)? },
        "TruncatedNormal" => {
            let (mean, std) = (args.float_or("mean", 0.0)?, deviation(name, args)?);
            let (low, high) = (args.float_or("a", -2.0)?, args.float_or("b", 2.0)?);
            if low >= high {
                let message = format!("`TruncatedNormal` from {low} to {high} is empty");
                return Err(Mistake::new(args.source("a"), message).help("`a` is the lower end, `b` the upper one"));
            }
            if low > mean + 8.0 * std || high < mean - 8.0 * std {
                let message = format!("`TruncatedNormal` from {low} to {high} is too far from its mean {mean}");
                let help = format!("its deviation is {std}: move `a` and `b` towards the mean");
                return Err(Mistake::new(args.source("a"), message).help(help));
            }
            Init::TruncatedNormal { mean, std, low, high }
        }
        "KaimingUniform" | "KaimingNormal" => {
            let fan_out = args.word_or("mode", &["fan_in", "fan_out"], "fan_in")? == "fan_out";
            // PyTorch's default is leaky ReLU with slope a = 0.
            let gain = calculate_gain(args, 0.0)?;
            if name == "KaimingUniform" {
                Init::KaimingUniform { gain, fan_out }
            } else {
                Init::KaimingNormal { gain, fan_out }
            }
        }
        "XavierUniform" => Init::XavierUniform { gain: gain(args)? },
        "XavierNormal" => Init::XavierNormal { gain: gain(args)? },
        // LeCun, Bottou, Orr and Müller, 1998: a variance of 1 / fan_in.
        "LeCunUniform" => Init::KaimingUniform { gain: 1.0, fan_out: false },
        "LeCunNormal" => Init::KaimingNormal { gain: 1.0, fan_out: false },
        "Orthogonal" => Init::Orthogonal { gain: gain(args)? },
        "Identity" if args.has("shape") => {
            let shape = args.sizes("shape")?;
            let &[rows, columns] = shape.as_slice() else {
                let message = format!("`Identity` is a matrix, but `shape` has {} sizes", shape.len());
                return Err(Mistake::new(args.source("shape"), message).help("`Identity<[2, 3]>`"));
            };
            Init::Identity { shape: Some([rows, columns]) }
        }
        "Identity" => Init::Identity { shape: None },
        "Dirac" => Init::Dirac { groups: args.size_or("groups", 1)? },
        _ => Init::Zeros,
    })
}

fn deviation(name: &str, args: &Args) -> Result<f64, Diagnostic> {
    let std = args.float_or("std", 1.0)?;
    if std < 0.0 || (std == 0.0 && name == "TruncatedNormal") {
        let message = format!("`std` of `{name}` is not negative, found {std}");
        return Err(Mistake::new(args.source("std"), message).help("write a number above 0, such as `std = 0.01`"));
    }
    Ok(std)
}

/// A gain as a number, or by what follows the layer.
fn gain(args: &Args) -> Result<f64, Diagnostic> {
    if !args.has("nonlinearity") {
        return args.float_or("gain", 1.0);
    }
    if args.has("gain") {
        let message = "`nonlinearity` decides the gain, which is given too";
        return Err(Mistake::new(args.source("gain"), message).help("remove one of them"));
    }
    calculate_gain(args, 0.01)
}

/// PyTorch's `calculate_gain`, with this slope of `leaky_relu` where none is given.
fn calculate_gain(args: &Args, slope: f64) -> Result<f64, Diagnostic> {
    let nonlinearity = args.word_or("nonlinearity", NONLINEARITIES, "leaky_relu")?;
    let a = args.float_or("a", slope)?;
    if args.has("a") && nonlinearity != "leaky_relu" {
        let message = format!("`a` is the slope of `leaky_relu`, but `nonlinearity` is `{nonlinearity}`");
        return Err(Mistake::new(args.source("a"), message).help("remove one of them"));
    }
    Ok(match nonlinearity {
        "relu" => 2f64.sqrt(),
        "tanh" => 5.0 / 3.0,
        "selu" => 0.75,
        "sigmoid" | "linear" => 1.0,
        _ => (2.0 / (1.0 + a * a)).sqrt(),
    })
}
