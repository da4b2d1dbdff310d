//! LeNet-5 learns to read handwritten digits.
//!
//!     cargo run --release --example mnist                                    # the embedded digits
//!     cargo run --release --example mnist -- --data DIR --epochs 10          # all of MNIST
//!     cargo run --release --example mnist -- --data DIR --eval runs/mnist/lenet5.safetensors
//!
//! Shows a declaration, training with validation and early stopping, the drawing of a report, saving and loading of
//! weights, and predictions. Accuracy to expect: 0.975 to 0.98 on the embedded digits, 0.99 on MNIST's files.

use std::error::Error;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Instant;

use clap::Parser;
use kiln::data::{idx, mnist};
use kiln::plot::{Picture, side_by_side};
use kiln::prelude::*;

type Digits = mnist::Digits;

network! {
    /// LeNet-5 (LeCun, Bottou, Bengio and Haffner, 1998), ReLU variant.
    pub LeNet5<CLASSES = 10> {
        input image: [1, 28, 28];
        target digit: class<CLASSES>;

        features: {
            Conv2d<6, 5, padding = 2>; Relu; MaxPool2d<2>;
            Conv2d<16, 5>;             Relu; MaxPool2d<2>;
        }
        Flatten;
        classifier: { Linear<120>; Relu; Linear<84>; Relu; Linear<CLASSES>; }

        loss: CrossEntropy(_, digit);
    }
}

/// Train LeNet-5 on handwritten digits.
#[derive(Parser)]
struct Options {
    /// Folder with MNIST's IDX files, plain or .gz (without it: the 10 000 digits inside the crate)
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,

    /// How often every training digit is seen, at most
    #[arg(long, default_value_t = 20)]
    epochs: usize,

    /// Digits per step
    #[arg(long, default_value_t = 32)]
    batch_size: usize,

    /// Adam's learning rate
    #[arg(long, default_value_t = 1e-3)]
    lr: f64,

    /// Decides the initial weights and the order of the digits
    #[arg(long, default_value_t = 0)]
    seed: u64,

    /// Threads (without it: KILN_THREADS, else all cores)
    #[arg(long)]
    threads: Option<usize>,

    /// Where curves.svg and lenet5.safetensors go
    #[arg(long, value_name = "DIR", default_value = "runs/mnist")]
    out: PathBuf,

    /// Only evaluate these weights, on the test digits
    #[arg(long, value_name = "FILE")]
    eval: Option<PathBuf>,
}

fn main() {
    if let Err(error) = run(&Options::parse()) {
        eprintln!("error: {error}");
        std::process::exit(1);
    }
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let device = match options.threads {
        Some(threads) => Device::cpu().threads(threads),
        None => Device::best(),
    };
    let (train, test) = digits(options)?;
    let start = Instant::now();

    let (model, epochs) = if let Some(file) = &options.eval {
        (LeNet5::open(file, &device)?, 0)
    } else {
        println!("{}", LeNet5::summary());
        println!("training on {} digits, measuring on {} others, on {device}", train.len(), test.len());
        let mut model = LeNet5::new(&device, options.seed)?;
        let report = fit(&mut model, options, &train, &test)?;
        println!("{report}");
        std::fs::create_dir_all(&options.out)?;
        let (curves, weights) = (options.out.join("curves.svg"), options.out.join("lenet5.safetensors"));
        report.plot(&curves)?;
        model.save(&weights)?;
        println!("wrote {} and {}", curves.display(), weights.display());
        (model, report.epochs.len())
    };
    let measured = model.evaluate(&test)?;
    let seconds = start.elapsed().as_secs_f64();
    println!("\n{}\n", measured.confusion());
    show(&model, &test)?;

    let train = if options.eval.is_some() { 0 } else { train.len() };
    println!(
        "result model=lenet5 train={train} test={} epochs={epochs} accuracy={:.4} loss={:.4} seconds={seconds:.1} seed={}",
        test.len(),
        measured.accuracy,
        measured.loss,
        model.seed(),
    );
    Ok(())
}

/// The last quarter of the epochs begins from the best weights so far, with a tenth of the learning rate: on few digits the
/// accuracy of single epochs varies by a percent, and small steps settle it.
fn fit(model: &mut Model<LeNet5>, options: &Options, train: &Digits, test: &Digits) -> Result<Report, kiln::Error> {
    let mut fit = |lr: f64, epochs: usize| {
        Trainer::new(model, Adam { lr, ..Adam::default() })
            .epochs(epochs)
            .batch_size(options.batch_size)
            .early_stopping(4)
            .fit(train, test)
    };
    let settling = options.epochs / 4;
    let mut report = fit(options.lr, options.epochs - settling)?;
    if settling > 0 {
        println!("once more from the best weights, with a tenth of the learning rate");
        let last = fit(options.lr / 10.0, settling)?;
        let before = report.epochs.len();
        report.epochs.iter_mut().for_each(|epoch| epoch.best = false);
        report.epochs.extend(last.epochs.iter().map(|epoch| EpochRecord { epoch: epoch.epoch + before, ..*epoch }));
        report.seconds += last.seconds;
    }
    Ok(report)
}

/// Digits to learn from, and others to be measured by.
fn digits(options: &Options) -> Result<(Digits, Digits), Box<dyn Error>> {
    let Some(folder) = &options.data else {
        let digits = mnist::embedded();
        return Ok((digits.train, digits.valid));
    };
    if options.eval.is_some()
        && let Some(test) = idx::open_part(folder, "t10k")?
    {
        return Ok((test.take(0), test));
    }
    let data = idx::open::<Images<1, 28, 28>, Classes<10>>(folder)?;
    Ok(match data.test {
        Some(test) => (data.train, test),
        None => {
            let rest = data.train.len() - data.train.len() / 6;
            println!("no t10k-* files in {}: the last sixth of its training file is held out", folder.display());
            (data.train.take(rest), data.train.skip(rest))
        }
    })
}

/// Six digits, the first four that the model reads right and the first two that it does not.
fn show(model: &Model<LeNet5>, test: &Digits) -> Result<(), Box<dyn Error>> {
    let sample = test.take(2000);
    let scores = model.forward(sample.inputs())?.softmax();
    let read = scores.argmax();
    let (right, wrong): (Vec<usize>, Vec<usize>) =
        (0..sample.len()).partition(|&row| read.row(row) == sample.targets().row(row));
    let chosen: Vec<usize> = right.into_iter().take(4).chain(wrong.into_iter().take(2)).collect();
    let pictures: Vec<(Picture, String)> = chosen
        .iter()
        .map(|&row| {
            let (digit, label) = (read.row(row), sample.targets().row(row));
            let sure = 100.0 * scores.row(row)[digit];
            let note = if digit == label { String::new() } else { format!(", it is {label}") };
            (Picture::new(sample.inputs().row(row), 28), format!("read {digit} ({sure:.1} %){note}"))
        })
        .collect();
    let plain = !std::io::stdout().is_terminal();
    // Three pictures and their gaps fit into 90 columns.
    pictures.chunks(3).for_each(|row| println!("{}", side_by_side(row, plain)));
    Ok(())
}
