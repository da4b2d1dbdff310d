//! Fused against unfused on a GPU, by the device's own clock: the graph of a training step and of a forward pass, in each
//! precision, at batch sizes 64 and 128. Prints a TSV. Where there is no GPU it says so and measures nothing.
//!
//!     cargo bench --bench cuda                    # all networks
//!     cargo bench --bench cuda -- mnist_bn_cnn    # those whose names contain this

#[path = "../examples/networks/mod.rs"]
mod networks;
#[path = "../examples/networks/tensor_cores.rs"]
mod tensor_cores;

use kiln::optim::Optimizer;
use kiln::prelude::*;
use networks::*;
use tensor_cores::*;

const BATCHES: [usize; 2] = [64, 128];

/// Launches of one measurement, and measurements of which the median is taken.
const LAUNCHES: usize = 200;
const ROUNDS: usize = 5;

/// What is measured, and with which samples.
struct Case<I, T> {
    model: &'static str,
    precision: &'static str,
    samples: fn(usize) -> Result<Dataset<I, T>, Error>,
}

fn main() {
    // Cargo's own options are not names.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    if let Err(error) = Mlp::new(&Device::Cuda(0), 1) {
        println!("skipped, nothing was measured: {error}");
        return;
    }
    println!("model\tprecision\tbatch\tmode\tfused_ms\tunfused_ms\tunfused/fused");
    if let Err(error) = all(&wanted) {
        eprintln!("error: {error}");
        std::process::exit(1);
    }
}

fn all(wanted: &[String]) -> Result<(), Error> {
    let sgd = Sgd { lr: 0.01, momentum: 0.9, ..Sgd::default() };
    let adam = Adam::default();
    macro_rules! compare {
        ($model:literal $optimizer:ident $samples:ident: $($precision:literal $fused:ident $unfused:ident)*) => { $(
            if wanted.is_empty() || wanted.iter().any(|name| $model.contains(name.as_str())) {
                let case = Case { model: $model, precision: $precision, samples: $samples };
                compare::<$fused, $unfused, _>(&case, &$optimizer)?;
            }
        )* };
    }
    compare!("mlp" sgd digits_in_rows: "f32" Mlp MlpUnfused "tf32" MlpTf32 MlpTf32Unfused "bf16" MlpBf16 MlpBf16Unfused);
    compare!("lenet5" adam digits:
        "f32" LeNet5 LeNet5Unfused "tf32" LeNet5Tf32 LeNet5Tf32Unfused "bf16" LeNet5Bf16 LeNet5Bf16Unfused);
    compare!("autoencoder" adam rows:
        "f32" Autoencoder AutoencoderUnfused
        "tf32" AutoencoderTf32 AutoencoderTf32Unfused
        "bf16" AutoencoderBf16 AutoencoderBf16Unfused);
    compare!("mnist_bn_cnn" adam digits:
        "f32" MnistBnCnn MnistBnCnnUnfused
        "tf32" MnistBnCnnTf32 MnistBnCnnTf32Unfused
        "bf16" MnistBnCnnBf16 MnistBnCnnBf16Unfused);
    Ok(())
}

/// Both forms of a network, alternating, so that a change of the device's clock rate meets both.
fn compare<F, U, O>(case: &Case<F::Inputs, F::Targets>, optimizer: &O) -> Result<(), Error>
where
    F: Network,
    U: Network<Inputs = F::Inputs, Targets = F::Targets>,
    O: Optimizer + Clone,
{
    let device = Device::Cuda(0);
    for batch in BATCHES {
        let data = (case.samples)(batch)?;
        let (mut fused, mut unfused) = (F::new(&device, 1)?, U::new(&device, 1)?);
        let (mut for_fused, mut for_unfused) = (optimizer.clone().bind(&fused)?, optimizer.clone().bind(&unfused)?);
        let mut times: [[Vec<f64>; 2]; 2] = Default::default();
        // The first round warms up.
        for round in 0..=ROUNDS {
            let found = [
                [
                    fused.time_train_step(&data, &mut for_fused, LAUNCHES)?,
                    unfused.time_train_step(&data, &mut for_unfused, LAUNCHES)?,
                ],
                [fused.time_forward(data.inputs(), LAUNCHES)?, unfused.time_forward(data.inputs(), LAUNCHES)?],
            ];
            if round > 0 {
                for (times, found) in times.iter_mut().flatten().zip(found.into_iter().flatten()) {
                    times.extend(found);
                }
            }
        }
        for (mode, [fused, unfused]) in ["train", "infer"].into_iter().zip(times) {
            let (fused, unfused) = (median(fused), median(unfused));
            let Case { model, precision, .. } = case;
            println!("{model}\t{precision}\t{batch}\t{mode}\t{fused:.4}\t{unfused:.4}\t{:.2}", unfused / fused);
        }
    }
    Ok(())
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Values in [0, 1) that look random and are the same everywhere.
fn values(count: usize) -> Vec<f32> {
    (0..count as u32).map(|i| (i.wrapping_mul(0x9e37_79b9) >> 8) as f32 / (1 << 24) as f32).collect()
}

fn labels(samples: usize) -> Result<Classes<10>, Error> {
    Classes::from_vec((0..samples).map(|sample| sample * 7 % 10).collect())
}

fn rows(samples: usize) -> Result<Dataset<Rows<784>, ()>, Error> {
    Dataset::new(Rows::from_vec(values(samples * 784))?, ())
}

fn digits_in_rows(samples: usize) -> Result<Dataset<Rows<784>, Classes<10>>, Error> {
    Dataset::new(Rows::from_vec(values(samples * 784))?, labels(samples)?)
}

fn digits(samples: usize) -> Result<Dataset<Images<1, 28, 28>, Classes<10>>, Error> {
    Dataset::new(Images::from_vec(values(samples * 784))?, labels(samples)?)
}
