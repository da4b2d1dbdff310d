//! How long one step takes, on synthetic data.
//!
//!     cargo run --release --example step_time -- --model lenet5 --mode train --batch 64 --threads 2
//!
//! Warms up, then repeats the step for `--seconds` and prints one line with the median, the shortest and the longest time.
//! `train` is forward, loss, backward and the optimizer's update; `infer` is `forward`, including the copy of the outputs.

mod networks;

use std::error::Error;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use kiln::optim::Optimizer;
use kiln::prelude::*;
use networks::{
    Autoencoder, AutoencoderUnfused, LeNet5, LeNet5Unfused, Mlp, MlpUnfused, MnistBnCnn, MnistBnCnnUnfused,
};

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

    /// Threads (without it: KILN_THREADS, else all cores)
    #[arg(long)]
    threads: Option<usize>,

    /// `off`: one kernel for each primitive
    #[arg(long, default_value = "on")]
    fusion: Fusion,

    /// How long to measure
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
}

#[derive(Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Name {
    Mlp,
    Lenet5,
    Autoencoder,
    MnistBnCnn,
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
    let sgd = Sgd { lr: 0.01, momentum: 0.9, ..Sgd::default() };
    let adam = Adam::default();
    let batch = options.batch;
    match (options.model, options.fusion) {
        (Name::Mlp, Fusion::On) => measure::<Mlp, _>(options, sgd, rows(batch)?, labels(batch)?),
        (Name::Mlp, Fusion::Off) => measure::<MlpUnfused, _>(options, sgd, rows(batch)?, labels(batch)?),
        (Name::Lenet5, Fusion::On) => measure::<LeNet5, _>(options, adam, images(batch)?, labels(batch)?),
        (Name::Lenet5, Fusion::Off) => measure::<LeNet5Unfused, _>(options, adam, images(batch)?, labels(batch)?),
        (Name::Autoencoder, Fusion::On) => measure::<Autoencoder, _>(options, adam, rows(batch)?, ()),
        (Name::Autoencoder, Fusion::Off) => measure::<AutoencoderUnfused, _>(options, adam, rows(batch)?, ()),
        (Name::MnistBnCnn, Fusion::On) => measure::<MnistBnCnn, _>(options, adam, images(batch)?, labels(batch)?),
        (Name::MnistBnCnn, Fusion::Off) => {
            measure::<MnistBnCnnUnfused, _>(options, adam, images(batch)?, labels(batch)?)
        }
    }
}

fn measure<N: Network, O: Optimizer>(
    options: &Options,
    optimizer: O,
    inputs: N::Inputs,
    targets: N::Targets,
) -> Result<(), Box<dyn Error>> {
    let device = match options.threads {
        Some(threads) => Device::cpu().threads(threads),
        None => Device::best(),
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

    println!(
        "step model={} mode={} batch={} threads={} fusion={} median_ms={:.4} min_ms={:.4} max_ms={:.4}",
        word(options.model),
        word(options.mode),
        batch.len(),
        options.threads.map_or_else(|| "default".into(), |threads| threads.to_string()),
        word(options.fusion),
        times[times.len() / 2],
        times[0],
        times[times.len() - 1],
    );
    Ok(())
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

fn labels(samples: usize) -> Result<Classes<10>, kiln::Error> {
    Classes::from_vec((0..samples).map(|sample| sample * 7 % 10).collect())
}
