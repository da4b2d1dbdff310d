//! How long one step takes, on synthetic data.
//!
//!     cargo run --release --example step_time -- --model lenet5 --mode train --batch 64 --threads 2
//!     cargo run --release --example step_time -- --model lenet5 --mode train --batch 64 --device cuda --precision bf16
//!
//! Warms up, then repeats the step for `--seconds` and prints one line with the median, the shortest and the longest time.
//! `train` is forward, loss, backward and the optimizer's update; `infer` is `forward`, including the copy of the outputs.
//!
//! `--profile` takes some more steps and prints the median time of each launch, with its GFLOP/s and GB/s. With the machine's limits,
//! `--limits GFLOP/s GB/s` (`benches/peers/run.py` measures them: multiply-adds of these threads, and their bandwidth to memory),
//! it also names what bounds each launch, and how near it is: `fma`, or `memory`, which caches may exceed.
//!
//! `planned_mb` is what the model and the optimizer hold (weights, state, arenas), `peak_mb` the most memory that the process had.
//!
//! On a GPU these times include the copy of the batch to the device and of the results back. Two more are printed there:
//! `stream_ms`, the mean of training steps that follow each other without waiting for results (copies to the device included), and
//! `device_ms`, the mean of the step's graph by the device's own clock, its inputs already there.

#[path = "networks/tensor_cores.rs"]
mod tensor_cores;
#[path = "networks/zoo.rs"]
mod zoo;

use std::error::Error;
use std::time::{Duration, Instant};

use clap::builder::PossibleValuesParser;
use clap::{Parser, ValueEnum};
use kiln::LaunchTime;
use kiln::data::Feed;
use kiln::optim::Optimizer;
use kiln::prelude::*;
use tensor_cores::*;
use zoo::*;

/// A network as it is measured, and what it was compiled for.
type Form = (Precision, Fusion, fn(&Options) -> Result<(), Box<dyn Error>>);

/// What `--model` knows, in its forms.
const MODELS: &[(&str, &[Form])] = {
    /// Each precision's network and, where there is one, its unfused twin.
    macro_rules! models {
        ($($name:literal $optimizer:ident: $($precision:ident $fused:ident $($unfused:ident)?),+;)*) => {
            &[$(($name, &[$(
                (Precision::$precision, Fusion::On, |options| measure::<$fused, _>(options, $optimizer())),
                $((Precision::$precision, Fusion::Off, |options| measure::<$unfused, _>(options, $optimizer())),)?
            )+])),*]
        };
    }
    models! {
        "perceptron"          sgd:  F32 Perceptron PerceptronUnfused;
        "two_layer"           sgd:  F32 TwoLayer TwoLayerUnfused;
        "mlp"                 sgd:  F32 Mlp MlpUnfused, Tf32 MlpTf32 MlpTf32Unfused, Bf16 MlpBf16 MlpBf16Unfused;
        "lenet"               sgd:  F32 LeNet LeNetUnfused;
        "lenet5"              adam: F32 LeNet5 LeNet5Unfused, Tf32 LeNet5Tf32 LeNet5Tf32Unfused,
                                    Bf16 LeNet5Bf16 LeNet5Bf16Unfused;
        "mnist_bn_cnn"        adam: F32 MnistBnCnn MnistBnCnnUnfused, Tf32 MnistBnCnnTf32 MnistBnCnnTf32Unfused,
                                    Bf16 MnistBnCnnBf16 MnistBnCnnBf16Unfused;
        "autoencoder"         adam: F32 Autoencoder AutoencoderUnfused, Tf32 AutoencoderTf32 AutoencoderTf32Unfused,
                                    Bf16 AutoencoderBf16 AutoencoderBf16Unfused;
        "conv_autoencoder"    adam: F32 ConvAutoencoder ConvAutoencoderUnfused;
        "spatial_transformer" sgd:  F32 SpatialTransformerNet SpatialTransformerNetUnfused;
        "alexnet"             sgd:  F32 AlexNet AlexNetUnfused;
        "vgg16"               sgd:  F32 Vgg16 Vgg16Unfused;
        "vgg19"               sgd:  F32 Vgg19;
        "resnet18"            sgd:  F32 ResNet18Cifar ResNet18CifarUnfused;
        "resnet18_imagenet"   sgd:  F32 ResNet18;
        "resnet34"            sgd:  F32 ResNet34;
        "resnet50"            sgd:  F32 ResNet50;
        "googlenet"           sgd:  F32 GoogLeNet;
    }
};

fn sgd() -> Sgd {
    Sgd { lr: 0.01, momentum: 0.9, ..Sgd::default() }
}

fn adam() -> Adam {
    Adam::default()
}

/// Measure the time of one step.
#[derive(Parser)]
struct Options {
    /// `resnet18` is the form for images of 32 × 32; those with 1000 classes take 224 × 224
    #[arg(long, value_parser = PossibleValuesParser::new(MODELS.iter().map(|(name, _)| name)))]
    model: String,

    #[arg(long)]
    mode: Mode,

    /// Samples per step
    #[arg(long, default_value_t = 64)]
    batch: usize,

    #[arg(long, default_value = "cpu")]
    device: Place,

    /// Threads of the CPU (without it: KILN_THREADS, else all cores)
    #[arg(long)]
    threads: Option<usize>,

    /// How products are computed on a GPU; the CPU knows f32 only
    #[arg(long, default_value = "f32")]
    precision: Precision,

    /// `off`: one kernel for each primitive
    #[arg(long, default_value = "on")]
    fusion: Fusion,

    /// How long to measure
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,

    /// Also print where the time goes, launch by launch (CPU)
    #[arg(long)]
    profile: bool,

    /// What the machine can do at most, for the profile
    #[arg(long, requires = "profile", num_args = 2, value_names = ["GFLOP/s", "GB/s"])]
    limits: Option<Vec<f64>>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Place {
    Cpu,
    Cuda,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Precision {
    F32,
    Tf32,
    Bf16,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Mode {
    Train,
    Infer,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Fusion {
    On,
    Off,
}

fn main() {
    if let Err(error) = run(&Options::parse()) {
        eprintln!("error: {error}");
        std::process::exit(1);
    }
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    if options.device == Place::Cpu && options.precision != Precision::F32 {
        return Err("--precision is for --device cuda: the CPU computes in f32".into());
    }
    if options.device == Place::Cuda && options.threads.is_some() {
        return Err("--threads is for --device cpu".into());
    }
    let (_, forms) = MODELS.iter().find(|(name, _)| *name == options.model).expect("the parser knows the names");
    let form = forms.iter().find(|(precision, fusion, _)| (*precision, *fusion) == (options.precision, options.fusion));
    let Some((_, _, measure)) = form else {
        let text =
            |(precision, fusion, _): &Form| format!("--precision {} --fusion {}", word(*precision), word(*fusion));
        let forms: Vec<String> = forms.iter().map(text).collect();
        return Err(format!("{} is not in this form, but with {}", options.model, forms.join(", or ")).into());
    };
    measure(options)
}

fn measure<N, O: Optimizer>(options: &Options, optimizer: O) -> Result<(), Box<dyn Error>>
where
    N: Network<Inputs: Synthetic, Targets: Synthetic>,
{
    let device = match (options.device, options.threads) {
        (Place::Cpu, Some(threads)) => Device::cpu().threads(threads),
        (Place::Cpu, None) => Device::cpu(),
        (Place::Cuda, _) => Device::Cuda(0),
    };
    let mut model = N::new(&device, 1)?;
    let batch = Dataset::new(N::Inputs::samples(options.batch)?, N::Targets::samples(options.batch)?)?;
    let mut optimizer = optimizer.bind(&model)?;
    let mut step = || -> Result<(), kiln::Error> {
        match options.mode {
            Mode::Train => drop(model.train_step(&batch, &mut optimizer)?),
            Mode::Infer => drop(std::hint::black_box(model.forward(batch.inputs())?)),
        }
        Ok(())
    };

    // Long enough for the clock of the processor to settle.
    let warm_up = Instant::now();
    let mut steps = 0;
    while steps < 5 || warm_up.elapsed() < Duration::from_millis(300) {
        step()?;
        steps += 1;
    }
    let mut times = Vec::new();
    let start = Instant::now();
    while times.len() < 5 || start.elapsed().as_secs_f64() < options.seconds {
        let start = Instant::now();
        step()?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);

    print!(
        "step model={} mode={} batch={} device={} precision={} threads={} fusion={} median_ms={:.4} min_ms={:.4} max_ms={:.4}",
        options.model,
        word(options.mode),
        batch.len(),
        word(options.device),
        word(options.precision),
        options.threads.map_or_else(|| "default".into(), |threads| threads.to_string()),
        word(options.fusion),
        times[times.len() / 2],
        times[0],
        times[times.len() - 1],
    );
    if options.device == Place::Cuda {
        let repeats = times.len();
        if options.mode == Mode::Train {
            model.wait()?;
            let start = Instant::now();
            for _ in 0..repeats {
                model.train_step_without_report(&batch, &mut optimizer)?;
            }
            model.wait()?;
            print!(" stream_ms={:.5}", start.elapsed().as_secs_f64() * 1e3 / repeats as f64);
        }
        let time = match options.mode {
            Mode::Train => model.time_train_step(&batch, &mut optimizer, repeats)?,
            Mode::Infer => model.time_forward(batch.inputs(), repeats)?,
        };
        if let Some(time) = time {
            print!(" device_ms={time:.5}");
        }
    }
    if options.device == Place::Cpu {
        print!(" planned_mb={:.1}", (model.arena_bytes() + optimizer.state_bytes()) as f64 / 1e6);
        if let Some(peak) = peak_bytes() {
            print!(" peak_mb={:.1}", peak as f64 / 1e6);
        }
    }
    println!();
    if options.profile {
        let repeats = times.len().min(200);
        let launches = match options.mode {
            Mode::Train => model.profile_train_step(&batch, &mut optimizer, repeats)?,
            Mode::Infer => model.profile_forward(&batch, repeats)?,
        };
        profile(&launches, options.limits.as_deref());
    }
    Ok(())
}

/// The most memory that this process has had, where the system tells (Linux).
fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

/// A line per launch: its share of the time, the rates of what it must do at least, and how near its bound it is.
fn profile(launches: &[LaunchTime], limits: Option<&[f64]>) {
    let total: f64 = launches.iter().map(|launch| launch.seconds).sum();
    let head = if limits.is_some() { "   bound     %" } else { "" };
    println!("{:>9} {:>6} {:>9} {:>8}{head}  launch", "us", "%", "GFLOP/s", "GB/s");
    for launch in launches {
        let LaunchTime { name, layers, ops, seconds, flops, bytes } = launch;
        let rates = [*flops as f64 / seconds / 1e9, *bytes as f64 / seconds / 1e9];
        print!("{:>9.1} {:>6.1} {:>9.1} {:>8.1}", seconds * 1e6, 100.0 * seconds / total, rates[0], rates[1]);
        if let Some(limits) = limits {
            let (fma, memory) = (rates[0] / limits[0], rates[1] / limits[1]);
            let (bound, share) = if fma >= memory { ("fma", fma) } else { ("memory", memory) };
            print!("  {bound:>6} {:>5.0}", 100.0 * share);
        }
        println!("  {name}: {ops}  # {layers}");
    }
    println!("{:>9.1}  100.0 {:>9} {:>8}{}  all launches", total * 1e6, "", "", " ".repeat(head.len()));
}

/// An option as it is typed.
fn word(value: impl ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

/// Values in [0, 1) that look random and are the same everywhere.
fn values(count: usize) -> Vec<f32> {
    (0..count as u32).map(|i| (i.wrapping_mul(0x9e37_79b9) >> 8) as f32 / (1 << 24) as f32).collect()
}

/// Data that mean nothing.
trait Synthetic: Feed {
    fn samples(count: usize) -> Result<Self, kiln::Error>;
}

impl Synthetic for () {
    fn samples(_: usize) -> Result<Self, kiln::Error> {
        Ok(())
    }
}

impl<const N: usize> Synthetic for Rows<N> {
    fn samples(count: usize) -> Result<Self, kiln::Error> {
        Rows::from_vec(values(count * N))
    }
}

impl<const C: usize, const H: usize, const W: usize> Synthetic for Images<C, H, W> {
    fn samples(count: usize) -> Result<Self, kiln::Error> {
        Images::from_vec(values(count * C * H * W))
    }
}

impl<const N: usize> Synthetic for Classes<N> {
    fn samples(count: usize) -> Result<Self, kiln::Error> {
        Classes::from_vec((0..count).map(|sample| sample * 7 % N).collect())
    }
}
