//! How long one step takes, on synthetic data.
//!
//!     cargo run --release --example step_time -- --model lenet5 --mode train --batch 64 --threads 2
//!     cargo run --release --example step_time -- --model lenet5 --mode train --batch 64 --device cuda --precision bf16
//!
//! Warms up, then repeats the step for `--seconds` and prints one line with the median, the shortest and the longest time.
//! `train` is forward, loss, backward and the optimizer's update; `infer` is `forward`, including the copy of the outputs.
//!
//! `--profile` takes some more steps and prints the median time of each launch, with its GFLOP/s and GB/s.
//!
//! `planned_mb` is what the model and the optimizer hold (weights, state, arenas), `peak_mb` the most memory that the process had.
//!
//! On a GPU these times include the copy of the batch to the device and of the results back. Two more are printed there:
//! `stream_ms`, the mean of training steps that follow each other without waiting for results (copies to the device included), and
//! `device_ms`, the mean of the step's graph by the device's own clock, its inputs already there.

#[path = "networks/large.rs"]
mod large;
mod networks;
#[path = "networks/tensor_cores.rs"]
mod tensor_cores;

use std::error::Error;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use kiln::LaunchTime;
use kiln::optim::Optimizer;
use kiln::prelude::*;
use large::{AlexNet, AlexNetUnfused, ResNet18, ResNet18Unfused, Vgg16, Vgg16Unfused};
use networks::{
    Autoencoder, AutoencoderUnfused, LeNet5, LeNet5Unfused, Mlp, MlpUnfused, MnistBnCnn, MnistBnCnnUnfused,
};
use tensor_cores::*;

/// Measure the time of one step.
#[derive(Parser)]
struct Options {
    #[arg(long)]
    model: Name,

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
}

#[derive(Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Name {
    Mlp,
    Lenet5,
    Autoencoder,
    MnistBnCnn,
    Resnet18,
    #[value(name = "alexnet")]
    AlexNet,
    Vgg16,
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
    let sgd = Sgd { lr: 0.01, momentum: 0.9, ..Sgd::default() };
    let adam = Adam::default();
    let batch = options.batch;
    /// A network of the chosen precision, fused or not.
    macro_rules! measure {
        ($optimizer:expr, $inputs:expr, $targets:expr,
         $f32:ident $f32_unfused:ident $tf32:ident $tf32_unfused:ident $bf16:ident $bf16_unfused:ident) => {{
            let (optimizer, inputs, targets) = ($optimizer, $inputs, $targets);
            match (options.precision, options.fusion) {
                (Precision::F32, Fusion::On) => measure::<$f32, _>(options, optimizer, inputs, targets),
                (Precision::F32, Fusion::Off) => measure::<$f32_unfused, _>(options, optimizer, inputs, targets),
                (Precision::Tf32, Fusion::On) => measure::<$tf32, _>(options, optimizer, inputs, targets),
                (Precision::Tf32, Fusion::Off) => measure::<$tf32_unfused, _>(options, optimizer, inputs, targets),
                (Precision::Bf16, Fusion::On) => measure::<$bf16, _>(options, optimizer, inputs, targets),
                (Precision::Bf16, Fusion::Off) => measure::<$bf16_unfused, _>(options, optimizer, inputs, targets),
            }
        }};
    }
    /// A network that exists in single precision only, fused or not.
    macro_rules! large {
        ($optimizer:expr, $inputs:expr, $targets:expr, $fused:ident $unfused:ident) => {
            match (options.precision, options.fusion) {
                (Precision::F32, Fusion::On) => measure::<$fused, _>(options, $optimizer, $inputs, $targets),
                (Precision::F32, Fusion::Off) => measure::<$unfused, _>(options, $optimizer, $inputs, $targets),
                (Precision::Tf32 | Precision::Bf16, _) => Err("this model is here in --precision f32 only".into()),
            }
        };
    }
    match options.model {
        Name::Mlp => measure!(
            sgd, rows(batch)?, labels(batch)?,
            Mlp MlpUnfused MlpTf32 MlpTf32Unfused MlpBf16 MlpBf16Unfused
        ),
        Name::Lenet5 => measure!(
            adam, images(batch)?, labels(batch)?,
            LeNet5 LeNet5Unfused LeNet5Tf32 LeNet5Tf32Unfused LeNet5Bf16 LeNet5Bf16Unfused
        ),
        Name::Autoencoder => measure!(
            adam, rows(batch)?, (),
            Autoencoder AutoencoderUnfused AutoencoderTf32 AutoencoderTf32Unfused AutoencoderBf16 AutoencoderBf16Unfused
        ),
        Name::MnistBnCnn => measure!(
            adam, images(batch)?, labels(batch)?,
            MnistBnCnn MnistBnCnnUnfused MnistBnCnnTf32 MnistBnCnnTf32Unfused MnistBnCnnBf16 MnistBnCnnBf16Unfused
        ),
        Name::Resnet18 => large!(sgd, small_pictures(batch)?, labels(batch)?, ResNet18 ResNet18Unfused),
        Name::AlexNet => large!(sgd, pictures(batch)?, many_labels(batch)?, AlexNet AlexNetUnfused),
        Name::Vgg16 => large!(sgd, pictures(batch)?, many_labels(batch)?, Vgg16 Vgg16Unfused),
    }
}

fn measure<N: Network, O: Optimizer>(
    options: &Options,
    optimizer: O,
    inputs: N::Inputs,
    targets: N::Targets,
) -> Result<(), Box<dyn Error>> {
    let device = match (options.device, options.threads) {
        (Place::Cpu, Some(threads)) => Device::cpu().threads(threads),
        (Place::Cpu, None) => Device::cpu(),
        (Place::Cuda, _) => Device::Cuda(0),
    };
    let mut model = N::new(&device, 1)?;
    let batch = Dataset::new(inputs, targets)?;
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
        word(options.model),
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
        profile(&launches);
    }
    Ok(())
}

/// The most memory that this process has had, where the system tells (Linux).
fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

/// A line per launch: its share of the time, and the rates of what it must do at least.
fn profile(launches: &[LaunchTime]) {
    let total: f64 = launches.iter().map(|launch| launch.seconds).sum();
    println!("{:>9} {:>6} {:>9} {:>8}  launch", "us", "%", "GFLOP/s", "GB/s");
    for launch in launches {
        let LaunchTime { name, layers, ops, seconds, flops, bytes } = launch;
        println!(
            "{:>9.1} {:>6.1} {:>9.1} {:>8.1}  {name}: {ops}  # {layers}",
            seconds * 1e6,
            100.0 * seconds / total,
            *flops as f64 / seconds / 1e9,
            *bytes as f64 / seconds / 1e9,
        );
    }
    println!("{:>9.1}  100.0 {:>9} {:>8}  all launches", total * 1e6, "", "");
}

/// An option as it is typed.
fn word(value: impl ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

/// Values in [0, 1) that look random and are the same everywhere.
fn values(count: usize) -> Vec<f32> {
    (0..count as u32).map(|i| (i.wrapping_mul(0x9e37_79b9) >> 8) as f32 / (1 << 24) as f32).collect()
}

fn rows(samples: usize) -> Result<Rows<784>, kiln::Error> {
    Rows::from_vec(values(samples * 784))
}

fn images(samples: usize) -> Result<Images<1, 28, 28>, kiln::Error> {
    Images::from_vec(values(samples * 784))
}

fn small_pictures(samples: usize) -> Result<Images<3, 32, 32>, kiln::Error> {
    Images::from_vec(values(samples * 3 * 32 * 32))
}

fn pictures(samples: usize) -> Result<Images<3, 224, 224>, kiln::Error> {
    Images::from_vec(values(samples * 3 * 224 * 224))
}

fn many_labels(samples: usize) -> Result<Classes<1000>, kiln::Error> {
    Classes::from_vec((0..samples).map(|sample| sample * 7 % 1000).collect())
}

fn labels(samples: usize) -> Result<Classes<10>, kiln::Error> {
    Classes::from_vec((0..samples).map(|sample| sample * 7 % 10).collect())
}
